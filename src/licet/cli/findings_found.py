"""What there is to find: the guard's findings and those of the monitor of identities, in one list."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from licet.cli import output
from licet.cli.state import existing, records_of, said_source, store_of, task_id
from licet.errors import StateError, UsageError
from licet.escape import visible
from licet.guard.state import KEYS, STORE, default_state
from licet.inventory.declared import agent_uid
from licet.inventory.model import Owner
from licet.inventory.store import FILE, Inventory
from licet.ledger.signer import HEAD_FILE
from licet.monitor.kept import kept
from licet.monitor.verdicts import Status, Verdict, reasons_of, status_of, verdicts
from licet.records import Finding
from licet.secretlike import scrub
from licet.store import Store

if TYPE_CHECKING:
    from licet.traces import Import


BOOK = "drill.db"  # as `licet.drill.book` has it, which is loaded only where it is there


class Found(NamedTuple):
    """A finding, and how it stands.

    Attributes:
        codes: its reasons; of the guard's the check.
        said: what people said of it, in order.
        updated: when it last changed (seconds since the epoch).
        elsewhere: its task is another store's.
        drill: it was a drill, and which; empty: nothing shows that it was.
    """

    finding: Finding
    status: Status
    identity: str
    codes: tuple[str, ...]
    said: Sequence[Verdict]
    updated: float
    elsewhere: bool = False
    drill: str = ""

    @property
    def monitored(self) -> bool:
        """Whether the monitor of identities found it, and not the guard."""
        return self.finding.explanation is not None


class Sources(NamedTuple):
    """Where findings are looked for; at least one of the first two is there. `read`: what there is to say of spans that were read;
    `folder`: the state folder, if it is one; `trust`: the name of the drills' key, if somebody knows it from elsewhere.
    """

    store: Store | None
    inventory: Inventory | None
    read: Import | None
    folder: Path | None = None
    trust: str = ""


@contextmanager
def sources_of(options: argparse.Namespace) -> Iterator[Sources]:
    """Store and inventory of the state folder, or the store that `--from` gives.

    Raises:
        UsageError: there is neither, or a source cannot be read.
    """
    with ExitStack() as stack:
        if getattr(options, "sources", ()) or not _has(options, FILE):
            if not getattr(options, "sources", ()) and not _has(options, STORE) and not _has(options, f"{KEYS}/{HEAD_FILE}"):
                raise UsageError(_nothing(options))
            options.sources = getattr(options, "sources", [])
            store, read = stack.enter_context(records_of(options))
            yield Sources(store, None, read)
            return
        folder = existing(options)
        inventory = stack.enter_context(closing(Inventory(folder.path / FILE, reading=True)))
        guards = stack.enter_context(store_of(folder, reading=True)) if folder.store.exists() else None
        yield Sources(guards, inventory, None, folder.path, getattr(options, "trust", ""))


def _has(options: argparse.Namespace, name: str) -> bool:
    """Whether the folder has it; looked for before the folder is opened, which makes it."""
    try:
        return (_folder(options) / name).exists()
    except (OSError, ValueError):  # a folder that may not be entered, or no path at all
        return False


def _nothing(options: argparse.Namespace) -> str:
    """What to do where there is nothing to look into."""
    folder = _folder(options)
    try:
        if folder.exists() and not folder.is_dir():
            return f"{folder}: is no folder; name the state folder with `--state` or LICET_STATE"
        (folder / FILE).exists()
    except (OSError, ValueError) as error:
        return (
            f"{folder}: cannot be looked into ({getattr(error, 'strerror', None) or error}); name another one with `--state` or LICET_STATE"
        )
    ways = "take logs in (`licet ingest SOURCE PATH`, then `licet monitor`), run a guard, or read spans with `--from`"
    return f"{folder}: there is nothing here yet: {ways}; or name another folder with `--state` or LICET_STATE"


def _folder(options: argparse.Namespace) -> Path:
    return default_state() if options.state is None else Path(options.state)


def all_found(sources: Sources, *, task: str | None = None, options: argparse.Namespace | None = None) -> list[Found]:
    """All findings, oldest first; with `task`, the guard's of one task and its sub-tasks."""
    now = time.time()
    said = verdicts(sources.inventory) if sources.inventory is not None else {}
    found = list(_of_guard(sources.store, said, now, task, options)) if sources.store is not None else []
    # Of what the monitor found nothing is left when a drill is over; the guard's store keeps what was done in it.
    found = [each._replace(status="withdrawn") if each.drill else each for each in with_drills(sources, found)]
    if sources.store is None and task is not None:
        raise UsageError("`--task` is of the guard's findings, and no guard has used this folder yet")
    if sources.inventory is not None and task is None:
        for each in kept(sources.inventory):
            why, words = each.finding.explanation, said.get(each.finding.id, ())
            codes = why.codes if why is not None else ()
            status = status_of(reasons_of(each.finding), words, now, withdrawn=each.withdrawn)
            found.append(Found(each.finding, status, why.identity if why is not None else "", codes, words, each.updated))
    return sorted(found, key=lambda each: each.finding.time)


