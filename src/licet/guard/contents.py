"""Contents that the manifest's `record:` lets be kept: their digests go into the ledger's record, and they beside it.

Nothing here can stop a call: what cannot be kept is a warning in the log, and a content that verification says is not there.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from licet.canonical import Plain
from licet.clock import Clock
from licet.errors import StoreError, traced
from licet.escape import counted
from licet.guard.purges import Purged, Records, purges, record_of, text_of
from licet.guard.shown import shown_intent, shown_outputs, within
from licet.guard.state import STORE
from licet.guard.task import GuardedTask
from licet.guard.ticket import Ticket
from licet.ledger import LedgerFiles
from licet.ledger.check.faults import Fault, numbered
from licet.locks import Lock
from licet.manifest import Manifest
from licet.secretlike import scrub
from licet.store import Content, ContentsCopy, ContentsStore, KeptContent, content

FILE = "contents.db"
FIELD = "contents"
ALTERED = "altered-content"
MOST_FAULTS = 100
_MOST_NAMED = 7  # records whose contents are missing
_log = logging.getLogger("licet")


class Contents:
    """Makes the digests before a record is written, and keeps the values after it. `path`: the file; made when there is a value to keep."""

    def __init__(self, path: Path, manifest: Manifest, clock: Clock) -> None:
        self._path, self._manifest, self._clock = path, manifest, clock
        self._store: ContentsStore | None = None
        self._lock = Lock()

    def arguments(self, ticket: Ticket) -> Sequence[Content]:
        """The arguments of a call that are opted in, each by its name."""
        tool = self._manifest.tools.get(ticket.call.tool)
        names = tool.record.arguments if tool is not None and tool.record is not None else ()
        return [made for name in names if name in ticket.plain for made in _content(f"argument.{name}", {name: ticket.plain[name]})]

    def output(self, ticket: Ticket) -> Sequence[Content]:
        """What the tool returned, if it is opted in."""
        return [made for text in shown_outputs(ticket).values() for made in _content("output", text, shown=True)] if ticket.outputs else ()

    def intent(self, task: GuardedTask) -> Sequence[Content]:
        """The user's own words, if the task kind opts in to them."""
        return [made for text in shown_intent(task, self._manifest).values() for made in _content("intent", text)]

    def keep(self, contents: Sequence[Content], seq: int, task: GuardedTask | None) -> None:
        """Keep the values of the record with this number; 0: it could not be written, and neither can they be kept."""
        if not contents:
            return
        if not seq:
            _log.warning("licet: contents could not be kept: their record could not be written yet")
            return
        try:
            with self._lock:
                store = self._store = self._store or ContentsStore(self._path)
            record = task.record if task is not None else None
            store.keep(
                seq, contents, task=record.id if record else "", principal=scrub(record.principal) if record else "", time=self._clock.now()
            )
        # The call is recorded, and its contents are a comfort: whatever is wrong with their file, the call goes on.
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("licet: the contents of record %d could not be kept: %s", seq, traced(error))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()


def digests(contents: Sequence[Content]) -> dict[str, Plain]:
    """The field of a record that says of its contents, if it has any."""
    return {FIELD: {each.name: each.digest for each in contents}} if contents else {}


def _content(name: str, value: Plain, *, shown: bool = False) -> Iterator[Content]:
    """The value as it may be shown (`shown`: it is, as JSON), with a key. A dict of one entry is an argument by its name, which may say
    that it is a secret.
    """
    try:
        plain = json.loads(value if shown and isinstance(value, str) else within(value))
        if isinstance(value, dict) and isinstance(plain, dict):
            plain = next(iter(plain.values()))
        try:
            yield content(name, plain)
        except ValueError:  # a lone surrogate, in an output that is no JSON
            yield content(name, json.dumps(plain))
    # What a tool returned can be anything; it is not kept, and the call goes on.
    except Exception as error:  # noqa: BLE001 - see above
        _log.warning("licet: a content cannot be kept (%s): %s", name, traced(error))


# Reading ---------------------------------------------------------------------------------------------------------------


