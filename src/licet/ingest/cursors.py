"""Where the reader of a file stands, so that it goes on there: in a file that grew, not in another one of the same name.

A file is the same one if its first 4 KiB and the last ones before the mark are what they were. The mark is where reading goes on, in
a plain file of lines; else it is the size that the file had, and as much of it as was read is read past.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

_WINDOW: Final = 4_096


@dataclass(frozen=True, slots=True)
class Cursor:
    """Attributes:
    lines: it is a plain file of lines.
    mark, head, tail: see above.
    line: lines that were read.
    item: how many records of the line (or document) behind them were read.
    half: the newline behind the last line was still to come.
    done: all of it was read, up to the mark.
    """

    lines: bool
    mark: int
    head: str
    tail: str
    line: int = 0
    item: int = 0
    half: bool = False
    done: bool = False

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def cursor_of(body: Mapping[str, Any] | None) -> Cursor | None:
    """The cursor that was kept as this; None if it is none of ours, so that reading begins anew and duplicates are passed over."""
    try:
        return Cursor(**body) if body is not None else None
    except TypeError:
        return None


def cursor_at(descriptor: int, mark: int, *, lines: bool, line: int, item: int, half: bool, done: bool) -> Cursor:
    """The cursor of an open file."""
    return Cursor(lines, mark, *_prints(descriptor, mark), line, item, half, done)


def is_same(descriptor: int, cursor: Cursor) -> bool:
    """Whether the open file is the one that the cursor was made in, at most with more behind it."""
    return os.fstat(descriptor).st_size >= cursor.mark and _prints(descriptor, cursor.mark) == (cursor.head, cursor.tail)


def _prints(descriptor: int, mark: int) -> tuple[str, str]:
    head = os.pread(descriptor, min(_WINDOW, mark), 0)
    start = max(0, mark - _WINDOW)
    return hashlib.sha256(head).hexdigest(), hashlib.sha256(os.pread(descriptor, mark - start, start)).hexdigest()
