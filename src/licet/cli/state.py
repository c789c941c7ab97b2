"""What the commands that look into a state folder share. A command that only reads makes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from licet.errors import UsageError
from licet.guard.state import StateFolder, default_state, open_state
from licet.store import SqliteStore, Store
from licet.tokens import KeyRing


def add_state(parser: argparse.ArgumentParser) -> None:
    """Add `--state`."""
    parser.add_argument("--state", metavar="DIR", help="the state folder (default: LICET_STATE, else the user's state directory)")


def existing(options: argparse.Namespace, *needed: str) -> StateFolder:
    """The state folder, which must be there with the files in it that are `needed` (`store`, `ledger`, `key`).

    Raises:
        UsageError: it is not.
        StateError: it belongs to another user, or others can write in it.
    """
    folder = StateFolder((default_state() if options.state is None else Path(options.state)).absolute())
    for what in needed:
        file: Path = getattr(folder, what)
        try:
            found = file.exists()
        except (OSError, ValueError):  # a folder that may not be entered, or no path at all
            found = False
        if not found:
            why = "there is nothing here yet: no guard has ever used this folder"
            raise UsageError(f"{file}: {why}; run one first, or name its folder with `--state` or LICET_STATE")
    return open_state(folder.path)


def ring_of(folder: StateFolder, now: float) -> KeyRing:
    """The keys of a folder, to look at. None is made.

    Raises:
        UsageError: there are none.
        KeyFileError: they cannot be used.
    """
    return KeyRing(folder.keys, now=now, create=False)


@contextmanager
def store_of(folder: StateFolder) -> Iterator[Store]:
    """The store, closed afterwards."""
    store = SqliteStore(folder.store)
    try:
        yield store
    finally:
        store.close()


def task_id(store: Store, prefix: str) -> str:
    """The one task whose id is, or begins with, `prefix`.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = store.tasks_like(prefix) if prefix.isascii() and prefix.isalnum() else []
    if prefix in found:
        return prefix
    if not found:
        raise UsageError(f"no task whose id begins with {prefix!r}; `licet tasks` lists them")
    if len(found) > 1:
        raise UsageError(f"{prefix!r} begins more than one id: {', '.join(found[:5])}{', …' if len(found) > 5 else ''}; write more of it")
    return found[0]
