"""Sealing: the records that stand are put under a signed checkpoint, and laid out as tiles.

In this order, so that a death at any point leaves nothing that a hand must mend: the records are on the disk (the caller sees to that),
then tiles and bundles are written, then the checkpoint is exchanged, then what is old goes. All but the records can be made again.

Before any of it the records that are to be signed are held against what was written: each names the hash of the one before it, the first
the last that was signed, and the last is the one that the process which seals wrote or saw itself. A chain of hashes commits to all before
it, so that who can write the folder, and changes, adds or takes out a record, finds it unsigned and not signed with the rest.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from licet.errors import LedgerError
from licet.ledger import layout
from licet.ledger.inside import Inside
from licet.ledger.layout import BUNDLE, SEGMENT
from licet.ledger.merkle import SIZE, ProofError, check_inclusion, inclusion_proof, leaf_hash
from licet.ledger.note import Checkpoint, NoteError, NoteKey, opened, signed
from licet.ledger.reader import LedgerFiles
from licet.ledger.signer import LedgerKey
from licet.ledger.tiles import Growing, Tiles, fold, subtree
from licet.machine import open_own

_log = logging.getLogger("licet")
FIRST = "sha256:" + "0" * 64
"""What the first record holds of the one before it."""
_STEP_SECONDS = 0.002


class AlteredError(LedgerError):
    """What stands in the ledger is not what was written or signed. It is not signed, and nothing more is to be written after it."""

    def __init__(self, path: object, seq: int, why: str) -> None:
        super().__init__(
            f"{path}: what stands there is not what was written: record {seq} {why}. Nothing was signed. "
            "`licet ledger verify` says what holds; move the folder away, keep it as evidence, and a new ledger begins"
        )


class Sealer:
    """Signs what a ledger has grown by. One process at a time does; the others find it done."""

    def __init__(self, files: LedgerFiles, key: LedgerKey, patience: float) -> None:
        self._files, self._key, self._patience = files, key, patience
        self._tree: Growing | None = None
        self._leaf = b""  # the hash of the last record in it
        self._whole_from = -1  # the live segment from which on all tiles were seen to be there
        self._held: set[int] = set()  # the descriptors of the lock, while it is held or waited for
        self._inside = Inside(files.path)  # while it is held

    def seal(self, end: int, link: str) -> str:
        """The note of a checkpoint over at least the first `end` records, which are on the disk.

        `link`: what a record after the last of them holds of it, as the process that seals knows it from its own writing or reading.

        Raises:
            AlteredError: what stands there is not what was written, or not what was signed. Then nothing is signed.
            LedgerError: the folder cannot be written, or what stands there is not what was signed.
        """
        try:
            with self._locked():
                return self._seal(end, link)
        except OSError as error:
            self._tree = None
            raise LedgerError(f"{error.filename or self._files.path}: {error.strerror}; no checkpoint can be written") from error
        except LedgerError:
            self._tree = None
            raise

    def _seal(self, end: int, link: str) -> str:
        note, before = signed_state(self._files, self._key)
        size = before.size if before else 0
        tree = self._tree
        if tree is None or tree.size != size or (before and tree.root() != before.root):
            tree, self._leaf = self._load(before)
        if before and size >= end:
            self._tree = tree
            if _link(self._leaf if end == size else self._signed_leaf(end - 1, before)) != link:
                raise AlteredError(self._files.path, end, "is another than was signed in its place")
            return note
        self._tree = None  # until all is written
        self._leaf = self._grow(tree, end, link)
        now = Checkpoint(self._key.name, tree.size, tree.root())
        note = signed(now.text(), [self._key])
        self._inside.write(layout.CHECKPOINT, note.encode(), durable=True)  # before it is remembered: the other order is a setting back
        self._key.remember(note)
        self._tree = tree
        self._tidy(size, tree.size)
        return note

    def _load(self, before: Checkpoint | None) -> tuple[Growing, bytes]:
        """The tree under the checkpoint, from its tiles; where they do not lead to it, from the records. And its last leaf."""
        if before is None or not before.size:
            return Growing(), b""
        for tiles in (self._mended(before.size), self._files.leaves):
            tree = Growing.of(before.size, tiles)
            if tree.root() == before.root:
                return tree, self._signed_leaf(before.size - 1, before)
            _log.warning("licet: %s: the tiles do not lead to the checkpoint; they are made again from the records", self._files.path)
        raise AlteredError(self._files.path, before.size, "or one before it is not what was signed")

    def _signed_leaf(self, index: int, signed: Checkpoint) -> bytes:
        """The leaf hash at this index, by what was signed: its path leads to the root."""
        for tiles in (self._mended(signed.size), self._files.leaves):

            def hashes(low: int, high: int, tiles: Tiles = tiles) -> bytes:
                return subtree(low, high, tiles)

            leaf = hashes(index, index + 1)
            try:
                check_inclusion(leaf, index, signed.size, inclusion_proof(index, signed.size, hashes), signed.root)
            except ProofError:
                continue
            return leaf
        raise AlteredError(self._files.path, index + 1, "or one beside it is not what was signed")

    def _mended(self, size: int) -> Tiles:
        read = self._files.tiles(size)

        def tiles(level: int, number: int, width: int) -> bytes:
            try:
                return read(level, number, width)
            except LedgerError:  # not there: a power cut can take what is no record with it
                return self._files.leaves(level, number, width)

        return tiles

    def _grow(self, tree: Growing, end: int, link: str) -> bytes:
        """Add the records up to `end`, and write the tiles and bundles that follow from them. The leaf hash of the last."""
        hashes = self._held_together(tree, end, link)  # wholly, before anything is written
        segments = self._files.segments()
        if segments and segments[0] != self._whole_from:
            self._make_whole(segments[0], tree.size)
            self._whole_from = segments[0]
        first = at = tree.size - tree.size % BUNDLE
        bundle: list[bytes] = []
        for record in self._files.records(first, end):
            leaf = leaf_hash(record)
            if leaf != hashes[(at - first) * SIZE : (at - first + 1) * SIZE]:
                raise AlteredError(self._files.path, at + 1, "was changed while it was read")
            bundle.append(record)
            if at >= tree.size:
                for level, number, content in tree.append(leaf):
                    self._inside.write(layout.tile_name(level, number), content)
            at += 1
            if len(bundle) == BUNDLE:
                self._inside.write(layout.bundle_name(at // BUNDLE - 1), _bundled(bundle))
                bundle.clear()
        if at != end:
            raise self._cut(end, at)
        if bundle:
            self._inside.write(layout.bundle_name(end // BUNDLE, len(bundle)), _bundled(bundle))
        for level, number, content in tree.partials():
            self._inside.write(layout.tile_name(level, number, len(content) // SIZE), content)
        return bytes(hashes[-SIZE:])

    def _held_together(self, tree: Growing, end: int, link: str) -> bytearray:
        """The leaf hashes of the last, not full bundle's records and of those up to `end`, which is the record that `link` is of.

        Raises:
            AlteredError: those that are in the tree are others, or those behind it do not each name the one before.
        """
        at = tree.size - tree.size % BUNDLE
        signed = b"".join(content for level, _, content in tree.partials() if not level)
        hashes, last = bytearray(), self._leaf
        for record in self._files.records(at, end):
            leaf = leaf_hash(record)
            if at < tree.size:
                if leaf != signed[len(hashes) : len(hashes) + SIZE]:
                    raise AlteredError(self._files.path, at + 1, "is not what was signed in its place")
            elif (why := _no_next(record, at + 1, last)) is not None:
                raise AlteredError(self._files.path, at + 1, why)
            hashes += leaf
            last = leaf
            at += 1
        if at != end:
            raise self._cut(end, at)
        if _link(last) != link:
            raise AlteredError(self._files.path, end, "is not the one that was written last")
        return hashes

    def _cut(self, end: int, at: int) -> LedgerError:
        return LedgerError(f"{self._files.path}: {end} records were written, and {at} stand there; put back what is missing")

    def _make_whole(self, start: int, size: int) -> None:
        """See to it that what was sealed of the live records is there in bundles and tiles too: it may never have reached the disk."""
        for number in range(start // BUNDLE, size // BUNDLE):
            tile, bundle = layout.tile_name(0, number), layout.bundle_name(number)
            if self._inside.length(tile) != BUNDLE * SIZE or self._inside.length(bundle) <= 2 * BUNDLE:
                records = list(self._files.records(number * BUNDLE, (number + 1) * BUNDLE))
                hashes = b"".join(map(leaf_hash, records))
                above = self._mended(size)(1, number // BUNDLE, number % BUNDLE + 1)[-SIZE:]
                if len(records) != BUNDLE or fold(hashes) != above:
                    raise AlteredError(
                        self._files.path, (number + 1) * BUNDLE, f"or one of the {BUNDLE - 1} before it is not what was signed"
                    )
                self._inside.write(tile, hashes)
                self._inside.write(bundle, _bundled(records))
            for name in (tile, bundle):
                self._inside.drop_partials(name)

    def _tidy(self, before: int, now: int) -> None:
        """Take away what only the checkpoint before needed, and live segments whose records are all in bundles, on the disk."""
        old = {*layout.partial_tiles(before)} - {*layout.partial_tiles(now)}
        for level, number, width in old:
            for name, partial in (
                (layout.tile_name(level, number), layout.tile_name(level, number, width)),
                (layout.bundle_name(number), layout.bundle_name(number, width)),
            )[: 1 if level else 2]:
                self._inside.remove(partial)
                if now >= (number + 1) * BUNDLE ** (level + 1):
                    self._inside.drop_partials(name)
        segments = self._files.segments()
        # The newest is appended to; the one before it is kept as long as the newest may be empty.
        for first in segments[:-2]:
            if first + SEGMENT <= now:
                self._on_disk(first)
                self._inside.remove(layout.live_name(first))

    def _on_disk(self, first: int) -> None:
        numbers = range(first // BUNDLE, (first + SEGMENT) // BUNDLE)
        names = [name(number) for number in numbers for name in (layout.bundle_name, lambda number: layout.tile_name(0, number))]
        # The full tiles above, of which the last record of the segment may have made one.
        level, number = 1, (first + SEGMENT) // BUNDLE
        while number and not number % BUNDLE:
            number //= BUNDLE
            names.append(layout.tile_name(level, number - 1))
            level += 1
        self._inside.sync(names)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with Inside(self._files.path) as inside:
            descriptor = open_own(self._files.path / layout.CHECKPOINT_LOCK, os.O_RDWR | os.O_CREAT, LedgerError)
            self._held.add(descriptor)
            try:
                take(descriptor, self._patience, self._files.path)
                self._inside = inside
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child that was forked meanwhile has the descriptor too
                self._held.discard(descriptor)
                os.close(descriptor)

    def forget(self) -> None:
        """Let go of a lock that a forked child has from its parent's thread."""
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()


