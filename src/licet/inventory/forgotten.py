"""An identity forgotten: what it did and what was found of it, under all its names, as when a person's data must go.

What others need stays: what happened to a credential that somebody else used too, and what others did to it, for it or in its name, since
that stands in their records. No cursor moves, so that no file that was read brings it back unless it is read from the start.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from typing import Any, Final, NamedTuple

from licet.inventory.belongings import settle
from licet.inventory.faces import sure_face
from licet.inventory.marked import Marks
from licet.inventory.remembered import Known, Numbers
from licet.inventory.store import Inventory

_CREDENTIALS: Final = (
    "SELECT id, uid, NOT EXISTS (SELECT 1 FROM holders WHERE credential=id AND subject<>?1) AND identity IN ('', ?2) FROM credentials"
    " WHERE identity=?2 OR id IN (SELECT credential FROM holders WHERE subject=?1)"
)
_OF_IDENTITY: Final = "identity=?1 AND (credential='' OR credential IN (SELECT value FROM json_each(?2)))"
_OF_CREDENTIALS: Final = "credential IN (SELECT value FROM json_each(?2))"
_SUMS: Final = (
    "UPDATE credentials SET (first_seen, last_used, uses)=(SELECT coalesce(min(first), 0), coalesce(max(last), 0), coalesce(sum(uses), 0)"
    " FROM holders WHERE credential=?1) WHERE id=?1"
)
_OF_FINDINGS: Final = "finding IN (SELECT id FROM findings WHERE identity=?)"
_UNUSED: Final = (  # their numbers stay taken, as other processes may remember them
    (
        "UPDATE words SET word='forgotten '||id WHERE word<>'' AND word NOT GLOB 'forgotten *'"
        " AND id NOT IN (SELECT name FROM uses UNION SELECT network FROM uses UNION SELECT file FROM uses)"
    ),
    "UPDATE shapes SET shape='[\"forgotten\", '||id||']' WHERE shape NOT GLOB '[[]\"forgotten*' AND id NOT IN (SELECT shape FROM uses)",
)
_COUNTED: Final = (
    "UPDATE sources SET (events, credential, workload, services)=(0, 0, 0, 0)",
    (
        "INSERT INTO sources (source, account, events, credential, workload, services)"
        " SELECT json_extract(shapes.shape, '$[0]'), json_extract(shapes.shape, '$[5]'), sum(many), sum(many*(credential<>0 AND NOT own)),"
        " sum(many*(at AND NOT own)), sum(many*own) FROM"
        " (SELECT shape AS number, credential, workload<>'' AS at, count(*) AS many FROM uses GROUP BY 1, 2, 3) JOIN"
        " (SELECT id, shape, json_extract(shape, '$[14]')='service' AS own FROM shapes) AS shapes ON shapes.id=number GROUP BY 1, 2"
        " ON CONFLICT DO UPDATE SET events=excluded.events, credential=excluded.credential, workload=excluded.workload,"
        " services=excluded.services"
    ),
)
"""Of each source, how many uses there are and how many say by what and where: as many as are left. When it was heard last stays."""

_OF_NOBODY: Final = (("signals", "subject=0"), ("findings", "identity=''"))
"""What is found of sources, and cites who was heard of them last."""

_CITED: Final = 4  # fields of what is cited, at the least


class _Counted(Exception):
    """Undoes the step that only counted."""


class Forgotten(NamedTuple):
    """How much of it there was, and is not any more. `stays`: lifecycle events of credentials that others used too; `likely`: names that
    are likely to be of it, each of which stays as an identity of its own.
    """

    names: tuple[str, ...] = ()
    uses: int = 0
    lifecycle: int = 0
    credentials: int = 0
    signals: int = 0
    findings: int = 0
    stays: int = 0
    likely: tuple[str, ...] = ()


def names_of(inventory: Inventory, uid: str) -> tuple[str, ...]:
    """The identity and the names that stand under it, as a record shows or somebody declared. What is only likely can be somebody else."""
    return uid, *_faces(inventory, uid, sure_face("identities"))


def _faces(inventory: Inventory, uid: str, which: str) -> tuple[str, ...]:
    query = f"SELECT uid FROM identities WHERE same_as=? AND uid<>?1 AND {which} ORDER BY uid"  # noqa: S608 - texts of our own
    return tuple(face for (face,) in inventory.rows(query, (uid,)))


def forget(inventory: Inventory, uid: str, *, counting: bool = False) -> Forgotten:
    """Forget it, in one step. `counting`: say what would go, and leave it there.

    Raises:
        StoreError: the inventory cannot be written; nothing was forgotten.
    """
    names, likely = names_of(inventory, uid), _faces(inventory, uid, f"NOT {sure_face('identities')}")
    found = Forgotten(names)
    with suppress(_Counted), inventory.step() as db:
        for name in names:
            more = _name(db, name)
            found = Forgotten._make((names, *map(sum, zip(found[1:-1], more[1:-1], strict=True)), likely))
        if counting:
            raise _Counted
        for statement in (*_UNUSED, *_COUNTED):
            db.execute(statement)
        db.executemany("UPDATE identities SET same_as='', same_confidence=0 WHERE uid=?", [(each,) for each in likely])
    inventory.forget()
    return found


def _name(db: sqlite3.Connection, uid: str) -> Forgotten:
    row = db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchone()
    if row is None:
        return Forgotten()
    (subject,) = row
    credentials = db.execute(_CREDENTIALS, (subject, uid)).fetchall()
    alone = [(number, of) for number, of, is_alone in credentials if is_alone]
    shared = [(number, of) for number, of, is_alone in credentials if not is_alone]
    uids = json.dumps([of for _, of in alone])
    lifecycle = 0
    for table in ("lifecycle", "unheard"):
        for which in (_OF_IDENTITY, _OF_CREDENTIALS):
            lifecycle += db.execute(f"DELETE FROM {table} WHERE {which}", (uid, uids)).rowcount  # noqa: S608 - texts of our own
    stays = db.execute("UPDATE lifecycle SET identity='', body=json_set(body, '$[4]', '') WHERE identity=?", (uid,)).rowcount
    uses = _gone(db, "uses", "subject=?", subject)
    for table in ("verdicts", "deliveries"):
        _gone(db, table, _OF_FINDINGS, uid)
    findings = _gone(db, "findings", "identity=?", uid)
    signals = _gone(db, "signals", "subject=?", subject)
    for table, which in _OF_NOBODY:
        for key, body in db.execute(f"SELECT id, body FROM {table} WHERE {which}").fetchall():  # noqa: S608 - texts of our own
            if (left := _without(json.loads(body), uid)) != json.loads(body):
                text = json.dumps(left, ensure_ascii=True, separators=(",", ":"))
                db.execute(f"UPDATE {table} SET body=? WHERE id=?", (text, key))  # noqa: S608 - names of our own
    for table in ("holders", "ran", "folds", "dirty", "due"):
        _gone(db, table, "subject=?", subject)
    for number, of in alone:
        _gone(db, "credentials", "id=?", number)
        _gone(db, "said", "uid=?", of)
        _gone(db, "probes", "credential=?", of)
        _gone(db, "ownerships", "identity=?", of)
    _gone(db, "ownerships", "identity=?", uid)
    _gone(db, "said", "uid=?", uid)
    _gone(db, "identities", "id=?", subject)
    marks = Marks(db)
    for number, of in shared:  # who has it too is judged by what is left
        db.execute(_SUMS, (number,))
        db.execute("UPDATE credentials SET identity='' WHERE id=? AND identity=?", (number, uid))
        settle(db, Numbers(db, Known()), marks, of)
        marks.concerned(of, float("-inf"))
    marks.write()
    db.execute("DELETE FROM dirty WHERE subject NOT IN (SELECT id FROM identities)")
    return Forgotten((), uses, lifecycle, len(alone), signals, findings, stays)


def _without(body: Any, uid: str) -> Any:
    """A signal or a finding without the name in what it cites: an event's uid, its role, whose it is, its time."""
    if isinstance(body, dict):
        return {key: "" if key == "identity" and each == uid else _without(each, uid) for key, each in body.items()}
    if not isinstance(body, list):
        return body
    is_cited = len(body) >= _CITED and body[2] == uid and isinstance(body[0], str) and isinstance(body[3], (int, float))
    return [*body[:2], "", *body[3:]] if is_cited else [_without(each, uid) for each in body]


def _gone(db: sqlite3.Connection, table: str, where: str, value: Any) -> int:
    return db.execute(f"DELETE FROM {table} WHERE {where}", (value,)).rowcount  # noqa: S608 - names of our own
