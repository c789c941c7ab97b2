"""`licet diff`: what a new manifest allows more, less or otherwise than an old one."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from licet.replay import Backtest, Changes, Coverage, Moving

_WAYS: Mapping[str, Style] = {"widened": "red", "changed": "yellow", "narrowed": "green"}
EVERYWHERE = "every task kind"
_SAID = {"other reason": "decided alike for another reason"}
OK, FOUND, NOTHING_JUDGED = 0, 1, 3

EXAMPLE = """\
`widened` allows more, `narrowed` less for certain; `changed` is otherwise, or it cannot be told which allows more (two patterns). What no
decision depends on (texts, owners' contacts, what is recorded) is marked so. With --traces each difference has the recorded calls that the
two manifests decide differently, judged by the guard's own judge.

Exit codes: 0 nothing allows more: no difference, only narrowed ones, or texts; 1 something is widened, or changed so that a decision can
depend on it; 2 usage, or a manifest that does not hold; 3 none of this, and of --traces no call could be judged. --only changes what is
shown, not the exit code.

example: licet diff licet.yaml draft.yaml
         licet diff licet.yaml draft.yaml --only widened
         licet diff licet.yaml draft.yaml --traces runs/*.jsonl.gz
         git show HEAD:licet.yaml > old.yaml && licet diff old.yaml licet.yaml --json | jq '.differences[] | select(.way == "widened")'
"""


@dataclass(frozen=True, slots=True)
class _Held:
    """Recorded sessions that were held against both manifests."""

    affected: Affected
    changes: Changes
    coverage: Coverage
    recordings: Recordings


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("old", metavar="OLD", help="the manifest as it is")
    parser.add_argument("new", metavar="NEW", help="the manifest as it shall be")
    parser.add_argument("--traces", metavar="TRACES", nargs="+", help="recorded sessions (as for `licet replay`): which calls are affected")
    parser.add_argument("--task", metavar="KIND", help="with --traces: the task kind of every session (default: as for `licet replay`)")
    parser.add_argument("--suite", metavar="NAME", help="with --traces: only sessions of this suite: for files that hold several")
    parser.add_argument("--agent", metavar="NAME", help="with --traces: who acts (default: the only agent that may run the kind)")
    parser.add_argument("--only", choices=list(_WAYS), action="append", help="show only these; may be given again")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Print every difference; 1 if one of them may allow more."""
    if options.traces is None and any(given is not None for given in (options.task, options.suite, options.agent)):
        raise UsageError("--task, --suite and --agent speak of recorded sessions; give some with --traces")
    old, new = load(options.old), load(options.new)
    found = differences(old, new)
    held = None
    if options.traces is not None:
        recordings = Recordings(options.traces, suite=options.suite, kinds=() if options.task is not None else {**old.tasks, **new.tasks})
        held = _held(options, old, new, found, recordings)
        recordings.say()
        if not held.coverage.judged:
            output.error(
                f"no call was judged by both, of {counted(held.changes.sessions, 'session')}: nothing is known of what is affected"
            )
    if options.json:
        output.data(_as_dict(options, (old, new), found, held))
    else:
        _say(options, found, held)
    if any(each.stops for each in found):
        return FOUND
    return NOTHING_JUDGED if held is not None and not held.coverage.judged else OK


def _held(options: argparse.Namespace, old: Manifest, new: Manifest, found: Sequence[Difference], recordings: Recordings) -> _Held:
    clock = Moving()
    affected, changes = Affected(found), Changes(0)
    sides = [Rehearsal(each, clock=clock) for each in (old, new)]
    progress = Progress(options.traces, lambda _seconds: f"{counted(changes.decided, 'call')} decided differently")
    try:
        backtest = Backtest(*sides, clock=clock, kind=options.task, agent=options.agent)
        for session in recordings.items(progress.at):
            if session is not None:
                outcome = backtest.run(session)
                affected.add(outcome)
                changes.add(outcome)
    finally:
        progress.done()
        for side in sides:
            side.close()
    return _Held(affected, changes, backtest.coverage, recordings)


def _say(options: argparse.Namespace, found: Sequence[Difference], held: _Held | None) -> None:
    shown = [(each, held.affected.by_difference[index] if held else None) for index, each in enumerate(found) if _is_shown(options, each)]
    for kind in dict.fromkeys(sorted((each.kind for each, _ in shown), key=lambda kind: kind != "")):
        output.say(output.paint(kind or EVERYWHERE, "bold"))
        of_kind = [(each, count) for each, count in shown if each.kind == kind]
        for each, count in sorted(of_kind, key=lambda row: (list(_WAYS).index(row[0].way), not row[0].decides)):
            aside = "" if each.decides else " (no decision depends on it)"
            output.say("  ", output.paint(f"{each.way:<8}", _WAYS[each.way]), f"  {each.sentence}{aside}")
            output.say(" " * 12, output.paint(".".join(each.path), "dim"))
            if count is not None and count.changes:
                output.say(" " * 12, _calls(count))
    if held is not None:
        _say_traces(held)
    said = [f"{sum(each.way == way for each in found)} {way}" for way in _WAYS]
    output.say(", ".join(said) if found else "no difference")


def _is_shown(options: argparse.Namespace, each: Difference) -> bool:
    return options.only is None or each.way in options.only


def _calls(count: Count) -> str:
    changes = ", ".join(f"{counted(number, 'call')} {_SAID.get(change, change)}" for change, number in count.changes.items())
    first = count.first[0]
    return f"{changes} in {counted(count.sessions, 'session')}; first: {first['session']}, call {first['call']} ({first['tool']})"


def _say_traces(held: _Held) -> None:
    coverage, other = held.coverage, held.changes.changes["other reason"]
    output.say(output.paint("recorded calls", "bold"))
    alike = f", {other:,} alike for another reason" if other else ""
    told = (
        f"  {held.changes.decided:,} of {coverage.judged:,} judged by both are decided differently{alike}; {coverage.calls:,} were recorded"
    )
    output.say(told)
    if held.affected.unexplained.changes:
        output.say("  no key speaks of these by itself; they follow from earlier calls: ", _calls(held.affected.unexplained))


def _as_dict(
    options: argparse.Namespace,
    manifests: tuple[Manifest, Manifest],
    found: Sequence[Difference],
    held: _Held | None,
) -> dict[str, Any]:
    rows = []
    for index, each in enumerate(found):
        if _is_shown(options, each):
            row = dataclasses.asdict(each) | {"path": list(each.path)}
            rows.append(row | ({"affected": held.affected.by_difference[index].as_dict()} if held else {}))
    out: dict[str, Any] = {
        "old": {"file": options.old, "digest": manifests[0].digest},
        "new": {"file": options.new, "digest": manifests[1].digest},
        "stops": any(each.stops for each in found),
        **{way: sum(each.way == way for each in found) for way in _WAYS},
        "differences": rows,
    }
    if held is not None:
        out["traces"] = {
            "files": options.traces, "decided_differently": held.changes.decided, "changes": dict(held.changes.changes),
            "unexplained": held.affected.unexplained.as_dict(),
            "coverage": held.coverage.as_dict() | {"bad_lines": held.recordings.bad},
        }  # fmt: skip
    return out
