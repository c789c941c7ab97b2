"""A lock that does not outlive a fork. The thread that held it is not in the new process, and so would never let go."""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType


class Lock:
    """`threading.Lock` for `with`; in a forked process it is open again. What it guards must be whole after every single step."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()


_all: weakref.WeakSet[Lock] = weakref.WeakSet()


def _renew() -> None:
    for lock in list(_all):
        lock._lock = threading.Lock()


os.register_at_fork(after_in_child=_renew)
