"""What one step writes into `inventory.db`: uses, lifecycle events, declarations, and who is to be judged because of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.faces import same_as
from licet.inventory.fingerprints import is_fingerprint
from licet.inventory.life import life_of
from licet.inventory.model import Credential, Identity, Ownership
from licet.inventory.rows import SELECT_CREDENTIAL, SELECT_IDENTITY, credential_of, declared_text, events_of, identity_of, workload_ended
from licet.inventory.same_id import another_event, another_use
from licet.inventory.shapes import INSERT, INSERT_NEW, Shapes
from licet.inventory.whose import whose

_MOST = 200_000  # numbers of identities and credentials that are kept in memory
_DIRTY: Final = "INSERT INTO dirty VALUES (?1,?2) ON CONFLICT DO UPDATE SET since=min(since, ?2)"
_BOUND: Final = (  # that the credential is bound to another one by now ends nothing of what it was
    "SELECT uid FROM credentials WHERE workload=?1 OR uid IN (SELECT credential FROM lifecycle WHERE workload=?1)"
)
_BEGAN: Final = (
    "SELECT min(time) FROM lifecycle WHERE credential=?1 OR supersedes=?1"
    " OR workload IN (SELECT workload FROM lifecycle WHERE credential=?1 AND workload<>'')"
)
_CONCERNED: Final = (
    "SELECT subject FROM holders JOIN credentials ON id=credential WHERE credentials.uid=?1"
    " UNION SELECT identities.id FROM lifecycle JOIN identities ON identities.uid=lifecycle.identity WHERE credential=?1 OR supersedes=?1"
    " UNION SELECT identities.id FROM credentials JOIN identities ON identities.uid=credentials.identity WHERE credentials.uid=?1"
)
_RAN: Final = "INSERT INTO ran VALUES (?1,?2,?3) ON CONFLICT DO UPDATE SET first=?3 WHERE first>?3"
_HELD: Final = "SELECT 1 FROM holders WHERE credential=? AND subject=?"
_NAMED: Final = "SELECT 1 FROM lifecycle WHERE (credential=?1 OR supersedes=?1) AND identity=?2 LIMIT 2"

_Row = tuple[tuple[Any, ...], UseEvent]


def _place(row: _Row) -> tuple[int, float, str, bytes]:
    """Where a use lies: by subject, time and uid; of two of one uid the one with the smaller digest comes first."""
    values = row[0]
    return values[0], values[1], values[2], values[13]


class Kept(NamedTuple):
    """What one step kept: of how many events, and how many of them stood there already. `same_id`: how many of the kept ones have an id
    that another record has.
    """

    uses: int = 0
    lifecycle: int = 0
    again: int = 0
    same_id: int = 0


class Known:
    """What is remembered of the inventory between two steps, as long as nobody else writes into it.

    Attributes:
        subjects: numbers of identities; `acting`: of those of which a use was kept, and so their kind, name and place.
        credentials: their numbers, and whose they are.
        held: pairs of credential and subject that stand in `holders`.
        latest: by subject, when it was last seen.
    """

    def __init__(self) -> None:
        self.subjects: dict[str, int] = {}
        self.acting: dict[str, int] = {}
        self.credentials: dict[str, tuple[int, str]] = {}
        self.held: set[tuple[int, int]] = set()
        self.latest: dict[int, float] = {}
        self._version = -1

    def forget(self) -> None:
        """What a step that was undone, or somebody else, has made untrue."""
        for each in (self.subjects, self.acting, self.credentials, self.held, self.latest):
            each.clear()

    def renew(self, db: sqlite3.Connection) -> None:
        """Forget all if somebody else has written since (https://sqlite.org/pragma.html#pragma_data_version)."""
        version = db.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self.forget()
        self._version = version


class Refused(NamedTuple):
    """Records that no reader could use: the cause in few words, where the first of them stands, and how many there are."""

    cause: str
    file: str
    line: int
    number: int = 1


class Step:
    """What is written in one transaction."""

    def __init__(self, db: sqlite3.Connection, shapes: Shapes, known: Known) -> None:
        known.renew(db)
        self._db, self._shapes, self._known = db, shapes, known
        self._subjects, self._credentials, self._acting = known.subjects, known.credentials, known.acting
        self._same_id = 0
        self._since: dict[int, float] = {}
        self._lives: dict[str, float] = {}
        self._ran: dict[tuple[int, str], float] = {}
        self._sources: dict[tuple[str, str], list[float]] = {}

    def keep(self, uses: Sequence[UseEvent], lifecycle: Sequence[LifecycleEvent], *, anew: bool = False) -> Kept:
        """Keep events, and mark who is concerned. `anew`: a lifecycle event that stands there is replaced."""
        new_uses = self._keep_uses(uses)
        new_lifecycle = names = 0
        for event in lifecycle:
            kept = self._keep_lifecycle(event, anew=anew)
            new_lifecycle += kept
            names += not kept and bool(same_as(event))  # each record has both names: it did not come twice by that
        self._renew_lives()
        self._db.executemany(_DIRTY, self._since.items())
        return Kept(new_uses, new_lifecycle, len(uses) + len(lifecycle) - new_uses - new_lifecycle - names, self._same_id)

    def _keep_uses(self, uses: Sequence[UseEvent]) -> int:
        """In the order in which they lie in the file, so that each page is looked for once."""
        db, row = self._db, self._shapes.row
        rows: list[_Row] = []
        contested: dict[str, int] = {}
        acting, credentials = self._acting, self._credentials
        for event in uses:
            subject = acting.get(event.identity) or self._new_subject(event)
            if event.credential:
                number, belongs = credentials.get(event.credential) or self._first_use(event)
                rows.append((row(db, event, subject, number), event))
                if belongs != event.identity:
                    contested[event.credential] = number
            else:
                rows.append((row(db, event, subject, 0), event))
        rows.sort(key=_place)
        new = self._insert(rows)
        seen: dict[tuple[int, int], list[float]] = {}  # by subject and credential: first, last, how many
        at: tuple[str, str] | None = None
        counts: list[float] = []
        for values, event in new:
            subject, time, credential = values[0], values[1], values[4]
            if (event.source, event.account) != at:
                at = (event.source, event.account)
                counts = self._source(*at)
            counts[0] = min(counts[0], time)
            counts[1] = max(counts[1], time)
            counts[2] += 1
            if event.identity_kind == "service":
                counts[6] += 1
            else:
                counts[4] += credential != 0
                if event.workload:
                    counts[5] += 1
                    self._ran.setdefault((subject, event.workload), time)  # they come in the order of time
            found = seen.get((subject, credential))
            if found is None:
                seen[subject, credential] = [time, time, 1]
            else:  # they come in the order of time
                found[1] = time
                found[2] += 1
        self._count(seen)
        for uid, number in contested.items():
            self._settle(uid, number)
        self._note_workloads()
        return len(new)

    def _note_workloads(self) -> None:
        """Where an identity ran, and since when: what becomes of that workload from then on concerns it, though no binding is told."""
        # Who is new there needs no mark: what was before its first use is not its own, and from that on the use has marked it.
        self._db.executemany(_RAN, [(*where, first) for where, first in sorted(self._ran.items())])
        self._ran.clear()

    def _insert(self, rows: list[_Row]) -> list[_Row]:
        """Which of them are new; they are inserted. What is later than all that its subject has done cannot stand there already."""
        db = self._db
        new: list[_Row] = []
        certain: list[tuple[Any, ...]] = []
        subject, latest, before = 0, 0.0, (0, 0.0, "")
        for each in rows:
            values = each[0]
            if values[0] != subject:
                subject = values[0]
                latest = self._latest(subject)
            if values[:3] != before:
                before = values[:3]
                if values[1] > latest:
                    certain.append(values)
                    new.append(each)
                    continue
                if db.execute(INSERT, values).rowcount == 1:
                    new.append(each)
                    continue
            db.executemany(INSERT_NEW, certain)  # what it is like may be among them
            certain.clear()
            if another_use(db, INSERT, values):
                self._same_id += 1
                new.append(each)
            else:
                self._source(each[1].source, each[1].account)[3] += 1
        db.executemany(INSERT_NEW, certain)
        return new

    def _latest(self, subject: int) -> float:
        """When a subject was last seen."""
        found = self._known.latest.get(subject)
        if found is None:
            found = float(self._db.execute("SELECT last_seen FROM identities WHERE id=?", (subject,)).fetchone()[0])
        return found

    def _count(self, seen: Mapping[tuple[int, int], Sequence[float]]) -> None:
        """How often, from when and until when who used what."""
        db, held, latest = self._db, self._known.held, self._known.latest
        if len(held) >= _MOST or len(latest) >= _MOST:
            held.clear()
            latest.clear()
        for (subject, credential), (first, last, _) in seen.items():
            self._mark(subject, first)
            latest[subject] = max(self._latest(subject), last)
            if not credential or (credential, subject) in held:
                continue
            held.add((credential, subject))
            if db.execute(_HELD, (credential, subject)).fetchone() is None:
                self._mark_life(db.execute("SELECT uid FROM credentials WHERE id=?", (credential,)).fetchone()[0], subject)
        db.executemany(
            "UPDATE identities SET first_seen=min(iif(first_seen=0, ?1, first_seen), ?1), last_seen=max(last_seen, ?2), uses=uses+?3"
            " WHERE id=?4",
            [(first, last, number, subject) for (subject, _), (first, last, number) in seen.items()],
        )
        db.executemany(
            "UPDATE credentials SET first_seen=min(iif(first_seen=0, ?1, first_seen), ?1), last_used=max(last_used, ?2), uses=uses+?3"
            " WHERE id=?4",
            [(first, last, number, credential) for (_, credential), (first, last, number) in seen.items() if credential],
        )
        db.executemany(
            "INSERT INTO holders VALUES (?1,?2,?3,?4,?5) ON CONFLICT DO UPDATE SET first=min(first, ?3), last=max(last, ?4), uses=uses+?5",
            [(credential, subject, first, last, number) for (subject, credential), (first, last, number) in seen.items() if credential],
        )

    def _keep_lifecycle(self, event: LifecycleEvent, *, anew: bool) -> bool:
        body = json.dumps(event, ensure_ascii=True, separators=(",", ":"))
        values = (event.uid, event.time, event.kind, event.identity, event.credential, event.supersedes, event.workload, body)
        if anew:
            self._db.execute("DELETE FROM lifecycle WHERE uid=? AND body<>?", (event.uid, body))
        if self._db.execute("INSERT OR IGNORE INTO lifecycle VALUES (?,?,?,?,?,?,?,?)", values).rowcount != 1:
            kept = self._db.execute("SELECT body FROM lifecycle WHERE uid=?", (event.uid,)).fetchone()[0]
            others = () if anew else another_event(event, kept)
            if not others:
                self._source(event.source, event.account)[3] += 1
                return False
            if len(others) > 1:  # it was the earlier one
                self._db.execute("DELETE FROM lifecycle WHERE uid=?", (event.uid,))
            is_kept = False
            for each in others:
                is_kept = self._keep_lifecycle(each, anew=False) or is_kept
            self._same_id += is_kept
            return is_kept
        of = self._source(event.source, event.account)
        if event.time:  # what has none held before anybody wrote it down
            of[0], of[1] = min(of[0], event.time), max(of[1], event.time)
        if event.identity:
            self._mark(self.subject(event.identity), event.time)
            if event.kind in ("created", "deleted") and event.time and event.outcome == "success" and not event.credential:
                column = "created=?, status='active'" if event.kind == "created" else "status=iif(?>0,'deleted',status)"
                self._db.execute(f"UPDATE identities SET {column} WHERE uid=?", (event.time, event.identity))  # noqa: S608 - two texts of ours
        for credential in {event.credential, event.supersedes} - {""}:
            self._concerns(credential, event)
        if event.workload and event.kind in ("job_started", "job_ended"):  # what else happens in it is of whom it happens to
            for (subject,) in self._db.execute("SELECT subject FROM ran WHERE workload=?", (event.workload,)).fetchall():
                self._mark(subject, event.time)
            for (uid,) in self._db.execute(_BOUND, (event.workload,)).fetchall():
                self._lives[uid] = min(self._lives.get(uid, event.time), event.time)
        return True

    def _concerns(self, credential: str, event: LifecycleEvent) -> None:
        number, belongs = self._credentials.get(credential) or self._known_credential(credential, event.credential_kind)
        if event.identity and belongs != event.identity:
            self._settle(credential, number)
        self._lives[credential] = min(self._lives.get(credential, event.time), event.time)
        if event.identity and len(self._db.execute(_NAMED, (credential, event.identity)).fetchall()) == 1:
            self._mark_life(credential, self.subject(event.identity))

    def _renew_lives(self) -> None:
        """Once for each credential that something happened to, however much that was: each time, all of its life is read."""
        for uid, since in sorted(self._lives.items()):
            self._renew_life(uid)
            self._mark_concerned(uid, since)
        self._lives.clear()

    def _renew_life(self, uid: str) -> None:
        """What became of it, into its row."""
        row = self._db.execute(f"{SELECT_CREDENTIAL} WHERE uid=?", (uid,)).fetchone()
        known = credential_of(row)
        found = life_of(known, events_of(self._db, uid), lambda workload, since: workload_ended(self._db, workload, since))
        self._db.execute(
            "UPDATE credentials SET generation=?, supersedes=?, issued_by=?, issued=?, expires=?, rotated=?, revoked=?, ended=?,"
            " workload=?, status=? WHERE uid=?",
            (found.generation, found.supersedes, found.issued_by, found.issued, found.expires, found.rotated, found.revoked, found.ended,
             found.workload, found.status, uid),
        )  # fmt: skip

    def _settle(self, credential: str, number: int) -> None:
        """Look whose it is. What happened to it before concerns that identity, and whose it was until now."""
        identity = whose(self._db, number, credential)
        before = self._db.execute("SELECT identity FROM credentials WHERE id=?", (number,)).fetchone()[0]
        self._credentials[credential] = (number, identity)
        if identity != before:
            self._db.execute("UPDATE credentials SET identity=? WHERE id=?", (identity, number))
            for each in {identity, before} - {""}:
                self._mark_life(credential, self.subject(each))

    def _mark_life(self, credential: str, subject: int) -> None:
        """All that happened to a credential concerns this identity from now on."""
        found = self._db.execute(_BEGAN, (credential,)).fetchone()[0]
        if found is not None:
            self._mark(subject, found)

    def _mark_concerned(self, credential: str, since: float) -> None:
        """What happens to a credential concerns whoever ever used it, and whoever is named with it: who came first does not matter."""
        for (subject,) in self._db.execute(_CONCERNED, (credential,)).fetchall():
            self._mark(subject, since)

    def _first_use(self, event: UseEvent) -> tuple[int, str]:
        return self._known_credential(event.credential, event.credential_kind)

    def _known_credential(self, uid: str, kind: str) -> tuple[int, str]:
        db = self._db
        db.execute(
            "INSERT OR IGNORE INTO credentials (uid, kind, identity, name, shown, declared, generation, supersedes, issued_by, issued,"
            " expires, rotated, rotate_every, revoked, ended, workload, canary, first_seen, last_used, uses, status)"
            " VALUES (?,?,'','','','{}',-1,'','',0,0,0,0,0,0,'',0,0,0,0,'unknown')",
            (uid, kind),
        )
        number, identity, before = db.execute("SELECT id, identity, kind FROM credentials WHERE uid=?", (uid,)).fetchone()
        if kind and not before:
            db.execute("UPDATE credentials SET kind=? WHERE id=?", (kind, number))
        if len(self._credentials) >= _MOST:
            self._credentials.clear()
        self._credentials[uid] = (number, identity)
        return number, identity

    def _new_subject(self, event: UseEvent) -> int:
        subject = self.subject(event.identity)
        self._db.execute(
            "UPDATE identities SET kind=iif(kind='unknown', ?, kind), name=iif(name='', ?, name), source=iif(source='', ?, source),"
            " account=iif(account='', ?, account) WHERE id=?",
            (event.identity_kind, event.identity_name, event.source, event.account, subject),
        )
        if len(self._acting) >= _MOST:
            self._acting.clear()
        self._acting[event.identity] = subject
        return subject

    def subject(self, uid: str) -> int:
        """The number of an identity, given if it is new."""
        found = self._subjects.get(uid)
        if found is None:
            self._db.execute(
                "INSERT OR IGNORE INTO identities (uid, kind, name, source, account, declared, third_party, same_as, same_confidence,"
                " created, first_seen, last_seen, uses, status) VALUES (?,'unknown','','','','{}',0,'',0,0,0,0,0,'unknown')",
                (uid,),
            )
            found = int(self._db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchone()[0])
            if len(self._subjects) >= _MOST:
                self._subjects.clear()
            self._subjects[uid] = found
        return found

    def _mark(self, subject: int, since: float) -> None:
        found = self._since.get(subject)
        if found is None or since < found:
            self._since[subject] = since

    def dirty(self, subject: int, since: float) -> None:
        """This identity is to be judged, from this time on."""
        self._db.execute(_DIRTY, (subject, since))

    def _source(self, source: str, account: str) -> list[float]:
        found = self._sources.get((source, account))
        if found is None:  # first, last, events, again, with a credential, with a workload, of the platform's own services
            self._sources[source, account] = found = [float("inf"), float("-inf"), 0, 0, 0, 0, 0]
        return found

    def count_sources(self, passed: Mapping[str, int], now: float) -> None:
        """Keep how fresh and how well attributed each source is. `passed`: by source, how many records were none of our affair."""
        for source in passed:
            self._source(source, "")
        for (name, account), (first, last, events, again, credential, workload, services) in self._sources.items():
            of_passed = passed.get(name, 0) if not account else 0
            self._db.execute(
                "INSERT INTO sources VALUES (?1,?2,?3,?4,?5,?6,?7,?8,0,?9,?10,?11) ON CONFLICT DO UPDATE SET first=min(first, ?3),"
                " last=max(last, ?4), events=events+?5, again=again+?6, passed=passed+?7, intake=?8, credential=credential+?9,"
                " workload=workload+?10, services=services+?11",
                (name, account, first, last, events, again, of_passed, now, credential, workload, services),
            )

    def declare_identity(self, said: Identity) -> None:
        """What somebody said of an identity; empty fields change nothing."""
        subject = self.subject(said.uid)
        row = self._db.execute(f"{SELECT_IDENTITY} WHERE id=?", (subject,)).fetchone()
        before = identity_of(row)
        after = (
            said.kind if said.kind != "unknown" else before.kind, said.name or before.name, said.account or before.account,
            declared_text(said.declared, before.declared), said.third_party or before.third_party, said.same_as or before.same_as,
            said.same_confidence or before.same_confidence, said.created or before.created,
        )  # fmt: skip
        if after == (row[1], row[2], *row[4:10]):
            return
        self._db.execute(
            "UPDATE identities SET kind=?, name=?, account=?, declared=?, third_party=?, same_as=?, same_confidence=?, created=?"
            " WHERE id=?",
            (*after, subject),
        )
        self.dirty(subject, float("-inf"))

    def declare_ownership(self, said: Ownership) -> None:
        """Who somebody said answers for an identity or a credential. Said again, it is confirmed anew, and nobody is judged by that."""
        before = self._db.execute(
            "SELECT owner, confidence FROM ownerships WHERE identity=? AND source=?", (said.identity, said.source)
        ).fetchone()
        self._db.execute(
            "INSERT OR REPLACE INTO ownerships VALUES (?,?,?,?,?,?)",
            (said.identity, said.source, said.owner, said.confidence, said.time, said.by),
        )
        if before != (said.owner, said.confidence) and not is_fingerprint(said.identity):  # credentials have owners too
            self.dirty(self.subject(said.identity), float("-inf"))

    def declare_credential(self, said: Credential) -> None:
        """What somebody said of a credential; empty fields change nothing."""
        number, belongs = self._credentials.get(said.uid) or self._known_credential(said.uid, said.kind)
        row = self._db.execute(f"{SELECT_CREDENTIAL} WHERE uid=?", (said.uid,)).fetchone()
        before = credential_of(row)
        after = (
            said.kind or before.kind, said.name or before.name, said.shown or before.shown, declared_text(said.declared, before.declared),
            said.rotate_every or before.rotate_every, said.canary or before.canary,
        )  # fmt: skip
        if said.identity:
            self._db.execute("UPDATE credentials SET declared_for=? WHERE id=?", (said.identity, number))
        if said.identity and said.identity != belongs:
            self._settle(said.uid, number)
            if belongs:
                self.dirty(self.subject(belongs), float("-inf"))
        elif after == (row[1], *row[3:6], row[12], row[16]):
            return
        self._db.execute(
            "UPDATE credentials SET kind=?, name=?, shown=?, declared=?, rotate_every=?, canary=? WHERE uid=?", (*after, said.uid)
        )
        self._mark_concerned(said.uid, float("-inf"))
        if identity := said.identity or belongs:
            self.dirty(self.subject(identity), float("-inf"))
