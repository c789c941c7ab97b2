"""`licet tasks`: the newest tasks."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Mapping, Sequence

from licet.cli import output
from licet.cli.output import Style
from licet.cli.purged import by_records, said
from licet.cli.state import add_source, code_of, existing, records_of
from licet.clock import iso
from licet.escape import counted, visible
from licet.records import CallRecord
from licet.report import NO_WORDS, principal_of

SHORT_ID = 12
_STYLES: Mapping[str, Style] = {"blocked": "red", "observed": "yellow"}

EXAMPLE = """\
A task is open, ended, or over: its time ran out and nobody ended it. An observed call would have been denied, and ran: its task kind,
its check or the manifest is in `observe`.

example: licet tasks -n 5
         licet tasks --from jaeger://127.0.0.1:16686
         licet tasks --json | jq '.tasks[] | select(.blocked > 0) | .id'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-n", "--number", metavar="N", type=_count, default=20, help="how many (default: 20)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_source(parser)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """List them, newest first."""
    now = time.time()
    with records_of(options) as (store, read):
        rows = [(task, store.calls(task.id)) for task in store.tasks(options.number)]
    if options.json:
        told: dict[str, object] = {} if read is None else {"read": read.as_dict()}
        told["tasks"] = [dataclasses.asdict(task) | _counts(calls) | {"state": task.state(now)} for task, calls in rows]
        output.data(told)
        return code_of(read)
    for task, calls in rows:
        counts = _counts(calls)
        who = f"{visible(task.agent, 40)} ({task.agent_is}) for {visible(principal_of(task), 40)} ({task.principal_is})"
        said = [f"  {who}  {counted(counts['calls'], 'call')}"]
        for word, style in _STYLES.items():
            said += [", ", output.paint(f"{counts[word]} {word}", style)] if counts[word] else []
        place = f"{task.id[:SHORT_ID]}  {iso(task.started)}  {task.state(now):5}  "
        output.say(place, output.paint(visible(task.kind, 40), "bold"), *said)
        output.say("              ", output.paint(visible(task.intent or NO_WORDS, 100), "dim"))
    if not rows:
        output.say(_none(options) if read is None else "no tasks there")
    return code_of(read)


def _none(options: argparse.Namespace) -> str:
    gone = said(by_records(existing(options).ledger, "rows"))
    return f"no tasks: they were purged, {gone}" if gone else "no tasks yet"


def _counts(calls: Sequence[CallRecord]) -> dict[str, int]:
    observed = sum(call.decision.judged == "deny" and call.decision.outcome == "allow" for call in calls)
    return {"calls": len(calls), "blocked": sum(call.status == "denied" for call in calls), "observed": observed}
