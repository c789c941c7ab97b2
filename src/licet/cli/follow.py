"""A command that runs again and again, until it is interrupted (`--follow`)."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from licet.cli import output
from licet.cli.acts import seconds
from licet.errors import LicetError

EVERY: Final = 60.0
"""Seconds from the end of one run to the beginning of the next."""

_UNUSABLE: Final = 2


def add_follow(parser: argparse.ArgumentParser) -> None:
    """Add `--follow` and `--every`."""
    parser.add_argument(
        "--follow", action="store_true", help="run again and again until interrupted; the exit code is that of the last run"
    )
    parser.add_argument("--every", metavar="TIME", type=seconds, help="with `--follow`: how long to wait between two runs (default: 60s)")


def follow(once: Callable[[bool], int], every: float, wait: Callable[[float], object] = time.sleep) -> int:
    """Run it again and again. SIGINT and SIGTERM end it, with the code of the last run that ended; one that is cut off does not count.

    Args:
        once: one run; told whether it is the first. What it raises ends all at the first run, as it is wrong usage then; later it is said,
            and counts as a 2.
        every: seconds between two runs.
        wait: for so many seconds.
    """
    code: int | None = None
    with _ended_by_interrupt():
        try:
            while True:
                code = _run(once, first=code is None)
                sys.stdout.flush()
                wait(every)
        except KeyboardInterrupt:
            if code is None:
                raise
    return code


def _run(once: Callable[[bool], int], *, first: bool) -> int:
    try:
        return once(first)
    except LicetError as error:
        if first:
            raise
        output.error(f"licet: {error}")
        return _UNUSABLE


@contextlib.contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """What a service manager sends ends it as Ctrl-C does; so does Ctrl-C where a shell in the background had it ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupted) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
