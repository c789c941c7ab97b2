"""Ended credentials that still authenticate, as `licet credential probe` found: told of the credential, and not of anybody's events.

It stays until the credential is refused. What could not be decided changes nothing.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from licet.clock import iso, lasting
from licet.escape import counted
from licet.events import LifecycleEvent
from licet.inventory.model import Credential
from licet.inventory.rows import SELECT_CREDENTIAL, WorkloadEnds, credential_of, events_of
from licet.inventory.spoken import name_of
from licet.monitor.codes import CODES
from licet.monitor.signal import Cited, Signal
from licet.monitor.silence import NOBODY
from licet.monitor.stored import put, withdraw

_CODE: Final = "PROBE_AUTHENTICATES"


class _End(NamedTuple):
    time: float
    what: str
    uid: str


def probes(db: sqlite3.Connection, grace: float) -> int:
    """Write which credentials still authenticate, and take away those that do not any more; how many signals changed.

    Args:
        grace: seconds after an end within which a credential may still authenticate.
    """
    found: dict[str, tuple[int, Signal]] = {}
    for (uid,) in db.execute("SELECT DISTINCT credential FROM probes ORDER BY credential").fetchall():
        if (told := _told(db, uid, grace)) is not None:
            found[told[1].id] = told
    said = db.execute("SELECT DISTINCT subject FROM signals WHERE code=?", (_CODE,)).fetchall()
    stay = {subject: {uid for uid, (of, _) in found.items() if of == subject} for (subject,) in said}
    number = sum(withdraw(db, subject, (_CODE,), ids) for subject, ids in stay.items())
    return number + sum(put(db, subject, (signal,)) for subject, signal in found.values())


def _told(db: sqlite3.Connection, uid: str, grace: float) -> tuple[int, Signal] | None:
    row = db.execute(f"{SELECT_CREDENTIAL} WHERE uid=?", (uid,)).fetchone()
    known = credential_of(row) if row is not None else Credential(uid)
    end = _end(db, known)
    tries = db.execute(
        "SELECT time, authenticates FROM probes WHERE credential=? AND authenticates IS NOT NULL AND time>? ORDER BY time DESC",
        (uid, end.time + grace if end else 0.0),
    ).fetchall()
    let_in: list[float] = []
    for time, authenticates in tries:
        if not authenticates:
            break
        let_in.append(time)
    if not let_in:
        return None
    first, last = let_in[-1], let_in[0]
    about, name = CODES[_CODE], name_of(known)
    cited = [Cited(end.uid, "end", known.identity, end.time)] if end else []
    cited += [Cited(f"probe/{uid}@{iso(time)}", "probe", known.identity, time) for time in dict.fromkeys((first, last))]
    after = f" {lasting(int(first - end.time))} after it was {end.what}" if end else ""
    again = f", and {counted(len(let_in) - 1, 'time')} more until {iso(last)}" if len(let_in) > 1 else ""
    found = db.execute("SELECT id FROM identities WHERE uid=?", (known.identity,)).fetchone()
    return found[0] if found else NOBODY, Signal(
        about.name, alert=True, points=about.points, severity=about.severity, time=first, identity=known.identity, credential=uid,
        value=f"probe {end.uid if end else ''}", observed=f"{name} still authenticated at {iso(first)}{after}{again}",
        expected=f"to be refused: it was {end.what} at {iso(end.time)}" if end else "to be refused: the manifest says that it has ended",
        basis="lifecycle" if end else "declared", evidence=tuple(cited), since=end.time if end else 0.0, sample=len(let_in),
        action=about.action,
    )  # fmt: skip


def _end(db: sqlite3.Connection, known: Credential) -> _End | None:
    """The first of its ends that has come, as far as its row has it, and the event that says so."""
    events = events_of(db, known.uid)
    ends = [
        _End(known.expires if what == "expired" else event.time, what, event.uid)
        for event in events if event.outcome == "success" and (what := _ends(event, known))
    ]  # fmt: skip
    bound = max((each.time for each in events if each.workload == known.workload and each.kind != "job_ended"), default=0.0)
    if known.workload and known.ended and known.ended == WorkloadEnds(db)(known.workload, bound):
        query = "SELECT uid FROM lifecycle WHERE workload=? AND kind='job_ended' AND time=? ORDER BY uid"
        row = db.execute(query, (known.workload, known.ended)).fetchone()
        ends.append(_End(known.ended, "left over by its job", row[0]))
    return min(ends, default=None)


def _ends(event: LifecycleEvent, known: Credential) -> str:
    if event.supersedes == known.uid:
        return "superseded" if event.time == known.rotated else ""
    if event.kind in ("revoked", "suspended", "deleted") and event.time == known.revoked:
        return event.kind
    if event.kind == "job_ended" and event.time == known.ended:
        return "left over by its job"
    return "expired" if known.expires and known.expires in (event.expires, event.time if event.kind == "expired" else 0.0) else ""
