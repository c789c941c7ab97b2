"""What the tests of all rooms ask of a state folder's ledger: its records, its bytes, and whether it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from licet import Guard
from licet.guard.state import StateFolder
from licet.ledger import LedgerFiles, LedgerKey
from licet.ledger.check.verify import Verdict, verify


def records(state: Path | Guard, kind: str = "") -> list[dict[str, Any]]:
    """The records as they stand, in their order; of one kind, if that is named. Of a ledger that is not there: none."""
    found = [json.loads(line) for line in LedgerFiles(_folder(state).ledger).records()]
    return [record for record in found if not kind or record["kind"] == kind]


def kinds(state: Path | Guard) -> list[str]:
    """What kind each record is."""
    return [record["kind"] for record in records(state)]


def stored(state: Path | Guard) -> bytes:
    """All that stands in the ledger's folder, byte for byte: records, tiles, bundles, notes, writers."""
    files = sorted(file for file in _folder(state).ledger.rglob("*") if file.is_file())
    return b"\n".join(file.read_bytes() for file in files)


def whole(state: Path | Guard, *, unsigned: int = 0) -> Verdict:
    """Require that the ledger verifies with its own public key and against what that signed last, and that nothing is left unsigned.

    A guard that is handed in is asked to sign first: it need not be closed. `unsigned` records may stand behind the checkpoint.
    """
    if isinstance(state, Guard):
        state._ledger.seal()
    folder = _folder(state)
    key = LedgerKey.of(folder.keys, create=False)
    found = verify(folder.ledger, [key.note_key], head=key.last())
    assert not found.faults, found.faults
    assert found.signed_by == (key.name,), found
    assert found.records - found.signed == unsigned, found
    assert found.records == len(records(state)) > 0, found
    return found


def _folder(state: Path | Guard) -> StateFolder:
    return StateFolder(state.state if isinstance(state, Guard) else state)
