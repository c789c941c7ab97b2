"""Who acts under a name that was a drill's: the name was drawn for it, and retired with it. To be called so is no excuse, it is a finding.

While a drill goes on its names stand in no list, so that nobody can tell it from the rest; once it is revealed all of its own events are
taken back by their digests. What there is of such a name then was announced by nobody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from licet.monitor.codes import CODES
from licet.monitor.passes import Beside, Pass
from licet.monitor.signal import Cited, Signal
from licet.monitor.stored import put, withdraw

FORGERY: Final = "forgery"
_CODE: Final = "DRILL_FORGERY"
_CITED: Final = 3
_USES: Final = (
    "SELECT uses.uid, time, coalesce(credentials.uid, '') FROM uses LEFT JOIN credentials ON credentials.id=credential"
    " WHERE subject=? ORDER BY time, uses.uid"
)
_WITH: Final = "SELECT DISTINCT subject FROM holders JOIN credentials ON credentials.id=credential WHERE credentials.uid=?"


def forgeries(enrolled: Callable[[], Mapping[str, Iterable[str]]]) -> Pass:
    """The pass. `enrolled`: names of identities and credentials that drills drew, and which drills those were."""
    return Pass(FORGERY, (_CODE,), lambda db, beside: _judge(db, enrolled(), beside))


def _judge(db: sqlite3.Connection, enrolled: Mapping[str, Iterable[str]], beside: Beside) -> int:  # noqa: ARG001 - of all passes
    found: dict[int, Signal] = {}
    for name, drills in enrolled.items():
        subjects = db.execute("SELECT id FROM identities WHERE uid=?", (name,)).fetchall() + db.execute(_WITH, (name,)).fetchall()
        for (subject,) in subjects:
            signal = _signal(db, subject, name, sorted(drills)[-1])
            if signal is not None:
                found.setdefault(subject, signal)
    changed = sum(put(db, subject, [signal]) for subject, signal in found.items())
    for (subject,) in db.execute("SELECT DISTINCT subject FROM signals WHERE code=?", (_CODE,)).fetchall():
        changed += withdraw(db, subject, (_CODE,), {found[subject].id} if subject in found else set())
    return changed


def _signal(db: sqlite3.Connection, subject: int, name: str, drill: str) -> Signal | None:
    uses = db.execute(_USES, (subject,)).fetchmany(_CITED)
    if name.startswith("cred:"):
        uses = [each for each in uses if each[2] == name]
    if not uses:
        return None
    (uid,) = db.execute("SELECT uid FROM identities WHERE id=?", (subject,)).fetchone()
    about = CODES[_CODE]
    number = db.execute("SELECT count(*) FROM uses WHERE subject=?", (subject,)).fetchone()[0]
    return Signal(
        about.name, alert=True, points=about.points, severity=about.severity, time=uses[0][1], identity=uid, credential=uses[0][2],
        value=name, observed=f"acts under the name of a drill that is over ({drill})",
        expected="nothing: the name was drawn for that drill, and retired with it", basis="declared",
        evidence=tuple(Cited(use, "an act that nobody announced", uid, time) for use, time, _ in uses), sample=number, action=about.action,
    )  # fmt: skip
