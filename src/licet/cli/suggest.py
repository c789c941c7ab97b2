"""`licet suggest`: what could be taken out of a manifest, or needs somebody's eye, by what its task kinds did."""

from __future__ import annotations

import argparse
import dataclasses
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.cli.acts import seconds
from licet.cli.progress import Progress
from licet.cli.recordings import Recordings
from licet.cli.state import add_state, existing, store_of
from licet.clock import lasting
from licet.errors import ManifestError, UsageError
from licet.escape import counted
from licet.guard.ratified import Ratified, ratification
from licet.guard.rehearsal import Rehearsal
from licet.guard.state import StateFolder, default_state
from licet.learn.judged import known_tools
from licet.learn.runs import Run, runs
from licet.learn.stored import stored_runs
from licet.learn.suggest import Evidence, Suggester, Suggestion
from licet.learn.tally import Tally
from licet.learn.uses import DAY, Usage
from licet.manifest import Manifest
from licet.manifest.loader import parse, read_file
from licet.manifest.yaml_reader import Document

EXAMPLE = """\
TRACES are recorded sessions as for `licet replay`; without them the tasks in the state folder's store count. Suggested is to take out
grants that no session of the window used, and rules that are wider than what was seen; told are credentials and `observe` that end within a
window from now, task kinds and agents without any session, and baselines that are old, do not fit or are not ratified.

A grant is unused only where its kind had work in the window, and if it has been idle for longer than the window and than three times its
longest pause. Of arguments only traces tell: the store has no values. Nothing is changed.

Exit codes: 0 nothing to suggest, 1 suggestions, 2 usage, or a manifest that does not hold, 3 nothing to suggest, and no session was there
from which one could tell.

example: licet suggest -m licet.yaml
         licet suggest runs/*.jsonl.gz -m licet.yaml --window 30d
         licet suggest -m licet.yaml --json | jq '.suggestions[] | select(.what == "unused-grant") | .path'
"""


OK, FOUND, NOTHING_SEEN = 0, 1, 3


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("traces", metavar="TRACES", nargs="*", help="recorded sessions (default: the store of the state folder)")
    parser.add_argument("-m", "--manifest", metavar="FILE", default="licet.yaml", help="the manifest (default: licet.yaml)")
    parser.add_argument("--window", metavar="TIME", type=seconds, default=90.0 * DAY, help="how far to look back, and ahead (default: 90d)")
    parser.add_argument("--until", metavar="DAY", type=_day, help="the window's last day, as YYYY-MM-DD (default: today)")
    parser.add_argument("--task", metavar="KIND", help="with TRACES: the task kind of every session (default: as for `licet replay`)")
    parser.add_argument("--suite", metavar="NAME", help="with TRACES: only sessions of this suite: for files that hold several")
    parser.add_argument("--agent", metavar="NAME", help="with TRACES: who acts (default: the only agent that may run the kind)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a day, as 2026-11-23") from error


def run(options: argparse.Namespace) -> int:
    """Print every suggestion; 1 if there is one."""
    if options.suite is not None and not options.traces:
        raise UsageError("--suite speaks of recorded sessions; name some")
    now = time.time() if options.until is None else _end_of(options.until)
    manifest, document = _loaded(options.manifest)
    standing = ratification(manifest, StateFolder(default_state() if options.state is None else Path(options.state)))
    unratified = "" if isinstance(standing, Ratified) else standing.why
    usage = Usage(manifest, now - options.window)
    gather = _from_traces if options.traces else _from_store
    found = gather(options, manifest, usage, unratified)
    suggester = Suggester(manifest, found, now=now, window=options.window)
    suggestions = suggester.all()
    if options.json:
        output.data(_as_dict(options, suggestions, suggester, document, usage) | {"manifest_digest": manifest.digest})
    else:
        _say(options, suggestions, suggester, document, usage)
    if suggestions:
        return FOUND
    if not _sessions(usage):
        output.error("no session of a task kind of this manifest is there: nothing can be told of what is used")
        return NOTHING_SEEN
    return OK


def _sessions(usage: Usage) -> int:
    return sum(kind.all.sessions for kind in usage.kinds.values())


def _end_of(day: date) -> float:
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC).timestamp()


def _loaded(name: str) -> tuple[Manifest, Document]:
    manifest, document, problems = parse(read_file(name), name=name, now=time.time())
    if manifest is None or problems:
        raise ManifestError(problems)
    return manifest, document


def _from_traces(options: argparse.Namespace, manifest: Manifest, usage: Usage, unratified: str) -> Evidence:
    recordings = Recordings(options.traces, suite=options.suite, kinds=() if options.task is not None else manifest.tasks)
    tally = Tally(known_tools(manifest), manifest.tasks)
    number = 0
    progress = Progress(options.traces, lambda _seconds: counted(number, "session"))
    rehearsal = Rehearsal(manifest)
    try:
        sessions = (item for item in recordings.items(progress.at) if item is not None)
        for each in runs(sessions, rehearsal, kind=options.task, agent=options.agent):
            number += 1
            usage.add(each)
            if _in_window(each, usage):
                tally.add(each)
    finally:
        progress.done()
        rehearsal.close()
    recordings.say()
    return Evidence(usage, tally, None, unratified)


def _in_window(each: Run, usage: Usage) -> bool:
    return each.time is None or each.time >= usage.begin


def _from_store(options: argparse.Namespace, manifest: Manifest, usage: Usage, unratified: str) -> Evidence:
    with store_of(existing(options, "store"), reading=True) as store:
        for each in stored_runs(store):
            usage.add(each)
        agents = frozenset(name for name in manifest.agents if store.has_agent(name))
    return Evidence(usage, None, agents, unratified)


def _line(document: Document, found: Suggestion) -> int:
    """The line of the key, or of the nearest thing around it."""
    return document.place(found.path)[0]


def _say(options: argparse.Namespace, suggestions: list[Suggestion], suggester: Suggester, document: Document, usage: Usage) -> None:
    for each in suggestions:
        output.say(f"{options.manifest}:{_line(document, each)}: ", output.paint(each.what, "yellow"), f": {each.sentence}")
        output.say("    why: ", each.evidence)
        output.say(f"    {'.'.join(each.path)}: {each.change}")
    for note in suggester.notes:
        output.say(output.paint("note", "dim"), f": {note}")
    if usage.others:
        output.error(f"{counted(usage.others, 'session')} of no task kind of this manifest; `--task` names one for all")
    output.say(f"{counted(len(suggestions), 'suggestion')} from {counted(_sessions(usage), 'session')}; window {lasting(options.window)}")


def _as_dict(
    options: argparse.Namespace, suggestions: list[Suggestion], suggester: Suggester, document: Document, usage: Usage
) -> dict[str, Any]:
    rows = []
    for each in suggestions:
        days = {key: None if (day := getattr(each, key)) is None else day.isoformat() for key in ("first", "last")}
        rows.append(dataclasses.asdict(each) | days | {"path": list(each.path), "line": _line(document, each)})
    sessions = {kind: {"sessions": uses.all.sessions, "in_window": uses.all.inside} for kind, uses in usage.kinds.items()}
    return {
        "manifest": options.manifest, "window_seconds": options.window, "task_kinds": sessions,
        "other_sessions": usage.others, "suggestions": rows, "notes": suggester.notes,
    }  # fmt: skip
