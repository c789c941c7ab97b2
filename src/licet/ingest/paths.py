"""Which files are meant by the paths that somebody named."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from licet.ingest.intake import STDIN


def files_in(paths: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """The files, by their absolute paths, in the order of the paths; those of a folder sorted, with the folders in it. And what could
    not be used, with the reason.

    Links to folders are not followed in a folder, so that none is gone through twice.
    """
    found: dict[str, None] = {}
    unreadable: dict[str, str] = {}
    for path in paths:
        if path == STDIN:
            found[path] = None
            continue
        absolute = os.path.abspath(path)  # noqa: PTH100 - `resolve` would follow links, and name a file otherwise than its owner does
        try:
            about = Path(absolute).stat()
            if not stat.S_ISDIR(about.st_mode):
                if why := no_log(about):
                    unreadable[path] = why
                else:
                    found[absolute] = None
                continue
        except (OSError, ValueError) as error:
            unreadable[path] = _why(error)
            continue
        for folder, folders, names in os.walk(absolute, onerror=lambda error: unreadable.update({str(error.filename): _why(error)})):
            folders.sort()
            for name in sorted(names):
                file = Path(folder) / name
                if why := _in_a_folder(file):
                    unreadable[str(file)] = why
                else:
                    found[str(file)] = None
    return list(found), unreadable


def no_log(about: os.stat_result) -> str:
    """Why this is nothing that could be read to its end; empty if it may be. `/dev/null` is an empty file."""
    if stat.S_ISSOCK(about.st_mode):
        return "is a socket; name a file, or `-` and hand its content in"
    if stat.S_ISBLK(about.st_mode):
        return "is a device; name a file, or `-` and hand its content in"
    if stat.S_ISCHR(about.st_mode) and about.st_rdev != Path(os.devnull).stat().st_rdev:
        return "is a device, which has no end; name a file, or `-` and hand its content in"
    return ""


def _in_a_folder(file: Path) -> str:
    """Why it is passed over where it lies in a folder; empty if it is not."""
    try:
        about = file.stat()
    except (OSError, ValueError) as error:
        return "is a link to nothing" if file.is_symlink() and isinstance(error, FileNotFoundError) else _why(error)
    if stat.S_ISFIFO(about.st_mode):
        return "is a pipe, which is read only where it is named itself"
    return no_log(about)


def _why(error: Exception) -> str:
    return f"cannot be read: {error.strerror}; check path and rights" if isinstance(error, OSError) else "is no path"