def signed_state(files: LedgerFiles, key: LedgerKey) -> tuple[str, Checkpoint | None]:
    """The note and the checkpoint that a ledger goes on from: its own, if that goes on from what its key signed last.

    Raises:
        LedgerError: it does not: it was cut, set back, exchanged, or is signed by another key.
    """
    last = key.last()  # first: who seals meanwhile exchanges the checkpoint before this
    note = files.checkpoint()
    if note is None and last is None:
        return "", None
    where = files.path / layout.CHECKPOINT
    known = _read(last, key.note_key, "the last checkpoint that was signed") if last else None
    if note is None:
        raise LedgerError(f"{where}: is missing, and was signed for {known.size if known else 0} records; put it back")
    found = _read(note, key.note_key, str(where))
    if known and found.size < known.size:
        raise LedgerError(
            f"{where}: is for {found.size} records, and one for {known.size} was signed after it: the ledger was set back. "
            "Put the newer copy back, or move folder and `keys/ledger.*` away together, and keep them as evidence"
        )
    if known and found.size == known.size and found.root != known.root:
        raise LedgerError(f"{where}: is not what was signed for {found.size} records: the ledger was exchanged; put it back")
    return note, found


def _read(note: str, key: NoteKey, where: str) -> Checkpoint:
    try:
        found = opened(note, [key])
        checkpoint = Checkpoint.parse(found.text)
    except NoteError as error:
        raise LedgerError(f"{where}: {error}") from error
    if key not in found.by or checkpoint.origin != key.name:
        raise LedgerError(
            f"{where}: is not signed by this ledger's key {key.name}+{key.id.hex()}; put back folder and key that belong together"
        )
    return checkpoint


