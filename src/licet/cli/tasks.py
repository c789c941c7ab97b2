"""`licet tasks`: the newest tasks."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence

from licet.cli import output
from licet.cli.state import add_state, existing, store_of
from licet.clock import iso
from licet.escape import visible
from licet.records import CallRecord, TaskRecord

SHORT_ID = 12

EXAMPLE = """\
example: licet tasks -n 5
         licet tasks --json | jq '.tasks[] | select(.blocked > 0) | .id'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-n", "--number", metavar="N", type=_count, default=20, help="how many (default: 20)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """List them, newest first."""
    with store_of(existing(options, "store")) as store:
        rows = [(task, store.calls(task.id)) for task in store.tasks(options.number)]
    if options.json:
        output.data({"tasks": [dataclasses.asdict(task) | _counts(calls) | {"state": state(task)} for task, calls in rows]})
        return 0
    for task, calls in rows:
        counts = _counts(calls)
        blocked = output.paint(f"{counts['blocked']} blocked", "red") if counts["blocked"] else ""
        place = f"{task.id[:SHORT_ID]}  {iso(task.started)}  {state(task):5}  "
        output.say(place, output.paint(visible(task.kind, 40), "bold"), f"  {visible(task.agent, 40)}  {counts['calls']} calls  ", blocked)
        output.say("              ", output.paint(visible(task.intent, 100), "dim"))
    if not rows:
        output.say("no tasks yet")
    return 0


def state(task: TaskRecord) -> str:
    """`open`, `ended`, or `over` for a task whose time ran out and that nobody ended."""
    if task.ended is not None:
        return "ended"
    return "over" if time.time() > task.started + task.ttl + task.paused else "open"


def _counts(calls: Sequence[CallRecord]) -> dict[str, int]:
    return {"calls": len(calls), "blocked": sum(call.status == "denied" for call in calls)}
