"""The book held against the ledger: each result is what the drills' key signed, of what was committed to before, and none is missing.

Who runs the pipeline can write into the book, not into the past of the ledger, and not under the drills' key. What does not fit is a failed
drill, and is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from licet.clock import iso
from licet.drill.book import Book, Row, well_signed
from licet.drill.commitment import announced_of
from licet.drill.days import Played, wrong_days
from licet.drill.keys import DrillKey, name_of, signed_by
from licet.drill.said import (
    COMMIT,
    DAY,
    KEPT,
    REVEAL,
    SLOTS,
    Mark,
    Record,
    chained,
    commits_of,
    is_signed,
    read_at,
    read_from,
)
from licet.drill.slots import DAY as LONG
from licet.drill.slots import Slot
from licet.escape import counted
from licet.ledger import LedgerFiles
from licet.ledger.enrolled import ENROL, keys_of, time_of

__all__ = ["COMMIT", "ENROL", "REVEAL", "TAKEN", "Audit", "Audited", "audited", "lost", "marked", "of_rows"]

_EARLIER: Final = 2.0  # seconds by which a record of the ledger may be dated after what it was written before
UNREVEALED: Final = "it was never revealed"
TAKEN: Final = "is not in the book: somebody took it away"
"""How the sentence ends of a drill that the ledger commits to and the book does not know; behind it, how many such there are."""
TOO_LATE: Final = "it was revealed after its deadline"
TOO_EARLY: Final = "it was committed to after it had begun"
"""What can be wrong with a drill that the ledger commits to as the book says: nobody need have changed anything."""


class Audited(NamedTuple):
    """A drill, and what is wrong with what is told of it; empty: nothing.

    Attributes:
        wrong: a sentence.
        open: it was committed to, and there is time left to reveal it.
    """

    row: Row
    wrong: str = ""
    open: bool = False

    @property
    def passed(self) -> bool:
        """It is as it was signed, and it passed."""
        return not self.wrong and not self.open and self.row.result is not None and self.row.result.passed


class Audit(NamedTuple):
    """All drills since a time, and what is wrong beside them, a sentence each.

    Attributes:
        began: when the first key was enrolled, as the ledger says (seconds since the epoch); 0: none was.
        days: from when until when a schedule was committed to, as the ledger says, oldest first.
        missed: slots of days that are over in which the drill that was due was not played: each is one that failed.
    """

    drills: tuple[Audited, ...]
    wrong: tuple[str, ...]
    began: float = 0.0
    days: tuple[tuple[float, float], ...] = ()
    missed: tuple[Slot, ...] = ()


def audited(book: Book | None, files: LedgerFiles, now: float, since: float = 0.0, *, whole: bool = False, trusted: str = "") -> Audit:
    """Hold the book against the ledger.

    Args:
        book: None where there is none: then it lacks whatever the ledger commits to.
        now: seconds since the epoch.
        since: of the first drill that is looked at.
        whole: read all of the ledger, and believe no mark.
        trusted: the name of the drills' key, if it is known from elsewhere than the ledger.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    rows = list(book.drills(since)) if book is not None else []
    mark = None if whole or book is None else _believed(book, files, trusted)
    start = mark.upto if mark is not None else 0
    records, _ = read_from(files, start)
    numbers = {number for row in rows for number in (row.seq, row.revealed)} | set(mark.keys if mark is not None else ())
    found = read_at(files, (each for each in numbers if each <= start)) | records
    publics, wrong, began = keys_of(found, trusted, since)
    known = book.ids_after(start) if book is not None else set()
    missing = [
        (uid, time_of(records[seq])) for seq, uid, _ in commits_of(records, publics) if uid not in known and time_of(records[seq]) >= since
    ]
    wrong += list(_taken(missing))
    of_days, missed = _days(found, publics, now, since)
    return Audit(_drills(rows, found, publics, now), (*wrong, *of_days), began, tuple(_spans(found, publics)), tuple(missed))


def _taken(missing: Sequence[tuple[str, float]]) -> Iterator[str]:
    """One sentence, however many drills (id, time) are missing: who lost the book lost hundreds."""
    if missing:
        uid, when = min(missing, key=lambda each: each[1])
        more = f"; the ledger has {counted(len(missing), 'such commitment')}, and this is the first" if len(missing) > 1 else ""
        yield f"drill {uid} of {iso(when)} was committed to in the ledger, and {TAKEN}{more}"


