"""Verifying a ledger, offline and with public keys only. It never raises for what stands there; it says what holds, and what does not.

Two passes. The byte pass reads all stored bytes, hashes each record as a leaf of the tree, and holds the tree's root against the signed
checkpoint: then each record is what was signed, in its place, and none is missing. The semantic pass reads what the records say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from licet.clock import iso
from licet.escape import counted, visible
from licet.ledger import layout
from licet.ledger.check.damage import Damage, look
from licet.ledger.check.faults import Fault
from licet.ledger.check.links import by_links
from licet.ledger.check.meaning import Meaning
from licet.ledger.check.noted import NOT_COSIGNED, Noted, noted
from licet.ledger.check.scan import Live, Progress, Scan, scan
from licet.ledger.check.stored import Stored, entries
from licet.ledger.check.verdict import Verdict, Witnessed, holding
from licet.ledger.layout import BUNDLE
from licet.ledger.note import Checkpoint, NoteError, NoteKey

_READS = 256  # records between two calls of `progress` in the semantic pass


def verify(
    path: str | Path,
    keys: Sequence[NoteKey],
    *,
    kept: Sequence[str] = (),
    head: str | None = None,
    witnesses: Sequence[NoteKey] = (),
    semantic: bool = True,
    progress: Progress | None = None,
    gone: bool = False,
) -> Verdict:
    """Hold a ledger's folder against its checkpoint, and that against the keys and what is known from before.

    Args:
        path: the folder; it may be written to meanwhile.
        keys: the log's, from elsewhere than the folder.
        kept: notes of checkpoints that were kept: this one must go on from each of them.
        head: the same, of the signer itself (read before this is called).
        witnesses: the keys of witnesses, each of which must have signed the checkpoint, or one before it that is kept in `cosigned`.
        semantic: whether to read what the records say.
        progress: called now and then with how many records were looked at, and of how many.
        gone: the folder may be missing; then that is what is wrong.

    Raises:
        LedgerError: something cannot be read. That is no word about what stands there.
    """
    return _Verification(Stored(path, gone=gone), keys, witnesses, progress).run(kept, head, semantic=semantic)


class _Verification:
    def __init__(self, stored: Stored, keys: Sequence[NoteKey], witnesses: Sequence[NoteKey], progress: Progress | None) -> None:
        self._stored, self._keys, self._witnesses, self._progress = stored, list(keys), list(witnesses), progress
        self._faults: list[Fault] = []
        self._said: list[str] = []
        self._kept: list[Noted] = []

    def run(self, kept: Sequence[str], head: str | None, *, semantic: bool) -> Verdict:
        begun = time.perf_counter()
        self._kept = [noted(note, self._keys, f"kept checkpoint {number}") for number, note in enumerate(kept, 1)]
        if head is not None:
            self._kept.append(noted(head, self._keys, "the last checkpoint that the signer remembers"))
        for each in self._kept:
            self._faults += each.faults
        before = sum(each.believed for each in self._kept)
        beside = self._beside()  # before the checkpoint: no later one can be in it
        own = self._own()
        self._key_file()
        newest = self._newest(own)
        held = newest.checkpoint if newest else None
        size = held.size if held else 0
        # Before the bundles: what is sealed and taken away meanwhile stands in both then, and not in none.
        live = Live(self._stored)
        seen = scan(self._stored, live, size, self._marks(own), self._progress)
        whole = held is None or seen.roots.get(size) == held.root
        damage = look(self._stored, live, seen, held.root if held else seen.roots[0])
        self._faults += damage.faults
        if damage.true:
            self._faults += by_links(damage.tail, first=size, after=damage.last if size else None, unsigned=True)
        self._consistent(own, newest, seen, whole=whole)
        witnessed = self._witnessed(own, beside, seen, size)
        self._tail(live, damage, size)
        if whole and size and not live.firsts:
            self._without_live(signer=head is not None)
        standing = seen.records + len(damage.tail) if damage.true else _standing(live, seen)
        middle, read_bytes = time.perf_counter(), self._stored.bytes
        read = semantic and whole
        if read:
            self._meaning(live, seen, damage.tail, held)
        elif semantic:
            self._said.append("what the records say was not read: they are not those that were signed")
        by = tuple(key.name for key in newest.by) if newest and newest.believed else ()
        return Verdict(
            path=str(self._stored.path),
            origin=held.origin if held else "",
            checkpoint=newest.note if newest else "",
            signed=size,
            records=standing,
            faults=tuple(self._faults),
            observations=tuple(self._said),
            holds=tuple(
                holding(
                    signed=size,
                    records=standing,
                    whole=whole and held is not None,
                    by=by,
                    cosigned=witnessed,
                    kept=before,
                    faults=self._faults,
                    read=read,
                )
            ),
            signed_by=by,
            cosigned_by=tuple(each.name for each in witnessed),
            witnessed=tuple(witnessed),
            bytes=read_bytes,
            byte_seconds=middle - begun,
            semantic_seconds=time.perf_counter() - middle if read else None,
        )

    def _own(self) -> Noted | None:
        data = self._stored.read(layout.CHECKPOINT)
        if data is None:
            self._faults.append(Fault("no-checkpoint", self._unsigned()))
            return None
        try:
            note = data.decode("utf-8")
        except UnicodeDecodeError:
            self._faults.append(Fault("malformed", "checkpoint: is not text"))
            return None
        found = noted(note, self._keys, "checkpoint", self._witnesses)
        self._faults += [fault for fault in found.faults if fault.code != NOT_COSIGNED]  # one before it may be: see `_witnessed`
        if found.others and found.by:
            self._said.append(f"also signed by {', '.join(visible(name, 300) for name in found.others)}, whose keys are not known here")
        return found

    def _unsigned(self) -> str:
        """What it means that there is no checkpoint."""
        sizes = [each.checkpoint.size for each in self._kept if each.believed and each.checkpoint is not None]
        if not self._stored.path.is_dir():
            what = "the ledger's folder is gone"
        elif not self._stored.names("."):
            what = "the folder is empty: it is no ledger's, or all of it was taken away"
        else:
            what = "the checkpoint is missing" if sizes else "there is no checkpoint, so that nothing is signed"
        return f"{what}; {counted(max(sizes), 'record')} were signed" if sizes else what

    def _beside(self) -> Noted | None:
        """The newest checkpoint that a witness has signed, if witnesses are asked for: one of this log's, known from before."""
        data = self._stored.read(layout.COSIGNED) if self._witnesses else None
        if data is None:
            return None
        try:
            found = noted(data.decode("utf-8"), self._keys, layout.COSIGNED, self._witnesses)
        except UnicodeDecodeError:
            self._faults.append(Fault("malformed", f"{layout.COSIGNED}: is not text"))
            return None
        self._faults += [fault for fault in found.faults if fault.code in ("malformed", "bad-signature")]
        if not found.believed:
            return None
        self._kept.append(found)
        return found

    def _witnessed(self, own: Noted | None, beside: Noted | None, seen: Scan, size: int) -> list[Witnessed]:
        """How far each witness has seen this log: up to the checkpoint, or to one before it."""
        found = []
        for witness in self._witnesses:
            name = visible(witness.name, 300)
            lines = [
                (note.checkpoint, line.time)
                for note in (own, beside)
                if note is not None and note.checkpoint is not None and note.believed
                for line in note.cosigned
                if line.key == witness
            ]
            fitting = [(known, time) for known, time in lines if known.size <= size and seen.roots.get(known.size) == known.root]
            if fitting:
                known, time = max(fitting, key=lambda each: each[0].size)
                found.append(Witnessed(name, known.size, iso(time)))
                if known.size < size:
                    newer = counted(size - known.size, "signed record")
                    self._said.append(f"{newer} came after the last line of {name}: `licet ledger cosign` asks for the next")
            elif lines:
                self._faults.append(Fault("not-cosigned", f"what the witness {name} has signed is no beginning of these records"))
            elif own is not None and own.believed and witness in own.unsigned:
                self._faults.append(Fault("not-cosigned", f"the witness {name} has signed neither the checkpoint nor one before it"))
        return found

    def _without_live(self, *, signer: bool) -> None:
        """A mirror has none; where the log is written, the newest segment always stands."""
        folder = self._stored.path / layout.LIVE
        if self._stored.segments():
            return  # they came and went while this was read
        if signer or folder.is_dir():
            what = "the newest segment is missing; what was signed stands in the entry bundles, and what was not signed yet went with it"
            self._faults.append(Fault("no-live", f"{layout.LIVE}/: {what}"))
        else:
            self._said.append(f"there is no {layout.LIVE}/: this is a mirror, without what was not signed yet")

    def _key_file(self) -> None:
        data = self._stored.read(layout.KEY)
        if data is None:
            return
        try:
            key = NoteKey.parse(data.decode("utf-8").removesuffix("\n"))
        except (NoteError, UnicodeDecodeError) as error:
            self._faults.append(Fault("malformed", f"key: {error if isinstance(error, NoteError) else 'is not text'}"))
            return
        if self._keys and key not in self._keys:
            self._faults.append(
                Fault("key-file", f"key: is {visible(str(key), 300)}, and none that is known here: one of them was exchanged")
            )

    def _newest(self, own: Noted | None) -> Noted | None:
        """What the records are held against: the folder's checkpoint, or a later one of the same log that was kept."""
        found = own if own is not None and own.checkpoint is not None and not own.forged else None
        for each in self._kept:
            if each.believed and each.checkpoint is not None:
                least = found.checkpoint.size if found is not None and found.checkpoint is not None else -1
                if each.checkpoint.size > least:
                    found = each
        return found

    def _marks(self, own: Noted | None) -> list[int]:
        known = [each for each in [own, *self._kept] if each is not None and not each.forged]
        return [each.checkpoint.size for each in known if each.checkpoint is not None]

    def _consistent(self, own: Noted | None, newest: Noted | None, seen: Scan, *, whole: bool) -> None:
        """Hold the checkpoint against those that are known from before."""
        if newest is None or newest.checkpoint is None:
            return
        own = None if own is not None and own.forged else own  # nothing that it says counts
        mine = own.checkpoint if own is not None else None
        if mine is not None and newest is not own:
            self._faults.append(
                Fault("rolled-back", f"the checkpoint is for {mine.size} records, and one for {newest.checkpoint.size} was signed after it")
            )
        for each in [own, *self._kept]:
            if each is None or each.checkpoint is None or each is newest or (each is not own and not each.believed):
                continue
            known = each.checkpoint
            root = seen.roots.get(known.size)
            same = known.size == newest.checkpoint.size
            what = "the checkpoint" if each is own else "a kept checkpoint"
            if (same and known.root != newest.checkpoint.root) or (whole and known.size < newest.checkpoint.size and root != known.root):
                told = f"{what} for {counted(known.size, 'record')} and the one for {newest.checkpoint.size} cannot both be of one log"
                self._faults.append(Fault("forked", f"{told}; keep both as evidence"))
            elif not whole and known.size and root == known.root:
                self._said.append(f"the first {counted(known.size, 'record')} are those of {what}")

    def _tail(self, live: Live, damage: Damage, size: int) -> None:
        if damage.tail:
            are = "is" if len(damage.tail) == 1 else "are"
            no = "no checkpoint yet" if size else "no checkpoint that holds"
            self._said.append(
                f"{counted(len(damage.tail), 'record')} {are} under {no} (from record {size + 1} on): nothing shows whether "
                "their end is missing"
            )
        if live.torn and not live.odd:
            self._said.append(
                f"the last line is not whole ({len(live.torn)} bytes): being written, or its writer has died; it does not count"
            )

    def _meaning(self, live: Live, seen: Scan, tail: list[bytes], held: Checkpoint | None) -> None:
        named = {fault.seq for fault in self._faults}
        origin = held.origin if held else ""
        meaning = Meaning(origin, tuple(str(key) for key in self._keys if key.name == origin))
        total = seen.size + len(tail)
        for record in self._records(live, seen.size):
            meaning.read(record)
            if self._progress is not None and not meaning.records % (64 * _READS):
                self._progress(meaning.records, total)
        for record in tail:
            meaning.read(record, links=False)
        self._faults += [fault for fault in meaning.faults if fault.seq not in named]
        self._said += meaning.observations()

    def _records(self, live: Live, size: int) -> Iterator[bytes]:
        """The signed records once more, as the byte pass has taken them."""
        for number in range(-(-size // BUNDLE)):
            width = min(BUNDLE, size - number * BUNDLE)
            data = self._stored.bundle(number, width)[1]
            row = entries(data)[0][:width] if data is not None else []
            yield from row if len(row) == width else live.get(number * BUNDLE, width)


def _standing(live: Live, seen: Scan) -> int:
    """How many records stand there, whatever number is in the name of a segment."""
    return max(seen.records, live.end if live.start <= seen.records else live.count)
