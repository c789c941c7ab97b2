"""`licet token revoke`: refuse tokens from now on, wherever this store is asked. `licet token revoked`: the deny list."""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Sequence

from licet.cli import output
from licet.cli.acts import actor, end_task, reason, record, seconds
from licet.cli.keys import COMPROMISED_SECONDS, whole_kid
from licet.cli.state import add_state, existing, ring_of, store_of, task_id
from licet.clock import iso, lasting
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.guard.state import StateFolder
from licet.records import Mark, MarkKind, Revocation
from licet.store import Store
from licet.store.revoked import ENDED
from licet.tokens import MAX_SECONDS, key_of_environment
from licet.tokens.verifier import MAX_SKEW

EXAMPLE = """\
A task that is revoked ends, with the tasks below it. While an agent or a key is on the list, what it is issued anew is refused too.
Exit codes: 0 revoked, 1 stood on the list already, 2 wrong usage or an unknown name.

example: licet token revoke --agent support-bot --reason "prompt injection seen; INC-4312" --for 8h
         licet token revoke --task 3f2a --reason "wrong customer"
         licet token revoke --key=3Wq7 --reason "laptop lost; INC-4312"
"""
LIST_EXAMPLE = """\
Every task that ends stands on the list for a week, with those below it: they are counted, and shown with --all. What somebody revoked is
always shown.

example: licet token revoked
         licet token revoked --kind agent
         licet token revoked --all --json | jq '.revoked[] | select(.by | startswith("command line"))'
"""
_DAY = 86_400.0
_KINDS: tuple[MarkKind, ...] = ("task", "agent", "key", "jti")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `revoke`."""
    by = parser.add_mutually_exclusive_group(required=True)
    by.add_argument("--task", metavar="ID", help="all that the task and those below it issued (a unique beginning of its id is enough)")
    by.add_argument("--agent", metavar="NAME", help="all in which the agent acts, or another acts for it")
    by.add_argument("--key", metavar="KID", help="all that the key signed (a unique beginning of its id is enough)")
    by.add_argument("--jti", metavar="JTI", help="one token, by its whole id")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why: it goes into the ledger and into findings")
    parser.add_argument("--for", metavar="TIME", dest="lasts", type=seconds, help="for how long (default: 24h; a key: 3650d)")
    parser.add_argument("--force", action="store_true", help="a name that this folder does not know, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def add_list(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `revoked`."""
    parser.add_argument("--all", action="store_true", help="the tasks that ended by themselves, too")
    parser.add_argument("--kind", choices=_KINDS, help="only entries of one kind")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Revoke; 1 if it stood on the list already."""
    why, now = reason(options), time.time()
    folder = existing(options, "store")
    with store_of(folder) as store:
        mark = _mark(options, folder, store)
        until = now + (options.lasts or (COMPROMISED_SECONDS if mark[0] == "key" else _DAY))
        fields = {"mark": mark[0], "value": mark[1], "until": iso(until), "why": why, "by": actor(), "by_is": "user of the machine"}
        record(folder, "token.revoke", fields, now)
        new = [store.revoke(Revocation(one, now, until, why, actor())) for one in _below(store, mark)]
        task = store.task(mark[1]) if mark[0] == "task" else None
        ended = task is not None and end_task(folder, store, task, now)
        affected = store.issued(mark, now - MAX_SECONDS - MAX_SKEW)
        stands = store.revoked([mark], now)
    until = stands.until if stands else until
    _say(options, mark, until, affected, new=any(new), ended=ended)
    return 0 if any(new) else 1


def run_list(options: argparse.Namespace) -> int:
    """Print the deny list, oldest first."""
    now = time.time()
    with store_of(existing(options, "store"), reading=True) as store:
        known = [entry for entry in store.revocations(now) if options.kind in (None, entry.mark[0])]
    found = [entry for entry in known if options.all or (entry.mark[0], entry.reason) != ("task", ENDED)]
    hidden = len(known) - len(found)
    if options.json:
        output.data({"revoked": [_told(entry) for entry in found], "hidden": hidden})
        return 0
    for entry in found:
        kind, value = entry.mark
        output.say(f"{iso(entry.time)}  ", output.paint(f"{kind:5} {visible(value, 100)}", "bold"), f"  until {iso(entry.until)}")
        output.say(f"    {visible(entry.reason, 500)}  (by {visible(entry.by, 100)})")
    if not found:
        output.say("nothing is revoked")
    if hidden:
        output.say(output.paint(f"{counted(hidden, 'ended task')} not shown: `--all` shows {'it' if hidden == 1 else 'them'}", "dim"))
    return 0


def _mark(options: argparse.Namespace, folder: StateFolder, store: Store) -> Mark:
    """What is to be revoked, by its whole name.

    Raises:
        UsageError: this folder does not know the name, and nobody said `--force`.
    """
    kind, name = next((kind, getattr(options, kind)) for kind in _KINDS if getattr(options, kind) is not None)
    if not name:
        raise UsageError(f"--{kind} needs a name")
    try:
        return (kind, _known(kind, name, folder, store))
    except UsageError as unknown:
        if options.force:
            return (kind, name)
        raise UsageError(f"{unknown}; `--force` puts {name!r} on the list all the same") from unknown


def _known(kind: str, name: str, folder: StateFolder, store: Store) -> str:
    if kind == "task":
        return task_id(store, name)
    if kind == "key":
        held = key_of_environment(os.environ)
        return held.kid if held is not None and held.kid.startswith(name) else whole_kid(ring_of(folder, time.time()), name)
    if kind == "agent" and not store.has_agent(name):
        raise UsageError(f"no task here is of an agent {name!r}; `licet tasks` lists them")
    if kind == "jti" and not store.issued(("jti", name), 0.0):
        raise UsageError(f"no call here was given a token {name!r}")
    return name


def _below(store: Store, mark: Mark) -> Sequence[Mark]:
    """A token names its task and the task at the top: what stands between is revoked one by one."""
    kind, value = mark
    return [("task", task.id) for task in store.family(value)] or [mark] if kind == "task" else [mark]


def _say(options: argparse.Namespace, mark: Mark, until: float, affected: int | None, *, new: bool, ended: bool) -> None:
    kind, value = mark
    if options.json:
        told = {"kind": kind, "value": value, "until": iso(until), "new": new, "tokens_affected": affected}
        output.data(told | ({"task_ended": ended} if kind == "task" else {}))
        return
    output.say(
        output.paint(f"{kind} {visible(value, 200)}", "bold"), " is revoked" if new else " stood on the list", f" until {iso(until)}"
    )
    if ended:
        output.say("the task ended with it, and the tasks below it are refused with it")
    if affected is None:
        output.say("how many tokens it signed is not recorded; if it still signs: `licet keys rotate --now`")
    else:
        output.say(
            f"calls were given {counted(affected, 'token')} of it in the last {lasting(MAX_SECONDS + MAX_SKEW)}; older ones are dead"
        )


def _told(entry: Revocation) -> dict[str, object]:
    kind, value = entry.mark
    told = dataclasses.asdict(entry)
    return {"kind": kind, "value": value, "reason": told["reason"], "by": told["by"], "time": iso(entry.time), "until": iso(entry.until)}