def of_rows(rows: Sequence[Row], book: Book, files: LedgerFiles, now: float, trusted: str = "") -> tuple[Audited, ...]:
    """Some drills alone, held against their records in the ledger.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    mark = _believed(book, files, trusted)
    numbers = {number for row in rows for number in (row.seq, row.revealed)}
    if mark is None:
        found, _ = read_from(files, 0)
    else:
        found = read_from(files, mark.upto)[0] | read_at(files, (each for each in {*numbers, *mark.keys} if each <= mark.upto))
    return _drills(rows, found, keys_of(found, trusted)[0], now)


def marked(book: Book, files: LedgerFiles, key: DrillKey) -> None:
    """Sign how far the ledger was read, if the book has all drills that are there; else take the mark away, so that all is read.

    Raises:
        LedgerError: the ledger cannot be read.
        StoreError: the book cannot be written.
    """
    name, mark = name_of(key.public), book.mark()
    if mark is None or mark.key != name or not signed_by(key.public, mark.said(), mark.signature):
        mark = Mark(0, "", ())
    records, upto = read_from(files, mark.upto)
    keys = (*mark.keys, *(seq for seq, record in sorted(records.items()) if record.get("kind") in KEPT))
    publics, _, _ = keys_of(records | read_at(files, keys))
    drills = chained(mark.drills, commits_of(records, publics))
    same = drills == chained("", book.commits(upto)) and name in publics
    book.set_mark(Mark(upto, drills, keys).signed(key) if same else None)


def _believed(book: Book, files: LedgerFiles, trusted: str) -> Mark | None:
    """The mark, if an enrolled key signed it, and the book has the drills that it speaks of."""
    mark = book.mark()
    if mark is None:
        return None
    publics, _, _ = keys_of(read_at(files, mark.keys), trusted)
    public = publics.get(mark.key)
    if public is None or not signed_by(public, mark.said(), mark.signature) or mark.drills != chained("", book.commits(mark.upto)):
        return None
    return mark


def _spans(records: Mapping[int, Record], publics: Mapping[str, bytes]) -> Iterator[tuple[float, float]]:
    """From when until when there is a schedule; days that follow each other are one span."""
    days = [each for each in records.values() if each.get("kind") == DAY and is_signed(each, publics)]
    times = sorted((float(each["begins"]), float(each["time_of_day"]) + LONG) for each in days)
    since = until = 0.0
    for begins, ends in times:
        if begins > until:
            if until:
                yield since, until
            since = begins
        until = max(until, ends)
    if until:
        yield since, until


def _days(records: Mapping[int, Record], publics: Mapping[str, bytes], now: float, since: float) -> tuple[list[str], list[Slot]]:
    """What is wrong with whole days, and what was missed in them."""
    well = [record for _, record in sorted(records.items()) if record.get("kind") != ENROL and is_signed(record, publics)]
    of = {kind: [dict(each) | {"at": time_of(each)} for each in well if each.get("kind") == kind] for kind in (DAY, SLOTS)}
    shown = [announced_of(each["announced"]) for each in well if each.get("kind") == REVEAL and isinstance(each.get("announced"), dict)]
    played = [Played(each.scenario, each.source, each.begins) for each in shown if each is not None and not each.twin and not each.shadow]
    return wrong_days(of[DAY], of[SLOTS], played, now, since)


def _drills(rows: Iterable[Row], records: Mapping[int, Record], publics: Mapping[str, bytes], now: float) -> tuple[Audited, ...]:
    commits = {str(each.get("drill")): each for each in records.values() if each.get("kind") == COMMIT}
    reveals = {str(each.get("drill")): each for each in records.values() if each.get("kind") == REVEAL}
    return tuple(_drill(row, commits.get(row.id), reveals.get(row.id), publics, now) for row in rows)


def _drill(
    row: Row, commit: Mapping[str, Any] | None, reveal: Mapping[str, Any] | None, publics: Mapping[str, bytes], now: float
) -> Audited:  # fmt: skip
    if commit is None:
        return Audited(row, "no record of the ledger commits to it")
    if commit.get("commitment") != row.commitment or commit.get("ends") != row.ends or not is_signed(commit, publics):
        return Audited(row, "the ledger commits to something else than the book says, or under a key that is not the drills'")
    if row.result is None or row.announced is None:
        return Audited(row, open=True) if now <= row.ends else Audited(row, UNREVEALED)
    if reveal is None or not is_signed(reveal, publics) or reveal.get("announced") != row.announced.plain():
        return Audited(row, "the ledger does not reveal what the book says, or not under the drills' key")
    if reveal.get("passed") != row.result.passed:
        return Audited(row, "the ledger reveals another result than the book says")
    if time_of(commit) > row.announced.begins + _EARLIER:
        return Audited(row, TOO_EARLY)
    if not any(well_signed(row, public) for public in publics.values()):
        return Audited(row, "its result is not what the drills' key signed")
    if row.result.said > row.ends:
        return Audited(row, TOO_LATE)
    return Audited(row)


def lost(drills: Collection[Audited]) -> list[Audited]:
    """Those that failed, or of which what is told is wrong."""
    return [each for each in drills if not each.passed and not each.open]
