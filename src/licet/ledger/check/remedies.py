"""What to do next about each thing that can be wrong. `docs/verify-says.md` has the same words."""

from __future__ import annotations

from collections.abc import Iterable

from licet.ledger.check.faults import Fault

_ANEW = "move `ledger/`, `keys/ledger.key` and `keys/ledger.head` away together, keep them, and a new ledger begins"
_CHANGED = f"keep this folder as it is, as evidence; put back a copy that verifies against the same checkpoint. If there is none: {_ANEW}"
NEXT = {
    "altered": _CHANGED,
    "reordered": _CHANGED,
    "removed": _CHANGED,
    "inserted": _CHANGED,
    "truncated": f"put back what is missing, from a copy that has it (a backup, a mirror). If there is none: {_ANEW}",
    "rolled-back": f"put the newer copy back. If there is none: {_ANEW}",
    "forked": f"keep both as evidence, and ask who else has the private key: it has signed twice. Then {_ANEW}",
    "key-unknown": "give the key by `--key`: `licet ledger key` prints it where the guard runs. If you gave it: ask those who run the log "
    "whether it is still theirs, and by another way than this folder",
    "bad-signature": "the note was changed, here or on its way: get it again from where it was written, and verify again",
    "not-cosigned": "`licet ledger cosign --witness ...` where the guard runs; if the witness refuses, its `--list` says what it saw",
    "other-log": "look which folder, key and checkpoint belong together; one of them is of another log",
    "malformed": "put the named file back from a copy. Of a record: nobody but the key's owner can have signed it so; ask him",
    "no-checkpoint": "put the file `checkpoint` back, from a copy or from where the guard runs",
    "no-live": f"put the segment back from a copy. If there is none: {_ANEW}; what was signed can still be verified",
    "tiles": "the records are proved all the same; put the named file back from a copy, as mirrors and witnesses read it",
    "key-file": "compare both keys with the copy that you were handed; exchange the wrong one",
    "unmatched": "no guard writes that: ask who else has the private key",
    "altered-content": "do not go by this value, its record speaks of another; `licet ledger export` leaves it out",
    "uncompared": "ask for the file again, made with `licet ledger export --kept NOTE`",
    "contradicted": "go by the records, they are proved; ask who made the file why spans, graph or findings say something else",
}
"""What to do about a code."""
_AGAIN = "keep this file as evidence; ask for it again where the ledger is (`licet ledger export`), and verify the ledger there"
OF_EVIDENCE = NEXT | dict.fromkeys(("altered", "reordered", "removed", "inserted", "truncated", "unmatched", "malformed"), _AGAIN) | {
    "bad-signature": _AGAIN,
    "rolled-back": "ask for the file again: it must come from the ledger as it is now",
    "forked": "keep the file and the checkpoint that you kept: together they prove that two histories were signed",
    "not-cosigned": "ask for the file again, made after `licet ledger cosign`",
}  # fmt: skip
"""The same, of a file of evidence."""


def next_steps(faults: Iterable[Fault], known: dict[str, str]) -> dict[str, str]:
    """A step for each code that there is, each step once. `known`: by code, as `NEXT`."""
    steps: dict[str, str] = {}
    for fault in faults:
        step = known.get(fault.code, "")
        if step and step not in steps.values():
            steps[fault.code] = step
    return steps
