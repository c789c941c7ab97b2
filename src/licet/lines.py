"""Files that others wrote, line by line: plain or gzip, each line of bounded length, and reading never stops at a bad one."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

from licet.errors import UsageError

MAX_LINE = 64 * 1024 * 1024  # bytes; a gzip file of a few kilobytes can hold a line of many gigabytes
_GZIP_MAGIC = b"\x1f\x8b"


def opened(path: str | Path) -> BufferedReader:
    """A file, to read.

    Raises:
        UsageError: it cannot be opened.
    """
    try:
        return Path(path).open("rb")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        if isinstance(error, IsADirectoryError):
            raise UsageError(f"{path}: is a folder; name a file in it (a state folder is named by `--state`)") from error
        raise UsageError(f"{path}: cannot be read: {why}; check path and rights") from error


def lines_of(raw: BufferedReader, progress: Callable[[int], object] | None = None) -> Iterator[tuple[int, bytes | str]]:
    """The number of each line of a file or a pipe, and the line; or, as a text, why it is none. Lines of white space are passed over.

    `progress` hears how many bytes have been read.
    """
    number = read = 0
    try:
        for number, line in enumerate(_lines(_unpacked(raw)), 1):
            if line is None:
                yield number, f"longer than {MAX_LINE // 1024 // 1024} MiB"
            elif line.strip():
                yield number, line
            if progress is not None:
                read = raw.tell() if raw.seekable() else read + len(line or b"")
                progress(read)
    except (EOFError, gzip.BadGzipFile, zlib.error, OSError) as error:
        said = getattr(error, "strerror", None) or error
        yield number + 1, "the gzip file is cut off" if isinstance(error, EOFError) else f"the file cannot be read on: {said}"


def _unpacked(raw: BufferedReader) -> IO[bytes]:
    """The content, unpacked if it is gzip, whatever its name says."""
    packed = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw


def _lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """Each line; None for one that is too long, which is read past without being held."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE)
        yield None
