"""From logs to the inventory: read in a stream, told apart, redacted, and kept in steps together with where reading stands.

A step is all or nothing, so that a run that is killed loses nothing and repeats nothing. What a record says is judged by nobody here.
The digest of a record is the SHA-256 of its bytes as they stand in the file, without the white space around it.
"""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from typing import Any, Final

from licet.clock import Clock, iso
from licet.ingest import redact
from licet.ingest.batch import Batch, Report
from licet.ingest.cursors import cursor_of, is_same
from licet.ingest.documents import NO_OBJECT, Unfit, is_unread
from licet.ingest.fields import EARLIEST
from licet.ingest.reading import Reading
from licet.ingest.recognised import Recognised, Source, Unreadable, without_body
from licet.inventory.faces import tells_of_faces
from licet.inventory.joined import join
from licet.inventory.store import Inventory

BATCH: Final = 30_000
"""Events of one step. Larger ones are cheaper each, as they touch each page of the inventory less often."""

STDIN: Final = "-"
FUTURE: Final = "from the future: more than ten minutes ahead of this machine's clock"
PAST: Final = "from before the year 2000"
_AHEAD: Final = 600.0  # seconds by which a source's clock may be before ours
_BIG: Final = 64 * 1024 * 1024  # bytes of records after which a step ends
_TOLD_EVERY: Final = 1_000  # records
_KEY_ID: Final = re.compile(r"A[A-Z]IA[A-Z0-9]{12,124}")
_COLLECT_AT: Final = 50_000  # new objects, of a dictionary or two a record that are gone soon
_MOST_KNOWN: Final = 50_000  # fingerprints that are kept in memory


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Records make no cycles, and to look for cycles among all that wait to be kept costs a tenth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _COLLECT_AT) if before[0] else 0, *before[1:])  # 0: somebody has turned it off
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Place:
    """What a reader is told beside the record. The last four characters of an access key's id may be shown, nothing of anything else."""

    def __init__(self, fingerprint: Callable[[str], str], account: str) -> None:
        self.account = account
        self.shown: dict[str, str] = {}
        self._of = fingerprint
        self._known: dict[str, str] = {}
        self.fingerprint: Callable[[str], str] = self._fingerprint

    def _fingerprint(self, text: str) -> str:
        found = self._known.get(text)
        if found is None:
            found = self._of(text)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[text] = found
            if _KEY_ID.fullmatch(text):
                self.shown[found] = text[-4:]
        return found


