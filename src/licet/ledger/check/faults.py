"""What can be wrong with a ledger, by name. Codes are stable: tools may look for them."""

from __future__ import annotations

from dataclasses import dataclass

CODES = {
    "altered": "a record is not the one that was signed",
    "reordered": "records stand in another order than the signed one",
    "removed": "a record that was signed is not there any more",
    "inserted": "a record stands where none was signed, or twice",
    "truncated": "records at the end that were signed are not there any more",
    "rolled-back": "the checkpoint is older than one that is known",
    "forked": "two checkpoints are signed that cannot both be of one log",
    "key-unknown": "no given key has signed the checkpoint",
    "bad-signature": "a signature does not hold",
    "not-cosigned": "a witness that was asked for has signed neither the checkpoint nor one before it",
    "other-log": "the checkpoint, or a record, is of another log",
    "malformed": "a file, a note or a record is not in its form",
    "no-checkpoint": "there is no checkpoint",
    "no-live": "the newest live segment is missing; what was signed stands in entry bundles",
    "tiles": "hash tiles or entry bundles are not those of the records; the records prove it",
    "key-file": "the folder's own `key` is another than the one that is known",
    "unmatched": "a call's outcome stands without its intent",
    "altered-content": "a content that is kept beside the ledger is not the one that its record speaks of",
    "uncompared": "evidence: no proof leads from a kept checkpoint to its own",
    "contradicted": "evidence: what lies beside the records says something else than they do",
}
"""Each code, and what it says."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `seq`: the record's number, from 1; 0 where it is none, or not known which."""

    code: str
    sentence: str
    seq: int = 0


def numbered(numbers: list[int]) -> str:
    """`record 5`, `records 5 and 7`, `records 5 to 9`, `records 5, 7, 8 and 30 others`; the numbers rise."""
    if len(numbers) == 1:
        return f"record {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1 and len(numbers) > 2:
        return f"records {numbers[0]} to {numbers[-1]}"
    if len(numbers) > 6:
        return f"records {', '.join(map(str, numbers[:5]))} and {len(numbers) - 5} others"
    return f"records {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
