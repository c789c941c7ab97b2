"""What verifying a ledger's folder found, and how it is said."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from licet.escape import counted
from licet.ledger.check.faults import Fault


class Witnessed(NamedTuple):
    """That a witness has signed a checkpoint of this log: who, of how many records, and when by its clock (ISO 8601)."""

    name: str
    size: int
    time: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. Nothing is wrong if `faults` is empty; `observations` are no faults, and are to be known.

    Args:
        path: the folder.
        origin: the log's name, as its checkpoint says it; empty without one.
        checkpoint: the note against which the records were held; empty if there is none.
        signed: how many records that covers.
        records: how many stand there.
        holds: what was shown, in sentences.
        signed_by: the names of the known keys that signed it; `cosigned_by`: of the witnesses that were asked for;
            `witnessed`: how far each of these has seen it.
        bytes: how many were read by the byte pass; `byte_seconds`: how long that took; `semantic_seconds`: the semantic pass (None: it was
            left out).
    """

    path: str
    origin: str
    checkpoint: str
    signed: int
    records: int
    faults: tuple[Fault, ...]
    observations: tuple[str, ...]
    holds: tuple[str, ...]
    signed_by: tuple[str, ...]
    cosigned_by: tuple[str, ...]
    witnessed: tuple[Witnessed, ...]
    bytes: int
    byte_seconds: float
    semantic_seconds: float | None

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {"ok": self.whole, **asdict(self), "witnessed": [each._asdict() for each in self.witnessed]}


_OF_RECORDS = {"altered", "reordered", "removed", "inserted", "truncated"}
_OF_MEANING = {"malformed", "unmatched"}


def holding(
    *, signed: int, records: int, whole: bool, by: tuple[str, ...], cosigned: list[Witnessed], kept: int, faults: list[Fault], read: bool
) -> list[str]:
    """What was shown. `signed`: how many records are under the checkpoint; `kept`: from how many kept ones it was seen to go on."""
    codes = {fault.code for fault in faults}
    said = []
    if by:
        said.append(f"The checkpoint over {counted(signed, 'record')} is signed by {', '.join(by)}.")
    if all_of_it := [each.name for each in cosigned if each.size == signed]:
        said.append(f"It is cosigned by {', '.join(all_of_it)}.")
    said += [
        f"The first {each.size:,} of these {counted(signed, 'record')} are cosigned by {each.name} (at {each.time})."
        for each in cosigned
        if each.size != signed
    ]
    if kept and not codes & {"rolled-back", "forked"}:
        said.append(f"It goes on from {counted(kept, 'checkpoint')} known from before.")
    if whole and signed and not codes & _OF_RECORDS:
        what = "what was signed" if by else "what the checkpoint says, whoever signed that"
        said.append(f"Each of these records is {what}, at its place, and none is missing.")
    if read and records and not codes & _OF_MEANING:
        said.append("Each record is in canonical form, with its number and its link, and each outcome of a call has its intent before it.")
    return said
