"""The bytes of a log in pieces: its lines, plain or gzip, each of bounded length, with the offset at which the next one begins."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import Final, NamedTuple

from licet.lines import MAX_LINE

BLOCK: Final = 1024 * 1024
TOO_LONG: Final = f"longer than {MAX_LINE // 1024 // 1024} MiB"
_GZIP_MAGIC: Final = b"\x1f\x8b"


class Piece(NamedTuple):
    """One line. `raw`: None where it is too long. `end`: the offset behind it, in the unpacked content. `whole`: a newline stands there."""

    number: int
    end: int
    raw: bytes | None
    whole: bool = True


def is_packed(file: BufferedReader) -> bool:
    """Whether the content is gzip, whatever its name says. Nothing is read."""
    return file.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)


class Pieces:
    """The lines of a file, from where it stands: line `number` + 1, at `offset`.

    Iterating never raises for what is wrong with the content: `stuck` then says why it did not go on, and is empty at a good end.
    """

    def __init__(self, file: BufferedReader, *, packed: bool, number: int = 0, offset: int = 0) -> None:
        self._read: Callable[[int], bytes] = gzip.GzipFile(fileobj=file).read1 if packed else file.read1
        self._number, self._offset = number, offset
        self.stuck = ""

    def __iter__(self) -> Iterator[Piece]:
        number, offset = self._number, self._offset
        rest: list[bytes] = []  # of a line that goes on in the next block
        held = length = 0
        while block := self._block():
            first, *lines = block.split(b"\n")
            length += len(first)
            if held <= MAX_LINE:
                rest.append(first)
                held += len(first)
            else:
                rest = []
            if not lines:
                continue
            number, offset = number + 1, offset + length + 1
            yield Piece(number, offset, b"".join(rest) if held <= MAX_LINE else None)
            last = lines.pop()
            for line in lines:
                number, offset = number + 1, offset + len(line) + 1
                yield Piece(number, offset, line)
            rest, held, length = [last], len(last), len(last)
        if length and not self.stuck:
            yield Piece(number + 1, offset + length, b"".join(rest) if held <= MAX_LINE else None, whole=False)

    def _block(self) -> bytes:
        try:
            return self._read(BLOCK)
        except EOFError:
            self.stuck = "the gzip file is cut off"
        except (gzip.BadGzipFile, zlib.error):
            self.stuck = "the gzip file is damaged"
        except OSError as error:
            self.stuck = f"the file cannot be read on: {error.strerror}"
        return b""
