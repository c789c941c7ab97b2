"""Which files are meant by the paths that somebody named."""

from __future__ import annotations

import os
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
            if not Path(absolute).is_dir():
                Path(absolute).stat()
                found[absolute] = None
                continue
        except (OSError, ValueError) as error:
            unreadable[path] = _why(error)
            continue
        for folder, folders, names in os.walk(absolute, onerror=lambda error: unreadable.update({str(error.filename): _why(error)})):
            folders.sort()
            for name in sorted(names):
                file = Path(folder) / name
                if file.is_file():
                    found[str(file)] = None
                else:
                    unreadable[str(file)] = "is no plain file"
    return list(found), unreadable


def _why(error: Exception) -> str:
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else "is no path"
