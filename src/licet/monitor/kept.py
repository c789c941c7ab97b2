"""Findings as they lie in the inventory: made out of an identity's signals under all its names, changed, withdrawn, never deleted.

A finding keeps its id, and what was said of it, where an earlier reason is found later: it goes on under the id under which it was told.

Whose signals may have changed is marked (`licet.monitor.stored.mark`) in the step that writes them, and the mark goes away in the step that
writes the findings: a run that is cut off between the two is made up for by the next. Making them again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from licet.clock import iso
from licet.events import LIFECYCLE_KINDS
from licet.inventory.faces import sure_face
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory
from licet.monitor.findings import Seen, grouped
from licet.monitor.refusals import REFUSED
from licet.monitor.signal import Signal
from licet.monitor.silence import NOBODY
from licet.monitor.stored import signal_of
from licet.monitor.world import World
from licet.records import Because, Evidence, Explanation, Finding

BASELINE: Final = "baseline/"
_BATCH: Final = 64  # identities whose findings are written in one step
_NAMES: Final = (
    f"SELECT id, uid FROM identities WHERE uid=?1 OR (same_as=?1 AND {sure_face('identities')}"  # noqa: S608 - our own words
    f" AND (SELECT NOT {sure_face('whole')} FROM identities AS whole WHERE uid=?1)) ORDER BY uid<>?1, uid"
)


class Kept(NamedTuple):
    """A finding as it is kept.

    Attributes:
        finding: with digest and place of what it cites.
        updated: when it last changed, was withdrawn or came back (seconds since the epoch).
        withdrawn: the events as they are known now do not show it any more.
    """

    finding: Finding
    updated: float
    withdrawn: bool

    @property
    def version(self) -> str:
        """Another one for each thing that is said of the finding: with its id, what tells one message about it from the next."""
        return version_of(self.finding, withdrawn=self.withdrawn)


class Made(NamedTuple):
    """What a run did to findings: how many are new or came back, say something else, and were withdrawn."""

    opened: int = 0
    changed: int = 0
    withdrawn: int = 0


def keep(inventory: Inventory, world: World) -> Made:
    """Make the findings of every identity whose signals may have changed.

    Raises:
        StoreError: the inventory cannot be written; what was made until then is kept.
    """
    due = [subject for (subject,) in inventory.rows("SELECT subject FROM due ORDER BY subject")]
    sums = [0, 0, 0]
    for first in range(0, len(due), _BATCH):
        with inventory.step() as db:
            for subject in due[first : first + _BATCH]:
                if db.execute("DELETE FROM due WHERE subject=?", (subject,)).rowcount:
                    sums = [one + two for one, two in zip(sums, _make(db, subject, world), strict=True)]
    return Made(*sums)


def _make(db: sqlite3.Connection, subject: int, world: World) -> Made:
    names = _names(db, subject)
    subjects = [number for number, _ in names]
    db.executemany("DELETE FROM due WHERE subject=?", [(number,) for number in subjects])
    rows = [row for number in subjects for row in db.execute("SELECT finding, body FROM signals WHERE subject=?", (number,)).fetchall()]
    signals = [signal_of(body) for _, body in rows]
    whole = names[0][1]
    # Sources are no parts of one thing: each that is silent is a finding of its own.
    heaps = [[each] for each in signals] if subject == NOBODY else [signals]
    found = [pair for heap in heaps for pair in grouped(whole, map(seen_of, heap), world)]
    before: dict[str, tuple[str, str]] = {}
    for _, uid in names:
        for uid_of, status, body in db.execute(
            "SELECT id, status, body FROM findings WHERE identity=? ORDER BY time, id", (uid,)
        ).fetchall():
            before[uid_of] = (status, body)
    found = _under_their_ids(found, {uid: body for uid, (status, body) in before.items() if status == "open"})
    _point(db, rows, signals, {each.id: finding.id for finding, parts in found for each in parts})
    told = {finding.id: _placed(db, subjects, finding) for finding, _ in found}
    return _write(db, whole, told, before, world.now)


def _under_their_ids(found: list[tuple[Finding, list[Signal]]], told: Mapping[str, str]) -> list[tuple[Finding, list[Signal]]]:
    """What begins otherwise than it was told goes on as the oldest open finding whose events it has, if none begins as that one.

    Args:
        told: the open ones, oldest first, by id their bodies.
    """
    taken = {finding.id for finding, _ in found}
    left = {uid: _events(finding_of(body)) for uid, body in told.items() if uid not in taken} if not taken <= set(told) else {}
    out = []
    for finding, parts in found:
        uid = finding.id
        if left and uid not in told:
            own = {cited.uid for each in parts for cited in each.evidence}
            uid = next((each for each, events in left.items() if not own.isdisjoint(events)), uid)
            left.pop(uid, None)
        out.append((finding if uid == finding.id else replace(finding, id=uid), parts))
    return out


def _events(finding: Finding) -> set[str]:
    """What happened in it, and not before it: an end is cited by all that comes after."""
    why = finding.explanation
    return {each.uid for each in why.evidence if each.time >= finding.time} if why is not None else set()


def _names(db: sqlite3.Connection, subject: int) -> list[tuple[int, str]]:
    """The numbers and names of the identity that this one is, or is a face of; that of itself first."""
    if subject == NOBODY:
        return [(NOBODY, "")]
    whole = f"iif({sure_face('identities')}, same_as, '')"
    uid, same_as = db.execute(f"SELECT uid, {whole} FROM identities WHERE id=?", (subject,)).fetchone()  # noqa: S608 - our own words
    found = db.execute(_NAMES, (same_as or uid,)).fetchall()
    return found if any(number == subject for number, _ in found) else [(subject, uid)]


def _point(db: sqlite3.Connection, rows: list[tuple[str, str]], signals: list[Signal], finding: dict[str, str]) -> None:
    """Each signal says in which finding it is."""
    changed = [
        (finding.get(each.id, ""), each.id) for (before, _), each in zip(rows, signals, strict=True) if finding.get(each.id, "") != before
    ]
    db.executemany("UPDATE signals SET finding=? WHERE id=?", changed)


def _write(db: sqlite3.Connection, whole: str, told: dict[str, Finding], before: dict[str, tuple[str, str]], now: float) -> Made:
    opened = changed = withdrawn = 0
    for uid, finding in told.items():
        body = body_of(finding)
        known = before.get(uid)
        if known is not None and known == ("open", body):
            continue
        values = (uid, whole, finding.time, now, finding.severity, "open", body)
        db.execute("INSERT OR REPLACE INTO findings VALUES (?,?,?,?,?,?,?)", values)
        opened += known is None or known[0] != "open"
        changed += known is not None and known[0] == "open"
    for uid, (status, body) in before.items():
        if uid not in told and status != "withdrawn":
            why = body_of(_withdrawn(db, finding_of(body), told.values()))
            db.execute("UPDATE findings SET status='withdrawn', updated=?, body=? WHERE id=?", (now, why, uid))
            withdrawn += 1
    return Made(opened, changed, withdrawn)


# What can show that something was in order: what was ended is taken up, began anew, or is another's.
_REFUTES: Final = (
    "SELECT body FROM lifecycle WHERE (credential=?1 OR identity=?1) AND time<=?2"
    " AND kind IN ('activated', 'created', 'bound', 'job_started', 'renewed', 'owner_changed') ORDER BY time DESC, uid LIMIT 1"
)

_SET_ASIDE: Final = (  # and whose word counts in its place
    "SELECT (SELECT body FROM lifecycle WHERE credential<>'' AND credential IN (unheard.credential, unheard.supersedes)"
    " AND substr(lifecycle.uid, 1, instr(lifecycle.uid, '/'))<>substr(unheard.uid, 1, instr(unheard.uid, '/'))"
    " ORDER BY kind NOT IN ('issued', 'created', 'rotated'), time, uid LIMIT 1) FROM unheard WHERE uid=?"
)


def _withdrawn(db: sqlite3.Connection, finding: Finding, told: Iterable[Finding]) -> Finding:
    """With what speaks against it now: the finding that it is told in, or else the last thing that can have put it in order."""
    why = finding.explanation
    if why is None:
        return finding
    events = _events(finding)
    whole = next((each.id for each in told if each.explanation and not events.isdisjoint(_events(each))), "")
    against = [f"it is told in finding {whole}"] if whole else []
    last = max((each.last or each.time for each in why.because), default=finding.time)
    for about in () if whole else (*why.credentials, why.identity):
        found = db.execute(_REFUTES, (about, last)).fetchone()
        if found is not None:
            event = lifecycle_of(found[0])
            by = f" by {event.by}" if event.by else ""
            against.append(f"{event.kind} at {iso(event.time)}{by}: {event.uid}")
    for cited in why.evidence:
        found = db.execute(_SET_ASIDE, (cited.uid,)).fetchone()
        if found is not None:
            other = f": {lifecycle_of(found[0]).uid}" if found[0] else ""
            against.append(f"{cited.uid} has no effect, as another source tells of the credential{other}")
    return replace(finding, explanation=replace(why, counter=tuple(dict.fromkeys((*why.counter, *against)))))


def seen_of(signal: Signal) -> Seen:
    """When it was seen last, and how often: what it was seen in is cited in the role of the last event, as far as there is room."""
    events = [each for each in signal.evidence if not each.body]
    latest = max(events, key=lambda each: (each.time, each.uid), default=None)
    if latest is None:
        return Seen(signal, signal.time)
    number = sum(each.role == latest.role for each in events) + signal.more
    return Seen(signal, max(latest.time, signal.time, signal.last), number)


def _placed(db: sqlite3.Connection, subjects: list[int], finding: Finding) -> Finding:
    """With digest and place of each event that it cites."""
    if finding.explanation is None:
        return finding
    evidence = tuple(_located(db, subjects, each) for each in finding.explanation.evidence)
    return replace(finding, explanation=replace(finding.explanation, evidence=evidence))


def _located(db: sqlite3.Connection, subjects: list[int], cited: Evidence) -> Evidence:
    if cited.body:
        return replace(cited, digest=cited.uid.removeprefix(BASELINE))
    if cited.uid.startswith(REFUSED):
        return replace(cited, place=cited.uid.split("/", 2)[2])
    happened = cited.uid.rpartition("!")[2] in LIFECYCLE_KINDS
    if happened and (row := db.execute("SELECT body FROM lifecycle WHERE uid=?", (cited.uid,)).fetchone()) is not None:
        event = lifecycle_of(row[0])
        return replace(cited, digest=event.digest, place=event.place)
    other = db.execute("SELECT id FROM identities WHERE uid=?", (cited.identity,)).fetchone()
    for subject in (*subjects, *(other or ())):
        found = db.execute(
            "SELECT digest, word, line FROM uses LEFT JOIN words ON words.id=file WHERE subject=? AND time=? AND uses.uid=?",
            (subject, cited.time, cited.uid),
        ).fetchone()
        if found is not None:
            digest, file, line = found
            return replace(cited, digest=digest.hex(), place=f"{file or ''}:{line}")
    return cited


# Reading ------------------------------------------------------------------------------------------------------------------


def kept(inventory: Inventory) -> Iterator[Kept]:
    """All findings, oldest first, the withdrawn ones too."""
    for body, updated, status in inventory.rows("SELECT body, updated, status FROM findings ORDER BY time, id"):
        yield Kept(finding_of(body), updated, status == "withdrawn")


def version_of(finding: Finding, *, withdrawn: bool = False) -> str:
    """Another one for each thing that is said of a finding."""
    return hashlib.sha256(f"{withdrawn} {body_of(finding)}".encode()).hexdigest()[:16]


def body_of(finding: Finding) -> str:
    """The column for it."""
    return json.dumps(finding, default=_parts, ensure_ascii=True, separators=(",", ":"))


def _parts(record: Finding | Explanation | Because | Evidence) -> dict[str, Any]:
    """As `dataclasses.asdict`, which copies all that it meets, and takes four times as long."""
    return {name: getattr(record, name) for name in record.__slots__}


def finding_of(body: str) -> Finding:
    """The finding of a row's body."""
    told: dict[str, Any] = json.loads(body)
    why = told["explanation"]
    if why is not None:
        parts = {name: tuple(why[name]) for name in ("credentials", "counter", "actions")}
        parts["because"] = tuple(Because(**each) for each in why["because"])
        parts["evidence"] = tuple(Evidence(**each) for each in why["evidence"])
        why = Explanation(**(why | parts))
    return Finding(**(told | {"references": tuple(told["references"]), "explanation": why}))
