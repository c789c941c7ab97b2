"""`licet learn`: from recorded sessions to a draft of the manifest, which a person reads and ratifies."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.cli.backtest_run import moment
from licet.cli.progress import Progress
from licet.cli.recordings import Recordings
from licet.cli.state import add_state, existing, store_of
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.guard.ratified import Ratified, ratification
from licet.guard.rehearsal import Rehearsal
from licet.guard.state import StateFolder, default_state
from licet.learn.draft import Draft, draft, why_nothing
from licet.learn.grants import KindDraft, said_expected, shown
from licet.learn.judged import RARE, Settings, known_tools
from licet.learn.opened import opened
from licet.learn.orders import Orders
from licet.learn.runs import ATTACKED, DENIED, NO_KIND, UNDECLARED, Run, runs
from licet.learn.stored import stored_runs
from licet.learn.tally import MAX_KINDS, KindTally, Tally
from licet.manifest import Manifest, loads
from licet.manifest.baseline import SESSIONS, SUPPORT
from licet.manifest.loader import read_file
from licet.replay.once import Once

SHOWN = 8  # lines of one list
SHOWN_SESSIONS = 20  # of one kind, that did not teach

EXAMPLE = """\
TRACES are what `licet replay` takes: session files (JSON Lines, plain or gzipped), spans of any agent that hold contents (OTLP JSON lines,
Jaeger's JSON), `-`, jaeger://HOST:PORT. Without them the store of the state folder is read, which has no values: then no argument is ruled.

A session does not teach if a call of it was denied or refused, if it was attacked, if origin or flow checks of the manifest would deny
or ask now, if it called what is not declared, if model input came in unseen, or if a finding stands on it that is not only of something
new. What is rare and could do harm is left out, and listed in the
draft. Nothing is enforced by learning: the draft is a file, for you to read.

Learning replaces what was learned before: give the old recordings again, beside the new ones. A session that is given twice counts once.

Exit codes: 0 something was learned, 1 nothing could be, or with `--strict` a line was no session, 2 usage.

example: licet learn runs/*.jsonl.gz -m licet.yaml -o draft.yaml
         licet learn 'jaeger://127.0.0.1:16686?service=agent' -m licet.yaml --task answer-ticket -o draft.yaml
         licet learn --since 90d -m licet.yaml -o draft.yaml
         licet learn runs.jsonl -m licet.yaml --json | jq '.kinds[].left_out'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("traces", metavar="TRACES", nargs="*", help="recorded sessions (default: the store of the state folder)")
    parser.add_argument("-m", "--manifest", metavar="FILE", default="licet.yaml", help="the manifest (default: licet.yaml)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write the draft (default: standard output)")
    parser.add_argument("--force", action="store_true", help="overwrite the output file if it exists")
    parser.add_argument("--task", metavar="KIND", help="the task kind of every session (default: the suite's name, else the only kind)")
    parser.add_argument("--suite", metavar="NAME", help="only sessions of this suite: for files that hold several")
    parser.add_argument("--agent", metavar="NAME", help="who acts (default: the only agent that may run the kind)")
    parser.add_argument("--since", metavar="TIME", type=_since, help="only sessions from this time on: 2026-10-01, or 90d")
    parser.add_argument(
        "--rare", metavar="SHARE", type=_share, default=RARE,
        help="what could do harm, and stands in no more than this share of all sessions, is left out; with --trusted, of those of its kind "
        "(default: 5%%)",
    )  # fmt: skip
    parser.add_argument(
        "--min-sessions", metavar="N", type=_count, default=SESSIONS,
        help=f"the learning period: with fewer sessions the baseline is not in force (default: {SESSIONS})",
    )  # fmt: skip
    parser.add_argument(
        "--min-support", metavar="N", type=_count, default=SUPPORT,
        help=f"in how many sessions a thing must stand to be known to the baseline (default: {SUPPORT})",
    )  # fmt: skip
    parser.add_argument("--trusted", action="store_true", help="somebody looked at these: only recorded denials and attacks do not teach")
    parser.add_argument("--apart", action="store_true", help="each session began in an environment of its own: they share no stores")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a line is no session; the draft is written all the same")
    parser.add_argument("--narrow", action="store_true", help="take out grants that were not used, or rarely and could do harm")
    parser.add_argument("--chain", action="store_true", help="enforce the order that was seen, where the kind has no `chain:`")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def _since(text: str) -> float:
    try:
        return moment(text)
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError("must be a time, such as 2026-10-01, or how long ago, such as 90d") from error


def _share(text: str) -> float:
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1:
        raise argparse.ArgumentTypeError("must be a share below 1, such as 0.05 or 5%")
    return found


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Learn, write the draft and say what is in it; 1 if nothing teaches."""
    if options.output is not None:
        if Path(options.output).exists() and not options.force:
            raise UsageError(f"{options.output} exists; give another name to `-o`, or `--force` to overwrite it")
        output.writable(options.output)
    text = read_file(options.manifest)
    manifest = loads(text, name=options.manifest)
    if options.task is not None and options.task not in manifest.tasks:
        raise UsageError(f"task kind {options.task!r} is not in the manifest; declared: {', '.join(manifest.tasks)}")
    begun = time.monotonic()
    learned = _learned(options, manifest)
    settings = Settings(options.rare, options.min_sessions, options.min_support, options.narrow, options.chain, options.trusted)
    ratified = isinstance(ratification(manifest, StateFolder(default_state() if options.state is None else Path(options.state))), Ratified)
    made = draft(text, learned.tally, settings, name=options.manifest, ratified=ratified, orders=learned.orders)
    if made.kinds and options.output is not None:
        output.file(options.output, made.text)
    if options.json:
        output.data(_as_dict(options, manifest, made, learned) | {"seconds": round(time.monotonic() - begun, 3)})
    else:
        if made.kinds and options.output is None:
            output.write(made.text)
        _say(options, manifest, made, learned)
    return 0 if made.kinds and not (options.strict and learned.bad) else 1


@dataclass(slots=True)
class _Learned:
    """What came of the traces: counts, and of the sessions that do not teach who they are (`unheard`; of each kind `most`, None: all)."""

    tally: Tally
    most: int | None
    orders: Orders = field(default_factory=Orders)
    unheard: dict[str, list[Run]] = field(default_factory=dict)
    sessions: int = 0
    calls: int = 0
    bad: int = 0
    again: int = 0

    def add(self, run: Run) -> None:
        """One more."""
        self.sessions, self.calls = self.sessions + 1, self.calls + len(run.steps)
        self.tally.add(run)
        self.orders.add(run)
        if run.doubts:
            known = self.unheard.setdefault(run.kind, []) if run.kind in self.unheard or len(self.unheard) < MAX_KINDS else []
            if self.most is None or len(known) < self.most:
                known.append(replace(run, steps=()))


def _learned(options: argparse.Namespace, manifest: Manifest) -> _Learned:
    learned = _Learned(Tally(known_tools(manifest), manifest.tasks), None if options.json else SHOWN_SESSIONS)
    if not options.traces:
        with store_of(existing(options, "store"), reading=True) as store:
            for each in _asked(stored_runs(store, trusted=options.trusted, tools=manifest.tools), options):
                learned.add(each)
        return learned
    kinds = () if options.task is not None else manifest.tasks
    recordings = Recordings(options.traces, suite=options.suite, since=options.since, kinds=kinds)
    progress = Progress(
        options.traces,
        lambda seconds: (
            f"{counted(learned.sessions, 'session')}, {counted(learned.calls, 'call')}, {learned.calls / max(seconds, 0.001):,.0f} calls/s"
        ),
    )
    rehearsal = Rehearsal(opened(manifest))  # what is not granted yet is judged by the rules of its tool
    once = Once()
    try:
        found = (item for item in recordings.items(progress.at) if item is not None and once.first(item))
        for each in runs(found, rehearsal, kind=options.task, agent=options.agent, trusted=options.trusted, apart=options.apart):
            learned.add(each)
    finally:
        progress.done()
        rehearsal.close()
    recordings.say()
    learned.bad, learned.again = recordings.bad, once.again
    if once.again:
        output.error(f"left out: {counted(once.again, 'session')} given before, of the same id and content")
    return learned


def _asked(found: Iterable[Run], options: argparse.Namespace) -> Iterator[Run]:
    """Of the store, what was asked for: its tasks say themselves of which kind they are."""
    for each in found:
        if options.task in (None, each.kind) and (options.since is None or (each.time is not None and each.time >= options.since)):
            yield each


# What is said -------------------------------------------------------------------------------------------------------------


def _say(options: argparse.Namespace, manifest: Manifest, made: Draft, learned: _Learned) -> None:
    """The summary; on standard error where the draft itself went to standard output."""
    say = output.say if options.output is not None else output.error
    for kind in made.kinds:
        say(output.paint(kind.kind, "bold"))
        for line in _of_kind(kind, learned):
            say("  ", line)
    for lost in made.without:
        for line in _without(lost, manifest, learned):
            output.error(line)
    if not made.kinds:
        output.error(f"nothing could be learned: {_hint(options, manifest, made, learned)}")
        return
    if not options.traces:
        say("the store has no values, and of what the model made up it says nothing: no argument is ruled, and `nowhere` is in no origin")
    draft_file = shlex.quote(options.output) if options.output is not None else "DRAFT"
    manifest_file = shlex.quote(options.manifest)
    traces = " ".join(map(shlex.quote, options.traces)) if 0 < len(options.traces) <= 3 else "TRACES"
    say(f"next: read {draft_file}, then")
    say(f"  licet diff {manifest_file} {draft_file}")
    say(
        f"  licet backtest {traces} --old {manifest_file} --new {draft_file}"
        + ("" if options.traces else "   (TRACES: recordings with values)")
    )
    say(f"  licet ratify {draft_file} --by NAME")


def _hint(options: argparse.Namespace, manifest: Manifest, made: Draft, learned: _Learned) -> str:
    """What to do about it, in the case that it is."""
    if not learned.sessions:
        asked = " and ".join(f"--{name}" for name in ("suite", "since", "task") if getattr(options, name) is not None)
        return f"no session {f'is as {asked} says' if asked else 'is in what was given'}"
    doubts = {doubt for kind in made.without for doubt in kind.doubted}
    if any(kind.support.sessions for kind in made.without):
        return f"no session that teaches calls a tool of {options.manifest}; are these recordings of its agents?"
    if doubts == {NO_KIND}:
        return f"say with `--task` of which kind the sessions are: {', '.join(manifest.tasks)}"
    if all(set(run.doubts) & {NO_KIND, DENIED, ATTACKED} for some in learned.unheard.values() for run in some):
        return "no session teaches; why stands above"
    if all(doubt.startswith((NO_KIND, DENIED, ATTACKED, UNDECLARED)) for doubt in doubts):
        return f"no session teaches; declare what it calls under `tools:` of {options.manifest}, then learn anew"
    return "no session teaches; why stands above. Look at the sessions: if they are as they should be, `--trusted` says so"


def _of_kind(kind: KindDraft, learned: _Learned) -> Iterator[str]:
    tally, base = kind.tally, kind.baseline
    yield f"{counted(tally.support.sessions, 'session')} taught, {tally.doubtful:,} did not" + (":" if tally.doubtful else "")
    yield from _doubts(tally, learned)
    known = base.minimum.support
    tools, edges = (sum(count >= known for count in found.values()) for found in (base.tools, base.edges))
    sources = sum(count >= known for by_name in base.origins.values() for found in by_name.values() for count in found.values())
    parts = f"{counted(tools, 'tool')}, {counted(edges, 'edge')} (which tool after which), {counted(sources, 'origin')} of arguments"
    yield f"baseline: {parts}; {said_expected(kind.expected)}"
    if base.sessions < base.minimum.sessions:
        yield f"  still learning: it is in force from {base.minimum.sessions} sessions on"
    for head, lines in _lists(kind):
        yield f"{head}:"
        yield from (f"  {line}" for line in lines[:SHOWN])
        if len(lines) > SHOWN:
            yield f"  and {len(lines) - SHOWN} more"


def _lists(kind: KindDraft) -> Iterator[tuple[str, list[str]]]:
    heads = {
        "NEW grants": kind.new,
        "narrower": kind.narrowed,
        "left out, as rare": kind.left_out,
        "never used": kind.unused,
        "used, and not declared": kind.undeclared,
        "left to you, as it would widen": kind.wider,
    }
    return ((head, lines) for head, lines in heads.items() if lines)


def _without(kind: KindTally, manifest: Manifest, learned: _Learned) -> Iterator[str]:
    number = counted(kind.support.sessions + kind.doubtful, "session")
    yield f"{shown(kind.kind)}: {number}, and nothing was learned of it; it {why_nothing(kind, manifest)}" + (":" if kind.doubted else "")
    yield from (f"  {line}" for line in _doubts(kind, learned))


def _doubts(kind: KindTally, learned: _Learned) -> Iterator[str]:
    for doubt, number in kind.doubted.most_common()[:SHOWN]:
        yield f"  {number:,}  {visible(shown(doubt), 200)}"
    if len(kind.doubted) > SHOWN:
        yield f"  and {len(kind.doubted) - SHOWN} more reasons"
    unheard = learned.unheard.get(kind.kind, [])
    if unheard:
        yield "  these did not teach" + (
            " (a session can have several reasons):" if sum(number for _, number in kind.doubted.most_common()) > kind.doubtful else ":"
        )
    for run in unheard[:SHOWN_SESSIONS]:
        yield f"    {shown(run.id)} ({visible(run.place, 200)})"
    if kind.doubtful > SHOWN_SESSIONS:
        yield f"    and {kind.doubtful - SHOWN_SESSIONS:,} more; `--json` has all"


def _as_dict(options: argparse.Namespace, manifest: Manifest, made: Draft, learned: _Learned) -> dict[str, Any]:
    return {
        "manifest": options.manifest,
        "manifest_digest": manifest.digest,
        "traces": options.traces,
        "output": options.output,
        "draft": made.text if options.output is None and made.kinds else None,
        "given_before": learned.again,
        "bad_lines": learned.bad,
        "did_not_teach": [
            {"session": run.id, "place": run.place, "task_kind": shown(run.kind), "why": [shown(doubt) for doubt in run.doubts]}
            for some in learned.unheard.values()
            for run in some
        ],
        "kinds": {kind.kind: _kind_as_dict(kind) for kind in made.kinds},
        "without": {
            shown(kind.kind): {"sessions": kind.support.sessions + kind.doubtful, "doubts": _doubts_as_dict(kind)} for kind in made.without
        },
    }


def _kind_as_dict(kind: KindDraft) -> dict[str, Any]:
    return {
        "sessions": kind.tally.support.sessions,
        "calls": kind.tally.calls,
        "doubted": kind.tally.doubtful,
        "doubts": _doubts_as_dict(kind.tally),
        "expected_new": round(kind.expected.share, 4),
        "baseline": kind.baseline.model_dump(mode="json", exclude_defaults=True),
        "new": kind.new,
        "narrowed": kind.narrowed,
        "left_out": kind.left_out,
        "unused": kind.unused,
        "undeclared": kind.undeclared,
        "wider": kind.wider,
    }


def _doubts_as_dict(kind: KindTally) -> dict[str, int]:
    return {shown(doubt): number for doubt, number in kind.doubted.most_common()}