class Intake:
    """Takes logs of one source into an inventory.

    Args:
        inventory: where it is kept.
        source: who reads the records.
        fingerprint: makes keyed fingerprints of credentials' ids.
        account: what the records do not say themselves.
        clock: records that are from its future are refused.
        batch: how many events are kept in one step.
    """

    def __init__(
        self, inventory: Inventory, source: Source, fingerprint: Callable[[str], str], *, clock: Clock, account: str = "",
        batch: int = BATCH,
    ) -> None:  # fmt: skip
        self.report = Report()
        self._inventory, self._source, self._clock, self._size = inventory, source, clock, batch
        self._place = _Place(fingerprint, account)
        self._batch = Batch()
        self._latest = clock.now() + _AHEAD
        self._stdin = f"{STDIN} at {iso(clock.now())}"  # of each run it is another file: what was said of one holds for no other
        self._joins = False
        self._counted = True  # what is refused now was not refused by an earlier run, at this place of this file

    def take(
        self, name: str, file: BufferedReader, *, from_start: bool = False, progress: Callable[[int], object] | None = None
    ) -> None:  # fmt: skip
        """Read a file from where its last reading ended, or from its start. What is read is kept when a step is full, or by `finish`.

        Args:
            name: by which it is known again, and cited: a path, or `-`, which is never known again.
            file: open at its start.
            from_start: read all of it again; what is there is passed over.
            progress: hears how many bytes of it were read.

        Raises:
            StoreError: the inventory cannot be written.
        """
        with _seldom_collected():
            self._take_file(name, file, from_start=from_start, progress=progress)

    def _take_file(
        self, name: str, file: BufferedReader, *, from_start: bool, progress: Callable[[int], object] | None
    ) -> None:  # fmt: skip
        report = self.report
        known = None if name == STDIN else cursor_of(self._inventory.cursor(self._source.name, name))
        try:
            reading = Reading(file, self._source.records, None if from_start else known, self._source.bodies)
            read_before = known if known is not None and from_start and is_same(file.fileno(), known) else None
        except OSError as error:
            report.unreadable[name] = f"cannot be read: {error.strerror}; check the disk that it lies on, and run this again"
            return
        if reading.unchanged:
            report.unchanged += 1
            return
        report.continued += known is not None and not from_start
        for count, (line, value, raw) in enumerate(reading, 1):
            self._counted = read_before is None or not reading.is_behind(read_before)
            self._record(value, raw, name, line)
            if self._is_full():
                self._stand(name, reading)
                self._step()
            if progress is not None and not count % _TOLD_EVERY:
                progress(reading.position)
        self._counted = True
        self._stand(name, reading)
        report.files += 1
        if reading.stuck:
            report.stuck[name] = reading.stuck

    def keep(self, found: Recognised, name: str, stand: Mapping[str, Any]) -> None:
        """Take what was recognised elsewhere, as in a state folder's own store. `stand`: where its reader stands behind it.

        Raises:
            StoreError: the inventory cannot be written.
        """
        self._batch.records += len(found.uses) + len(found.lifecycle)
        for use in found.uses:
            self._one(Recognised((use,)), name)
        for event in found.lifecycle:
            self._one(Recognised(lifecycle=(event,)), name)
        self._batch.cursors[name] = dict(stand)
        if self._is_full():
            self._step()

    def stood(self, name: str) -> Mapping[str, Any]:
        """What `keep` was told last of where this reader stands; empty if nothing."""
        return self._inventory.cursor(self._source.name, name) or {}

    def _one(self, found: Recognised, name: str) -> None:
        try:
            self._take(found, "", name, 0, cut=True)
        except Unfit as error:
            self._refuse(error.cause, name, 0)

    def finish(self) -> Report:
        """Keep what is left, and say what came of all of it. Names that are found to be of one identity stand under it from now on.

        Raises:
            StoreError: the inventory cannot be written.
        """
        self._step()
        if self._joins:
            join(self._inventory)
        return self.report

    def _record(self, value: Any, raw: bytes, name: str, line: int) -> None:
        """One record of a file: used, passed over or refused."""
        self._batch.records += 1
        self._batch.size += len(raw)
        cause = self._used(value, raw, name, line)
        if cause:
            self._refuse(cause, name, line)
            # Who did what, and when, hangs on nothing that a client wrote.
            rest = value.rest if isinstance(value, Unfit) else value
            if isinstance(rest, dict) and (rest is value or self._used(rest, raw, name, line, unread=is_unread(rest))):
                bare = {key: rest[key] for key in rest if key not in self._source.bodies}
                if len(bare) < len(rest):
                    self._used(bare, raw, name, line, unread=True)

    def _used(self, value: Any, raw: bytes, name: str, line: int, *, unread: bool = False) -> str:
        """Use a record, or pass it over. Why it cannot be used; empty if it can. `unread`: one of its bodies is left out."""
        try:
            if value.__class__ is not dict:
                raise value if isinstance(value, Unfit) else Unfit(NO_OBJECT)
            if b"\\" in raw and (b"\\ud" in raw or b"\\uD" in raw):
                value = redact.mended(value)
            found = self._source.read(value, self._place)
            if unread:
                found = without_body(found)
            self._take(found, hashlib.sha256(raw).hexdigest(), name, line, cut=len(raw) > redact.LONGEST)
        except Unreadable as error:
            return str(error)
        except Unfit as error:
            return error.cause
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            # No record may stop the others. That a reader was not ready for this one is a cause like any other.
            return f"the reader cannot use it ({type(error).__name__})"
        for cause, key in found.refused:
            self._refuse(str(Unreadable(cause, key)), name, line)
        return ""

    def _refuse(self, cause: str, name: str, line: int) -> None:
        self.report.refuse(self._batch if self._counted else Batch(), cause, name, line, self._stdin if name == STDIN else "")

    def _take(self, found: Recognised, digest: str, name: str, line: int, *, cut: bool) -> None:
        batch, latest = self._batch, self._latest
        place = f"{name}:{line}" if digest else ""
        if found.passed:
            batch.passed += 1
            self.report.passed[found.passed] += 1
            return
        for event in found.uses:
            if not EARLIEST <= event.time <= latest:
                raise Unfit(FUTURE if event.time > latest else PAST)
        for event in found.uses:
            batch.uses.append(redact.use(event, digest or event.digest, place or event.place, cut=cut))
        if not found.lifecycle:
            return
        lifecycle = [told for told in found.lifecycle if EARLIEST <= told.time <= latest or told.time == 0.0]
        # What has no time held before anybody wrote it down. One that cannot be takes nothing with it that is beside it.
        if len(lifecycle) < len(found.lifecycle):
            wrong = next(told for told in found.lifecycle if told not in lifecycle)
            self._refuse(FUTURE if wrong.time > latest else PAST, name, line)
        if lifecycle:
            batch.lifecycle += [redact.lifecycle(each, digest or each.digest, place or each.place, cut=cut) for each in lifecycle]

    def _stand(self, name: str, reading: Reading) -> None:
        """Note where reading stands, to be kept with what was read."""
        try:
            cursor = reading.cursor() if name != STDIN else None
        except OSError as error:  # the next run begins where the last one knew that it stood, and passes over what is there
            self.report.stuck[name] = f"the file cannot be read on: {error.strerror}"
            return
        if cursor is not None:
            self._batch.cursors[name] = cursor.plain()

    def _is_full(self) -> bool:
        batch = self._batch
        return len(batch.uses) + len(batch.lifecycle) >= self._size or batch.records >= 4 * self._size or batch.size >= _BIG

    def _step(self) -> None:
        batch, name = self._batch, self._source.name
        if not (batch.records or batch.cursors):
            return
        self._joins = self._joins or tells_of_faces(batch.uses, batch.lifecycle)
        kept = self._inventory.keep(
            batch.uses, batch.lifecycle, shown=self._place.shown, cursors=[(name, *each) for each in batch.cursors.items()],
            refused=[(name, each) for each in batch.refused.values()], passed={name: batch.passed} if batch.passed else None,
            now=self._clock.now(),
        )  # fmt: skip
        self.report.add(kept)
        self.report.records += batch.records
        self._batch, self._place.shown = Batch(), {}
        self._latest = self._clock.now() + _AHEAD
