"""`licet purge`: delete contents, stored spans and rows that are old, or one task's or one person's. The ledger stays, and says so."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import cast, get_args

from licet.cli import output
from licet.cli.acts import actor, record, seconds
from licet.cli.purged import by_records, said
from licet.cli.state import add_state, existing, said_source, store_of, task_id
from licet.clock import iso
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.guard.contents import open_contents
from licet.guard.purges import DONE, KIND, fields_of
from licet.guard.state import StateFolder, secret
from licet.inventory.store import FILE as INVENTORY
from licet.pseudonym import Pseudonyms
from licet.secretlike import scrub
from licet.store import ContentsStore, Purge, Store
from licet.store.purge import What

TTY_SECONDS, LOG_SECONDS = 0.2, 10.0  # between two lines of progress
_PAUSE_SHARE = 0.5  # of the time that a step took, others have the file for themselves
_SHORTEST_PAUSE = 0.002  # seconds
_ORDER = ("contents", "spans", "tasks", "calls", "findings", "questions", "budgets", "revoked", "spent")

EXAMPLE = """\
contents: values that the manifest's `record:` opts in to. spans: attributes of calls' spans in the store. rows: tasks that are over, with
their calls, findings, budgets and questions. What a decision still needs stays: open tasks and those of their transaction, what was written
without trust, what is revoked or used up and still binds, and the broken glass. The ledger stays whole, and the purge is on record in it
first; `licet ledger verify` says what was purged, and by which record.

Exit codes: 0 done, 1 something must stay or could not be done yet (it says what), 2 it cannot be read, or you did not agree.

example: licet purge --older-than 90d --dry-run
         licet purge --older-than 30d --only contents,spans --yes
         licet purge --task 3f2a
         licet purge --principal user:grace --yes --json | jq .record
