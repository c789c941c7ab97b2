"""The page of `licet backtest --html`: what changes, and what was judged at all."""

from __future__ import annotations

from collections.abc import Iterator

from licet.cli.backtest_run import Run
from licet.cli.backtest_told import NEVER, heading, outcomes, reasons, said, said_affected, said_coverage, said_new, said_reasons
from licet.escape import counted
from licet.replay import CHANGES
from licet.report import Table, digest_page


def page(done: Run) -> str:
    """A whole HTML file, self-contained and without scripts."""
    changes = done.changes
    judged = f"{counted(changes.sessions, 'session')}, {counted(changes.calls, 'call')} of {counted(len(done.options.traces), 'source')}"
    summary = (
        f"{counted(changes.decided, 'call')} decided differently, {changes.widened:,} of them let pass further than before"
        f"{said_reasons(changes)}; in {counted(changes.changed_sessions, 'session')}. "
        f"A person's answer to each question: {done.options.approve}."
    )
    lead = [
        f"{judged}. Old: {done.options.old} ({done.old.digest}). New: {done.options.new} ({done.new.digest}).",
        summary,
        f"Coverage: {said_coverage(done.coverage)}. Never judged by recordings: {', '.join(NEVER)}.",
        "Recorded runs are not a dialogue: what the agent would have done after another answer is not known.",
    ]
    return digest_page("Backtest", lead, list(_tables(done)), ())


def _tables(done: Run) -> Iterator[Table]:
    changes = done.changes
    checks = [
        (change, check, f"{changes.checks[change, check]:,}")
        for change in CHANGES
        for check in sorted(check for of, check in changes.checks if of == change)
    ]
    yield Table("Changes", ("Change", "Calls"), [(change, f"{changes.changes[change]:,}") for change in CHANGES], numbers=(1,))
    yield Table("Changes by check", ("Change", "Check", "Calls"), checks, "A call on which several checks speak stands in each line.", (2,))
    tools = [(kind, tool, change, f"{number:,}") for (kind, tool, change), number in sorted(changes.tools.items())]
    yield Table("Changes by tool", ("Task kind", "Tool", "Change", "Calls"), tools, numbers=(3,))
    for kind, shown, numbers in outcomes(changes):
        rows = [(f"{old} before", *(f"{numbers.get((old, new), 0):,}" for new in shown)) for old in shown]
        yield Table(f"{kind}: outcomes", ("", *(f"{new} now" for new in shown)), rows, numbers=range(1, len(shown) + 1))
    differences = [
        (each.way, ".".join(each.path), each.sentence, said_affected(count) if done.coverage.judged else "no call was judged")
        for each, count in zip(done.differences, done.affected.by_difference, strict=True)
    ]
    text = "Beside each difference, the changed calls that it can have decided: a check speaks on them that looks at this key."
    yield Table("Differences of the manifests", ("Way", "Key", "What", "Changed calls"), differences, text)
    text = "A call that one side cannot judge is never counted as allowed."
    yield Table("Coverage", ("", "Why", "Number", "Share", "Tools"), list(reasons(done.coverage)), text, (2, 3))
    for change in CHANGES:
        rows = [(heading(each), said(each.old), said_new(each)) for each in changes.shown if each.change == change]
        left = changes.left_out[change]
        text = f"The first {len(rows):,}; {left:,} more are not shown." if left else ""
        if rows or left:
            yield Table(change.capitalize(), ("Call", "Old", "New"), rows, text)
