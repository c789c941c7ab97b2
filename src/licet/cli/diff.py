"""`licet diff`: what a new manifest allows more, less or otherwise than an old one."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from licet.cli import output
from licet.cli.output import Style
from licet.cli.progress import Progress
from licet.cli.recordings import Recordings
from licet.errors import UsageError
from licet.escape import counted
from licet.guard.rehearsal import Rehearsal
from licet.learn.affected import Affected, Count
from licet.learn.difference import Difference, differences
from licet.manifest import Manifest, load
from licet.replay import Backtest, Moving

_WAYS: Mapping[str, Style] = {"widened": "red", "changed": "yellow", "narrowed": "green"}
EVERYWHERE = "every task kind"

EXAMPLE = """\
`widened` allows more, `narrowed` less for certain; `changed` is otherwise, or it cannot be told which allows more (two patterns). What no
decision depends on (texts, owners' contacts, what is recorded) is marked so. With --traces each difference has the recorded calls that the
two manifests decide differently, judged by the guard's own judge.

Exit codes: 0 nothing allows more: no difference, only narrowed ones, or texts; 1 something is widened, or changed so that a decision can
depend on it; 2 usage, or a manifest that does not hold. --only changes what is shown, not the exit code.

example: licet diff licet.yaml draft.yaml
         licet diff licet.yaml draft.yaml --only widened
         licet diff licet.yaml draft.yaml --traces runs/*.jsonl.gz
         git show HEAD:licet.yaml > old.yaml && licet diff old.yaml licet.yaml --json | jq '.differences[] | select(.way == "widened")'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("old", metavar="OLD", help="the manifest as it is")
    parser.add_argument("new", metavar="NEW", help="the manifest as it shall be")
    parser.add_argument("--traces", metavar="TRACES", nargs="+", help="recorded sessions (as for `licet replay`): which calls are affected")
    parser.add_argument("--task", metavar="KIND", help="with --traces: the task kind of every session (default: as for `licet replay`)")
    parser.add_argument("--agent", metavar="NAME", help="with --traces: who acts (default: the only agent that may run the kind)")
    parser.add_argument("--only", choices=list(_WAYS), action="append", help="show only these; may be given again")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Print every difference; 1 if one of them may allow more."""
    if options.traces is None and (options.task is not None or options.agent is not None):
        raise UsageError("--task and --agent speak of recorded sessions; give some with --traces")
    old, new = load(options.old), load(options.new)
    found = differences(old, new)
    affected, recordings = None, None
    if options.traces is not None:
        recordings = Recordings(options.traces, kinds=() if options.task is not None else {**old.tasks, **new.tasks})
        affected = _affected(options, old, new, found, recordings)
        recordings.say()
    if options.json:
        output.data(_as_dict(options, (old, new), found, affected, recordings))
    else:
        _say(options, found, affected)
    return 1 if any(each.stops for each in found) else 0


def _affected(
    options: argparse.Namespace, old: Manifest, new: Manifest, found: Sequence[Difference], recordings: Recordings
) -> tuple[Affected, Backtest]:
    clock = Moving()
    affected = Affected(found)
    sides = [Rehearsal(each, clock=clock) for each in (old, new)]
    progress = Progress(options.traces, lambda _seconds: f"{counted(affected.calls, 'call')} decided differently")
    try:
        backtest = Backtest(*sides, clock=clock, kind=options.task, agent=options.agent)
        for session in recordings.items(progress.at):
            if session is not None:
                affected.add(backtest.run(session))
    finally:
        progress.done()
        for side in sides:
            side.close()
    return affected, backtest


def _say(options: argparse.Namespace, found: Sequence[Difference], affected: tuple[Affected, Backtest] | None) -> None:
    shown = [(each, affected[0].by_difference[index] if affected else None) for index, each in enumerate(found) if _is_shown(options, each)]
    for kind in dict.fromkeys(sorted((each.kind for each, _ in shown), key=lambda kind: kind != "")):
        output.say(output.paint(kind or EVERYWHERE, "bold"))
        of_kind = [(each, count) for each, count in shown if each.kind == kind]
        for each, count in sorted(of_kind, key=lambda row: (list(_WAYS).index(row[0].way), not row[0].decides)):
            aside = "" if each.decides else " (no decision depends on it)"
            output.say("  ", output.paint(f"{each.way:<8}", _WAYS[each.way]), f"  {each.sentence}{aside}")
            output.say(" " * 12, output.paint(".".join(each.path), "dim"))
            if count is not None and count.changes:
                output.say(" " * 12, _calls(count))
    if affected is not None:
        _say_traces(*affected)
    said = [f"{sum(each.way == way for each in found)} {way}" for way in _WAYS]
    output.say(", ".join(said) if found else "no difference")


def _is_shown(options: argparse.Namespace, each: Difference) -> bool:
    return options.only is None or each.way in options.only


def _calls(count: Count) -> str:
    changes = ", ".join(f"{counted(number, 'call')} {change}" for change, number in count.changes.items())
    first = count.first[0]
    return f"{changes} in {counted(count.sessions, 'session')}; first: {first['session']}, call {first['call']} ({first['tool']})"


def _say_traces(affected: Affected, backtest: Backtest) -> None:
    coverage = backtest.coverage
    output.say(output.paint("recorded calls", "bold"))
    output.say(f"  {affected.calls:,} of {coverage.judged:,} judged by both are decided differently; {coverage.calls:,} were recorded")
    if affected.unexplained.changes:
        output.say("  no key speaks of these by itself; they follow from earlier calls: ", _calls(affected.unexplained))


def _as_dict(
    options: argparse.Namespace,
    manifests: tuple[Manifest, Manifest],
    found: Sequence[Difference],
    affected: tuple[Affected, Backtest] | None,
    recordings: Recordings | None,
) -> dict[str, Any]:
    rows = []
    for index, each in enumerate(found):
        if _is_shown(options, each):
            row = dataclasses.asdict(each) | {"path": list(each.path)}
            rows.append(row | ({"affected": affected[0].by_difference[index].as_dict()} if affected else {}))
    out: dict[str, Any] = {
        "old": {"file": options.old, "digest": manifests[0].digest},
        "new": {"file": options.new, "digest": manifests[1].digest},
        "stops": any(each.stops for each in found),
        **{way: sum(each.way == way for each in found) for way in _WAYS},
        "differences": rows,
    }
    if affected is not None and recordings is not None:
        out["traces"] = {
            "files": options.traces, "decided_differently": affected[0].calls, "unexplained": affected[0].unexplained.as_dict(),
            "coverage": affected[1].coverage.as_dict() | {"bad_lines": recordings.bad},
        }  # fmt: skip
    return out
