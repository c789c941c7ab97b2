"""`drill.db`: what became of each drill. Each result is signed by the drills' key and points to its records in the ledger.

What a drill is stands here only after it was revealed. Until then there is its commitment, and by when it must be answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from licet.canonical import Plain
from licet.clock import iso
from licet.drill.commitment import Announced, announced_of, events_of, plain_of
from licet.drill.keys import DrillKey, signed_by
from licet.drill.said import Mark
from licet.store.opened import SqliteFile

FILE: Final = "drill.db"
_VERSION: Final = 1
_BUSY_SECONDS: Final = 30.0
_SCHEMA: Final = """
CREATE TABLE drills (
    id TEXT PRIMARY KEY, commitment TEXT NOT NULL, committed REAL NOT NULL, ends REAL NOT NULL, seq INTEGER NOT NULL,
    announced TEXT, events TEXT, result TEXT, signature TEXT, revealed INTEGER, said REAL) WITHOUT ROWID;
CREATE INDEX drills_by_time ON drills (committed);
CREATE TABLE enrolled (name TEXT, drill TEXT, PRIMARY KEY (name, drill)) WITHOUT ROWID;
CREATE TABLE slots (time REAL PRIMARY KEY, drill TEXT) WITHOUT ROWID;
CREATE TABLE days (day TEXT PRIMARY KEY, root TEXT, seq INTEGER, begins REAL, cells TEXT, revealed INTEGER) WITHOUT ROWID;
CREATE TABLE keys (name TEXT PRIMARY KEY, public BLOB, seq INTEGER) WITHOUT ROWID;
CREATE TABLE mark (id INTEGER PRIMARY KEY CHECK (id=1), body TEXT);
CREATE TABLE pending (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE beats (channel TEXT PRIMARY KEY, state TEXT, time REAL, detail TEXT) WITHOUT ROWID;
"""


class Result(NamedTuple):
    """What came of a drill.

    Attributes:
        drill: its id.
        scenario, source, twin, shadow: of which kind it was.
        passed: all held.
        hop: the last that was reached, of `licet.drill.hops.HOPS`.
        failures: what did not hold, a sentence each.
        parts: which parts of the pipeline those point to (`detector ends`, `reader cloudtrail`).
        seconds: from the last record let in to the sink's word that it has the finding; negative: it never came.
        finding: its id, if there was one.
        began, said: when the first record was let in, and when the verdict was known (seconds since the epoch).
        owned, attributed: the owner and the credential were named right.
        sinks: to which findings were handed.
        calls, found: of what an agent did through the guard: the digests of its calls' events, and the ids of the guard's findings.
    """

    drill: str
    scenario: str
    source: str
    twin: bool
    shadow: bool
    passed: bool
    hop: str
    failures: tuple[str, ...]
    parts: tuple[str, ...]
    seconds: float
    finding: str
    began: float
    said: float
    owned: bool
    attributed: bool
    sinks: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    found: tuple[str, ...] = ()

    def plain(self) -> dict[str, Plain]:
        """As JSON has it."""
        return plain_of(self._asdict())


def result_of(plain: dict[str, Plain]) -> Result:
    """The result of a row.

    Raises:
        TypeError: a key is missing, or too much.
    """
    return Result(**{key: tuple(map(str, value)) if isinstance(value, list) else value for key, value in plain.items()})  # type: ignore[arg-type]


class Row(NamedTuple):
    """A drill as it is kept.

    Attributes:
        seq, revealed: the numbers of the ledger's records of its commitment and of its reveal; 0: there is none.
        events: the digests of its records, in order.
        announced, result: None until it was revealed.
        signature: of the drills' key, over the result.
    """

    id: str
    commitment: str
    committed: float
    ends: float
    seq: int
    announced: Announced | None
    events: tuple[str, ...]
    result: Result | None
    signature: str
    revealed: int
    said: float


class Day(NamedTuple):
    """A day whose drills are drawn and committed to. Which they are follows from the drills' key, and stands nowhere before it is over.

    Attributes:
        day: when it begins (seconds since the epoch, UTC).
        begins: from when on its slots count: of a first day, a part.
        cells: scenario and source of all that can be drawn.
        root: of the Merkle tree over its slots, in hex.
        seq, revealed: the numbers of the ledger's records that commit to it and reveal it; 0: there is none.
    """

    day: float
    begins: float
    cells: tuple[tuple[str, str], ...]
    root: str
    seq: int
    revealed: int = 0

    @property
    def name(self) -> str:
        """`2026-03-01`."""
        return iso(self.day)[:10]


def start_of(name: str) -> float:
    """When the day of a name begins."""
    return datetime.fromisoformat(f"{name}T00:00:00Z").timestamp()


def _row(uid: str, commitment: str, committed: Any, ends: Any, seq: Any, *rest: Any) -> Row:
    """What cannot be read is not there: whoever wrote it, it is no result."""
    announced, events, result, signature, revealed, said = rest
    try:
        was = announced_of(json.loads(announced)) if announced else None
        came = result_of(json.loads(result)) if result else None
        digests = tuple(map(str, json.loads(events or "[]")))
    except (ValueError, TypeError, AttributeError, RecursionError):
        was, came, digests = None, None, ()
    numbers = [_number(each) for each in (committed, ends, seq, revealed, said)]
    return Row(
        str(uid), str(commitment), numbers[0], numbers[1], int(numbers[2]), was, digests, came, str(signature or ""), int(numbers[3]),
        numbers[4],
    )  # fmt: skip


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else 0.0


class Book(SqliteFile):
    """The book in the file `path`, created with mode 0600.

    Raises:
        StoreError: the file cannot be opened, is not ours alone, or is of another version.
    """

    def __init__(self, path: str | Path, *, reading: bool = False) -> None:
        super().__init__(path, _SCHEMA, _VERSION, busy_seconds=_BUSY_SECONDS, reading=reading)

    def enrol(self, name: str, public: bytes, seq: int) -> None:
        """A key commits to drills from now on. `seq`: the number of the ledger's record that says so."""
        with self.step() as db:
            db.execute("INSERT OR IGNORE INTO keys VALUES (?,?,?)", (name, public, seq))

    def key(self) -> str:
        """The name of the key that was enrolled last; empty: none was."""
        found = self._read("SELECT name FROM keys ORDER BY seq DESC LIMIT 1")
        return found[0][0] if found else ""

    def first_record(self) -> int:
        """The number of the ledger's record that enrolled the first key; 0: none did."""
        found = self._read("SELECT min(seq) FROM keys")
        return int(found[0][0] or 0)

    def committed(self, drill: str, commitment: str, time: float, ends: float, seq: int) -> None:
        """A drill is about to begin."""
        with self.step() as db:
            db.execute("INSERT INTO drills (id, commitment, committed, ends, seq) VALUES (?,?,?,?,?)", (drill, commitment, time, ends, seq))

    def revealed(self, announced: Announced, events: Sequence[str], result: Result, key: DrillKey, seq: int) -> None:
        """Its verdict is known. What it drew is enrolled: who acts under these names again is no drill."""
        said = result.plain()
        with self.step() as db:
            db.execute(
                "UPDATE drills SET announced=?, events=?, result=?, signature=?, revealed=?, said=? WHERE id=?",
                (_json(announced.plain()), json.dumps(events), _json(said), key.sign(said), seq, result.said, announced.drill),
            )
            names = {*announced.identities, *announced.credentials} if not announced.shadow else set()
            db.executemany("INSERT OR IGNORE INTO enrolled VALUES (?,?)", [(each, announced.drill) for each in names])

    def drills(self, since: float = 0.0) -> Iterator[Row]:
        """All since a time, oldest first."""
        yield from self._rows("committed>=?", (since,))

    def with_findings(self, findings: Iterable[str]) -> Iterator[Row]:
        """Those that ended with one of these findings, oldest first."""
        one_of = "json_valid(result) AND json_extract(result, '$.finding') IN (SELECT value FROM json_each(?))"
        yield from self._rows(one_of, (json.dumps(list(findings)),))

    def with_calls(self) -> Iterator[Row]:
        """All in which an agent acted through the guard, oldest first."""
        yield from self._rows("json_array_length(result, '$.calls')>0", ())

    def ids_after(self, seq: int) -> set[str]:
        """The ids of those that were committed to behind a record of the ledger."""
        return {uid for (uid,) in self._read("SELECT id FROM drills WHERE seq>?", (seq,))}

    def commits(self, upto: int) -> list[tuple[int, str, str]]:
        """Number in the ledger, id and commitment of those that were committed to up to a record of it, in their order."""
        return [tuple(row) for row in self._read("SELECT seq, id, commitment FROM drills WHERE seq<=? ORDER BY seq, id", (upto,))]

    def mark(self) -> Mark | None:
        """How far the ledger was read, as it stands here: who can write the book can write this, so its signature is to be looked at."""
        found = self._read("SELECT body FROM mark")
        try:
            upto, drills, keys, key, signature = json.loads(found[0][0])
            return Mark(int(upto), str(drills), tuple(map(int, keys)), str(key), str(signature))
        except (IndexError, ValueError, TypeError):
            return None

    def set_mark(self, mark: Mark | None) -> None:
        """Keep it in place of the one before; None: there is none any more."""
        with self.step() as db:
            db.execute("DELETE FROM mark")
            if mark is not None:
                db.execute("INSERT INTO mark VALUES (1, ?)", (json.dumps(mark),))

    def _rows(self, where: str, values: Sequence[object]) -> Iterator[Row]:
        columns = "id, commitment, committed, ends, seq, announced, events, result, signature, revealed, said"
        for row in self._read(f"SELECT {columns} FROM drills WHERE {where} ORDER BY committed, id", values):  # noqa: S608
            yield _row(*row)

    def day_committed(self, day: Day) -> None:
        """A day's drills are committed to."""
        with self.step() as db:
            row = (day.name, day.root, day.seq, day.begins, json.dumps(day.cells), day.revealed)
            db.execute("INSERT INTO days VALUES (?,?,?,?,?,?)", row)

    def day_revealed(self, day: Day, seq: int) -> None:
        """It is over, and the ledger has what its slots were."""
        with self.step() as db:
            db.execute("UPDATE days SET revealed=? WHERE day=?", (seq, day.name))

    def days(self) -> list[Day]:
        """All that were committed to, in order."""
        rows = self._read("SELECT day, begins, cells, root, seq, revealed FROM days ORDER BY day")
        return [
            Day(start_of(day), begins, tuple((one, two) for one, two in json.loads(cells)), *rest) for day, begins, cells, *rest in rows
        ]

    def slot_played(self, time: float, drill: str) -> None:
        """The drill of a slot was played."""
        with self.step() as db:
            db.execute("INSERT OR REPLACE INTO slots VALUES (?,?)", (time, drill))

    def played_slots(self, since: float) -> dict[float, str]:
        """By the time of a slot, the drill that was played in it."""
        return dict(self._read("SELECT time, drill FROM slots WHERE time>=?", (since,)))

    def pend(self, sealed: bytes) -> int:
        """Keep what a run is about to let in; the number of the row."""
        with self.step() as db:
            return int(db.execute("INSERT INTO pending (sealed) VALUES (?)", (sealed,)).lastrowid or 0)

    def settled(self, number: int) -> None:
        """All of it was taken back."""
        with self.step() as db:
            db.execute("DELETE FROM pending WHERE id=?", (number,))

    def retire(self, names: Iterable[str], drill: str) -> None:
        """Names that were drawn, and may have become known: who acts under one is no drill."""
        with self.step() as db:
            db.executemany("INSERT OR IGNORE INTO enrolled VALUES (?,?)", [(each, drill) for each in names])

    def pending(self) -> list[tuple[int, bytes]]:
        """What runs let in that did not come to their end."""
        return [(number, sealed) for number, sealed in self._read("SELECT id, sealed FROM pending ORDER BY id")]

    def enrolled(self) -> dict[str, list[str]]:
        """By identity or credential that drills drew, the ids of those drills. They are over: their names are retired."""
        found: dict[str, list[str]] = {}
        for name, drill in self._read("SELECT name, drill FROM enrolled ORDER BY name, drill"):
            found.setdefault(name, []).append(drill)
        return found


def well_signed(row: Row, public: bytes) -> bool:
    """Whether the result is the one that was signed, and is of what was committed to."""
    if row.result is None or row.announced is None:
        return False
    same = (
        row.announced.commitment == row.commitment
        and row.announced.events == events_of(row.events)
        and row.result.drill == row.id == row.announced.drill
    )
    told = (row.result.scenario, row.result.source, row.result.twin, row.result.shadow)
    meant = (row.announced.scenario, row.announced.source, row.announced.twin, row.announced.shadow)
    return same and told == meant and signed_by(public, row.result.plain(), row.signature)


def _json(plain: dict[str, Plain]) -> str:
    return json.dumps(plain, ensure_ascii=True, separators=(",", ":"))
