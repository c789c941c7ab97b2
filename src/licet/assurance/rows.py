"""A row for each entry of each catalogue: what stands behind it in this state, and where that can be looked up.

verified by drill   a drill about it passed within seven days, held against the ledger, and none about it fails
observed            it was seen: findings, signals, denials, numbers of the inventory and of the ledger
declared only       somebody declared what it needs, and nothing was seen
absent              neither, or Licet does nothing about it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from licet.assurance.catalogues import CATALOGUES, Entry
from licet.assurance.cells import Cell
from licet.assurance.facts import Facts, Sighting
from licet.assurance.mapping import Means, means_of
from licet.catalogue import CHECKS
from licet.escape import counted
from licet.monitor.codes import CODES

Standing = Literal["verified by drill", "observed", "declared only", "absent"]
STANDINGS: Final[tuple[Standing, ...]] = ("verified by drill", "observed", "declared only", "absent")

_SOME: Final = 5  # codes and checks that are named where none was seen
_NOTHING: Final = "Licet does nothing about this."


class Evidence(NamedTuple):
    """Something by which a row can be checked.

    Attributes:
        kind: `drill`, `code`, `check`, `seen` or `declared`.
        name: `D1 cloudtrail`, `POST_REVOCATION_USE`, `scope.tool`, or the name of a number.
        says: a few words.
        number: how often.
        id: of the drill, the finding or the signal; empty for numbers.
        of: what has this id: `drill`, `finding` or `signal`; empty for numbers.
        ledger: the numbers of its records; empty: it is on none.
        time: of it (seconds since the epoch); 0: it has none.
    """

    kind: Literal["drill", "code", "check", "seen", "declared"]
    name: str
    says: str
    number: int = 1
    id: str = ""
    ledger: tuple[int, ...] = ()
    time: float = 0.0
    of: str = ""


class Row(NamedTuple):
    """One entry.

    Attributes:
        behaviour: what stands behind it, a sentence.
        evidence: the drills that passed first.
        fails: drills about it that were played and do not stand, with why; while there are any it is not verified.
        drillable: how many drills there are about it.
    """

    catalogue: str
    entry: Entry
    standing: Standing
    behaviour: str
    evidence: tuple[Evidence, ...]
    fails: tuple[str, ...]
    drillable: int


def rows(facts: Facts, drilled: Sequence[Cell]) -> list[Row]:
    """All rows, in the order of the catalogues. `drilled`: as `licet.assurance.cells.cells` has them."""
    by = {(each.scenario.id, each.source): each for each in drilled}
    return [_row(of.key, entry, facts, by) for of in CATALOGUES for entry in of.entries]


def _row(catalogue: str, entry: Entry, facts: Facts, by: Mapping[tuple[str, str], Cell]) -> Row:
    means = means_of(entry.id)
    drilled = [by[key] for scenario, source in means.drills if (key := (scenario.id, source)) in by]
    drills = [_drill(each) for each in drilled if each.passed]
    fails = tuple(f"{each.name}: {each.why}" for each in drilled if each.drill is not None and not each.passed)
    seen, declared = list(_seen(means, facts)), list(_declared(means, facts))
    standing: Standing = "verified by drill" if drills and not fails else "observed" if seen else "declared only" if declared else "absent"
    evidence = (*(drills if not fails else ()), *seen, *declared)
    return Row(catalogue, entry, standing, _behaviour(standing, means, evidence, fails), evidence, fails, len(means.drills))


def _drill(cell: Cell) -> Evidence:
    row = cell.drill.row if cell.drill is not None else None
    if row is None or row.announced is None:
        raise ValueError("a cell that passed has its drill")
    return Evidence("drill", cell.name, cell.scenario.title, 1, row.id, (row.seq, row.revealed), row.announced.begins, "drill")


def _seen(means: Means, facts: Facts) -> Iterator[Evidence]:
    for name in means.codes:
        if name in facts.codes:
            yield _sighting("code", CODES[name].title, facts.codes[name])
    for name in means.checks:
        if name in facts.checks:
            yield _sighting("check", CHECKS[name].fires_when, facts.checks[name])
    for each in means.behaviours:
        if each.seen and (number := facts.seen.get(each.name, 0)):
            yield Evidence("seen", each.name, each.seen, number)


def _sighting(kind: Literal["code", "check"], says: str, of: Sighting) -> Evidence:
    what = "finding" if of.findings else "signal"
    return Evidence(kind, of.name, says, of.findings or of.signals, of.newest, (of.ledger,) if of.ledger else (), of.time, what)


def _declared(means: Means, facts: Facts) -> Iterator[Evidence]:
    for each in means.behaviours:
        if each.declared and (number := facts.declared.get(each.name, 0)):
            yield Evidence("declared", each.name, each.declared, number)


def _behaviour(standing: Standing, means: Means, evidence: Sequence[Evidence], fails: Sequence[str]) -> str:
    """What stands behind the row."""
    if means.empty:
        return _NOTHING
    parts = []
    drills = [each for each in evidence if each.kind == "drill"]
    if drills:
        titles = "; ".join(dict.fromkeys(each.says for each in drills))
        parts.append(f"{counted(len(drills), 'drill')} came back as the right finding, and the benign twins did not: {titles}")
    if fails:
        parts.append(f"{counted(len(fails), 'drill')} about it {'fails' if len(fails) == 1 else 'fail'}")
    if standing != "absent":
        for what in ("finding", "signal"):  # of a code that has findings, these; a signal is none
            found = [f"{each.name} ({each.number:,})" for each in evidence if each.kind in ("code", "check") and each.of == what]
            parts += [f"{what}s: {', '.join(found)}"] if found else []
        parts += [f"{each.says}: {each.number:,}" for each in evidence if each.kind == "seen"]
        stated = [f"{each.says} ({each.number:,})" for each in evidence if each.kind == "declared"]
        parts += [f"declared: {', '.join(stated)}"] if stated else []
    if standing == "declared only":
        parts.append("nothing of it was seen")
    if standing == "absent":
        parts.append(f"nothing was seen, and nothing is declared; it would show by {_by(means)}")
    return _sentence("; ".join(parts))


def _by(means: Means) -> str:
    words = []
    if means.drills:
        words.append(counted(len(means.drills), "drill") + " (`licet drill run`)")
    if means.codes or means.checks:
        names = (*means.codes, *means.checks)
        more = f" and {len(names) - _SOME} others" if len(names) > _SOME else ""
        words.append(f"findings of {', '.join(names[:_SOME])}{more}")
    words += [each.seen or f"declared {each.declared}" for each in means.behaviours]
    return "; ".join(words)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
