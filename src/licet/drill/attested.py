"""What drills prove, told to the guard: after each of them, under their key, in a file that nobody else can write."""

from __future__ import annotations

import json
from pathlib import Path

from licet.drill.audit import audited
from licet.drill.keys import name_of
from licet.drill.live import Live
from licet.drill.score import WEEK, scorecard
from licet.errors import StateError
from licet.guard.monitored import FILE, Proof
from licet.ledger import LedgerFiles
from licet.ledger.signer import replace


def attest(folder: Path, live: Live) -> Proof:
    """Write down until when all was well: now, or before what is blind began.

    Args:
        folder: the state folder.

    Raises:
        LedgerError: the ledger cannot be read.
        StateError: it cannot be written.
    """
    now = live.clock.now()
    card = scorecard(audited(live.book, LedgerFiles(live.ledger.path), now, now - WEEK), None, now, scenarios=(), within=WEEK)
    # Where it cannot be told since when something is wrong, what was proved before stands.
    well = now if card.passed else min((each.since for each in card.blind), default=_before(folder / FILE))
    proof = Proof(now, well, name_of(live.key.public))
    proof = proof._replace(signature=live.key.sign(proof.said()))
    try:
        replace(folder / FILE, proof.text())
    except OSError as error:
        raise StateError(f"{folder / FILE}: cannot be written: {error.strerror}; check the state folder's rights") from error
    return proof


def _before(path: Path) -> float:
    try:
        return float(json.loads(path.read_bytes())["well"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0.0
