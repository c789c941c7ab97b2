"""One run at a time: a lock on a file of the state folder, which ends with the process."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from licet.errors import StateError, UsageError
from licet.machine import open_own

_LOOK = 0.2  # seconds between two tries


@contextmanager
def alone(path: Path, command: str, patience: float = 0.0) -> Iterator[None]:
    """While one run of `command` is at work, no other is. `patience`: for how many seconds it waits for another one.

    Raises:
        UsageError: another one is.
        StateError: the file cannot be opened, or is not ours alone.
    """
    descriptor = open_own(path, os.O_RDWR | os.O_CREAT, StateError)
    try:
        until = time.monotonic() + patience
        while not _taken(descriptor):
            if time.monotonic() >= until:
                raise UsageError(f"{path}: another `{command}` is at work; wait for it")
            time.sleep(_LOOK)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
