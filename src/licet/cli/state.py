"""What the commands that look into a state folder share. A command that only reads makes nothing."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from licet.cli import output
from licet.errors import UsageError
from licet.escape import visible
from licet.guard.state import STORE, StateFolder, default_state, open_state
from licet.ledger.signer import HEAD_FILE
from licet.store import SqliteStore, Store

if TYPE_CHECKING:
    from licet.tokens import KeyRing
    from licet.traces import Import


def add_state(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """Add `--state`. `again`: the first word of the command has it too, and what was said there holds unless it is said here."""
    default = argparse.SUPPRESS if again else None
    parser.add_argument(
        "--state", metavar="DIR", default=default, help="the state folder (default: LICET_STATE, else the user's state directory)"
    )


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add `--state`, and `--from` in its place."""
    add_state(parser)
    parser.add_argument(
        "--from", dest="sources", metavar="SOURCE", action="append", default=[],
        help="read spans instead of a state folder: OTLP JSON lines or Jaeger's JSON (a file, or `-`), or jaeger://HOST:PORT[/TRACE_ID]; "
        "may be given again",
    )  # fmt: skip


@contextmanager
def records_of(options: argparse.Namespace) -> Iterator[tuple[Store, Import | None]]:
    """What the command looks into: the state folder's store, or one with what `--from` gives, and what there is to say about that.

    Raises:
        UsageError: there is none, a source cannot be read, or both are named.
    """
    if not options.sources:
        with store_of(existing(options, "store"), reading=True) as store:
            yield store, None
        return
    if options.state is not None:
        raise UsageError("`--from` reads spans and `--state` a folder; give one of the two")
    from licet.traces import imported

    with imported(options.sources) as (store, read):
        for sentence in read.sentences():
            output.error("traces: ", sentence)
        yield store, read


def code_of(read: Import | None) -> int:
    """The exit code: 1 where something that was read is not as it should be, or nothing of ours was there. What is foreign beside it is
    none of our affair.
    """
    return 1 if read is not None and (read.wrong or not read.spans) else 0


def said_source(options: argparse.Namespace) -> str:
    """The options by which the same is found again, to be shown; empty where `licet` looks there by itself."""
    words = [f"--state {shlex.quote(options.state)}"] if options.state is not None else []
    sources = getattr(options, "sources", ())  # not every command has `--from`
    return "".join(f" {visible(word)}" for word in [*words, *(f"--from {shlex.quote(source)}" for source in sources)])


def existing(options: argparse.Namespace, *needed: str) -> StateFolder:
    """The state folder, named as it was given, which must be there with the files in it that are `needed` (`store`, `ledger`, `key`).

    Raises:
        UsageError: it is not.
        StateError: it belongs to another user, or others can write in it.
    """
    folder = StateFolder(default_state() if options.state is None else Path(options.state))
    for what in needed:
        file: Path = getattr(folder, what)
        try:
            found = file.exists()
        except (OSError, ValueError):  # a folder that may not be entered, or no path at all
            found = False
        if not found:
            raise UsageError(_missing(folder, what, file))
    open_state(folder.path)
    return folder


def _missing(folder: StateFolder, what: str, file: Path) -> str:
    try:
        signed = what == "ledger" and (folder.keys / HEAD_FILE).exists()
        used = folder.store.exists() or (folder.keys / HEAD_FILE).exists()
    except (OSError, ValueError):
        signed = used = False
    if signed:
        return f"{file}: is gone, and was written to before: {folder.keys / HEAD_FILE} has its last checkpoint; put it back"
    if used:
        return (
            f"{file}: is not there, though a guard has used this folder; put it back, or name another folder with `--state` or LICET_STATE"
        )
    why = "there is nothing here yet: no guard has ever used this folder"
    return f"{file}: {why}; run one first, or name its folder with `--state` or LICET_STATE"


def ring_of(folder: StateFolder, now: float) -> KeyRing:
    """The keys of a folder, to look at. None is made.

    Raises:
        UsageError: there are none.
        KeyFileError: they cannot be used.
    """
    from licet.tokens import KeyRing

    return KeyRing(folder.keys, now=now, create=False)


@contextmanager
def store_of(folder: StateFolder, *, reading: bool = False) -> Iterator[Store]:
    """The store, closed afterwards. `reading`: nothing will be written, and so it may stand where nothing can be."""
    store = SqliteStore(folder.store, reading=reading)
    if store.without_log:
        why = f"nothing can be written beside it, and what stands only in {STORE}-wal is missing here; read a copy of the folder"
        output.error(f"{folder.store}: {why}")
    try:
        yield store
    finally:
        store.close()


def task_id(store: Store, prefix: str, where: str = "") -> str:
    """The one task whose id is, or begins with, `prefix`. `where`: see `said_source`.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = store.tasks_like(prefix)
    if prefix in found:
        return prefix
    if not found:
        raise UsageError(f"no task whose id begins with {prefix!r}; `licet tasks{where}` lists them")
    if len(found) > 1:
        raise UsageError(f"{prefix!r} begins more than one id: {', '.join(found[:5])}{', …' if len(found) > 5 else ''}; write more of it")
    return found[0]