"""


@dataclass(frozen=True, slots=True)
class _Place:
    folder: StateFolder
    store: Store
    kept: ContentsStore | None  # None: there are no contents


@dataclass
class _Done:
    counts: Counter[str] = field(default_factory=Counter)
    record: int = 0
    stays: list[str] = field(default_factory=list)  # tasks whose rows are needed still
    problems: list[str] = field(default_factory=list)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--older-than", metavar="TIME", type=seconds, help="what is older, such as 90d")
    which.add_argument("--task", metavar="ID", help="all that one task has, and the tasks below it")
    which.add_argument("--principal", metavar="NAME", help="all that the tasks for one person have")
    parser.add_argument("--only", metavar="WHAT", type=_what, help="of contents,spans,rows only these (default: all)")
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--compact", action="store_true", help="write the files anew; others wait for it, so stop them first")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def _what(text: str) -> frozenset[What]:
    named = frozenset(text.split(","))
    if not named <= set(get_args(What)):
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(get_args(What))}, with commas")
    return cast("frozenset[What]", named)


def run(options: argparse.Namespace) -> int:
    """Purge; 1 if something must stay, or could not be done."""
    folder, now = existing(options, "store"), time.time()
    kept = open_contents(folder.path)
    with store_of(folder) as store, closing(kept) if kept is not None else nullcontext():
        place = _Place(folder, store, kept)
        purge = _chosen(options, place, now)
        done = _Done(_counted(purge, place))
        if purge.tasks is not None and "rows" in purge.what:
            done.stays += store.living(purge.tasks, now)
        if options.task is not None and done.stays:
            raise UsageError(
                f"task {done.stays[0]} is open, or a task of its transaction is: end it first (`{_end(done.stays[0], options)}`); "
                "`--only contents,spans` can go now"
            )
        if not options.dry_run:
            if done.counts and not options.yes and not _confirmed(purge, done.counts, options):
                raise UsageError("nothing was purged")
            _purge(place, purge, done, options)
        before = [] if done.counts or options.principal is None else by_records(folder.ledger, "", _pseudonym(folder, options.principal))
    _say(options, purge, done, before)
    if not options.json and (folder.path / INVENTORY).exists():
        output.say(output.paint(f"{INVENTORY} holds what came of logs, and is not purged by this: `licet inventory forget`", "dim"))
    return 1 if done.problems or done.stays else 0


def _chosen(options: argparse.Namespace, place: _Place, now: float) -> Purge:
    store, kept = place.store, place.kept
    what = options.only or frozenset(get_args(What))
    if options.older_than is not None:
        # Whole seconds: the store's times and the ledger's, which are rounded, are then on the same side of it.
        return Purge(what, float(math.floor(now - options.older_than)))
    if options.task is not None:
        ids = _tasks_named(options.task, place, said_source(options))
    else:
        if not options.principal.strip():
            raise UsageError("--principal names nobody")
        names = dict.fromkeys((options.principal, scrub(options.principal)))
        ids = [task for name in names for task in (*store.tasks_of(name), *(kept.tasks_of(name) if kept is not None else ()))]
    return Purge(what, now, tuple(dict.fromkeys(ids)))


def _tasks_named(prefix: str, place: _Place, where: str) -> Sequence[str]:
    """The task and those below it, the youngest first; or one of which only contents are left."""
    store, kept = place.store, place.kept
    if not store.tasks_like(prefix, 1) and kept is not None:
        left = kept.tasks_like(prefix, 2)
        if len(left) == 1:
            return left
    return [task.id for task in reversed(store.family(task_id(store, prefix, where)))]


def _counted(purge: Purge, place: _Place) -> Counter[str]:
    found = place.store.purgeable(purge)
    if "contents" in purge.what and place.kept is not None:
        found["contents"] = place.kept.purgeable(purge)
    return +found


def _confirmed(purge: Purge, counts: Counter[str], options: argparse.Namespace) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"this would purge {_in_words(counts)}: look with `--dry-run`, and give `--yes`")
    output.write(f"purge {_in_words(counts)} {_whose(purge, options)}? It cannot be undone. [y/N] ", stream=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _purge(place: _Place, purge: Purge, done: _Done, options: argparse.Namespace) -> None:
    folder, store, kept = place.folder, place.store, place.kept
    expected, done.counts = done.counts, Counter()
    if expected:
        name = _pseudonym(folder, options.principal) if options.principal else ""
        # The ledger first: what it does not have has not happened. Killed behind it, the same command does the rest.
        for fields in fields_of(purge, expected, actor(), name):
            seq = record(folder, KIND, fields, time.time())
            done.record = done.record or seq
        progress = _Progress(expected.total())
        if "contents" in purge.what and kept is not None:
            for number in kept.purge(purge):
                done.counts["contents"] += number
                progress.at(done.counts.total())
        for step in store.purge(purge):
            done.counts += step
            progress.at(done.counts.total())
        progress.over()
    # Also where there was nothing to purge: an earlier purge may have been killed before this.
    for each in (kept, store):
        done.problems += each.shrink(compact=options.compact) if each is not None else ()
    if expected:
        record(folder, DONE, {"purge": done.record, "counts": {**done.counts}, "problems": len(done.problems), "by": actor()}, time.time())


def _pseudonym(folder: StateFolder, principal: str) -> str:
    return Pseudonyms(secret(folder)).principal(principal)


class _Progress:
    """How far the work is, on standard error; and a pause after each step, in which others can write."""

    def __init__(self, expected: int) -> None:
        self._expected, self._tty = expected, sys.stderr.isatty()
        self._step = self._said = time.monotonic()
        self._shown = False

    def at(self, number: int) -> None:
        """So many are gone."""
        now = time.monotonic()
        if now - self._said >= (TTY_SECONDS if self._tty else LOG_SECONDS):
            self._said, self._shown = now, True
            text = f"purged {number:,} of about {max(self._expected, number):,}"
            output.write(f"\r\x1b[K{text}" if self._tty else f"{text}\n", stream=sys.stderr)
            sys.stderr.flush()
        time.sleep(max(_SHORTEST_PAUSE, _PAUSE_SHARE * (now - self._step)))
        self._step = time.monotonic()

    def over(self) -> None:
        """Take the line away."""
        if self._tty and self._shown:
            output.write("\r\x1b[K", stream=sys.stderr)


def _in_words(counts: Counter[str]) -> str:
    told = [_number(name, counts[name]) for name in _ORDER if counts[name]]
    return ", ".join(told) or "nothing"


def _number(name: str, number: int) -> str:
    mass = {"contents": "content", "revoked": "revocation", "spent": "used token"}
    return counted(number, mass.get(name, name.removesuffix("s")))


def _whose(purge: Purge, options: argparse.Namespace) -> str:
    if purge.tasks is None:
        return f"older than {iso(purge.before)}"
    if options.principal is not None:
        return f"of {visible(options.principal, 100)}"
    below = f" and {counted(len(purge.tasks) - 1, 'task')} below it" if len(purge.tasks) > 1 else ""
    return f"of task {purge.tasks[-1][:12]}{below}"


def _end(task: str, options: argparse.Namespace) -> str:
    return f"licet task end {task[:8]}{said_source(options)}"


def _say(options: argparse.Namespace, purge: Purge, done: _Done, before: list[int]) -> None:
    """`before`: where there is nothing of a person, the records that say that it was purged."""
    if options.json:
        told: dict[str, object] = {"dry_run": options.dry_run, "counts": {name: done.counts[name] for name in _ORDER if done.counts[name]}}
        told |= {"record": done.record or None, "what": sorted(purge.what)}
        told |= {"before": iso(purge.before)} if purge.tasks is None else {"tasks": list(purge.tasks)}
        told |= {"purged_before": before} if before else {}
        output.data(told | {"stays": done.stays, "problems": done.problems})
        return
    if options.dry_run:
        output.say(f"would purge {_in_words(done.counts)} {_whose(purge, options)}")
    elif done.record:
        output.say(output.paint("purged", "green"), f" {_in_words(done.counts)} {_whose(purge, options)}, on record as {done.record}")
    elif before:
        output.say(f"nothing to purge {_whose(purge, options)}: it was purged already, {said(before)}")
    elif options.principal is not None:
        where = said_source(options)
        output.say(
            f"nothing to purge {_whose(purge, options)}; the name must be as the task was begun with (`licet tasks{where}` shows it)"
        )
    else:
        output.say(f"nothing to purge {_whose(purge, options)}")
    for task in done.stays:
        output.error(f"task {task} is open, or a task of its transaction is: its rows stay until it ends (`{_end(task, options)}`)")
    for sentence in done.problems:
        output.error(sentence)
