"""`licet replay`: what a manifest would have said to recorded runs."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from licet.cli import output, pages, replay_page
from licet.cli.progress import Progress
from licet.cli.recordings import Recordings
from licet.cli.replay_page import GROUP_WORDS, said_rate
from licet.cli.state import store_of
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.guard import Guard
from licet.guard.state import StateFolder
from licet.manifest import load
from licet.replay import GROUPS, Kept, KindStatistics, Replay, Statistics
from licet.report import Case

EXAMPLE = """\
FILES are JSON Lines, plain or gzipped, one session a line: id, suite, prompt, calls: [{name, args, output, error}]; or spans of any
agent that hold what its tools were given and returned: OTLP JSON lines, Jaeger's JSON, `-`, jaeger://HOST:PORT. Each session is
judged by the real guard in a task of its own; nothing runs, and your own state is not touched. An alarm is a session in which an
origin or flow check denied or asked.

Exit codes: 0 well, 1 some lines were not sessions, or calls lacked contents (they are named), or nothing was there, 2 usage.

example: licet replay runs/*.jsonl.gz -m licet.yaml --task answer-ticket
         licet replay 'jaeger://127.0.0.1:16686?service=agent' -m licet.yaml --task answer-ticket
         licet replay runs.jsonl -m licet.yaml --html replay.html
         licet replay runs.jsonl -m licet.yaml --json | jq '.kinds[].denied_by_check'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="session files (JSON Lines, plain or gzip), or spans")
    parser.add_argument("-m", "--manifest", metavar="FILE", default="licet.yaml", help="the manifest (default: licet.yaml)")
    parser.add_argument("--task", metavar="KIND", help="the task kind of every session (default: the suite's name, else the only kind)")
    parser.add_argument("--suite", metavar="NAME", help="only sessions of this suite: for files that hold several")
    parser.add_argument("--agent", metavar="NAME", help="who acts (default: the only agent that may run the kind)")
    parser.add_argument("--ask", choices=["yes", "no"], default="no", help="what a person answers to each question (default: no)")
    parser.add_argument("--html", metavar="OUT", help="write one page: the counts, and why the first calls of each check were stopped")
    parser.add_argument("--force", action="store_true", help="let the page take the place of a file that is no page of Licet's")
    parser.add_argument("--show", metavar="N", type=_count, default=5, help="how many calls of each check the page shows (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 4:
        raise argparse.ArgumentTypeError("must be a whole number from 0 to 9999")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Replay every file, and print the counts; 1 if a line was no session."""
    if options.html is not None:
        pages.page_place(options.html, [*options.files, options.manifest], force=options.force)
    recordings = Recordings(options.files, suite=options.suite)  # and all of them are there
    manifest = load(options.manifest)
    recordings.kinds = () if options.task is not None else manifest.tasks
    statistics, kept = Statistics(), Kept(options.show if options.html is not None else 0)
    shown: list[Case] = []
    begun = time.monotonic()
    # A state of its own, gone afterwards: a replay must never count as the agent's history.
    with tempfile.TemporaryDirectory(prefix="licet-replay-") as state, Guard(manifest, state=state) as guard:
        replay = Replay(guard, statistics, options.task, options.agent, options.ask == "yes", kept)
        if options.task is not None:  # a wrong name is a wrong name even where no session is well
            replay.agent_of(options.task) if options.task in manifest.tasks else _unknown(options.task, manifest.tasks)
        progress = Progress(options.files, lambda seconds: _told(statistics, seconds))
        try:
            for session in recordings.items(progress.at):
                if session is not None:
                    replay.run(session)
        finally:
            progress.done()
        with store_of(StateFolder(Path(state))) as store:
            shown = [replay_page.case(store, call, manifest) for call in kept.calls]
    seconds = time.monotonic() - begun
    recordings.say()
    bad, left = recordings.bad, recordings.left
    if options.html is not None:
        output.file(options.html, replay_page.page(options.files, manifest, statistics, kept, shown, bad=bad))
    if options.json:
        output.data(
            _as_dict(options, manifest.digest, statistics, recordings, seconds)
            | {"without": dict(left.without), "partly": dict(left.partly), "unanswered": left.unanswered}
        )
    else:
        _table(statistics, bad, seconds)
    nothing = not (statistics.sessions or recordings.others)
    if nothing and not (bad or left.without or left.partly):
        output.error(
            f"no session and no span of a tool call is in {', '.join(visible(name, 200) for name in options.files)}: the right source?"
        )
    return 1 if nothing or bad or left.without or left.partly else 0


def _unknown(kind: str, kinds: Iterable[str]) -> None:
    raise UsageError(f"task kind {kind!r} is not in the manifest; declared: {', '.join(kinds)}")


def _as_dict(options: argparse.Namespace, digest: str, statistics: Statistics, recordings: Recordings, seconds: float) -> dict[str, Any]:
    return {
        "manifest": options.manifest,
        "manifest_digest": digest,
        "files": options.files,
        "ask": options.ask,
        "suite": options.suite,
        "sessions": statistics.sessions,
        "calls": statistics.calls,
        "alarms": statistics.alarms,
        "alarm_rate": round(statistics.alarms / statistics.sessions, 4) if statistics.sessions else None,
        "kinds": {kind: counts.as_dict() for kind, counts in statistics.kinds.items()},
        "bad": recordings.bad_lines(),
        "seconds": round(seconds, 3),
    }


def _table(statistics: Statistics, bad: int, seconds: float) -> None:
    for kind, counts in statistics.kinds.items():
        _kind(kind, counts)
    if len(statistics.kinds) > 1:
        output.say(f"alarms: {said_rate(statistics.alarms, statistics.sessions)}")
    rate = f", {statistics.calls / seconds:,.0f} calls/s" if seconds > 0 else ""
    wrong = f", {counted(bad, 'bad line')}" if bad else ""
    output.say(f"{counted(statistics.sessions, 'session')}, {counted(statistics.calls, 'call')} in {seconds:.1f} s{rate}{wrong}")


def _kind(kind: str, counts: KindStatistics) -> None:
    output.say(output.paint(kind, "bold"))
    output.say(f"  sessions  {counts.sessions:>9,}   {counts.touched:,} with a denial")
    output.say(f"    alarms  {counts.alarms:>9,}   {said_rate(counts.alarms, counts.sessions)}: origin or flow denied or asked")
    executed = counts.executed
    output.say(f"  calls     {executed.calls:>9,}")
    output.say(f"    allowed {executed.allowed:>9,}")
    output.say(f"    asked   {executed.asked:>9,}" + (f"   {executed.approved:,} approved" if executed.asked else ""))
    output.say(f"    denied  {executed.denied:>9,}")
    _checks(executed.checks.most_common(), "")
    _checks(executed.observed.most_common(), "would be denied or asked, observed: ")
    if counts.unexecuted.calls:
        apart = counts.unexecuted
        split = f"allowed {apart.allowed:,}, asked {apart.asked:,}, denied {apart.denied:,}"
        output.say(f"  never executed in the recording: {apart.calls:,} ({split})")
        _checks(apart.checks.most_common(), "")
    if counts.writes:
        output.say(f"  write calls {counts.writes:>7,}   {counts.ruled:,} with a value under an origin rule")
    _split(counts)
    for tool, number in counts.unlabelled.most_common(5):
        output.error(
            f"{kind}: {counted(number, 'output')} of {tool} are text, and its `fields:` speak of structured results: all of each carries "
            "the label of the tool; declare `format: json` or `format: yaml` if that is what it returns"
        )
    if counts.undeclared:
        named = ", ".join(name for name, _ in counts.undeclared.most_common(5))
        output.error(
            f"{kind}: {counts.undeclared.total():,} times an argument was refused because the manifest does not declare it, most often "
            f"{named}; a replay knows no signatures: declare it under `tools:`, `arguments:`"
        )


def _split(counts: KindStatistics) -> None:
    """Each check by what the data says of the sessions, if it says anything."""
    groups = [group for group in GROUPS if group in counts.groups]
    if not counts.checks:
        return
    heads = [GROUP_WORDS[group] for group in groups] if groups != ["benign"] else []
    output.say("".join([f"  {'sessions, by check':<26}", *(f"{head:>{max(len(head), 7) + 3}}" for head in ["all", *heads])]))
    rows: list[tuple[str, list[int]]] = []
    if heads:
        rows.append(("(all)", [counts.sessions, *(counts.groups[group].sessions for group in groups)]))
        rows.append(("(with an alarm)", [counts.alarms, *(counts.groups[group].alarms for group in groups)]))
    rows += [(check, [found.sessions, *(found.groups[group] for group in groups)]) for check, found in sorted(counts.checks.items())]
    for name, numbers in rows:
        cells = zip(["all", *heads], numbers, strict=False)  # without labels there is one column
        output.say("".join([f"    {name:<24}", *(f"{number:>{max(len(head), 7) + 3},}" for head, number in cells)]))


def _checks(rows: Iterable[tuple[str, int]], lead: str) -> None:
    for check, count in rows:
        output.say(f"      {count:>9,}   {lead}{check}")


def _told(statistics: Statistics, seconds: float) -> str:
    rate = f"{statistics.calls / seconds:,.0f} calls/s" if seconds > 0 else ""
    return f"{counted(statistics.sessions, 'session')}, {counted(statistics.calls, 'call')}, {rate}"
