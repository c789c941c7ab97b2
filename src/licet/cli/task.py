"""`licet task ID`: one task's intent trace. `licet task end ID`: end it."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence

from licet.cli import output
from licet.cli.state import add_source, code_of, existing, records_of, said_source, store_of, task_id
from licet.errors import UsageError
from licet.escape import visible
from licet.guard.purges import PurgedTask, purged_tasks
from licet.guard.state import StateFolder
from licet.ledger import LedgerFiles
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
    """Show the task, or end it; 1 if it had ended before, or was purged."""
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
        if (
            read is None
            and not store.tasks_like(prefix, 1)
            and (gone := purged_tasks(LedgerFiles(existing(options).ledger).records, prefix))
        ):
            return _say_gone(gone, options)
        story = collect(store, task_id(store, prefix, said_source(options)))
    if options.json:
        output.data(story.as_dict() | ({} if read is None else {"read": read.as_dict()}))
    else:
        output.write(trace(story, output.paint, where=said_source(options)))
    return code_of(read)


def _say_gone(gone: Sequence[PurgedTask], options: argparse.Namespace) -> int:
    """The store knows nothing of it any more; the ledger does."""
    if options.json:
        output.data({"purged": [dataclasses.asdict(task) for task in gone]})
        return 1
    for task in gone:
        why = f"was purged, on record as {task.by} ({task.when})" if task.by else "is not in the store, and no record says why"
        ended = f", ended {task.ended}" if task.ended else ""
        output.say(f"task {task.id} ({visible(task.kind, 40)}, begun {task.began}{ended}) {why}")
        output.say(f"its records are still in the ledger: `licet ledger export --task {task.id[:12]}{said_source(options)}`")
    return 1


def _end(folder: StateFolder, store: Store, wanted: str, *, as_json: bool) -> int:
    from licet.cli.acts import end_task  # brings the guard with it

    record = store.task(wanted)
    ended = record is not None and end_task(folder, store, record, time.time())
    if as_json:
        output.data({"task": wanted, "ended": ended, "tokens_refused": True})
    else:
        refused = "its tokens, and those of the tasks below it, are refused from now on"
        output.say(f"task {wanted} ended; {refused}" if ended else f"task {wanted} had ended before")
    return 0 if ended else 1
