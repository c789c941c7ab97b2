"""`licet monitor`: every identity of which something new came is judged, once, and what it gives is kept.

Whatever is cut off loses nothing and repeats nothing: an identity is marked as taken before it is read, and its mark goes away in the step
that writes what came of it, unless something new came meanwhile. Where all that is new is later than what was judged, the fold goes on from
where it was; else the identity is folded from its first event.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from licet.inventory.faces import RECORDED, sure_face
from licet.inventory.joined import join
from licet.inventory.model import MACHINES
from licet.inventory.owners import STATED_SQL
from licet.inventory.store import Inventory
from licet.monitor.detector import Detector, State
from licet.monitor.detectors import DETECTORS
from licet.monitor.findings import LEARNED
from licet.monitor.fold import Item, ended, fold, versions
from licet.monitor.history import FACES, history
from licet.monitor.kept import Made, keep
from licet.monitor.known import Known
from licet.monitor.passes import PASSES, Beside, Pass
from licet.monitor.signal import Signal
from licet.monitor.states import state_of, state_text
from licet.monitor.stored import put, withdraw
from licet.monitor.world import DAY, Settings

_TAKEN: Final = math.inf
_ALL: Final = -math.inf
_BATCH: Final = 64  # identities that are taken, and written, in one step
_STATE: Final = 4 * 2**20  # characters of states that are held until they are written


class Report(NamedTuple):
    """What a run did.

    Attributes:
        identities: how many were judged.
        events: how many events were read for it.
        changed: how many signals are new, say something else, or were withdrawn.
        signals: by code, how many there are now.
        findings: what became of findings.
        severities: the signals by severity and code, as they were found and not as the code mostly has it.
    """

    identities: int = 0
    events: int = 0
    changed: int = 0
    signals: Mapping[str, int] = {}
    findings: Made = Made()
    severities: Mapping[tuple[str, str], int] = {}


class _Taken(NamedTuple):
    subject: int
    uid: str
    after: float  # the fold goes on from here; minus infinity: anew
    faces: tuple[int, ...]  # subjects of its other names


class _Judged(NamedTuple):
    taken: _Taken
    signals: tuple[Signal, ...]
    standing: tuple[Signal, ...]
    last: float
    state: str


def monitor(
    inventory: Inventory, settings: Settings, now: float, progress: Callable[[int, int, int], None] = lambda *_: None, *,
    detectors: Sequence[Detector] = DETECTORS, passes: Sequence[Pass] = PASSES, lags: Mapping[str, float] | None = None,
    rebuild: bool = False,
) -> Report:  # fmt: skip
    """Judge what is new. Running it again changes nothing; one run at a time.

    Args:
        inventory: where events are read, and signals written.
        settings: another setting folds every identity anew.
        now: seconds since the epoch, for what time alone can change.
        progress: called with how many identities are done, of how many, and how many events were read.
        detectors: another version of one folds every identity anew.
        passes: what is judged beside identities.
        lags: by source, how late its records may come, in seconds.
        rebuild: fold every identity anew.

    Raises:
        StoreError: the inventory cannot be read or written; what was judged until then is kept.
    """
    names = join(inventory)
    world, made = Known(inventory, settings, now), versions(detectors, settings)
    _mark(inventory, made, rebuild=rebuild)
    waiting = [uid for (uid,) in inventory.rows(_WAITING)]
    total, events, changed, done = len(waiting), 0, 0, set[int]()

    def counted(items: Iterable[Item]) -> Iterator[Item]:
        nonlocal events
        for item in items:
            events += 1
            if not events % 10_000:
                progress(len(done), total, events)
            yield item

    for batch in _batches(waiting):
        judged: list[_Judged] = []
        for taken in _take(inventory, batch, made):
            state = None if taken.after == _ALL else _state(inventory, taken.subject)
            folded = fold(detectors, counted(history(inventory, taken.uid, taken.after)), world, taken.uid, state)
            standing = ended(detectors, folded.state, taken.uid, world)
            judged.append(_Judged(taken, folded.signals, standing, max(folded.last, taken.after), state_text(folded.state)))
            done.add(taken.subject)
            if sum(len(each.state) for each in judged) > _STATE:
                changed += _write(inventory, judged, detectors, made)
                judged = []
        changed += _write(inventory, judged, detectors, made)
        progress(len(done), total, events)
    changed += _by_time(inventory, detectors, world, done)
    with inventory.step() as db:
        beside = Beside(now, lags or {}, names, settings.grace)
        changed += sum(each.judge(db, beside) for each in passes)
    _mark_peers(inventory, world, done)
    made_of_them = keep(inventory, world)
    found = dict(inventory.rows("SELECT code, count(*) FROM signals GROUP BY code ORDER BY code"))
    rows = inventory.rows("SELECT json_extract(body, '$[3]'), code, count(*) FROM signals GROUP BY 1, 2 ORDER BY 1, 2")
    return Report(len(done), events, changed, found, made_of_them, {(severity, code): number for severity, code, number in rows})


_LEARNED: Final = ", ".join(repr(each) for each in LEARNED)
_NEW: Final = f"SELECT DISTINCT uid, subject FROM signals JOIN identities ON identities.id=subject WHERE code IN ({_LEARNED})"  # noqa: S608 - our own words


def _mark_peers(inventory: Inventory, world: Known, done: set[int]) -> None:
    """The findings of those to whom something was new are made again where a peer was judged, who may have had it too."""
    new = dict(inventory.rows(_NEW))
    if new and done:
        judged = [uid for number, uid in inventory.rows("SELECT id, uid FROM identities") if number in done]
        concerned = world.peers.concerned(judged)
        with inventory.step() as db:
            db.executemany("INSERT OR IGNORE INTO due VALUES (?)", [(number,) for uid, number in new.items() if uid in concerned])


def _batches(uids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(uids)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _mark(inventory: Inventory, made: str, *, rebuild: bool) -> None:
    with inventory.step() as db:
        if rebuild:
            db.execute("DELETE FROM folds")
            db.execute("INSERT OR REPLACE INTO dirty SELECT id, ? FROM identities", (_ALL,))
        db.execute("INSERT OR REPLACE INTO dirty SELECT subject, ? FROM folds WHERE detectors<>?", (_ALL, made))
        # Who is only likely another one's name stands for itself, and was not judged so by every version.
        db.execute(_LIKELY, (_ALL,))
        # What is declared of an identity holds for its other names too, and who has got another name is judged as the whole that he is.
        db.execute(
            "INSERT OR REPLACE INTO dirty SELECT face.id, ?1 FROM dirty JOIN identities AS whole ON whole.id=dirty.subject"
            " JOIN identities AS face ON face.same_as=whole.uid AND face.same_as<>'' AND face.same_confidence>=?2 WHERE dirty.since=?1",
            (_ALL, RECORDED),
        )


_LIKELY: Final = (
    "INSERT OR IGNORE INTO dirty SELECT id, ? FROM identities WHERE same_as<>''"  # noqa: S608 - our own words
    f" AND NOT {sure_face('identities')} AND id NOT IN (SELECT subject FROM folds)"
)
# The names under which those stand of whom something came: a name is a face of one that stands for itself, as `join` writes it.
_WHOLE: Final = (
    f"(SELECT whole.uid FROM identities AS whole WHERE whole.uid=identities.same_as AND {sure_face('identities')}"  # noqa: S608
    f" AND NOT {sure_face('whole')})"
)
_WAITING: Final = f"SELECT DISTINCT coalesce({_WHOLE}, uid) AS name FROM dirty JOIN identities ON id=subject ORDER BY name"  # noqa: S608


def _take(inventory: Inventory, uids: Sequence[str], made: str) -> list[_Taken]:
    """Mark identities as taken. The fold of one that must be made anew goes at once, so that it is made anew even if this run ends here."""
    found = []
    with inventory.step() as db:
        for uid in uids:
            subject = db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchone()[0]
            subjects = (subject, *(number for number, _ in db.execute(FACES, (uid,)).fetchall()))
            marks = [db.execute("SELECT since FROM dirty WHERE subject=?", (each,)).fetchone() for each in subjects]
            since = min((row[0] for row in marks if row is not None), default=None)
            if since is None:
                continue
            before = db.execute("SELECT time, detectors FROM folds WHERE subject=?", (subject,)).fetchone()
            anew = before is None or before[1] != made or since <= before[0]
            if anew:
                db.execute("DELETE FROM folds WHERE subject=?", (subject,))
            db.executemany("INSERT OR REPLACE INTO dirty VALUES (?,?)", [(each, _TAKEN) for each in subjects])
            found.append(_Taken(subject, uid, _ALL if anew else before[0], subjects[1:]))
    return found


def _state(inventory: Inventory, subject: int) -> State | None:
    found = inventory.rows("SELECT state FROM folds WHERE subject=?", (subject,))
    return state_of(found[0][0]) if found else None


def _write(inventory: Inventory, judged: Sequence[_Judged], detectors: Sequence[Detector], made: str) -> int:
    changed = 0
    with inventory.step() as db:
        for each in judged:
            subject = each.taken.subject
            codes = {code for one in detectors for code in (one.codes if each.taken.after == _ALL else one.standing)}
            changed += _replace(db, subject, codes, (*each.signals, *each.standing))
            for face in each.taken.faces:  # it stood for itself before, and its fold can be gone already where a run was cut off
                stood = db.execute("SELECT 1 FROM signals WHERE subject=?", (face,)).fetchone() is not None
                if db.execute("DELETE FROM folds WHERE subject=?", (face,)).rowcount or stood:
                    changed += _replace(db, face, {code for one in detectors for code in one.codes}, ())
                db.execute("DELETE FROM dirty WHERE subject=? AND since=?", (face, _TAKEN))
            # Minus infinity is written where there was no event at all, so that the first one is later.
            db.execute("INSERT OR REPLACE INTO folds VALUES (?,?,?,?)", (subject, each.last, made, each.state))
            db.execute("DELETE FROM dirty WHERE subject=? AND since=?", (subject, _TAKEN))
    return changed


def _replace(db: sqlite3.Connection, subject: int, codes: Iterable[str], signals: Sequence[Signal]) -> int:
    return withdraw(db, subject, set(codes), {each.id for each in signals}) + put(db, subject, signals)


_ASLEEP: Final = (
    "SELECT identities.id, uid FROM identities JOIN folds ON folds.subject=identities.id WHERE last_seen>0 AND last_seen<?1 AND NOT EXISTS"
    " (SELECT 1 FROM signals WHERE signals.subject=identities.id AND code='STALE_ACTIVE')"
)
_NEVER_USED: Final = (
    "SELECT DISTINCT identities.id, identities.uid FROM credentials JOIN identities ON identities.uid=identity"
    " JOIN folds ON folds.subject=identities.id WHERE credentials.uses=0 AND issued>0 AND issued<?1 AND expires=0 AND revoked=0"
)
_UNOWNED: Final = (
    f"SELECT identities.id, uid FROM identities JOIN folds ON folds.subject=identities.id WHERE first_seen>0 AND first_seen<?1"  # noqa: S608 - words of our own
    f" AND (kind IN ({', '.join(repr(each) for each in MACHINES)}) OR (kind='unknown' AND EXISTS (SELECT 1 FROM credentials"
    " WHERE credentials.identity=identities.uid AND credentials.kind='access_key'))) AND NOT EXISTS"
    " (SELECT 1 FROM signals WHERE signals.subject=identities.id AND code='UNOWNED_ACTIVE')"
    f" AND NOT EXISTS (SELECT 1 FROM ownerships WHERE {STATED_SQL}"
    f" AND identity IN (identities.uid, iif({sure_face('identities')}, same_as, '')))"
)


def _by_time(inventory: Inventory, detectors: Sequence[Detector], world: Known, done: set[int]) -> int:
    """What became so by time alone, of identities of which nothing came: looked up, and not folded."""
    window = world.settings.window
    asked: tuple[tuple[str, float], ...] = ((_ASLEEP, world.now - window), (_NEVER_USED, world.now - window), (_UNOWNED, world.now - DAY))
    candidates: dict[int, str] = {}
    for query, before in asked:
        candidates.update((subject, uid) for subject, uid in inventory.rows(query, (before,)) if subject not in done)
    standing = {code for each in detectors for code in each.standing}
    changed = 0
    for batch in _batches(candidates.values()):
        found: list[tuple[str, tuple[Signal, ...]]] = []
        for uid in batch:
            rows: list[tuple[Any, ...]] = inventory.rows("SELECT state FROM folds JOIN identities ON id=subject WHERE uid=?", (uid,))
            found.append((uid, ended(detectors, state_of(rows[0][0]), uid, world) if rows else ()))
        with inventory.step() as db:
            for uid, signals in found:
                subject = db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchone()[0]
                changed += _replace(db, subject, standing, signals)
    return changed
