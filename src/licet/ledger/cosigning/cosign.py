"""The log's side of a witness: a checkpoint is sent with the proof that it continues the last one the witness saw, and its line is kept."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from licet.clock import Clock, SystemClock
from licet.errors import LedgerError
from licet.ledger import layout
from licet.ledger.cosigning.cosignature import with_lines
from licet.ledger.cosigning.state import WitnessState
from licet.ledger.cosigning.submission import Submission
from licet.ledger.cosigning.web import TIMEOUT, Answer, Web
from licet.ledger.cosigning.witness import Refused, Witness
from licet.ledger.merkle import consistency_proof
from licet.ledger.note import MAX_NOTE, Checkpoint, Cosignature, NoteError, NoteKey, opened, parts, signature_of
from licet.ledger.reader import LedgerFiles
from licet.ledger.sealer import take
from licet.ledger.signer import replace
from licet.machine import open_own

SIZE_TYPE = "text/x.tlog.size"
COSIGNED = layout.COSIGNED
"""The file of the newest note that has a cosignature: `checkpoint` may have been followed by a newer one already."""
_MOST_LINES = 16
_PATIENCE = 5.0  # seconds for the lock of the checkpoint
_COSIGNATURE = 4 + 8 + 64  # bytes: id, time, signature


class Misbehaved(LedgerError):
    """The witness has cosigned what this ledger does not have: one of the two was set back, or goes on on its own."""


class Asked(Protocol):
    """A witness that can be asked."""

    def ask(self, submission: Submission) -> Answer:
        """Its answer, in the terms of HTTP.

        Raises:
            LedgerError: there is none.
        """


class WitnessAt:
    """A witness at an address. See `Web`."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        self._web = Web(url, timeout)

    def ask(self, submission: Submission) -> Answer:
        """See `Asked`."""
        return self._web.ask("add-checkpoint", submission.text().encode(), most=65_536)


