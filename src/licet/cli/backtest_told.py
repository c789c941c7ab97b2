"""What `licet backtest` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from licet.cli import output
from licet.cli.backtest_run import ENOUGH, Run
from licet.escape import counted
from licet.learn.affected import Count
from licet.replay import CHANGES, ChangedCall, Changes, Coverage, Said
from licet.replay.coverage import JUDGED_WITH_LESS, NOT_JUDGED, SESSIONS, TAKEN
from licet.replay.verdicts import OUTCOMES

NEVER = ("guard.self", "sub-tasks apart from their task", "revocations", "broken glass", "proofs of names")
"""What no recording can be judged by."""


def as_dict(done: Run) -> dict[str, Any]:
    """All of it, as plain data."""
    options = done.options
    return {
        "old": {"manifest": options.old, "digest": done.old.digest},
        "new": {"manifest": options.new, "digest": done.new.digest},
        "traces": options.traces,
        "approve": options.approve,
        "changes": done.changes.as_dict(),
        "coverage": done.coverage.as_dict() | {"never_judged": list(NEVER)},
        "differences": [
            {"way": each.way, "path": list(each.path), "kind": each.kind, "tool": each.tool, "sentence": each.sentence}
            | {"affected": count.as_dict()}
            for each, count in zip(done.differences, done.affected.by_difference, strict=True)
        ],
        "unexplained": done.affected.unexplained.as_dict(),
        "bad": done.recordings.bad_lines(),
        "fail_on": options.fail_on,
        "min_coverage": ENOUGH if options.min_coverage is None else options.min_coverage,
        "too_little": done.too_little,
        "exit_code": done.code,
        "seconds": round(done.seconds, 3),
    }


def table(done: Run) -> None:
    """The counts, the first changed calls, the differences with the calls that they may have changed, and the coverage."""
    _changes(done.changes)
    if done.differences:
        output.say(output.paint("differences", "bold"))
    for found, count in zip(done.differences, done.affected.by_difference, strict=True):
        affected = f": {said_affected(count)}" if done.coverage.judged else ""
        output.say(f"  {found.way:<9} {found.sentence} [{'.'.join(found.path)}]{affected}")
    if done.affected.unexplained.changes:
        output.say(f"  no key speaks of these by itself; they follow from earlier calls: {said_affected(done.affected.unexplained)}")
    output.say(output.paint("coverage", "bold"))
    output.say(f"  {said_coverage(done.coverage)}")
    for group, why, number, part, tools in reasons(done.coverage):
        output.say(f"  {group}: {number} ({part}): {why}{f' ({tools})' if tools else ''}")
    output.say(f"  never judged: {', '.join(NEVER)}")
    rate = f", {done.changes.calls / done.seconds:,.0f} calls/s" if done.seconds > 0 else ""
    # What is the same in each run stands on standard output, and can be kept and compared.
    output.error(f"{counted(done.changes.sessions, 'session')}, {counted(done.changes.calls, 'call')} in {done.seconds:.1f} s{rate}")


def said_coverage(coverage: Coverage) -> str:
    """How much was judged, in one sentence."""
    sessions = coverage.sessions + coverage.bad
    return (
        f"{100 * coverage.share:.1f} %: {coverage.judged:,} of {counted(coverage.calls, 'call')} and {coverage.judged_sessions:,} of "
        f"{counted(sessions, 'session')} judged by both"
    )


def reasons(coverage: Coverage) -> Iterator[tuple[str, str, str, str, str]]:
    """What was not judged, or with less, and why: group, reason, number, share, and the first tools."""
    for group in (NOT_JUDGED, SESSIONS, TAKEN, JUDGED_WITH_LESS):
        whole = coverage.whole(group)
        if group == SESSIONS and coverage.bad:
            yield group, "the line is no session", f"{coverage.bad:,}", f"{100 * coverage.bad / whole:.1f} %", ""
        for why, number, by_tool in coverage.counts(group):
            tools = ", ".join(tool for tool, _ in by_tool.most_common(3) if tool)
            yield group, why, f"{number:,}", f"{100 * number / max(whole, 1):.1f} %", tools


def said_affected(count: Count) -> str:
    """The changed calls that a difference can have decided."""
    calls = ", ".join(f"{count.changes[change]:,} {change}" for change in CHANGES if count.changes[change])
    return f"{calls} in {counted(count.sessions, 'session')}" if calls else "no changed call"


def said(side: Said) -> str:
    """One side's word on a call."""
    told = _sentences(side.reasons)
    return f"{side.outcome}: {told}" if told else side.outcome


def said_new(call: ChangedCall) -> str:
    """The new side's word; where it has all reasons of the old one and more, only what is more."""
    known, reasons = call.old.reasons, call.new.reasons
    more = [each for each in reasons if each not in known]
    if not known or not more or len(reasons) - len(more) < len(known):
        return said(call.new)
    return f"{call.new.outcome}: beside that, {_sentences(more)}"


def _sentences(reasons: Sequence[tuple[str, str, str]]) -> str:
    return "; ".join(f"{sentence} [{check}]{' (observed)' if effect == 'observed' else ''}" for check, effect, sentence in reasons)


def said_reasons(changes: Changes) -> str:
    """How many calls are decided alike and for other reasons."""
    number = changes.changes["other reason"]
    return f"; {number:,} alike, for other reasons" if number else ""


def heading(call: ChangedCall) -> str:
    """Where a changed call stands."""
    return f"{call.session} ({call.place}), call {call.number}, {call.tool}"


def outcomes(changes: Changes) -> Iterator[tuple[str, list[str], dict[tuple[str, str], int]]]:
    """For each task kind: its name, the outcomes that occur, and the calls by old and new outcome."""
    for kind in sorted({kind for kind, _, _ in changes.outcomes}):
        numbers = {(old, new): number for (of, old, new), number in changes.outcomes.items() if of == kind}
        yield kind or "(no task kind)", [each for each in OUTCOMES if any(each in pair for pair in numbers)], numbers


def _changes(changes: Changes) -> None:
    output.say(output.paint("changes", "bold"))
    output.say(f"  sessions  {changes.sessions:>9,}   {changes.changed_sessions:,} with a changed call")
    further = f"{changes.widened:,} of them let pass further than before"
    output.say(f"  calls     {changes.calls:>9,}   {changes.decided:,} decided differently, {further}{said_reasons(changes)}")
    for change in CHANGES:
        if number := changes.changes[change]:
            checks = ", ".join(f"{check} {count:,}" for (of, check), count in sorted(changes.checks.items()) if of == change)
            output.say(f"    {change:<14}{number:>7,}   {checks}")
    for kind, shown, numbers in outcomes(changes):
        output.say("".join([f"  {f'{kind}: old, new':<24}", *(f"{each:>10}" for each in shown)]))
        for old in shown:
            output.say("".join([f"    {old:<22}", *(f"{numbers.get((old, new), 0):>10,}" for new in shown)]))
    for each in sorted(changes.shown, key=lambda call: CHANGES.index(call.change)):
        output.say(f"  {each.change}: {heading(each)}")
        output.say(f"    old  {said(each.old)}")
        output.say(f"    new  {said_new(each)}")
    if changes.left_out:
        left = ", ".join(f"{changes.left_out[change]:,} {change}" for change in CHANGES if changes.left_out[change])
        output.say(f"  not shown: {left}; --show N shows more of each")
