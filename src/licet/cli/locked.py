"""One run at a time: a lock on a file of the state folder, which ends with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from licet.errors import StateError, UsageError
from licet.machine import open_own


@contextmanager
def alone(path: Path, command: str) -> Iterator[None]:
    """While one run of `command` is at work, no other is.

    Raises:
        UsageError: another one is.
        StateError: the file cannot be opened, or is not ours alone.
    """
    descriptor = open_own(path, os.O_RDWR | os.O_CREAT, StateError)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{path}: another `{command}` is at work; wait for it") from error
        yield
    finally:
        os.close(descriptor)
