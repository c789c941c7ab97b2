"""Who signed a checkpoint, and whether it can be what it says. No file is touched here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from licet.escape import visible
from licet.ledger.check.faults import Fault
from licet.ledger.note import Checkpoint, Cosignature, NoteError, NoteKey, opened

GET_KEY = "get the log's key from those who run it (`licet ledger key`), not from the folder itself"
GIVE_KEY = f"{GET_KEY}, and give it by `--key`; of a state folder of your own, name that by `--state`"
NOT_COSIGNED = "not-cosigned"


@dataclass(slots=True)
class Noted:
    """A note, looked at. `checkpoint`: what it says, believed or not; None if it says nothing. `believed`: a known key signed it.

    `forged`: a signature of a known key of the log does not hold, so that nothing that it says counts.
    """

    note: str
    checkpoint: Checkpoint | None = None
    by: tuple[NoteKey, ...] = ()
    cosigned: tuple[Cosignature, ...] = ()
    others: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    forged: bool = False
    unsigned: tuple[NoteKey, ...] = ()  # the witnesses that have no line in it
    sound: bool = False  # nothing was wrong before any witness was looked for

    @property
    def believed(self) -> bool:
        """Whether it is the log's own word, whatever its witnesses say."""
        return self.sound


def noted(note: str, keys: Sequence[NoteKey], what: str, witnesses: Sequence[NoteKey] = ()) -> Noted:
    """Look at a note. `what`: what to call it; `witnesses`: the keys of those who must have signed it too."""
    found = Noted(note)
    try:
        plain = opened(note, [])
        found.checkpoint = Checkpoint.parse(plain.text)
    except NoteError as error:
        found.faults.append(Fault("malformed", f"{what}: {error}"))
        return found
    found.others = plain.others
    origin = visible(found.checkpoint.origin, 300)
    try:
        held = opened(note, keys)
    except NoteError as error:
        found.faults.append(Fault("bad-signature", f"{what}: {error}"))
        found.forged = True
        return found
    found.by = held.by
    known = {key.name for key in [*held.by, *witnesses]}
    found.others = tuple(name for name in held.others if name not in known)
    if not keys:
        found.faults.append(
            Fault("key-unknown", f"{what}: signed by {_names(held.others)}, and no key is known to check that with; {GIVE_KEY}")
        )
    elif not held.by:
        same = any(key.name == origin for key in keys)
        why = "by another key under the same name" if same else f"by {_names(held.others)}, and by no key that is known here"
        found.faults.append(Fault("key-unknown", f"{what}: signed {why}; {GET_KEY}"))
    if keys and found.checkpoint.origin not in {key.name for key in (held.by or keys)}:
        found.faults.append(
            Fault("other-log", f"{what}: it is of the log {origin}, not of {_names(tuple(key.name for key in held.by or keys))}")
        )
    found.sound = bool(found.by) and not found.faults
    for witness in witnesses:
        try:
            seen = opened(note, [witness]).cosigned
        except NoteError as error:
            found.faults.append(Fault("bad-signature", f"{what}: {error}"))
            continue
        found.cosigned += seen
        if not seen:
            found.unsigned += (witness,)
            found.faults.append(Fault(NOT_COSIGNED, f"{what}: the witness {visible(witness.name, 300)} has not signed it"))
    return found


def _names(names: Sequence[str]) -> str:
    return ", ".join(visible(name, 300) for name in names[:5]) or "nobody"
