"""The scorecard: what drills and the inventory say of the monitoring, each figure with what it is made of, and one verdict. Pure.

What is not known is not green: no result within the cadence, a kind of drill that was not played for a week, a drill that was not revealed
are as red as one that failed. Taking a passed result away never makes the verdict or the score better.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from licet.canonical import Plain
from licet.clock import iso, lasting
from licet.drill.audit import TAKEN, UNREVEALED, Audit, Audited
from licet.drill.blind import Look, Stretch, blind_now, seconds, stretches
from licet.drill.book import Result
from licet.drill.scenario import Scenario
from licet.drill.shown import BESIDE, SINK, Kind, kind_of, looks, lowest, taken_by
from licet.drill.slots import CADENCE, SLOT, Slot
from licet.drill.standing import Standing
from licet.drill.verdict import FIRED
from licet.drill.waiting import LIMIT, Waiting
from licet.escape import counted, visible

DAY: Final = 86_400.0
WEEK: Final = 7 * DAY
"""Seconds within which each scenario is played on each of its sources."""
DAILY: Final = DAY
"""Seconds within which there is a result where no schedule runs."""

_PUT_BACK: Final = "Put `drill.db` back; else it is so until they are older than a week, or than `--within` if that is longer"
_AHEAD: Final = 60.0  # seconds by which the clock may have gone back

Unit = Literal["share", "s", "alerts"]


class Metric(NamedTuple):
    """One figure.

    Attributes:
        of: of which source; empty: of all.
        numerator, denominator: what it is made of.
        as_of: seconds since the epoch.
        value: None where there is nothing of which it could be said.
        low: of a share, the lower bound at 95 %, where it is an estimate.
    """

    name: str
    title: str
    of: str
    numerator: float
    denominator: float
    as_of: float
    unit: Unit
    value: float | None
    low: float | None = None


class Reason(NamedTuple):
    """Why the verdict is FAIL. `kind`: `failed`, `unrevealed`, `audit`, `missed`, `silent`, `unplayed`, `clock`, `unjudged`,
    `undelivered`, `sink`.
    """

    kind: str
    said: str


class Cell(NamedTuple):
    """A scenario on a source, within a week: `passed`, `failed`, or `unplayed`, when it was played last, and how long its finding took."""

    scenario: str
    name: str
    source: str
    state: Literal["passed", "failed", "unplayed"]
    last: float
    seconds: float


class Scorecard(NamedTuple):
    """All of it.

    Attributes:
        since: of the first drill, or of the time asked for if that is shorter or there was none; of what counts in rates
            and times; `as_of`: now.
        reasons: none: PASS.
        score: 0 to 1: detection coverage, times the lower bound of the pass rate, times the share of the time in which nothing was blind.
        stretches: when which part was blind; `blind`: which still is.
        drills: results in the time, oldest first.
    """

    since: float
    as_of: float
    reasons: tuple[Reason, ...]
    score: float
    metrics: tuple[Metric, ...]
    cells: tuple[Cell, ...]
    stretches: tuple[Stretch, ...]
    blind: tuple[Stretch, ...]
    drills: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Nothing speaks against it."""
        return not self.reasons

    @property
    def real(self) -> frozenset[str]:
        """Sources that have real records here."""
        return frozenset(each.of for each in self.metrics if each.name == "source_freshness")

    @property
    def proved_here(self) -> int:
        """Cells that passed, of sources that have real records here."""
        return sum(each.state == "passed" and each.source in self.real for each in self.cells)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sources whose real records are old, a sentence each. The verdict does not rest on them: drills bring records of their own."""
        old = [each for each in self.metrics if each.name == "source_freshness" and each.numerator > max(each.denominator, DAY)]
        return tuple(
            f"the last real record of {each.of} is {lasting(each.numerator)} old: drills do not show that its records arrive"
            for each in old
        )

    @property
    def sinks(self) -> dict[str, float]:
        """By sink, when a drill was let in last whose finding it took (seconds since the epoch); that of no drill is not there."""
        return taken_by(self.drills)

    def metric(self, name: str, of: str = "") -> Metric:
        """One by its name.

        Raises:
            KeyError: there is none.
        """
        try:
            return next(each for each in self.metrics if (each.name, each.of) == (name, of))
        except StopIteration:
            raise KeyError(name) from None

    def plain(self) -> dict[str, Plain]:
        """As JSON has it."""
        told: dict[str, Plain] = {"verdict": "PASS" if self.passed else "FAIL", "score": round(self.score, 4), "as_of": iso(self.as_of)}
        told["since"] = iso(self.since)
        told["reasons"] = [each._asdict() for each in self.reasons]
        told["warnings"], told["passed_with_records"] = list(self.warnings), self.proved_here
        told["metrics"] = [_stamped(each) for each in self.metrics]
        told["cells"] = [each._asdict() | {"last": iso(each.last) if each.last else ""} for each in self.cells]
        told["sinks"] = [{"sink": name, "proved": iso(last)} for name, last in self.sinks.items()]
        told["blind"] = [{"part": each.part, "since": iso(each.since)} for each in self.blind]
        told["stretches"] = [{"part": each.part, "since": iso(each.since), "until": iso(each.until)} for each in self.stretches]
        return told


def _stamped(metric: Metric) -> dict[str, Plain]:
    return metric._asdict() | {"as_of": iso(metric.as_of) if metric.as_of else ""}


def scorecard(
    audit: Audit, standing: Standing | None, now: float, *, scenarios: Sequence[Scenario], within: float = WEEK,
    waiting: Waiting | None = None,
) -> Scorecard:  # fmt: skip
    """Make it. A result is due within a day; where a schedule was committed to, within its own cadence.

    Args:
        audit: of all drills since the longer of `within` and a week before now.
        standing: of the inventory; None: it is left out.
        scenarios: that are to be played, each on all of its sources.
        within: seconds before now that rates, times and blind seconds are about.
        waiting: what stands still of the real monitoring; None: there is none.
    """
    since = now - within
    known = [each for each in audit.drills if each.row.committed <= now + _AHEAD]
    results = sorted((each.row.result for each in known if not each.wrong and each.row.result is not None), key=lambda one: one.began)
    newest = {kind_of(each): each for each in results if each.began >= now - WEEK}
    cells = tuple(_cells(scenarios, newest))
    begin = max(since, min(audit.began, now)) if audit.began else since
    first = max(now - max(within, WEEK), min(audit.began, now)) if audit.began else since
    found = tuple(each for each in _dark(list(looks(known)), audit.days, min(first, begin), now) if each.until > begin)
    mine = [each for each in known if each.row.committed >= since]
    drilled = [each for each in results if each.began >= since]
    missed = sum(each.time >= since for each in audit.missed)  # a slot without its drill is one that failed
    of_drills, dark = _drilled(mine, drilled, cells, now, missed), _blind(found, begin, now)
    metrics = (*of_drills, dark, *(_standing(standing, now, within) if standing else ()))
    metrics = (*metrics, *(_waiting(waiting, now) if waiting is not None else ()))
    late = [each for each in audit.drills if each.row.committed > now + _AHEAD]
    reasons = (
        *_reasons(audit, [each for each in known if each.row.committed >= now - max(within, WEEK)], newest, cells, results, now),
        *_deaf(blind_now(found, now)),
        *([Reason("clock", f"{counted(len(late), 'drill')} of the future: the clock went back")] if late else ()),
        *(_still(waiting, now) if waiting is not None else ()),
    )  # fmt: skip
    by = {each.name: each for each in metrics}
    coverage, rate = by["detection_coverage"], by["drill_pass_rate"]
    share = min(1.0, dark.numerator / dark.denominator) if dark.denominator else 1.0
    score = (coverage.value or 0.0) * (rate.low or 0.0) * (1 - share)
    return Scorecard(begin, now, reasons, score, metrics, cells, found, tuple(blind_now(found, now)), tuple(drilled))


def _dark(shown: Sequence[Look], days: Iterable[tuple[float, float]], begin: float, now: float) -> Iterator[Stretch]:
    """When what was blind."""
    yield from stretches(shown, begin, now, math.inf)
    for since, until, cadence in ((begin, now, DAILY), *((*each, CADENCE) for each in days)):
        first, last = max(since, begin), min(until, now)
        if first < last:
            times = [Look(each.time, frozenset(), frozenset()) for each in shown if first <= each.time <= last]
            yield from stretches(times, first, last, cadence)


def _needed(scenario: Scenario, source: str) -> Iterator[Kind]:
    yield scenario.id, source, False, False
    yield scenario.id, source, True, False
    if not scenario.after:
        yield scenario.id, source, False, True


def _cells(scenarios: Sequence[Scenario], newest: dict[Kind, Result]) -> Iterator[Cell]:
    for scenario in scenarios:
        for source in scenario.sources:
            of = [newest.get(kind) for kind in _needed(scenario, source)]
            there = [each for each in of if each is not None]
            state: Literal["passed", "failed", "unplayed"] = "passed" if len(there) == len(of) else "unplayed"
            if any(not each.passed for each in there):
                state = "failed"
            misuse = of[0]
            took = misuse.seconds if misuse is not None else -1.0
            yield Cell(scenario.id, scenario.name, source, state, max((each.began for each in there), default=0.0), took)


# Why it is FAIL ------------------------------------------------------------------------------------------------------------


def _reasons(  # noqa: PLR0917 - all that a verdict rests on
    audit: Audit, drills: Sequence[Audited], newest: dict[Kind, Result], cells: Sequence[Cell], results: Sequence[Result], now: float,
) -> Iterator[Reason]:  # fmt: skip
    for kind, result in newest.items():
        if not result.passed:
            which = " (twin)" if kind[2] else " (beside, as somebody else)" if kind[3] else ""
            why = "; ".join(result.failures[:3])
            yield Reason("failed", f"{kind[0]} on {kind[1]}{which} failed at {iso(result.began)}: {why}")
    # Nobody knows which it was: it is made up for when each kind was played anew, and passed.
    healed = min((newest[kind].began if kind in newest else 0.0 for kind in _kinds(cells, newest)), default=0.0)
    for each in drills:
        if each.wrong == UNREVEALED and not (healed > each.row.ends and all(cell.state == "passed" for cell in cells)):
            yield Reason("unrevealed", f"drill {each.row.id} of {iso(each.row.committed)} was never revealed")
        elif each.wrong and each.wrong != UNREVEALED:
            yield Reason("audit", f"drill {each.row.id} of {iso(each.row.committed)}: {each.wrong}")
    yield from (Reason("audit", f"{each}. {_PUT_BACK}" if TAKEN in each else each) for each in audit.wrong)
    whole = all(cell.state == "passed" for cell in cells)
    yield from _missed(audit.missed, newest, healed if whole else 0.0)
    last = max((each.began for each in results), default=0.0)
    if not last:
        yield Reason("silent", "no drill has a result: `licet drill run` plays them")
    else:
        since = next((begins for begins, ends in audit.days if begins <= now < ends), 0.0)
        cadence = CADENCE if since and now - since > CADENCE else DAILY
        if now - last > cadence:
            yield Reason("silent", f"no result for {lasting(now - last)}, and one is due within {lasting(cadence)}")
    unplayed = [cell for cell in cells if cell.state == "unplayed"]
    if unplayed:
        some = ", ".join(f"{cell.scenario} on {cell.source}" for cell in unplayed[:5])
        more = f", and {len(unplayed) - 5:,} more" if len(unplayed) > 5 else ""
        yield Reason("unplayed", f"not played in all its kinds for a week: {some}{more}")


def _missed(slots: Iterable[Slot], newest: dict[Kind, Result], healed: float) -> Iterator[Reason]:
    """Drills that were due. `healed`: since when each kind was played anew, and passed."""
    for slot in slots:
        played = newest.get((slot.scenario, slot.source, False, False))
        if not slot.scenario:  # of a day whose slots are not told yet
            if healed <= slot.time:
                ten = iso(slot.time - slot.time % SLOT)
                yield Reason("missed", f"a drill was due in the ten minutes from {ten} on, and none was played")
        elif played is None or played.began <= slot.time:
            yield Reason("missed", f"{slot.scenario} on {slot.source} was due at {iso(slot.time)}, and was not played")


def _deaf(blind: Iterable[Stretch]) -> Iterator[Reason]:
    """Sinks that took nothing, and were not proved since: another one shows nothing of them."""
    for each in blind:
        if each.part.startswith(SINK) and not each.part.endswith(BESIDE):
            since = iso(each.since)
            yield Reason(
                "sink", f"{visible(each.part, 200)} took nothing, since {since}: a drill that passes with that very sink shows that it does"
            )


def _still(waiting: Waiting, now: float) -> Iterator[Reason]:
    """Why the real monitoring does nothing, whatever drills say."""
    if waiting.unjudged and now - waiting.unjudged > LIMIT:
        since = iso(waiting.unjudged)
        yield Reason(
            "unjudged", f"records that came in since {since} were not judged: `licet monitor` does that, again and again with `--follow`"
        )
    for each in waiting.unsent:
        are = f"{counted(each.number, 'finding')} {'waits' if each.number == 1 else 'wait'}"
        yield Reason(
            "undelivered", f"{are} since {iso(each.since)} for {visible(each.sink, 200)}: `licet findings deliver --once` says why"
        )


def _kinds(cells: Sequence[Cell], newest: dict[Kind, Result]) -> list[Kind]:
    places = {(cell.scenario, cell.source) for cell in cells}
    return [kind for kind in newest if (kind[0], kind[1]) in places]


# Figures -------------------------------------------------------------------------------------------------------------------


def _share(name: str, title: str, numerator: float, denominator: float, as_of: float, of: str = "") -> Metric:  # noqa: PLR0917
    value = numerator / denominator if denominator else None
    return Metric(name, title, of, numerator, denominator, as_of, "share", value)


def _drilled(drills: Sequence[Audited], results: Sequence[Result], cells: Sequence[Cell], now: float, missed: int) -> Iterator[Metric]:
    passed_cells = [cell for cell in cells if cell.state == "passed"]
    yield _share("detection_coverage", "scenarios on sources that passed within a week", len(passed_cells), len(cells), now)
    over = [each for each in drills if not each.open]
    passed = sum(each.passed for each in over)
    due = len(over) + missed
    rate = _share("drill_pass_rate", "drills passed", passed, due, now)
    yield rate._replace(low=lowest(passed, due) if due else None)
    twins = [each for each in results if each.twin]
    fired = sum(any(sentence.startswith(FIRED) for sentence in each.failures) for each in twins)
    yield _share("false_alarms_twins", "benign twins that had a finding", fired, len(twins), now)
    misuses = [each for each in results if not each.twin and not each.shadow]
    explained = sum(each.owned and each.attributed and each.passed for each in misuses)
    yield _share("explanation_completeness", "misuses with the right owner, credential and explanation", explained, len(misuses), now)
    for source in sorted({each.source for each in misuses}):
        of = [each for each in misuses if each.source == source]
        took = sorted(each.seconds for each in of if each.passed and each.seconds >= 0)
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            value = took[math.ceil(share * len(took)) - 1] if took else None
            yield Metric(f"detection_time_{name}", f"detection time, {name}", source, len(took), len(of), now, "s", value)


def _blind(found: Iterable[Stretch], begin: float, now: float) -> Metric:
    dark = seconds(found, begin, now)
    return Metric("blind_seconds", "seconds blind", "", dark, max(now - begin, 0.0), now, "s", dark)


def _standing(of: Standing, now: float, within: float) -> Iterator[Metric]:
    yield _share("ownership_coverage", "active machines with an owner that people stated", of.owned, of.active, of.as_of)
    for each in of.attributed:
        title = "uses of one credential, at a workload, of an owner"
        yield _share("attribution_coverage", title, each.whole, each.uses, of.as_of, each.source)
    yield _share("trace_completeness", "credentials without a hole", of.whole, of.credentials, of.as_of)
    for heard in of.heard:
        age = max(now - heard.last, 0.0)
        yield Metric("source_freshness", "age of the last event", heard.source, age, heard.lag, now, "s", age)
    yield _share("false_alarms_suppressed", "findings that people suppressed", of.suppressed, of.alarms, now)
    days = within / DAY
    rate = of.alarms / days / of.machines * 100 if of.machines else None
    yield Metric("alerts_per_day", "findings a day, of 100 machines", "", of.alarms, days * of.machines / 100, now, "alerts", rate)


def _waiting(of: Waiting, now: float) -> Iterator[Metric]:
    unsent = min((each.since for each in of.unsent), default=0.0)
    for name, title, since in (
        ("unjudged_seconds", "since records came that were not judged", of.unjudged),
        ("undelivered_seconds", "since findings wait for a sink that does not take them", unsent),
    ):
        age = max(now - since, 0.0) if since else 0.0
        yield Metric(name, title, "", age, LIMIT, now, "s", age)
