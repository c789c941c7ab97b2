"""Records that intake could not use: what stood in them is not known, and whoever wrote them may have wanted just that.

One finding for each source, which cites where they stand, and why. It stays: what was refused is in no other finding. Said of another
cause, of another file (and what comes on standard input is another in each run), or of many more, it is another thing, of which nobody has
said anything yet; a few more of the same are not.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from licet.escape import counted
from licet.monitor.codes import CODES
from licet.monitor.signal import Cited, Signal
from licet.monitor.silence import NOBODY
from licet.monitor.stored import put, signal_of, withdraw

REFUSED: Final = "refused/"
"""What the uid of a cited place begins with; behind it the source, and `file:line`."""

_CODE: Final = "RECORDS_REFUSED"
_CITED: Final = 32  # places
_CAUSES: Final = 4  # that are named
_SOURCES: Final = "SELECT source, sum(events), max(intake) FROM sources GROUP BY source"
_ROWS: Final = "SELECT source, cause, file, line, number FROM refusals ORDER BY source, cause, file"


class _Row(NamedTuple):
    cause: str
    file: str
    line: int
    number: int


def refusals(db: sqlite3.Connection, now: float) -> int:
    """Write what each source's records were refused for; how many signals changed.

    Args:
        now: seconds since the epoch; when it is told first, where the inventory does not say when records came.
    """
    found: dict[str, list[_Row]] = {}
    for source, *row in db.execute(_ROWS).fetchall():
        found.setdefault(source, []).append(_Row(*row))
    taken = {source: (events, intake) for source, events, intake in db.execute(_SOURCES).fetchall()}
    before = _before(db)
    new = []
    for source, rows in found.items():
        events, intake = taken.get(source, (0, 0.0))
        new.append(_signal(source, rows, events or 0, before.get(source) or intake or now))
    gone = withdraw(db, NOBODY, (_CODE,), {each.id for each in new})
    return gone + put(db, NOBODY, new)


def _before(db: sqlite3.Connection) -> Mapping[str, float]:
    """By source, when it was told first."""
    rows = db.execute("SELECT body FROM signals WHERE subject=? AND code=?", (NOBODY, _CODE)).fetchall()
    told = [signal_of(body) for (body,) in rows]
    return {each.value.partition(" ")[0]: each.time for each in sorted(told, key=lambda each: each.time, reverse=True)}


def _signal(source: str, rows: list[_Row], events: int, time: float) -> Signal:
    about = CODES[_CODE]
    causes: dict[str, int] = {}
    for row in rows:
        causes[row.cause] = causes.get(row.cause, 0) + row.number
    named = sorted(causes, key=lambda cause: (-causes[cause], cause))
    number = sum(causes.values())
    more = f", and {counted(len(named) - _CAUSES, 'other cause')}" if len(named) > _CAUSES else ""
    why = "; ".join(f"{causes[cause]:,} {cause}" for cause in named[:_CAUSES])
    beside = f"beside {counted(events, 'event')} that could" if events else "and none could be used"
    cited = [Cited(f"{REFUSED}{source}/{row.file}:{row.line}", row.cause, "", time) for row in _first_of_each(rows)]
    last = max(cited).role  # by what is cited in this role it is counted how often it was, see `kept.seen_of`
    return Signal(
        about.name, alert=True, points=about.points, severity=about.severity, time=time, identity="", credential="",
        value=f"{source} {_digest([[row.cause, row.file, _step(row.number)] for row in rows])}",
        observed=f"{source}: {counted(number, 'record')} could not be used, {beside}: {why}{more}",
        expected="records that can be read, so that nobody can hide in one", basis="catalogue",
        evidence=tuple(cited), sample=events, action=about.action, more=number - sum(each.role == last for each in cited),
    )  # fmt: skip


def _first_of_each(rows: list[_Row]) -> list[_Row]:
    """As many as are cited: one of each cause before a second of one."""
    seen: dict[str, int] = {}
    ranked = []
    for at, row in enumerate(rows):
        rank = seen[row.cause] = seen.get(row.cause, -1) + 1
        ranked.append((rank, at, row))
    return [row for _, _, row in sorted(ranked)[:_CITED]]


def _step(number: int) -> int:
    """Two for each doubling, so that what has grown by half is another thing wherever it began."""
    return (number * number).bit_length()


def _digest(said: Any) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
