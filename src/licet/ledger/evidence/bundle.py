"""Checking evidence (`evidence.py` makes it) with nothing but a public key: the signature first, then what was signed.

What is found is named by the codes of `faults.py`, and said in words. Nothing here raises for what a file says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, get_args

from licet.canonical import canonical
from licet.clock import iso
from licet.escape import counted, visible
from licet.ledger.check.noted import Noted, noted
from licet.ledger.evidence.accounts import Gap, GapKind, accounts_of, gaps_of
from licet.ledger.evidence.beside import check_beside
from licet.ledger.evidence.claims import check_about
from licet.ledger.evidence.covered import About
from licet.ledger.evidence.dsse import EnvelopeError, once, opened
from licet.ledger.evidence.shape import Shape, WrongShapeError
from licet.ledger.evidence.statement import PAYLOAD_TYPE, PREDICATE, STATEMENT, subject
from licet.ledger.evidence.verdict import BundleVerdict, say
from licet.ledger.merkle import ProofError, check_consistency, check_inclusion, leaf_hash
from licet.ledger.note import ED25519, Checkpoint, NoteKey

MAX_BYTES = 100_000_000
"""How much is read at once unless more is asked for."""
_DEEPEST = 60  # hashes of a proof


def looks_like_bundle(head: bytes) -> bool:
    """Whether the beginning of a file is that of evidence, so that it can be told from other files without reading them."""
    return head.lstrip().startswith(b"{") and b'"payloadType"' in head


def verify_bundle(
    given: str | bytes, keys: Sequence[NoteKey], *, kept: Sequence[str] = (), witnesses: Sequence[NoteKey] = (), max_bytes: int = MAX_BYTES
) -> BundleVerdict:
    """Check evidence, whatever it holds. Never raises.

    Args:
        given: the file.
        keys: the ledger's public keys, from where they can be trusted.
        kept: checkpoints (signed notes) that the reader kept from before, or has from a witness.
        witnesses: the keys of those who must have signed the checkpoint too.
        max_bytes: of what is larger nothing is read.
    """
    found = BundleVerdict()
    try:
        data = given.encode() if isinstance(given, str) else given
    except UnicodeEncodeError:
        found.fault("malformed", "the file is not text: it holds a lone surrogate")
        return found
    if len(data) > max_bytes:
        found.fault(
            "malformed", f"the file has {len(data):,} bytes; at most {max_bytes:,} are read unless more is asked for (`--max-size`)"
        )
        return found
    try:
        envelope = opened(data, PAYLOAD_TYPE, [key for key in keys if key.type == ED25519])
    except EnvelopeError as error:
        found.faults.append(error.fault)
        return found
    found.signed_by = envelope.by.name
    found.holds.append(f"The signature of {envelope.by} holds over the payload: over all that is said here.")
    if envelope.others:
        whose = ", ".join(visible(other, 200) or "somebody unnamed" for other in envelope.others)
        found.holds.append(
            f"There {'is' if len(envelope.others) == 1 else 'are'} {counted(len(envelope.others), 'further signature')} "
            f"that nobody has checked, as no key was given for it: of {whose}."
        )
    try:
        _statement(found, Shape(_parsed(envelope.payload), "the payload"), keys, kept, witnesses)
    except WrongShapeError as error:
        found.fault("malformed", str(error))
    except RecursionError:
        found.fault("malformed", "the payload is nested too deep")
    return found


def _parsed(payload: bytes) -> Any:
    """JSON that has one reading only: no key twice, no number that is none, no half of a character."""
    try:
        found = json.loads(payload.decode("utf-8"), object_pairs_hook=once, parse_constant=_no_number, parse_float=_finite)
        if b"\\ud" in payload or b"\\uD" in payload:
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise WrongShapeError("the payload", "holds a lone surrogate, which is no text") from error
    except RecursionError as error:
        raise WrongShapeError("the payload", "is nested too deep") from error
    except ValueError as error:
        raise WrongShapeError("the payload", f"is not JSON: {visible(str(error), 200)}") from error
    return found


def _statement(found: BundleVerdict, statement: Shape, keys: Sequence[NoteKey], kept: Sequence[str], witnesses: Sequence[NoteKey]) -> None:
    for name, wanted in (("_type", STATEMENT), ("predicateType", PREDICATE)):
        if (told := statement[name].text()) != wanted:
            raise WrongShapeError(name, f"is {visible(told, 100)}, and not {wanted}: this is no evidence that this release can read")
    predicate = statement["predicate"]
    found.about = _about(predicate["about"])
    found.said = predicate["about"]["said"].text()
    found.origin = predicate["origin"].text()
    note = predicate["checkpoint"].text()
    checkpoint = _believed(found, noted(note, keys, "the checkpoint", witnesses))
    if checkpoint is None:
        return
    found.size, found.root = checkpoint.size, checkpoint.root
    if checkpoint.origin != found.origin:
        found.fault("other-log", f"the file says that it is of {visible(found.origin, 200)}, and its checkpoint is of {checkpoint.origin}")
    hashes = [each.hash() for each in predicate["hashes"].items()]
    _compare(found, checkpoint, predicate["consistency"], hashes, keys, kept)
    records = _records(found, predicate["records"], checkpoint, hashes, statement["subject"])
    found.records = len(records)
    check_about(found, [record for _, record in records])
    _complete(found, [record for _, record in records], predicate["open"])
    check_beside(found, predicate, {index + 1: record for index, record in records})
    say(found)


def _believed(found: BundleVerdict, seen: Noted) -> Checkpoint | None:
    """The checkpoint of a note that the log has signed; what is wrong is taken up."""
    for each in seen.faults:
        found.fault(each.code, each.sentence)
    if seen.cosigned:
        times = ", ".join(f"{visible(each.key.name, 200)} (at {iso(each.time)})" for each in seen.cosigned)
        found.holds.append(f"Witnesses have seen the checkpoint: {times}.")
    return seen.checkpoint if seen.by and (seen.believed or all(each.code == "not-cosigned" for each in seen.faults)) else None


def _compare(  # noqa: PLR0917 - private
    found: BundleVerdict, checkpoint: Checkpoint, proofs: Shape, hashes: list[bytes], keys: Sequence[NoteKey], kept: Sequence[str]
) -> None:
    """Hold the checkpoint against those that were kept: one log has one history."""
    given = {proof["size"].number(): [_hash_at(at, hashes) for at in proof["proof"].items()] for proof in proofs.items()}
    for text in kept:
        older = _believed(found, noted(text, keys, "a checkpoint that you kept"))
        if older is None:
            continue
        what = f"the checkpoint of {counted(older.size, 'record')} that you kept"
        if older.origin != checkpoint.origin:
            found.fault("other-log", f"{what} is of {older.origin}, and the file of {checkpoint.origin}")
        elif older.size == checkpoint.size:
            if older.root != checkpoint.root:
                found.fault("forked", f"{what} has another root than that of the file: two histories were signed")
            else:
                found.holds.append(f"{_first_up(what)} is the file's own.")
        elif older.size > checkpoint.size:
            why = f"the file's checkpoint has {counted(checkpoint.size, 'record')}, fewer than {what}"
            found.fault("rolled-back", f"{why}: it was made before that, or from a log that was set back; ask for it again")
        elif older.size and older.size not in given:
            why = f"no proof leads from {what} to that of the file, so that they cannot be compared"
            found.fault("uncompared", f"{why}; ask for it again, made with `--kept`")
        else:
            try:
                if older.size:
                    check_consistency(older.size, checkpoint.size, given[older.size], older.root, checkpoint.root)
            except ProofError as error:
                found.fault("forked", f"{what} is no beginning of the file's log ({error}): two histories were signed")
            else:
                found.holds.append(f"{_first_up(what)} is a beginning of the file's log: nothing before it was changed or removed.")


def _records(
    found: BundleVerdict, listed: Shape, checkpoint: Checkpoint, hashes: list[bytes], subjects: Shape
) -> list[tuple[int, dict[str, Any]]]:
    """Each record at its place in the tree, in order, and named by the subjects."""
    told = [each.plain() for each in subjects.items()]
    wanted = [subject(f"{checkpoint.origin}/tree/{checkpoint.size}", checkpoint.root)]
    records: list[tuple[int, dict[str, Any]]] = []
    before, leaf_before = -1, b""
    for entry in listed.items():
        index, record = entry["index"].number(), entry["record"].object()
        seq = index + 1
        try:
            line = canonical(record)
        except ValueError as error:
            raise WrongShapeError(f"{entry.at}.record", f"has no canonical form: {error}") from error
        leaf = leaf_hash(line)
        wanted.append(subject(f"{checkpoint.origin}/record/{seq}", leaf))
        if index <= before:
            found.fault("inserted" if index == before else "reordered", f"record {seq} stands behind record {before + 1}", seq)
        if record.get("seq") != seq:
            found.fault("reordered", f"record {seq} says of itself that it is {visible(str(record.get('seq')), 40)}", seq)
        why = _misplaced(leaf, index, checkpoint, [_hash_at(at, hashes) for at in entry["proof"].items()])
        if why:
            found.fault("altered", f"record {seq} is not in the log as it stands here: {why}", seq)
        elif index == before + 1 and index and leaf_before and record.get("prev") != f"sha256:{leaf_before.hex()}":
            found.fault("altered", f"record {seq} does not follow the record before it", seq)
        if found.about is not None and not found.about.covers(record):
            found.fault("inserted", f"record {seq} is of nothing that this is about", seq)
        records.append((index, record))
        before, leaf_before = index, leaf
    if told != wanted:
        at = next((at for at, (one, other) in enumerate(zip(told, wanted, strict=False)) if one != other), min(len(told), len(wanted)))
        code = "removed" if len(told) > len(wanted) else "inserted" if len(told) < len(wanted) else "altered"
        sentence = f"the signed list of subjects is not that of the tree and the records: it differs at entry {at + 1}"
        found.fault(code, sentence, records[at - 1][0] + 1 if 0 < at <= len(records) else 0)
    return records


def _misplaced(leaf: bytes, index: int, checkpoint: Checkpoint, proof: list[bytes]) -> str:
    """Why a leaf is not shown to be at its place; empty if it is."""
    if len(proof) > _DEEPEST:
        return "the proof is longer than the tree is high"
    try:
        check_inclusion(leaf, index, checkpoint.size, proof, checkpoint.root)
    except ProofError as error:
        return str(error)
    return ""


def _complete(found: BundleVerdict, records: list[dict[str, Any]], told: Shape) -> None:
    """What is open must be what the file says under its signature that it leaves open."""
    said = {_gap(row) for row in told.items()}
    stands = gaps_of(records, found.about) if found.about is not None else []
    for gap in stands:
        if gap in said:
            found.open.append(gap)
        else:
            found.fault(gap.code, f"{gap.sentence()}; or it was removed: the file does not say that this is left open")
    for gap in sorted(said - set(stands)):
        found.fault("altered", f"the file says that something is left open which is not: {gap.sentence()}")
    found.accounts = list(accounts_of(records).values())


def _about(shape: Shape) -> About:
    kind = shape["kind"].word("task", "call", "finding")
    names = {name: tuple(each.text() for each in shape[name].items()) for name in ("tasks", "above", "calls")}
    seqs = tuple(each.number() for each in shape["seqs"].items())
    return About(kind, shape["id"].text(), shape["txn"].text(), **names, seqs=seqs)  # type: ignore[arg-type]


def _gap(row: Shape) -> Gap:
    what = row["what"].word(*get_args(GapKind))
    return Gap(what, row["task"].text(), row["call"].text(), row["step"].number())  # type: ignore[arg-type]


def _hash_at(at: Shape, hashes: list[bytes]) -> bytes:
    place = at.number()
    if place >= len(hashes):
        raise WrongShapeError(at.at, f"names hash {place}, and there are {len(hashes)}")
    return hashes[place]


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _first_up(text: str) -> str:
    return text[0].upper() + text[1:]