def with_drills(sources: Sources, found: Sequence[Found]) -> list[Found]:
    """The same, where those that were drills say so: by what the drills' key signed, and not by any mark on them."""
    if sources.folder is None or not found or not (sources.folder / BOOK).exists():
        return list(found)
    from licet.drill.keys import pinned  # only who has drills needs them
    from licet.drill.status import tests_of

    try:
        drills = tests_of(sources.folder, [each.finding for each in found], time.time(), pinned(sources.trust))
    except StateError as error:
        output.error(f"licet: {error}; which findings were drills is not known, and none is called one")
        return list(found)
    return [each._replace(drill=drills.get(each.finding.id, "")) for each in found]


def _of_guard(
    store: Store, said: dict[str, list[Verdict]], now: float, task: str | None, options: argparse.Namespace | None
) -> Iterator[Found]:  # fmt: skip
    if task is None:
        found = list(store.findings())
    else:
        family = store.family(task_id(store, task, said_source(options) if options is not None else ""))
        found = [finding for each in family for finding in store.findings(each.id)]
    agents: dict[str, str | None] = {}
    for finding in found:
        if finding.task_id and finding.task_id not in agents:
            record = store.task(finding.task_id)
            agents[finding.task_id] = record.agent if record is not None else None
        agent = agents.get(finding.task_id, "")
        words = said.get(finding.id, ())
        status = status_of(reasons_of(finding), words, now)
        identity = agent_uid(agent) if agent else ""
        yield Found(finding, status, identity, (finding.check,), words, finding.time, agent is None)


def one_like(found: Sequence[Found], prefix: str) -> Found:
    """The one finding whose id is, or begins with, `prefix`.

    Raises:
        UsageError: there is none, or there are several.
    """
    alike = [each for each in found if each.finding.id.startswith(prefix)]
    exact = [each for each in alike if each.finding.id == prefix]
    if len(exact or alike) == 1:
        return (exact or alike)[0]
    if not alike:
        raise UsageError(f"no finding whose id begins with {prefix!r}; `licet findings --status all` lists them")
    some = ", ".join(each.finding.id for each in alike[:5])
    raise UsageError(f"{prefix!r} begins more than one id: {some}{', …' if len(alike) > 5 else ''}; write more of it")


def name_beside(inventory: Inventory | None, uid: str) -> str:
    """What an identity is called, to stand behind a uid that does not say it: ` (MeetNotes)`; else nothing."""
    known = inventory.identity(uid) if inventory is not None else None
    return f" ({visible(known.name, 80)})" if known is not None and known.name and known.name not in uid else ""


def owners_of(inventory: Inventory | None) -> Callable[[str], Owner | None]:
    """Who an owner is, by what it is called."""
    rows = [] if inventory is None else inventory.rows("SELECT uid, name, contact, kind FROM owners")
    return {uid: Owner(uid, name or "", contact or "", kind or "team") for uid, name, contact, kind in rows}.get


def check_owner(sources: Sources, every: Sequence[Found], owner: str | None) -> None:
    """That somebody is called so of whom a finding could be: a slip of the pen is no all-clear.

    Raises:
        UsageError: nobody is.
    """
    if owner is None or owner == "nobody" or sources.inventory is None:
        return
    rows = sources.inventory.rows("SELECT uid FROM owners UNION SELECT owner FROM ownerships")
    known = {uid for (uid,) in rows} | {each.finding.owner for each in every}
    if owner not in known and sources.store is None:  # of the guard's, only owners who have findings are known
        near = get_close_matches(owner, [each for each in known if each], n=3, cutoff=0.6)
        meant = f"is {' or '.join(visible(each, 80) for each in near)} meant?" if near else "`licet inventory list` names owners"
        raise UsageError(f"--owner {visible(scrub(owner), 200)}: no owner here is called so; {meant}")
