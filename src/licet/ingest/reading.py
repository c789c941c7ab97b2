"""One file of a log, record by record, from where its last reading ended."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from io import BufferedReader
from itertools import chain
from typing import Any, Final

from licet.ingest.cursors import Cursor, cursor_at, is_same
from licet.ingest.documents import CUT_OFF, NOT_UTF8, Unfit, opens, parsed, records_in, swiftly
from licet.ingest.pieces import TOO_LONG, Piece, Pieces, is_packed
from licet.lines import MAX_LINE

UNFINISHED: Final = "the last line is cut off; it is read when it is whole"
DOCUMENT_CUT: Final = "the document is cut off; the rest is read when it is whole"
_VAIN: Final = 100  # lines in a row of which `swiftly` cannot say what they are; the rest of the file is not tried
_WALKED: Final = 256 * 1024  # bytes of a line that is gone through item by item

_Item = tuple[int, Any, bytes]


class Reading:
    """Iterate over it for the records: line, value (an `Unfit` where it cannot be used) and bytes of each. Never raises for what is in
    the file. `cursor()` says at any time where reading stands behind the record that was given last.

    Args:
        file: open at its start.
        keys: under which a document has its records.
        known: where the last reading ended; passed over if this is another file.
        bodies: keys of a record that it can be used without.
    """

    def __init__(
        self, file: BufferedReader, keys: Collection[str], known: Cursor | None = None, bodies: Collection[str] = ()
    ) -> None:  # fmt: skip
        self._file, self._keys, self._bodies = file, keys, bodies
        found = os.fstat(file.fileno())
        self._plain, self._size = stat.S_ISREG(found.st_mode), found.st_size
        known = known if known is not None and self._plain and is_same(file.fileno(), known) else None
        self.unchanged = known is not None and known.done and known.mark == self._size
        self.stuck = ""
        """Why it could not be read to its end; empty where it was."""
        packed = is_packed(file)
        self._lines = self._plain and not packed and known is not None and known.lines
        self._resumed = self._lines
        self._line, self._item, self._offset, self._half = (known.line, known.item, 0, False) if known is not None else (0, 0, 0, False)
        self._done = self.unchanged
        if known is not None and self._lines:
            self._offset, self._half = known.mark, known.half
            file.seek(known.mark)
            if known.half and file.peek(1)[:1] == b"\n":  # the end of the line that was read
                file.read(1)
                self._offset += 1
        self._pieces = Pieces(file, packed=packed, number=self._line if self._lines else 0, offset=self._offset)
        self._packed = packed
        self._vain = 0

    def cursor(self) -> Cursor | None:
        """Where it stands; None for what cannot be read a second time, as a pipe."""
        if not self._plain:
            return None
        mark = self._offset if self._lines else self._size
        return cursor_at(
            self._file.fileno(), mark, lines=self._lines, line=self._line, item=self._item, half=self._half, done=self._done
        )  # fmt: skip

    def is_behind(self, known: Cursor) -> bool:
        """Whether the record that was given last was read before this cursor, in the same file."""
        return (self._line, self._item) <= (known.line, known.item)

    @property
    def position(self) -> int:
        """How many bytes of the file were read."""
        return self._file.tell() if self._plain else 0

    def __iter__(self) -> Iterator[_Item]:
        if self.unchanged:
            return
        if self._resumed:
            yield from self._by_line(self._pieces)
        else:
            yield from self._begun()
        self.stuck = self.stuck or self._pieces.stuck
        self._done = not self.stuck

    def _begun(self) -> Iterator[_Item]:
        """A file of which it is not known yet whether it is one document."""
        head: list[Piece] = []
        rest = iter(self._pieces)
        told: list[bytes] = []
        for piece in rest:
            head.append(piece)
            if piece.raw is not None and (line := piece.raw.strip().removeprefix(codecs.BOM_UTF8)):
                told.append(line)
            if piece.raw is None or len(told) == 2 or (told and not opens(told[0])):
                break
        if told and opens(told[0]) and not (told[0][-1:] in b",:" and len(told) == 2 and _is_object(told[1])):
            yield from self._document(head, rest)
        else:
            self._lines = self._plain and not self._packed
            yield from self._by_line(chain(head, rest))

    def _document(self, head: list[Piece], rest: Iterator[Piece]) -> Iterator[_Item]:
        held, size = list(head), sum(len(piece.raw or b"") for piece in head)
        for piece in rest:
            held.append(piece)
            size += len(piece.raw or b"") + 1
            if size > MAX_LINE or piece.raw is None:
                yield 1, Unfit(f"a document {TOO_LONG}"), b""
                return
        given = False
        try:
            text = b"\n".join(piece.raw or b"" for piece in held).removeprefix(codecs.BOM_UTF8).decode()
        except UnicodeDecodeError:
            yield 1, Unfit(NOT_UTF8), b""
            return
        try:
            for item in self._walked(text, 1):
                given = True
                yield item
        except Unfit as wrong:
            if wrong.cause == CUT_OFF or self._pieces.stuck:
                self.stuck = DOCUMENT_CUT
            elif given or self._item:
                yield 1 + text.count("\n", 0, max(wrong.at, 0)), wrong, b""
            else:  # its first line is broken, and only looked like the beginning of one
                self._lines = self._plain and not self._packed
                yield from self._by_line(held)

    def _by_line(self, pieces: Iterable[Piece]) -> Iterator[_Item]:
        keys, past = self._keys, 0 if self._resumed else self._line
        for number, end, raw, whole in pieces:
            if number <= past:
                self._offset = end
                continue
            line = b"" if raw is None else raw.strip() if number > 1 else raw.strip().removeprefix(codecs.BOM_UTF8)
            value = self._value_of(line) if raw is not None else Unfit(TOO_LONG)
            if value.__class__ is not dict or _is_document(value, keys):
                if line and not (yield from self._line_walked(line, number, whole=whole)):
                    return
                if raw is not None:
                    line = b""  # what it holds was given
            self._line, self._item, self._offset, self._half = number, 0, end, not whole
            if line or raw is None:
                yield number, value, line

    def _value_of(self, line: bytes) -> Any:
        """The value that a line is; None, or an `Unfit`, where it has to be gone through."""
        if not line or len(line) > _WALKED:
            return None
        if self._vain < _VAIN:
            found = swiftly(line)
            if found is not None:
                self._vain = 0
                return found
            self._vain += 1
        try:
            return parsed(str(line, "utf-8"))
        except UnicodeDecodeError:
            return None
        except Unfit as wrong:
            return wrong

    def _line_walked(self, line: bytes, number: int, *, whole: bool) -> Generator[_Item, None, bool]:
        """The records of one line that holds several, is long, or is wrong. Whether the line is done with."""
        try:
            yield from self._walked(str(line, "utf-8"), number)
        except (UnicodeDecodeError, Unfit) as error:
            wrong = error if isinstance(error, Unfit) else Unfit(NOT_UTF8, error.start)
            if not whole and wrong.at >= 0:
                self.stuck = UNFINISHED
                return False
            self._item += 1  # so that it is told once
            yield number, wrong, line
        return True

    def _walked(self, text: str, number: int) -> Iterator[_Item]:
        past, at = self._item, 0
        for index, found in enumerate(records_in(text, self._keys, self._bodies), 1):
            number += text.count("\n", at, found.start)
            at = found.start
            if index > past:
                self._item = index
                yield number, found.value, text[found.start : found.end].encode()


def _is_document(value: Mapping[str, Any], keys: Iterable[str]) -> bool:
    for key in keys:  # noqa: SIM110 - it runs for every record, and costs a third of `any`
        if value.get(key).__class__ is list:
            return True
    return False


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(parsed(line.decode()), dict)
    except (UnicodeDecodeError, Unfit):
        return False
