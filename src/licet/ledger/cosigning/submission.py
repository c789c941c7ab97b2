"""What a log sends to a witness, as text: `add-checkpoint` of C2SP tlog-witness v1.0.0. Nothing in it is believed yet."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from licet.ledger.merkle import SIZE
from licet.ledger.note import Checkpoint, NoteError, parts

MAX_SUBMISSION = 65_536
"""Bytes of a request."""
MAX_PROOF = 63
"""Hashes of a proof: no tree that can be is higher."""
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class SubmissionError(Exception):
    """A request is not in its form; the text says how."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint, and the proof that it continues the one of size `old`, which the log takes for the witness's last."""

    old: int
    proof: Sequence[bytes]
    note: str

    def text(self) -> str:
        """The body of the request."""
        hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in self.proof)
        return f"old {self.old}\n{hashes}\n{self.note}"

    def checkpoint(self) -> Checkpoint:
        """What the note says, unchecked.

        Raises:
            SubmissionError: it is no checkpoint.
        """
        try:
            return Checkpoint.parse(parts(self.note)[0])
        except NoteError as error:
            raise SubmissionError(f"the checkpoint: {error}") from error

    @classmethod
    def parse(cls, body: bytes) -> Submission:
        """Read the body of a request.

        Raises:
            SubmissionError: it is not in its form.
        """
        if len(body) > MAX_SUBMISSION:
            raise SubmissionError(f"more than {MAX_SUBMISSION} bytes")
        try:
            head, gap, note = body.decode("utf-8").partition("\n\n")
        except UnicodeDecodeError as error:
            raise SubmissionError("it is not UTF-8") from error
        if not gap:
            raise SubmissionError("there is no empty line before the checkpoint")
        first, *hashes = head.split("\n")
        old = _OLD.fullmatch(first)
        if old is None:
            raise SubmissionError("the first line is `old`, a space and a size")
        if len(hashes) > MAX_PROOF:
            raise SubmissionError(f"a proof has at most {MAX_PROOF} hashes")
        found = cls(int(old[1]), tuple(_hash(line, number) for number, line in enumerate(hashes, 2)), note)
        found.checkpoint()
        return found


def _hash(line: str, number: int) -> bytes:
    try:
        found = base64.b64decode(line.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise SubmissionError(f"line {number} is not base64") from error
    if len(found) != SIZE or base64.b64encode(found).decode() != line:
        raise SubmissionError(f"line {number} is no hash of {SIZE} bytes")
    return found
