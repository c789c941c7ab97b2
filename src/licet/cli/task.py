"""`licet task ID`: one task's intent trace. `licet task end ID`: end it."""

from __future__ import annotations

import argparse
import time

from licet.cli import output
from licet.cli.acts import end_task
from licet.cli.state import add_source, code_of, existing, records_of, said_source, store_of, task_id
from licet.errors import UsageError
from licet.guard.state import StateFolder
from licet.report import collect, trace
from licet.store import Store

EXAMPLE = """\
ID is a task's id, or the beginning of it. An ended task, and every task below it, is refused from its next call on, in every process,
and so are the tokens that they issued.

example: licet task 3f2a
         licet task 3f2a --from traces.jsonl
         licet task end 3f2a
         licet task 3f2a --json | jq '.calls[] | select(.status == "denied") | .decision.reasons'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("words", metavar="[end] ID", nargs="*", help="the task, or a unique beginning of its id")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a tree")
    add_source(parser)


def run(options: argparse.Namespace) -> int:
    """Show the task, or end it; 1 if it had ended before."""
    *verbs, prefix = options.words or [""]
    if not prefix:
        raise UsageError(f"give a task's id, or the beginning of it; `licet tasks{said_source(options)}` lists them")
    if verbs not in ([], ["end"]):
        raise UsageError("write `licet task ID` or `licet task end ID`")
    if verbs:
        if options.sources:
            raise UsageError("a task is ended in its state folder: give `--state`, and not `--from`")
        folder = existing(options, "store")
        with store_of(folder) as store:
            return _end(folder, store, task_id(store, prefix, said_source(options)), as_json=options.json)
    with records_of(options) as (store, read):
        story = collect(store, task_id(store, prefix, said_source(options)))
    if options.json:
        output.data(story.as_dict() | ({} if read is None else {"read": read.as_dict()}))
    else:
        output.write(trace(story, output.paint, where=said_source(options)))
    return code_of(read)


def _end(folder: StateFolder, store: Store, wanted: str, *, as_json: bool) -> int:
    record = store.task(wanted)
    ended = record is not None and end_task(folder, store, record, time.time())
    if as_json:
        output.data({"task": wanted, "ended": ended, "tokens_refused": True})
    else:
        refused = "its tokens, and those of the tasks below it, are refused from now on"
        output.say(f"task {wanted} ended; {refused}" if ended else f"task {wanted} had ended before")
    return 0 if ended else 1