class WitnessIn:
    """A witness by its state folder, on this machine: it shows that a ledger was set back, and not who did it.

    Raises:
        StateError: the folder cannot be used.
        UsageError: there is no witness in it.
    """

    def __init__(self, folder: str | Path, clock: Clock | None = None) -> None:
        if not Path(folder).is_dir():
            raise LedgerError(f"{folder}: is no folder of a witness; `licet ledger witness --state {folder} --log KEY` makes one")
        state = WitnessState(folder)
        self._witness = Witness(state.key(create=False), state.logs(), state, clock or SystemClock())

    def ask(self, submission: Submission) -> Answer:
        """See `Asked`."""
        try:
            return Answer(200, "text/plain", self._witness.add(submission).encode())
        except Refused as refused:
            if refused.status == 409:
                return Answer(409, SIZE_TYPE, f"{refused.known}\n".encode())
            return Answer(refused.status, "text/plain", str(refused).encode())


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What a witness said of a checkpoint. `witnesses`: who, and when, where its key was given; `names`: the names in its lines.

    `current`: the ledger's checkpoint is still this one, and has the lines now.
    """

    checkpoint: Checkpoint
    witnesses: tuple[Cosignature, ...]
    names: tuple[str, ...]
    current: bool


def cosign(files: LedgerFiles, note: str, witness: Asked, *, key: NoteKey | None = None, since: int = 0) -> Cosigned:
    """Have a ledger's checkpoint cosigned, and keep the lines.

    Args:
        files: the ledger.
        note: its checkpoint's note, as our own key signed it.
        witness: who is asked.
        key: the witness's; without it, who signed is not checked.
        since: the size of the checkpoint that the witness is taken to have cosigned last. It says so if that is wrong.

    Raises:
        Misbehaved: the witness has seen another ledger, or more of this one.
        LedgerError: there is no cosignature, and why.
    """
    checkpoint = _checkpoint(note)
    old = since if 0 <= since <= checkpoint.size else 0
    for _ in range(2):
        answer = witness.ask(_submission(files, note, checkpoint, old))
        if answer.status != 409:
            break
        known = _size(answer)
        if known > checkpoint.size:
            raise Misbehaved(
                f"the witness has cosigned {known} records of {checkpoint.origin}, and this ledger has {checkpoint.size}: a rollback. "
                "It was set back to an older copy, or cut; put the newer one back, or keep both as evidence"
            )
        if known == old:
            raise Misbehaved(
                f"the witness has cosigned another checkpoint of {known} records of {checkpoint.origin}: a fork. "
                "A copy of the state folder has gone on on its own; keep both as evidence"
            )
        old = known
    if answer.status == 422 and old:
        raise Misbehaved(
            f"the {old} records of {checkpoint.origin} that the witness has cosigned are not the first of this ledger: a fork. "
            "A copy of the state folder has gone on on its own, or records were exchanged; keep both as evidence"
        )
    if answer.status != 200:
        raise LedgerError(f"the witness does not cosign: {_WHY.get(answer.status, f'it answered with status {answer.status}')}")
    lines, by = _lines(answer.body, note, key)
    return Cosigned(checkpoint, by, tuple(dict.fromkeys(signature_of(line)[0] for line in lines)), _keep(files, note, lines))


_WHY = {
    400: "it cannot read the request; it may speak another version",
    403: "it knows the log by another key",
    404: "it does not know the log; give it the key that `licet ledger key` prints",
    409: "it is asked by others at the same time; try again",
    422: "it does not accept the proof",
    429: "it is asked too often; wait",
}


def _submission(files: LedgerFiles, note: str, checkpoint: Checkpoint, old: int) -> Submission:
    return Submission(old, consistency_proof(old, checkpoint.size, files.subtree(checkpoint.size)) if old else (), note)


def _checkpoint(note: str) -> Checkpoint:
    try:
        return Checkpoint.parse(parts(note)[0])
    except NoteError as error:
        raise LedgerError(f"the ledger's checkpoint cannot be read: {error}") from error


def _size(answer: Answer) -> int:
    text = answer.body[:-1].decode("ascii", "replace")
    if answer.type != SIZE_TYPE or answer.body[-1:] != b"\n" or not text.isdigit() or len(text) > 19 or str(int(text)) != text:
        raise LedgerError("the witness does not cosign: it is of another mind, and does not say which size it has seen")
    return int(text)


def _lines(body: bytes, note: str, key: NoteKey | None) -> tuple[list[str], tuple[Cosignature, ...]]:
    """The lines of an answer that are kept: with a key, its own; else those that have the form of a cosignature, and take no other's place.

    Raises:
        LedgerError: there is none.
    """
    by: tuple[Cosignature, ...] = ()
    try:
        lines = body.decode("utf-8").split("\n")
        told = [(line, *signature_of(line)) for line in lines[:-1]] if len(lines) <= _MOST_LINES else []
        text, there = parts(note)
        if key is None:
            known = {(name, said[:4]) for name, said in map(signature_of, there)}
            lines = [line for line, name, said in told if len(said) == _COSIGNATURE and (name, said[:4]) not in known]
        else:
            lines = [line for line, name, said in told if (name, said[:4]) == (key.name, key.id)]
            by = opened("\n".join([text, *lines, ""]), [key]).cosigned if lines else ()
    except (UnicodeDecodeError, NoteError) as error:
        raise LedgerError(f"what the witness answered is no cosignature: {error}") from error
    if not lines:
        whose = f"of {key.name}+{key.id.hex()}" if key else "a cosignature that is new"
        raise LedgerError(f"what the witness answered is no cosignature: no line is {whose}")
    return lines, by


def _keep(files: LedgerFiles, note: str, lines: list[str]) -> bool:
    """Put the lines into `cosigned`, and into `checkpoint`, if that is still the one that they are about; whether it is."""
    text = parts(note)[0]
    try:
        descriptor = open_own(files.path / layout.CHECKPOINT_LOCK, os.O_RDWR | os.O_CREAT, LedgerError)
        try:
            take(descriptor, _PATIENCE, files.path)
            now, before = files.checkpoint(), _text(files.path / COSIGNED)
            new = with_lines(before if before and parts(before)[0] == text else note, lines)
            if not before or _checkpoint(before).size <= _checkpoint(new).size:
                replace(files.path / COSIGNED, new.encode(), durable=True)
            current = now is not None and parts(now)[0] == text
            if now is not None and current:
                replace(files.path / layout.CHECKPOINT, with_lines(now, lines).encode(), durable=True)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)
    except NoteError as error:
        raise LedgerError(f"{files.path / layout.CHECKPOINT}: {error}") from error
    except OSError as error:
        raise LedgerError(f"{files.path / layout.CHECKPOINT}: {error.strerror}; the cosignature is not kept") from error
    return current


def _text(file: Path) -> str:
    if not os.path.lexists(file):
        return ""
    with os.fdopen(open_own(file, os.O_RDONLY, LedgerError), "rb") as opened_file:
        try:
            return opened_file.read(MAX_NOTE).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LedgerError(f"{file}: cannot be read; remove it, it is made again") from error
