"""Sources of logs that fell silent: what is not heard is not known, and is no green light.

Silent is a source whose last event is further back than three times what its records may be late, and three times its longest pause so far.
Pauses are counted in whole hours, and only for a source that is late.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from licet.clock import iso, lasting
from licet.monitor.codes import CODES
from licet.monitor.signal import Cited, Signal
from licet.monitor.stored import put, withdraw

_TIMES: Final = 3.0
_LAG: Final = 900.0  # of a source of which nothing is known
_HOUR: Final = 3_600
NOBODY: Final = 0
"""The subject of signals that are about no identity."""

_OF = "shape IN (SELECT id FROM shapes WHERE json_extract(shape, '$[0]')=?1 AND json_extract(shape, '$[5]')=?2)"
_HOURS = f"SELECT DISTINCT CAST(time/{_HOUR} AS INTEGER) FROM uses WHERE {_OF} ORDER BY 1"  # noqa: S608 - texts of our own
_LAST = (
    f"SELECT uses.uid, identities.uid, time FROM uses JOIN identities ON id=subject WHERE {_OF} ORDER BY time DESC, uses.uid DESC LIMIT 1"  # noqa: S608
)


def silence(db: sqlite3.Connection, now: float, lags: Mapping[str, float]) -> int:
    """Write which sources are silent at `now`, and take away those that are not any more; how many signals changed.

    Args:
        lags: by source, how late its records may come, in seconds.
    """
    kept = {row[0] for row in db.execute("SELECT id FROM signals WHERE subject=? AND code='SOURCE_SILENT'", (NOBODY,)).fetchall()}
    stay: set[str] = set()
    new: list[Signal] = []
    for source, account, last, events in db.execute(
        "SELECT source, account, last, events FROM sources ORDER BY source, account"
    ).fetchall():
        limit = _TIMES * lags.get(source, _LAG)
        if source in _TOLD or not events or now - last <= limit:
            continue
        use = db.execute(_LAST, (source, account)).fetchone()
        if use is None or now - use[2] <= limit:
            continue
        signal = _silent(source, account, use)
        if signal.id not in kept:
            # While it stays silent its longest pause cannot grow, and need not be counted again.
            pause = _longest_pause(db, source, account)
            if now - use[2] <= max(limit, _TIMES * pause):
                continue
            signal = _silent(source, account, use, limit=max(limit, _TIMES * pause))
            new.append(signal)
        stay.add(signal.id)
    return withdraw(db, NOBODY, ("SOURCE_SILENT",), stay) + put(db, NOBODY, new)


_TOLD: Final = ("lifecycle", "declared")  # written when something happens, and so silent most of the time


def _silent(source: str, account: str, use: tuple[str, str, float], *, limit: float = 0.0) -> Signal:
    about = CODES["SOURCE_SILENT"]
    name = f"{source}{f' of {account}' if account else ''}"
    uid, identity, time = use
    return Signal(
        about.name, alert=True, points=about.points, severity=about.severity, time=time + limit, identity="", credential="",
        value=f"{name} {uid}", observed=f"{name}: no event since {iso(time)}", expected=f"an event within {lasting(limit)}",
        basis="lifecycle", evidence=(Cited(uid, "the last event", identity, time),), since=time, action=about.action,
    )  # fmt: skip


def _longest_pause(db: sqlite3.Connection, source: str, account: str) -> float:
    hours = [row[0] for row in db.execute(_HOURS, (source, account)).fetchall()]
    return float(max((later - earlier for earlier, later in pairwise(hours)), default=0) * _HOUR)
