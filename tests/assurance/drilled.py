"""Audits by hand: drills as the book has them after they were held against the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from licet.assurance.cells import cells
from licet.assurance.facts import Facts
from licet.assurance.rows import Row, rows
from licet.drill.audit import Audit, Audited
from licet.drill.book import Result
from licet.drill.book import Row as Kept
from licet.drill.commitment import Announced
from licet.drill.scenarios import SCENARIOS

NOW = 1_800_000_000.0
DAY = 86_400.0
BY_ID = {each.id: each for each in SCENARIOS}
_numbers = count(1)


def drill(
    scenario: str = "D1", source: str = "cloudtrail", *, twin: bool = False, shadow: bool = False, passed: bool = True,
    begins: float = NOW - DAY, wrong: str = "", is_open: bool = False, told: bool = True,
) -> Audited:  # fmt: skip
    """One. `told`: it was revealed."""
    number = next(_numbers)
    uid = f"{number:016x}"
    announced = Announced(
        uid, "00", "00", scenario, source, twin, shadow, "me", "", ("me",), (), (), "00", 1, begins, begins + 90,
    )  # fmt: skip
    failures = () if passed else ("nothing came back",)
    result = Result(uid, scenario, source, twin, shadow, passed, "delivered", failures, (), 0.5, "f1", begins, begins + 1, True, True)
    row = Kept(
        uid, "00", begins - 1, begins + 90, 2 * number, announced if told else None, (), result if told else None, "00", 2 * number + 1,
        begins + 1,
    )  # fmt: skip
    return Audited(row, wrong, is_open)


def round_of(scenario: str = "D1", source: str = "cloudtrail", begins: float = NOW - DAY) -> tuple[Audited, ...]:
    """A misuse, its twin and its shadow, which passed."""
    return tuple(drill(scenario, source, twin=twin, shadow=shadow, begins=begins) for twin, shadow in ((0, 0), (1, 0), (0, 1)))  # type: ignore[arg-type]


def by_id(facts: Facts) -> dict[str, Row]:
    """The rows of some facts, by the ids of their entries."""
    return {each.entry.id: each for each in rows(facts, cells(facts.audit, facts.now))}


def facts_of(drills: Iterable[Audited] = (), wrong: tuple[str, ...] = (), **more: object) -> Facts:
    """Facts with these drills."""
    return Facts(NOW, audit=Audit(tuple(drills), wrong), **more)  # type: ignore[arg-type]
