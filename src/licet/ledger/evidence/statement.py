"""Evidence of a task, a call or a finding in one file: an in-toto Statement v1 in a DSSE envelope, signed with the ledger's key.

Its subjects are the tree of one checkpoint, by its root, and each record, by its leaf hash (RFC 6962: SHA-256 over a zero byte and the
record's canonical form). Records are proved by the tree, contents by the keyed digests in records; spans, graph and findings come from the
store, and have the signature only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from licet.canonical import Plain, canonical
from licet.ledger.evidence.accounts import gaps_of
from licet.ledger.evidence.covered import About, Entry
from licet.ledger.evidence.dsse import keyid, sealed
from licet.ledger.merkle import Subtree, consistency_proof, inclusion_proof, leaf_hash
from licet.ledger.note import Checkpoint, NoteKey, Signs

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:licet:evidence:1"


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes with the records and is not in the log. All of it is plain data, from the store.

    `contents`: values that were opted in and are still there: rows with `record` (the number of the record that has the digest), `name`,
    `key` (hex; what the digest is keyed with) and `value`. `left_out`: what would belong here and is missing: rows with `what` and `why`,
    of a content also `record` and `name`, and `by`, the number of the record that says so.
    """

    spans: Mapping[str, Any] = field(default_factory=lambda: {"resourceSpans": []})
    graph: Mapping[str, Any] = field(default_factory=lambda: {"nodes": [], "edges": []})
    findings: Sequence[Mapping[str, Any]] = ()
    contents: Sequence[Mapping[str, Plain]] = ()
    left_out: Sequence[Mapping[str, Plain]] = ()


class _Hashes:
    """Hashes of the tree, each once: proofs of records that stand together share nearly all of theirs."""

    def __init__(self, subtree: Subtree) -> None:
        self.list: list[str] = []
        self._subtree, self._known, self._places = subtree, dict[tuple[int, int], bytes](), dict[bytes, int]()

    def of(self, low: int, high: int) -> bytes:
        """The same as the `Subtree`, read once."""
        found = self._known.get((low, high))
        if found is None:
            found = self._known[low, high] = self._subtree(low, high)
        return found

    def places(self, proof: Sequence[bytes]) -> list[int]:
        """Where a proof's hashes stand in the list."""
        for each in proof:
            if each not in self._places:
                self._places[each] = len(self.list)
                self.list.append(each.hex())
        return [self._places[each] for each in proof]


def evidence(
    about: About, entries: Sequence[Entry], *, note: str, checkpoint: Checkpoint, keys: Sequence[NoteKey], subtree: Subtree, made: str,
    by: str, beside: Beside, kept: Collection[int] = (),
) -> dict[str, Any]:  # fmt: skip
    """The Statement.

    Args:
        about: what it is of.
        entries: its records in their order, all of them under the checkpoint.
        note: the checkpoint's signed note.
        checkpoint: what is in the note.
        keys: what has signed the note, as far as it is known.
        subtree: the hashes of the checkpoint's tree.
        made: when it was made, ISO 8601 in UTC.
        by: what made it.
        beside: what the log does not have.
        kept: sizes of older checkpoints that somebody holds, from which to prove that this one goes on.

    Raises:
        ValueError: a record is not under the checkpoint, or a kept size is larger than it.
        LedgerError: the tree cannot be read.
    """
    hashes = _Hashes(subtree)
    size, subjects, records = checkpoint.size, [], []
    for index, record in entries:
        proof = hashes.places(inclusion_proof(index, size, hashes.of))
        records.append({"index": index, "proof": proof, "record": record})
        subjects.append(subject(f"{checkpoint.origin}/record/{index + 1}", leaf_hash(canonical(record))))
    consistency = [{"size": each, "proof": hashes.places(consistency_proof(each, size, hashes.of))} for each in sorted({*kept} - {0})]
    predicate = {
        "about": {"said": _said(about), "made": made, "by": by} | about.as_dict(),
        "origin": checkpoint.origin,
        "checkpoint": note,
        "keys": [{"id": keyid(key), "algorithm": "Ed25519"} for key in keys],
        "open": [gap._asdict() for gap in gaps_of([record for _, record in entries], about)],
        "left_out": list(beside.left_out),
        "records": records,
        "findings": list(beside.findings),
        "contents": list(beside.contents),
        "graph": beside.graph,
        "spans": beside.spans,
        "consistency": consistency,
        "hashes": hashes.list,
    }
    tree = subject(f"{checkpoint.origin}/tree/{size}", checkpoint.root)
    return {"_type": STATEMENT, "predicateType": PREDICATE, "predicate": predicate, "subject": [tree, *subjects]}


def subject(name: str, digest: bytes) -> dict[str, Any]:
    """A ResourceDescriptor of in-toto."""
    return {"name": name, "digest": {"sha256": digest.hex()}}


def bundle(statement: Mapping[str, Any], signer: Signs) -> str:
    """The file. Everything in it is ASCII: a character that could act on a terminal is an escape.

    Raises:
        ValueError: something in it is not JSON.
    """
    payload = json.dumps(statement, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    return sealed(PAYLOAD_TYPE, payload, signer)


def _said(about: About) -> str:
    what: Mapping[str, Callable[[], str]] = {
        "task": lambda: f"Evidence of task {about.id}" + (f" and {len(about.tasks) - 1} below it" if len(about.tasks) > 1 else ""),
        "call": lambda: f"Evidence of call {about.id}" + (f" and {len(about.calls) - 1} that led to it" if len(about.calls) > 1 else ""),
        "finding": lambda: f"Evidence of finding {about.id}",
    }
    return f"{what[about.kind]()}: records of a ledger, each with its proof. `licet ledger verify FILE --key KEY` checks it."
