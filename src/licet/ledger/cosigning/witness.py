"""A witness: it cosigns a log's checkpoint if that continues the last one that it cosigned, and never two that no log can both have.

The rules are those of C2SP tlog-witness v1.0.0. What it cosigned last is on the disk before a cosignature leaves.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from licet.clock import Clock, iso
from licet.errors import LedgerError
from licet.escape import visible
from licet.ledger.cosigning.cosignature import WitnessKey, with_lines
from licet.ledger.cosigning.state import Refusal, WitnessState, digest_of
from licet.ledger.cosigning.submission import Submission, SubmissionError
from licet.ledger.merkle import EMPTY, ForkError, ProofError, check_consistency
from licet.ledger.note import Checkpoint, NoteError, NoteKey, cosigned, opened, parts, signature_of

_log = logging.getLogger("licet")

STATUS = {"malformed": 400, "signature": 403, "unknown-log": 404, "conflict": 409, "rollback": 409, "fork": 422, "proof": 422}
"""What can be wrong with a request, and the status by which HTTP says so, where the specification has no other for the very case."""


class Refused(Exception):
    """A checkpoint is not cosigned. `kind`: one of `STATUS`. `known`: the size of the last that was, where the log is known."""

    def __init__(self, kind: str, sentence: str, known: int = 0) -> None:
        super().__init__(sentence)
        self.kind, self.status, self.known = kind, STATUS[kind], known


@dataclass(frozen=True, slots=True)
class Seen:
    """A log as its witness saw it. `size`, `root`, `time`: of the last cosigned checkpoint. `refused`: how many, by kind; `refusals`: those
    that are kept.
    """

    origin: str
    size: int | None
    root: bytes
    time: int | None
    refused: dict[str, int]
    refusals: Sequence[Refusal]


class Witness:
    """One witness over its state. Safe for threads, and for processes that share the state.

    Args:
        key: its own.
        logs: the keys of the logs that it knows; a log's origin is the name of its key.
        state: what it remembers.
        clock: what the time of a cosignature is taken from.
    """

    def __init__(self, key: WitnessKey, logs: Sequence[NoteKey], state: WitnessState, clock: Clock) -> None:
        self._key, self._state, self._clock = key, state, clock
        self._logs = {each.name: [key for key in logs if key.name == each.name] for each in logs}

    def answer(self, body: bytes) -> str:
        """The lines for the body of a request. See `add`."""
        try:
            return self.add(Submission.parse(body))
        except SubmissionError as error:
            raise self._refusal("malformed", f"the request cannot be read: {error}") from error

    def add(self, submission: Submission, *, own_proof: bool = False) -> str:
        """The line of a cosignature, by when its checkpoint is remembered.

        `own_proof`: we made the proof, from tiles that lead to the checkpoint's root; what it does not show is then a fork.

        Raises:
            Refused: it is not cosigned.
            LedgerError: the state cannot be used; then nothing is cosigned.
        """
        checkpoint, note = self._checked(submission)
        with self._state.held(checkpoint.origin):
            last, time = self._last(checkpoint.origin)
            self._judge(submission, checkpoint, last, note, own_proof=own_proof)
            # Two statements of ours must not contradict each other: a later one is of a later time, whatever the clock says.
            line = cosigned(checkpoint.text(), self._key, max(1, time, int(self._clock.now())))
            self._state.keep(checkpoint.origin, with_lines(note, [line]))
        return line

    def known(self, origin: str) -> int:
        """How many records the last cosigned checkpoint of a log has; 0 if there is none.

        Raises:
            LedgerError: the state cannot be used.
        """
        last, _ = self._last(origin)
        return last.size if last else 0

    def published(self, digest: str) -> str | None:
        """The last cosigned note of the log whose origin has this SHA-256, in hex; None if there is none."""
        return self._state.last_of(digest)

    def _checked(self, submission: Submission) -> tuple[Checkpoint, str]:
        """The checkpoint, and its note with the lines of its log only."""
        try:
            checkpoint = submission.checkpoint()
        except SubmissionError as error:
            raise self._refusal("malformed", f"the request cannot be read: {error}") from error
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            raise self._refusal("unknown-log", "this witness does not know the log; add its key with --log", checkpoint)
        try:
            found = opened(submission.note, keys)
        except NoteError as error:
            raise self._refusal("signature", f"the checkpoint is not the log's: {error}", checkpoint) from error
        if not found.by:
            raise self._refusal("signature", "the checkpoint is not signed by a key of the log that this witness knows", checkpoint)
        text, lines = parts(submission.note)
        ids = {(key.name, key.id) for key in found.by}
        return checkpoint, "\n".join([text, *(line for line in dict.fromkeys(lines) if _whose(line) in ids), ""])

    def _judge(self, submission: Submission, checkpoint: Checkpoint, last: Checkpoint | None, note: str, *, own_proof: bool) -> None:
        known, size = last.size if last else 0, checkpoint.size

        def refused(kind: str, sentence: str, status: int = 0) -> Refused:
            found = self._refusal(kind, sentence, checkpoint, known, note)
            found.status = status or found.status
            return found

        if last and size < known:
            what = f"it has {size} records, and {known} were cosigned: a rollback, or an old checkpoint that was sent again"
            raise refused("rollback", what, 400 if submission.old > size else 409)
        if last and size == known and checkpoint.root != last.root:
            raise refused("fork", f"another checkpoint of {known} records was cosigned: a fork", 409)
        if submission.old > size:
            raise refused("malformed", f"a tree of {size} records does not continue one of {submission.old}")
        if submission.old != known:
            raise refused("conflict", f"the last checkpoint that was cosigned has {known} records")
        if (size == 0 and checkpoint.root != EMPTY) or (known == 0 and submission.proof):
            raise refused("proof", "nothing comes before no records, and these have a root of their own")
        if known == 0:
            return
        try:
            check_consistency(known, size, submission.proof, last.root if last else EMPTY, checkpoint.root)
        except ForkError as error:
            raise refused("fork", f"the {known} records that were cosigned are not its first: a fork") from error
        except ProofError as error:
            if own_proof:
                raise refused("fork", f"the {known} records that were cosigned are not its first: a fork") from error
            what = f"it is not shown to continue the {known} records that were cosigned: a fork, or a wrong proof ({error})"
            raise refused("proof", what) from error

    def _last(self, origin: str) -> tuple[Checkpoint | None, int]:
        """The last cosigned checkpoint, and the time of its cosignature.

        Raises:
            LedgerError: what is remembered is not ours.
        """
        note = self._state.last(origin)
        if note is None:
            return None, 0
        try:
            return _ours(note, self._key.note_key, origin)
        except NoteError as error:
            where = f"{self._state.path}: what is remembered of {origin} is not what this witness has cosigned ({error})"
            raise LedgerError(f"{where}; put it back, or nothing of this log is cosigned") from error

    def _refusal(self, kind: str, sentence: str, checkpoint: Checkpoint | None = None, known: int = 0, note: str = "") -> Refused:
        """Say it in the log; and in the state what may be evidence."""
        origin = checkpoint.origin if checkpoint else ""
        _log.log(
            logging.INFO if kind == "conflict" else logging.WARNING,
            "licet: witness: %s: %s: %s",
            visible(origin or "-", 255),
            kind,
            sentence,
        )
        if checkpoint and kind not in ("conflict", "malformed"):
            found = Refusal(iso(self._clock.now()), kind, sentence, origin, checkpoint.size, known, note)
            self._state.refuse(found, signed=bool(note))
        return Refused(kind, sentence, known)


def seen(state: WitnessState, key: NoteKey, logs: Sequence[NoteKey]) -> list[Seen]:
    """All logs of which a witness (by its key) knows anything, by origin: the view over many hosts. `logs`: those that it would cosign.

    Raises:
        LedgerError: the state cannot be used.
    """
    origins = {digest_of(each.name): each.name for each in logs}
    found = []
    for digest in sorted({*state.digests(), *origins}):
        note, refusals = state.last_of(digest), state.refusals(digest)
        origin = origins.get(digest) or (parts(note)[0].split("\n")[0] if note else refusals[0].origin if refusals else "")
        counted = state.refused(digest)
        if note is None:
            if origin:
                found.append(Seen(origin, None, b"", None, counted, refusals))
            continue
        try:
            checkpoint, time = _ours(note, key, origin)
        except NoteError as error:
            raise LedgerError(f"{state.path}: what is remembered of {visible(origin, 255)} is not what this witness cosigned") from error
        found.append(Seen(origin, checkpoint.size, checkpoint.root, time, counted, refusals))
    return sorted(found, key=lambda each: each.origin)


def _ours(note: str, key: NoteKey, origin: str) -> tuple[Checkpoint, int]:
    found = opened(note, [key])
    checkpoint = Checkpoint.parse(found.text)
    if not found.cosigned or checkpoint.origin != origin:
        raise NoteError("no cosignature of ours")
    return checkpoint, max(each.time for each in found.cosigned)


def _whose(line: str) -> tuple[str, bytes]:
    name, told = signature_of(line)
    return name, told[:4]
