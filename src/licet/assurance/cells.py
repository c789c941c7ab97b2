"""Which drills stand: of each scenario on each source the newest misuse, twin and shadow, within seven days, and audited.

The newest counts, and what nobody can tell counts against all: a cell stands only if it passed after the last drill that was committed to
and of which nothing is known. Where the book is not what the ledger says, nothing stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from licet.drill.audit import TOO_EARLY, TOO_LATE, UNREVEALED, Audit, Audited
from licet.drill.scenario import Scenario
from licet.drill.scenarios import SCENARIOS

WINDOW: Final = 7 * 86_400.0
"""Seconds for which a drill that passed stands."""

_AHEAD: Final = 60.0  # seconds: a drill is committed to some seconds before it begins, and a clock may have gone back a little
_IN_TIME: Final = frozenset({UNREVEALED, TOO_LATE, TOO_EARLY})
"""What can be wrong with a drill that the ledger commits to as the book says: it failed, and a later one takes its place. All else is a
book that somebody changed."""


class Cell(NamedTuple):
    """A scenario on one source.

    Attributes:
        passed: the newest misuse, its twin and its shadow passed, and nothing speaks against them.
        drill: the newest misuse; None: there was none within the window.
        beside: the newest twin and shadow.
        why: if it did not pass, why.
    """

    scenario: Scenario
    source: str
    passed: bool
    drill: Audited | None
    beside: tuple[Audited, ...]
    why: str

    @property
    def name(self) -> str:
        """`D1 cloudtrail`."""
        return f"{self.scenario.id} {self.source}"


def cells(audit: Audit | None, now: float, scenarios: Sequence[Scenario] = SCENARIOS) -> list[Cell]:
    """Every scenario on each of its sources, in order."""
    drills = [each for each in (audit.drills if audit is not None else ()) if not each.open]
    newest = _newest(drills, now)
    against, since = _against(audit, drills, now)
    return [_cell(each, source, newest, against, since) for each in scenarios for source in each.sources]


def _newest(drills: Sequence[Audited], now: float) -> dict[tuple[str, str, bool, bool], Audited]:
    """By scenario, source, twin and shadow; by when they began, as it was signed."""
    found: dict[tuple[str, str, bool, bool], Audited] = {}
    for each in drills:
        of, result = each.row.announced, each.row.result
        if each.wrong or of is None or result is None or not now - WINDOW <= of.begins <= now + _AHEAD:
            continue
        key = (of.scenario, of.source, of.twin, of.shadow)
        known = found.get(key)
        if known is None or _begins(known) <= of.begins:
            found[key] = each
    return found


def _begins(drill: Audited) -> float:
    return drill.row.announced.begins if drill.row.announced is not None else 0.0


def _against(audit: Audit | None, drills: Sequence[Audited], now: float) -> tuple[str, float]:
    """What speaks against all drills, and until when something does of which nobody can tell what it was."""
    if audit is None:
        return "no drills are on record", 0.0
    if audit.wrong:
        return audit.wrong[0], 0.0
    changed = next((each for each in drills if each.wrong and each.wrong not in _IN_TIME), None)
    if changed is not None:
        return f"drill {changed.row.id}: {changed.wrong}", 0.0
    return "", max((each.row.ends for each in drills if each.wrong and each.row.ends >= now - WINDOW), default=0.0)


def _cell(
    scenario: Scenario, source: str, newest: Mapping[tuple[str, str, bool, bool], Audited], against: str, since: float
) -> Cell:  # fmt: skip
    drill = newest.get((scenario.id, source, False, False))
    twin, shadow = newest.get((scenario.id, source, True, False)), newest.get((scenario.id, source, False, True))
    beside = tuple(each for each in (twin, shadow) if each is not None)
    return Cell(scenario, source, not (why := _why(scenario, drill, twin, shadow, against, since)), drill, beside, why)


def _why(  # noqa: PLR0917 - all that a cell rests on
    scenario: Scenario, drill: Audited | None, twin: Audited | None, shadow: Audited | None, against: str, since: float
) -> str:  # fmt: skip
    if drill is None:
        return "not drilled within 7 days"
    for what, each in (("", drill), ("its twin: ", twin), ("as somebody else: ", shadow)):
        if each is not None and not each.passed:
            failures = each.row.result.failures if each.row.result is not None else ()
            return f"{what}{'; '.join(failures) or 'it failed'}"
    if twin is None:
        return "its benign twin was not drilled within 7 days"
    if shadow is None and not scenario.after:
        return "it was not drilled as somebody else within 7 days: who answers to drills alone would not show"
    if against:
        return against
    if min(_begins(each) for each in (drill, twin, shadow) if each is not None) < since:
        return "a later drill was never revealed, or too late, and nobody can tell that it was not this one"
    return ""