def open_contents(folder: Path, *, reading: bool = False, copy: bool = False) -> ContentsStore | None:
    """The contents of a state folder; None if there are none. Nothing is made. `reading`: nothing will be written; `copy`: see
    `ContentsCopy`.

    Raises:
        StoreError: they cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return None
    return ContentsCopy(path) if copy else ContentsStore(path, reading=reading)


def contents_of(store: ContentsStore | None, record: Mapping[str, Any]) -> dict[str, KeptContent]:
    """What is kept of one record, by name: only what the record says to the letter."""
    seq = record.get("seq")
    if store is None or type(seq) is not int or not isinstance(record.get(FIELD), dict):
        return {}
    return {kept.name: kept for kept in store.of(seq) if kept.matches(record)}


def contents_beside(ledger: Path, *, copy: bool = False) -> ContentsCheck:
    """The contents of the state folder that a ledger's folder stands in, held against it. Never raises for what is wrong with them.
    `copy`: nobody writes there, and neither do we.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    folder = ledger.absolute().parent
    if not (folder / FILE).exists() and not (folder / STORE).exists():
        return ContentsCheck()
    try:
        store = open_contents(folder, reading=True, copy=copy)
        with closing(store) if store is not None else nullcontext():
            check = check_contents(LedgerFiles(ledger).records, store)
            check.without_log = store is not None and store.without_log
            return check
    except StoreError as error:
        return ContentsCheck(faults=[Fault(ALTERED, f"the contents cannot be held against the records: {error}")])


@dataclass
class ContentsCheck:
    """What holding the contents against the ledger found. What is not there breaks no proof."""

    matching: int = 0
    purged: Counter[int] = field(default_factory=Counter)  # by the number of the record that says so
    missing: int = 0  # and nobody purged them: they could not be kept, or somebody deleted them
    missing_of: list[int] = field(default_factory=list)  # the first records that have such
    gone: bool = False  # the whole file
    left: Counter[int] = field(default_factory=Counter)  # that a record says to purge, and that are there still
    altered: int = 0
    without_log: bool = False  # what stands in the file's own log alone was not read
    faults: list[Fault] = field(default_factory=list)  # the first of those

    def sentences(self) -> list[str]:
        """In words, the faults left out; nothing if there never were contents."""
        there = f"{counted(self.matching, 'content')} {_are(self.matching)} there and {'matches' if self.matching == 1 else 'match'}"
        told = [there] if self.matching else []
        told += [f"{number:,} {_were(number)} purged by record {by}" for by, number in sorted(self.purged.items())]
        if self.missing:
            why = f"{FILE} is missing" if self.gone else "they could not be kept, or somebody deleted them"
            of = numbered(self.missing_of) + (" and others" if len(self.missing_of) == _MOST_NAMED else "")
            what = f"{counted(self.missing, 'content')} of {of} {_are(self.missing)} not in {FILE}"
            told.append(f"{what}, and no purge is on record: {why}")
        if self.without_log:
            told.append(f"{FILE}-wal was not read, as that would change it: what stands in it alone counts as missing")
        told += [
            f"{number:,} that record {by} was to purge {_are(number)} there still: run the same `licet purge` again"
            for by, number in sorted(self.left.items())
        ]
        return told

    def as_dict(self) -> dict[str, object]:
        """The same, as JSON."""
        return {
            "matching": self.matching, "purged": {str(by): number for by, number in sorted(self.purged.items())},
            "missing": self.missing, "left": {str(by): number for by, number in sorted(self.left.items())}, "altered": self.altered,
        }  # fmt: skip


def check_contents(records: Records, store: ContentsStore | None) -> ContentsCheck:
    """Hold what is kept against what the records say. The records are read twice, and are to be verified by themselves."""
    check, known = ContentsCheck(gone=store is None), purges(records)
    kept = iter(store.all() if store is not None else ())
    row, seq = next(kept, None), 0
    for seq, line in enumerate(records(), 1):
        if b'"contents":' not in line and (row is None or row.seq > seq):
            continue
        record = record_of(line)
        told = record.get(FIELD)
        expected: dict[str, Any] = dict(told) if isinstance(told, dict) else {}
        while row is not None and row.seq <= seq:
            is_told = row.seq == seq and expected.pop(row.name, None) is not None
            _there(check, known, record, row, matches=is_told and row.matches(record))
            row = next(kept, None)
        for _ in expected:
            by = _purged_by(known, record, seq)
            if by:
                check.purged[by] += 1
            else:
                check.missing += 1
                if len(check.missing_of) < _MOST_NAMED and seq not in check.missing_of[-1:]:
                    check.missing_of.append(seq)
    return check


def _there(check: ContentsCheck, known: Sequence[Purged], record: Mapping[str, Any], row: KeptContent, *, matches: bool) -> None:
    if matches:
        check.matching += 1
        if by := _purged_by(known, record, row.seq):
            check.left[by] += 1
        return
    check.altered += 1
    if len(check.faults) < MOST_FAULTS:
        what = f"the content `{row.name}` that is kept of record {row.seq} is not the one that the record speaks of"
        check.faults.append(Fault(ALTERED, what, row.seq))


def _purged_by(known: Sequence[Purged], record: Mapping[str, Any], seq: int) -> int:
    covering = (each.seq for each in known if each.covers("contents", text_of(record, "task"), text_of(record, "time"), seq))
    return next(covering, 0)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
