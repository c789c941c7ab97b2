"""Ledgers that a witness pulls: a folder, or an address that serves one as static files (C2SP tlog-tiles v0.1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from licet.errors import LedgerError
from licet.ledger import layout, tiles
from licet.ledger.cosigning.submission import MAX_SUBMISSION, Submission
from licet.ledger.cosigning.web import Web
from licet.ledger.cosigning.witness import Refused, Witness
from licet.ledger.layout import BUNDLE
from licet.ledger.merkle import SIZE, Subtree, consistency_proof
from licet.ledger.note import Checkpoint, NoteError, parts
from licet.ledger.reader import LedgerFiles

_TRIES = 3


class Source(Protocol):
    """A ledger's checkpoint and hashes; see `LedgerFiles`."""

    def checkpoint(self) -> str | None:
        """The newest signed note; None if there is none."""

    def subtree(self, size: int) -> Subtree:
        """The hashes over ranges of leaves of the tree of `size`."""


class RemoteFiles:
    """A ledger at an address.

    Raises:
        UsageError: the address is none, or would be spoken to in the open.
    """

    def __init__(self, url: str) -> None:
        self._web = Web(url)

    def checkpoint(self) -> str | None:
        """The newest signed note; None if there is none.

        Raises:
            LedgerError: it cannot be had, or is no text.
        """
        found = self._get(layout.CHECKPOINT, MAX_SUBMISSION)
        try:
            return None if found is None else found.decode("utf-8")
        except UnicodeDecodeError as error:
            raise LedgerError(f"{self._web.url}/{layout.CHECKPOINT}: is not text") from error

    def subtree(self, size: int) -> Subtree:
        """The hashes over ranges of leaves of the tree of `size`. The answer raises LedgerError where there is no tile for one."""

        def read(level: int, number: int, width: int) -> bytes:
            has = min(BUNDLE, (size >> 8 * level) - number * BUNDLE)
            # One that is not full may be gone as soon as a fuller one is there, which begins with the same hashes.
            names = dict.fromkeys([layout.tile_name(level, number, has), layout.tile_name(level, number)])
            for name in names:
                found = self._get(name, BUNDLE * SIZE)
                if found is not None and len(found) >= width * SIZE:
                    return found[: width * SIZE]
            raise LedgerError(f"{self._web.url}/{next(iter(names))}: is missing, or too short")

        return lambda low, high: tiles.subtree(low, high, read)

    def _get(self, name: str, most: int) -> bytes | None:
        found = self._web.ask(name, most=most)
        if found.status == 404:
            return None
        if found.status != 200:
            raise LedgerError(f"{self._web.url}/{name}: answered with status {found.status}")
        return found.body


@dataclass(frozen=True, slots=True)
class Pulled:
    """What was cosigned: a log's checkpoint, and the line of the cosignature."""

    checkpoint: Checkpoint
    line: str


def source_of(where: str) -> Source:
    """A source by its address, or its folder.

    Raises:
        UsageError: it is no address that can be spoken to.
    """
    return RemoteFiles(where) if "://" in where else LedgerFiles(where)


def pull(witness: Witness, source: Source, where: str) -> Pulled:
    """Look at a ledger's newest checkpoint, check by its hash tiles that it continues the last cosigned one, and cosign it.

    Raises:
        Refused: it is not cosigned.
        LedgerError: it cannot be read, or its tiles do not lead to its checkpoint; or the witness's state cannot be used.
    """
    for tries in range(1, _TRIES + 1):
        note = source.checkpoint()
        if note is None:
            raise LedgerError(f"{where}: has no checkpoint; a guard signs the first one soon after its first record")
        try:
            checkpoint = Checkpoint.parse(parts(note)[0])
        except NoteError as error:
            raise LedgerError(f"{where}: its checkpoint cannot be read: {error}") from error
        known = witness.known(checkpoint.origin)
        if tries < _TRIES and checkpoint.size < known:
            continue  # another witness of this state may have been faster
        try:
            proof = _proof(source, where, checkpoint, known)
        except LedgerError:
            if tries < _TRIES and source.checkpoint() != note:
                continue  # it has grown, and the tiles at its edge are others now
            raise
        try:
            return Pulled(checkpoint, witness.add(Submission(min(known, checkpoint.size), proof, note), own_proof=True))
        except Refused as refused:
            if refused.kind != "conflict" or tries == _TRIES:
                raise
    raise LedgerError(f"{where}: changes faster than it can be read; try again")


def _proof(source: Source, where: str, checkpoint: Checkpoint, known: int) -> list[bytes]:
    subtree = source.subtree(checkpoint.size)
    if checkpoint.size and subtree(0, checkpoint.size) != checkpoint.root:
        raise LedgerError(f"{where}: its hash tiles do not lead to its checkpoint; `licet ledger verify` says what is wrong")
    return consistency_proof(known, checkpoint.size, subtree) if 0 < known <= checkpoint.size else []
