"""Sources of logs that fell silent: what is not heard is not known, and is no green light.

Silent is a source whose last event is further back than three times what its records may be late, and three times its longest pause so far.
Pauses are counted in whole hours, and lie between records that came live: what is taken in later from an archive, or names an old time,
makes none. Else one record of long ago would turn the alarm off for years.

A source of which every record was old when it was taken in is history: it never spoke live here, so that its silence says nothing. That
is noted, without points; once one of its records comes in time, it is a source like the others. Accounts of few events, which whoever
writes records can name at will, are told of together where there are many.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, Final, NamedTuple

from licet.clock import iso, lasting
from licet.escape import counted
from licet.inventory.counted import OLD
from licet.inventory.store import Inventory
from licet.monitor.codes import CODES
from licet.monitor.signal import Cited, Signal
from licet.monitor.stored import put, signal_of, withdraw
from licet.monitor.world import DAY

NOBODY: Final = 0
"""The subject of signals that are about no identity."""

_CODE: Final = "SOURCE_SILENT"
_TIMES: Final = 3.0
_LAG: Final = 900.0  # of a source of which nothing is known
_HOUR: Final = 3_600
_FEW: Final = 50  # events; an account of as many, or of less than a day, may be anybody's word
_MANY: Final = 3  # of such accounts, of one source: more are told of together
_NAMED: Final = 8
_TOLD: Final = ("lifecycle", "declared")  # written when something happens, and so silent most of the time

_HISTORY: Final = "history: "
_LATE: Final = (
    "SELECT source, account, first, last, events, gap FROM sources WHERE events>0 AND source NOT IN ('lifecycle', 'declared')"
    " ORDER BY source, account"
)
_LIVE: Final = "SELECT account, hour FROM live WHERE source=? ORDER BY account, hour"
_SHAPES: Final = "SELECT id, json_extract(shape, '$[0]'), json_extract(shape, '$[5]') FROM shapes"
# It goes through all uses once, of however many accounts, of which `temp.heard` has the numbers by shape.
_HEARD: Final = "CREATE TEMP TABLE IF NOT EXISTS heard (shape INTEGER PRIMARY KEY, n INTEGER)"
_OF: Final = "FROM uses CROSS JOIN temp.heard ON heard.shape=uses.shape"
_LASTS: Final = (
    f"WITH last (n, time) AS MATERIALIZED (SELECT n, max(time) {_OF} GROUP BY n)"
    f" SELECT heard.n, uses.uid, identities.uid, uses.time {_OF} JOIN last ON last.n=heard.n AND last.time=uses.time"
    " JOIN identities ON identities.id=subject ORDER BY 1, 2"
)


class _Source(NamedTuple):
    """One source and account. `gap`: how old its records were at the least when they were taken in."""

    source: str
    account: str
    first: float
    last: float
    events: int
    gap: float

    @property
    def name(self) -> str:
        return f"{self.source}{f' of {self.account}' if self.account else ''}"

    @property
    def is_small(self) -> bool:
        return self.events < _FEW or self.last - self.first < DAY


class _Last(NamedTuple):
    uid: str
    identity: str
    time: float


def silence(db: sqlite3.Connection, now: float, lags: Mapping[str, float]) -> int:
    """Write which sources are silent at `now`, and take away those that are not any more; how many signals changed.

    Args:
        lags: by source, how late its records may come, in seconds.
    """
    rows = db.execute("SELECT body FROM signals WHERE subject=? AND code=?", (NOBODY, _CODE)).fetchall()
    before = {each.value.rpartition(" ")[0]: each for each in (signal_of(body) for (body,) in rows)}
    late = [each for each in map(_Source._make, db.execute(_LATE).fetchall()) if now - each.last > _TIMES * lags.get(each.source, _LAG)]
    alone: list[_Source] = []
    found: list[Signal] = []
    for source, group in groupby(late, attrgetter("source")):
        every = list(group)
        small = [each for each in every if each.is_small and not _is_history(each, lags)]
        together = small if len(small) > _MANY else []
        alone += [each for each in every if each not in together]
        pauses = _pauses(db, source) if together else {}
        limits = {each.account: _TIMES * max(lags.get(source, _LAG), pauses.get(each.account, 0.0)) for each in together}
        if silent := [each for each in together if now - each.last > limits[each.account]]:
            found.append(_together(db, source, silent, limits, before, late=_TIMES * lags.get(source, _LAG)))
    changed = [each for each in alone if not _stands(each, before.get(each.name), lags)]
    found += [before[each.name] for each in alone if each not in changed]
    if changed:
        longest = {source: _pauses(db, source) for source in {each.source for each in changed}}
        lasts = _lasts(db, changed)
        for number, each in enumerate(changed):
            limit = _TIMES * max(lags.get(each.source, _LAG), longest[each.source].get(each.account, 0.0))
            if number in lasts and now - lasts[number].time > limit:
                begun = lasts[number].time + _TIMES * lags.get(each.source, _LAG)
                found.append(_alone(each, lasts[number], limit, begun, history=_is_history(each, lags)))
    return withdraw(db, NOBODY, (_CODE,), {each.id for each in found}) + put(db, NOBODY, found)


def history(inventory: Inventory) -> list[str]:
    """What is said of sources that are history, a sentence each: nothing has come of them since."""
    rows = inventory.rows("SELECT body FROM signals WHERE subject=? AND code=? AND alert=0 ORDER BY time, id", (NOBODY, _CODE))
    return [signal_of(body).observed for (body,) in rows]


def _is_history(source: _Source, lags: Mapping[str, float]) -> bool:
    return source.gap > max(OLD, _TIMES * lags.get(source.source, _LAG))


def _stands(source: _Source, told: Signal | None, lags: Mapping[str, float]) -> bool:
    """Whether nothing came since it was told: then it is as silent as it was."""
    return told is not None and told.sample == source.events and told.since == source.last and told.alert != _is_history(source, lags)


def _alone(source: _Source, use: _Last, limit: float, begun: float, *, history: bool) -> Signal:
    """`begun`: from when on it was late, which no event that comes later still makes another time."""
    about = CODES[_CODE]
    since = f"no event since {iso(use.time)}"
    old = f"{_HISTORY}{since}, and all were older than {lasting(OLD)} when they were taken in"
    return Signal(
        about.name, alert=not history, points=0.0 if history else about.points, severity="info" if history else about.severity,
        time=begun, identity="", credential="", value=f"{source.name} {use.uid}",
        observed=f"{source.name}: {old if history else since}", expected=f"an event within {lasting(limit)}", basis="lifecycle",
        evidence=(Cited(use.uid, "the last event", use.identity, use.time),), since=use.time, sample=source.events, action=about.action,
    )  # fmt: skip


def _together(
    db: sqlite3.Connection, source: str, silent: Sequence[_Source], limits: Mapping[str, float], before: Mapping[str, Signal], *,
    late: float,
) -> Signal:  # fmt: skip
    """One for all of them. How many they are counts by doubling, so that a few more are nothing new.

    Args:
        limits: by account, after how many seconds it is silent.
        late: seconds after which a source is late.
    """
    about = CODES[_CODE]
    name, events = f"{source} in accounts of few events", sum(each.events for each in silent)
    told = before.get(name)
    newest = sorted(silent, key=lambda each: (-each.last, each.account))[:_NAMED]
    limit = max(limits[each.account] for each in newest)
    more = f" and {len(silent) - len(newest):,} more" if len(silent) > len(newest) else ""
    observed = (
        f"{source}: no event since {iso(newest[0].last)} in {counted(len(silent), 'account')} that had few or for less than a day:"
        f" {', '.join(each.account or '-' for each in newest)}{more}"
    )
    if told is not None and told.sample == events and told.observed == observed:
        return told
    lasts, begun = _lasts(db, newest), newest[0].last + late
    return Signal(
        about.name, alert=True, points=about.points, severity=about.severity, time=begun, identity="", credential="",
        value=f"{name} {len(silent).bit_length()}", observed=observed, expected=f"an event within {lasting(limit)}", basis="lifecycle",
        evidence=tuple(Cited(each.uid, "the last event", each.identity, each.time) for each in lasts.values()), since=newest[0].last,
        sample=events, action=about.action,
    )  # fmt: skip


def _hear(db: sqlite3.Connection, sources: Sequence[_Source]) -> None:
    """Number them, for those that go through the uses."""
    numbers = {(each.source, each.account): number for number, each in enumerate(sources)}
    shapes = ((shape, numbers.get((source, account))) for shape, source, account in db.execute(_SHAPES).fetchall())
    db.execute(_HEARD)
    db.execute("DELETE FROM temp.heard")
    db.executemany("INSERT INTO temp.heard VALUES (?,?)", [each for each in shapes if each[1] is not None])


def _pauses(db: sqlite3.Connection, source: str) -> dict[str, float]:
    """By account, the longest pauses of a source between records that came live, in seconds, to the hour."""
    longest: dict[str, float] = {}
    for account, rows in groupby(_rows(db, _LIVE, (source,)), lambda row: str(row[0])):
        longest[account] = max((float(later - earlier) * _HOUR for (_, earlier), (_, later) in pairwise(rows)), default=0.0)
    return longest


def _lasts(db: sqlite3.Connection, sources: Sequence[_Source]) -> dict[int, _Last]:
    """By their numbers, their last uses; of two at one time the one with the greater uid."""
    _hear(db, sources)
    return {number: _Last(*row) for number, *row in _rows(db, _LASTS)}


def _rows(db: sqlite3.Connection, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
    cursor = db.execute(query, values)
    while page := cursor.fetchmany(_PAGE):
        yield from page


_PAGE: Final = 10_000