def take(descriptor: int, patience: float, path: object) -> None:
    """Lock a file against other processes; one that was stopped while it held the lock must not stop us for ever.

    Raises:
        LedgerError: it was held for `patience` seconds.
    """
    deadline = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            deadline = deadline or now + patience
            if now >= deadline:
                raise LedgerError(f"{path}: another writer has held the lock for {patience:g} s; try again") from None
            time.sleep(_STEP_SECONDS)
        else:
            return


def _link(leaf: bytes) -> str:
    return f"sha256:{leaf.hex()}" if leaf else FIRST


def _no_next(record: bytes, seq: int, before: bytes) -> str | None:
    """Why this is not the record with that number after the one with that leaf hash (none before the first); None if it is."""
    # Quotes inside a string have a backslash before them: what stands there once without one is the name of a member. Parsing takes longer.
    plain = record.count(b'"prev":') == 1 == record.count(b'"seq":')
    if plain and b'"seq":%d,' % seq in record and b'"prev":"%s"' % _link(before).encode() in record:
        return None
    try:
        found = json.loads(record)
        number, prev = found["seq"], found["prev"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "is no record"
    if type(number) is not int or number != seq:
        return "has another number"
    return None if prev == _link(before) else "does not follow the record that was written before it"


def _bundled(records: list[bytes]) -> bytes:
    return b"".join([len(record).to_bytes(2, "big") + record for record in records])  # no reader gives one that is longer
