"""What drills prove, told to the guard: after each of them, under their key, in a file that nobody else can write.

Nothing is signed that the scorecard does not say now, or that this key did not sign before: the file may lie where others write.
"""

from __future__ import annotations

import os
from pathlib import Path

from licet.drill.audit import audited
from licet.drill.keys import name_of, signed_by
from licet.drill.live import Live
from licet.drill.score import WEEK, scorecard
from licet.drill.waiting import waiting
from licet.errors import StateError
from licet.guard.monitored import FILE, LONGEST, Proof, proof_of
from licet.ledger import LedgerFiles
from licet.ledger.signer import replace
from licet.machine import open_own


def attest(folder: Path, live: Live) -> Proof:
    """Write down until when all was well: now, or before what is blind began.

    Args:
        folder: the state folder.

    Raises:
        LedgerError: the ledger cannot be read.
        StateError: it cannot be written, or the inventory not be read.
    """
    now = live.clock.now()
    audit = audited(live.book, LedgerFiles(live.ledger.path), now, now - WEEK)
    still = waiting(live.pipeline.inventory, now, audit.drills)
    card = scorecard(audit, None, now, scenarios=(), within=WEEK, waiting=still)
    # What went wrong since moves nothing forward; where it cannot be told since when it is wrong, what was proved before stands.
    before = _before(folder / FILE, live.key.public)
    well = now if card.passed else min((before, *(each.since for each in card.blind)))
    proof = Proof(now, max(well, 0.0), name_of(live.key.public))
    proof = proof._replace(signature=live.key.sign(proof.said()))
    try:
        replace(folder / FILE, proof.text())
    except OSError as error:
        raise StateError(f"{folder / FILE}: cannot be written: {error.strerror}; check the state folder's rights") from error
    return proof


def _before(path: Path, public: bytes) -> float:
    """Until when all was well, as this key signed it last; 0: it did not."""
    try:
        with os.fdopen(open_own(path, os.O_RDONLY, StateError), "rb") as file:
            found = proof_of(file.read(LONGEST))
    except (StateError, OSError):
        return 0.0
    if found is None or found.key != name_of(public) or not signed_by(public, found.said(), found.signature):
        return 0.0
    return found.well if 0.0 <= found.well <= found.time else 0.0
