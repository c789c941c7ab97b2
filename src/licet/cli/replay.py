"""`licet replay`: what a manifest would have said to recorded runs."""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from licet.cli import output, replay_page
from licet.cli.replay_page import GROUP_WORDS, said_rate
from licet.cli.state import store_of
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.guard import Guard
from licet.guard.state import StateFolder
from licet.manifest import load
from licet.replay import GROUPS, Bad, Kept, KindStatistics, Replay, Session, SpanSessions, Statistics, read, sessions_from
from licet.report import Case
from licet.traces import holds_spans, is_address

SHOWN_BAD = 10
TTY_SECONDS, LOG_SECONDS = 0.2, 10.0  # between two lines of progress

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
    parser.add_argument("--show", metavar="N", type=_count, default=5, help="how many calls of each check the page shows (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 4:
        raise argparse.ArgumentTypeError("must be a whole number from 0 to 9999")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Replay every file, and print the counts; 1 if a line was no session."""
    if options.html is not None:
        output.writable(options.html)
    spans = {name for name in options.files if is_address(name) or name == "-" or holds_spans(name)}  # and all of them are there
    manifest = load(options.manifest)
    bad: list[Bad] = []
    left = SpanSessions()  # what spans lacked
    others = 0
    statistics, kept = Statistics(), Kept(options.show if options.html is not None else 0)
    shown: list[Case] = []
    begun = time.monotonic()
    # A state of its own, gone afterwards: a replay must never count as the agent's history.
    with tempfile.TemporaryDirectory(prefix="licet-replay-") as state, Guard(manifest, state=state) as guard:
        replay = Replay(guard, statistics, options.task, options.agent, options.ask == "yes", kept)
        if options.task is not None:  # a wrong name is a wrong name even where no session is well
            replay.agent_of(options.task) if options.task in manifest.tasks else _unknown(options.task, manifest.tasks)
        progress = _Progress(options.files, statistics)
        try:
            for index, name in enumerate(options.files):
                for item in _of_spans(name, left) if name in spans else read(name, functools.partial(progress.at, index)):
                    if isinstance(item, Bad):
                        bad.append(item)
                    elif options.suite in (None, item.suite):
                        replay.run(item)
                    else:
                        others += 1
        finally:
            progress.done()
        with store_of(StateFolder(Path(state))) as store:
            shown = [replay_page.case(store, call, manifest) for call in kept.calls]
    seconds = time.monotonic() - begun
    _say_bad(bad)
    _say_others(others, options.suite)
    _say_without(left)
    if options.html is not None:
        output.file(options.html, replay_page.page(options.files, manifest, statistics, kept, shown, bad=len(bad)))
    if options.json:
        output.data(
            _as_dict(options, manifest.digest, statistics, bad, seconds)
            | {"without": dict(left.without), "partly": dict(left.partly), "unanswered": left.unanswered}
        )
    else:
        _table(statistics, bad, seconds)
    nothing = not (statistics.sessions or others)
    if nothing and not (bad or left.without or left.partly):
        output.error(
            f"no session and no span of a tool call is in {', '.join(visible(name, 200) for name in options.files)}: the right source?"
        )
    return 1 if nothing or bad or left.without or left.partly else 0


def _unknown(kind: str, kinds: Iterable[str]) -> None:
    raise UsageError(f"task kind {kind!r} is not in the manifest; declared: {', '.join(kinds)}")


def _say_bad(bad: Sequence[Bad]) -> None:
    for item in bad[:SHOWN_BAD]:
        output.error("not a session: ", str(item))
    if len(bad) > SHOWN_BAD:
        output.error(f"not a session: {counted(len(bad) - SHOWN_BAD, 'more line')}")


def _of_spans(source: str, left: SpanSessions) -> Iterator[Session | Bad]:
    found = sessions_from(source)
    left.without += found.without
    left.partly += found.partly
    left.unanswered += found.unanswered
    yield from found.bad
    yield from found.sessions


def _say_without(left: SpanSessions) -> None:
    """Spans that hold no contents: names alone cannot be judged."""
    hint = "let the agent record contents (Licet: `record:` in the manifest; others: gen_ai.tool.call.arguments and .result)"
    if left.without:
        output.error(f"left out: {counted(left.without.total(), 'call')} whose spans have no arguments: {_tools(left.without)}; {hint}")
    if left.partly:
        all_of_them = "name all arguments of these tools in the manifest's `record:`, as without the others no call can be judged"
        calls = counted(left.partly.total(), "call")
        output.error(f"left out: {calls} of which only some arguments are on the span: {_tools(left.partly)}; {all_of_them}")
    if left.unanswered:
        calls = counted(left.unanswered, "call")
        output.error(f"{calls} ran and have no result on their spans, so that nothing is known to come from them; {hint}")


def _tools(by_tool: Counter[str]) -> str:
    return ", ".join(f"{tool} ({number:,})" for tool, number in by_tool.most_common(5))


def _say_others(others: int, suite: str | None) -> None:
    if others:
        output.error(f"left out: {counted(others, 'session')} of other suites than {suite}")


def _as_dict(options: argparse.Namespace, digest: str, statistics: Statistics, bad: Sequence[Bad], seconds: float) -> dict[str, Any]:
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
        "bad": {"lines": len(bad), "first": [{"file": b.file, "line": b.line, "key": b.key, "why": b.why} for b in bad[:SHOWN_BAD]]},
        "seconds": round(seconds, 3),
    }


def _table(statistics: Statistics, bad: Sequence[Bad], seconds: float) -> None:
    for kind, counts in statistics.kinds.items():
        _kind(kind, counts)
    if len(statistics.kinds) > 1:
        output.say(f"alarms: {said_rate(statistics.alarms, statistics.sessions)}")
    rate = f", {statistics.calls / seconds:,.0f} calls/s" if seconds > 0 else ""
    wrong = f", {counted(len(bad), 'bad line')}" if bad else ""
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


class _Progress:
    """How far the work is, on standard error: one line that is written over on a terminal, else a line every ten seconds."""

    def __init__(self, files: Sequence[str], statistics: Statistics) -> None:
        self._sizes = [1 if is_address(name) or name == "-" else max(Path(name).stat().st_size, 1) for name in files]
        self._statistics = statistics
        self._tty = sys.stderr.isatty()
        self._every = TTY_SECONDS if self._tty else LOG_SECONDS
        self._begun = self._said = time.monotonic()
        self._shown = False

    def at(self, index: int, position: int) -> None:
        """File number `index` has been read to `position`."""
        now = time.monotonic()
        if now - self._said < self._every:
            return
        self._said, self._shown = now, True
        part = (sum(self._sizes[:index]) + min(position, self._sizes[index])) / sum(self._sizes)
        sessions, calls = self._statistics.sessions, self._statistics.calls
        rate = f"{calls / (now - self._begun):,.0f} calls/s"
        text = f"{part:4.0%}  {counted(sessions, 'session')}, {counted(calls, 'call')}, {rate}"
        output.write(f"\r\x1b[K{text}" if self._tty else f"{text}\n", stream=sys.stderr)
        sys.stderr.flush()

    def done(self) -> None:
        """Take the line away."""
        if self._tty and self._shown:
            output.write("\r\x1b[K", stream=sys.stderr)
