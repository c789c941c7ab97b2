"""The book held against the ledger: each result is what the drills' key signed, of what was committed to before, and none is missing.

Who runs the pipeline can write into the book, not into the past of the ledger, and not under the drills' key. What does not fit is a failed
drill, and is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from licet.canonical import Plain
from licet.drill.book import Book, Row, well_signed
from licet.drill.keys import name_of, signed_by
from licet.ledger import LedgerFiles

COMMIT, REVEAL, ENROL = "drill.commit", "drill.reveal", "drill.key"
"""Kinds of the ledger's records."""

_NEEDLE: Final = b'"kind":"drill.'
_EARLIER: Final = 2.0  # seconds by which a record of the ledger may be dated after what it was written before


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
    """All drills since a time, and what is wrong beside them, a sentence each."""

    drills: tuple[Audited, ...]
    wrong: tuple[str, ...]


def audited(book: Book, files: LedgerFiles, now: float, since: float = 0.0) -> Audit:
    """Hold the book against the ledger.

    Args:
        now: seconds since the epoch.
        since: of the first drill that is looked at.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    rows = list(book.drills(since))
    start = min((row.seq for row in rows if row.seq > 0), default=1)
    records = _records(files, book.first_record() or start)
    publics, wrong = _keys(records)
    commits = {str(each.get("drill")): each for each in records.values() if each.get("kind") == COMMIT}
    reveals = {str(each.get("drill")): each for each in records.values() if each.get("kind") == REVEAL}
    drills = tuple(_drill(row, commits.get(row.id), reveals.get(row.id), publics, now) for row in rows)
    known = {row.id for row in rows}
    missing = [uid for uid, each in commits.items() if uid not in known and _time(each) >= since]
    wrong += [f"drill {uid} was committed to in the ledger, and is not in the book: somebody took it away" for uid in missing]
    return Audit(drills, tuple(wrong))


def _drill(
    row: Row, commit: Mapping[str, Any] | None, reveal: Mapping[str, Any] | None, publics: Mapping[str, bytes], now: float
) -> Audited:  # fmt: skip
    if commit is None:
        return Audited(row, "no record of the ledger commits to it")
    if commit.get("commitment") != row.commitment or commit.get("ends") != row.ends or not _signed(commit, publics):
        return Audited(row, "the ledger commits to something else than the book says, or under a key that is not the drills'")
    if row.result is None or row.announced is None:
        return Audited(row, open=True) if now <= row.ends else Audited(row, "it was never revealed")
    if reveal is None or not _signed(reveal, publics) or reveal.get("announced") != row.announced.plain():
        return Audited(row, "the ledger does not reveal what the book says, or not under the drills' key")
    if reveal.get("passed") != row.result.passed:
        return Audited(row, "the ledger reveals another result than the book says")
    if _time(commit) > row.announced.begins + _EARLIER:
        return Audited(row, "it was committed to after it had begun")
    if row.result.said > row.ends:
        return Audited(row, "it was revealed after its deadline")
    if not any(well_signed(row, public) for public in publics.values()):
        return Audited(row, "its result is not what the drills' key signed")
    return Audited(row)


def _keys(records: Mapping[int, Mapping[str, Any]]) -> tuple[dict[str, bytes], list[str]]:
    """The drills' keys by their names: the first that is enrolled is trusted, each other one where an earlier one signs for it."""
    publics: dict[str, bytes] = {}
    wrong: list[str] = []
    for seq, record in records.items():
        if record.get("kind") != ENROL:
            continue
        try:
            public = bytes.fromhex(str(record.get("public")))
        except ValueError:
            public = b""
        name = name_of(public)
        by = [publics[str(record["by"])]] if record.get("by") in publics else []
        said: dict[str, Plain] = {"key": name, "public": public.hex()}
        if publics and not any(signed_by(each, said, str(record.get("vouched"))) for each in by):
            wrong.append(f"record {seq} enrols a key for which no earlier one vouches: what it signs is no drill")
        elif signed_by(public, said, str(record.get("signature"))):
            publics[name] = public
    return publics, wrong


def _signed(record: Mapping[str, Any], publics: Mapping[str, bytes]) -> bool:
    """Whether an enrolled key signed what the record says."""
    public = publics.get(str(record.get("key")))
    names = {COMMIT: ("drill", "commitment", "ends"), REVEAL: ("drill", "announced", "passed")}[str(record.get("kind"))]
    said: dict[str, Plain] = {name: record.get(name) for name in names}
    return public is not None and signed_by(public, said, str(record.get("signature")))


def _records(files: LedgerFiles, start: int) -> dict[int, Mapping[str, Any]]:
    """The drills' records from a number on, by their numbers."""
    return {int(record["seq"]): record for line in files.records(max(0, start - 1)) if _NEEDLE in line for record in _read(line)}


def _read(line: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict) and type(found.get("seq")) is int and found.get("kind") in (COMMIT, REVEAL, ENROL):
        yield found


def _time(record: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(record.get("time"))).timestamp()
    except ValueError:
        return float("inf")


def lost(drills: Iterable[Audited]) -> list[Audited]:
    """Those that failed, or of which what is told is wrong."""
    return [each for each in drills if not each.passed and not each.open]
