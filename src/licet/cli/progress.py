"""How far a long command is, on standard error: one line that is written over on a terminal, else a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from licet.cli import output
from licet.traces import is_address

TTY_SECONDS, LOG_SECONDS = 0.2, 10.0  # between two lines


class Progress:
    """Through `files`, in their order. `told` says what has been done, from the seconds that it took."""

    def __init__(self, files: Sequence[str], told: Callable[[float], str]) -> None:
        self._sizes = [1 if is_address(name) or name == "-" else max(Path(name).stat().st_size, 1) for name in files]
        self._told = told
        self._tty = sys.stderr.isatty()
        self._every = TTY_SECONDS if self._tty else LOG_SECONDS
        self._begun = self._said = time.monotonic()
        self._shown = False

    def at(self, index: int, position: int) -> None:
        """File number `index` has been read to byte `position`."""
        now = time.monotonic()
        if now - self._said < self._every:
            return
        self._said, self._shown = now, True
        part = (sum(self._sizes[:index]) + min(position, self._sizes[index])) / sum(self._sizes)
        text = f"{part:4.0%}  {self._told(now - self._begun)}"
        output.write(f"\r\x1b[K{text}" if self._tty else f"{text}\n", stream=sys.stderr)
        sys.stderr.flush()

    def done(self) -> None:
        """Take the line away."""
        if self._tty and self._shown:
            output.write("\r\x1b[K", stream=sys.stderr)
