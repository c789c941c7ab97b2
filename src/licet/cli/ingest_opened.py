"""A log, opened to be read: a pipe is waited for, and it is said that it is; what has no end is refused."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import sys
from io import BufferedReader
from typing import Final, cast

from licet.cli import output
from licet.cli.ingest_told import shown
from licet.errors import UsageError
from licet.escape import visible
from licet.ingest.intake import STDIN
from licet.ingest.paths import no_log

_SAID_AFTER: Final = 2.0  # seconds for which a pipe without a writer is waited for without a word
_SAID_EVERY: Final = 60.0


def opened(name: str) -> BufferedReader:
    """A file or pipe, or standard input, to read. Of a pipe its first byte, or its end, has come.

    Raises:
        UsageError: it cannot be opened, or is a device: that has no end.
    """
    if name == STDIN:
        if sys.stdin is None:
            raise UsageError("standard input: is closed; hand the log in, or name its file")
        found = os.fstat(sys.stdin.buffer.fileno())
        if (why := no_log(found)) and not sys.stdin.isatty():
            raise UsageError(f"standard input: {why}")
        return cast("BufferedReader", sys.stdin.buffer)
    try:
        # A pipe is opened at once with this flag, whether anybody writes into it or not.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise UsageError(f"{name}: cannot be read: {reason}; check path and rights") from error
    try:
        _ready(descriptor, name)
    except BaseException:  # an interrupt while a pipe is waited for, too; it goes on, and nothing is left open
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _ready(descriptor: int, name: str) -> None:
    """Refuse what has no end, and wait for a pipe."""
    found = os.fstat(descriptor)
    if why := "is a folder now" if stat.S_ISDIR(found.st_mode) else no_log(found):
        raise UsageError(f"{name}: {why}")
    if stat.S_ISFIFO(found.st_mode):
        _wait(descriptor, name)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_NONBLOCK)


def _wait(descriptor: int, name: str) -> None:
    """Until somebody writes, or has closed the pipe again: `poll` says nothing as long as nobody has opened it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    patience = _SAID_AFTER
    while not poll.poll(patience * 1_000):
        output.error(f"{visible(shown(name), 300)}: is a pipe into which nobody writes yet; waiting (Ctrl-C ends it)")
        patience = _SAID_EVERY
