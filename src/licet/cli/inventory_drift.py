"""`licet inventory drift`: what identities and task kinds may do, against what they do, against what they are for."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from licet.cli import output
from licet.cli.acts import seconds
from licet.cli.findings_found import name_beside
from licet.cli.inventory_kinds import Kind, kinds
from licet.cli.inventory_list import day, stamp
from licet.cli.inventory_opened import add_manifest, found_in, opened
from licet.cli.state import add_state
from licet.clock import lasting
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.guard.state import StateFolder
from licet.ingest.aws_actions import action_of
from licet.inventory.permissions import Shown
from licet.inventory.privileges import WINDOW, Drift, drift
from licet.inventory.store import Inventory
from licet.inventory.views import Viewer

EXAMPLE = """\
Three numbers for each identity: how many of its permissions were used; how many came in the window and were never used; how many
operations were outside its declared purpose. Permissions are what logs say was granted, and what a manifest or an import declares
(`uses`). One is unused only if it is older than the window, the logs reach over the window, and it rested for longer than that and
than three times its longest pause. Where no log would show the use nothing is told. With `-m`, the manifest's task kinds too, by the
calls in the guard's store.

Exit codes: 0 nothing to take away, 1 there are proposals, or uses outside a purpose, 2 wrong usage.

example: licet inventory drift
         licet inventory drift arn:aws:iam::111122223333:role/invoices --json
         licet inventory drift -m licet.yaml --window 30d
"""
_SHOWN = 10


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("identity", metavar="IDENTITY", nargs="?", help="only this one (default: all of which permissions are known)")
    parser.add_argument("--window", metavar="TIME", type=seconds, default=WINDOW, help="how far to look back (default: 90d)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_manifest(parser)
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Print it; 1 if there is something to do."""
    now, number, found_any, narrower, outside = time.time(), 0, False, 0, 0
    with opened(options, now) as (folder, inventory):
        if options.json:
            output.write('{\n"identities": [')
        for each in _drifts(options, folder, inventory, now):
            found_any |= bool(each.proposals or each.outside)
            narrower += bool(each.proposals)
            outside += bool(each.outside)
            if options.json:
                output.write(f"{',' if number else ''}\n{json.dumps(_data(each), ensure_ascii=True)}")
            else:
                _say(each, name_beside(inventory, each.identity))
            number += 1
    of_kinds = kinds(folder, options.manifest, now, options.window) if options.manifest and options.identity is None else []
    found_any |= any(each.unused or each.outside for each in of_kinds)
    if options.json:
        output.write(f'\n],\n"task_kinds": {json.dumps([each._asdict() for each in of_kinds], ensure_ascii=True)}\n}}\n')
    else:
        for kind in of_kinds:
            _say_kind(kind)
        identities = "1 identity" if number == 1 else f"{number:,} identities"
        output.say(
            f"{identities} with permissions or a purpose: of {narrower:,} something can be taken out, {outside:,} did what is outside;"
            f" window {lasting(options.window)}"
        )
    return 1 if found_any else 0


def _drifts(options: argparse.Namespace, folder: StateFolder, inventory: Inventory, now: float) -> Iterator[Drift]:
    shown = Shown.of(inventory, action_of)
    if options.identity is not None:
        uid, is_credential = found_in(folder, inventory, options.identity, options.manifest)
        if is_credential:
            raise UsageError("a credential has no permissions of its own; name its identity (`licet inventory show` has it)")
        at = inventory.identity(uid)
        yield drift(inventory, at.same_as if at is not None and at.same_as else uid, shown, action_of, now=now, window=options.window)
        return
    for line in Viewer(inventory, now).lines():
        found = drift(inventory, line.identity.uid, shown, action_of, now=now, window=options.window)
        if found.held or found.outside:
            yield found


def _say(found: Drift, name: str) -> None:
    told, used = found.number("used") + found.number("unused"), found.number("used")
    output.say(output.paint(f"{visible(found.identity, 300)}{name}", "bold"), f"  as of {day(found.as_of)}, logs since {day(found.since)}")
    words = [f"used {used:,} of {told:,} permissions"] if told else ["none of its permissions is known to be used or unused"]
    words += [f"{found.number('young'):,} too young"] if found.number("young") else []
    words += [f"{found.number('untold'):,} not to be told by logs"] if found.number("untold") else []
    words += [f"{len(found.added):,} added and never used", f"{len(found.outside):,} operations outside the purpose"]
    output.say(f"    {'; '.join(words)}")
    for proposal in found.proposals[:_SHOWN]:
        change = f"narrow to {' '.join(proposal.change)}" if proposal.change else "take out"
        output.say("    ", output.paint(change, "yellow"), f"  {visible(proposal.permission, 300)}: {proposal.evidence}")
    for operation, tally in found.outside[:_SHOWN]:
        output.say(
            "    ", output.paint("outside", "red"), f"  {visible(operation, 300)}: {counted(tally.uses, 'use')}, last {day(tally.last)}"
        )
    more = max(0, len(found.proposals) - _SHOWN) + max(0, len(found.outside) - _SHOWN)
    if more:
        output.say(f"    and {more:,} more; `--json` has all")


def _say_kind(kind: Kind) -> None:
    output.say(output.paint(f"task kind {visible(kind.kind, 100)}", "bold"), f"  {kind.sessions:,} tasks, {kind.inside:,} in the window")
    told = f"used {kind.used:,} of {kind.used + len(kind.unused):,} grants" if kind.used or kind.unused else "grants: nothing can be told"
    output.say(f"    {told}; {len(kind.young):,} too young or without work to tell; {len(kind.outside):,} tools outside it were tried")
    for tool, evidence in kind.unused.items():
        output.say("    ", output.paint("take out", "yellow"), f"  {visible(tool, 100)}: {evidence}")
    for tool, number in kind.outside.items():
        output.say("    ", output.paint("outside", "red"), f"  {visible(tool, 100)}: tried {number:,} times")


def _data(found: Drift) -> dict[str, Any]:
    return {
        "identity": found.identity, "as_of": stamp(found.as_of), "since": stamp(found.since), "window_seconds": found.window,
        "used": found.number("used"), "granted": found.number("used") + found.number("unused"), "young": found.number("young"),
        "untold": found.number("untold"), "added_without_use": [each.grant.privilege for each in found.added],
        "purpose": list(found.purpose),
        "outside": [
            {"operation": operation, "uses": tally.uses, "first": stamp(tally.first), "last": stamp(tally.last), "event": tally.event}
            for operation, tally in found.outside
        ],
        "permissions": [
            {"permission": each.grant.privilege, "origin": each.origin, "verdict": each.verdict, "why": each.why, "uses": each.tally.uses,
             "last_used": stamp(each.tally.last), "granted": stamp(each.grant.granted), "by": each.grant.granted_by}
            for each in found.held
        ],
        "proposals": [each._asdict() for each in found.proposals],
    }  # fmt: skip
