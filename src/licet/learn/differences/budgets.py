"""What two lists of budgets let a task do. All budgets hold at once, and those that count the same are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from licet.clock import lasting
from licet.learn.differences.found import At, Difference, both
from licet.manifest.models import Budget


def budgets(at: At, old: Sequence[Budget], new: Sequence[Budget]) -> Iterator[Difference]:
    """By what is counted: of several limits on the same the smallest counts, and rates are compared one with one."""
    before, after = _by_what(old), _by_what(new)
    for what in both(before, after):
        first, then = before.get(what, []), after.get(what, [])
        tool = first[0].of[0] if first and len(set(first[0].of)) == 1 else then[0].of[0] if then and len(set(then[0].of)) == 1 else ""
        place = at.under(what, tool=tool)
        if not first:
            yield place.narrowed(f"{what} is limited: {_said(then)}")
        elif not then:
            yield place.widened(f"{what} is no longer limited; it was {_said(first)}")
        elif then[0].rate is None:
            least, limit = (min(budget.at_most or 0 for budget in some) for some in (first, then))
            yield from place.weighed(least, limit, f"{what} is at most {limit}, was {least}")
        else:
            yield from _rates(place, what, first, then)


def _by_what(some: Sequence[Budget]) -> dict[str, list[Budget]]:
    out: dict[str, list[Budget]] = {}
    for budget in some:
        tools = ", ".join(sorted(set(budget.of)))
        counted = f"sum of {budget.sum}" if budget.sum else f"distinct {budget.distinct}" if budget.distinct else "calls"
        out.setdefault(f"{'rate' if budget.rate is not None else counted} of {tools}", []).append(budget)
    return out


def _rates(at: At, what: str, old: list[Budget], new: list[Budget]) -> Iterator[Difference]:
    before, after = (Counter((budget.rate or 0, budget.per) for budget in some) for some in (old, new))
    gone, come = list((before - after).elements()), list((after - before).elements())
    if not gone and not come:
        return
    sentence = f"{what} is {_said(new)}, was {_said(old)}"
    if not gone or not come:
        yield (at.narrowed if come else at.widened)(sentence)
        return
    (was, span), (now, window) = gone[0], come[0]
    if len(gone) > 1 or len(come) > 1 or span is None or window is None:
        yield at.changed(sentence)
    # As many in a longer time are fewer: each shorter time lies within a longer one.
    elif now <= was and window >= span:
        yield at.narrowed(sentence)
    else:
        yield at.widened(sentence) if now >= was and window <= span else at.changed(sentence)


def _said(some: Sequence[Budget]) -> str:
    return " and ".join(
        f"{budget.rate} in {lasting(budget.per.total_seconds())}" if budget.per is not None else f"at most {budget.at_most}"
        for budget in some
    )
