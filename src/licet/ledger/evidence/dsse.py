"""DSSE v1.0.2: an envelope around a payload, signed over its pre-authentication encoding (PAE). Nothing here knows what is in the payload.

The key that signs checkpoints signs these too. Neither can pass as the other: a checkpoint's first line is a name without spaces, and a
PAE begins with `DSSEv1 `.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from licet.escape import visible
from licet.ledger.check.faults import Fault
from licet.ledger.note import NoteKey, Signs

MAX_SIGNATURES = 16
_MAX_PARTS = 1_000  # brackets, braces and commas of an envelope; base64 has none. Before the signature is known, nothing may cost much.


class EnvelopeError(Exception):
    """An envelope is not in its form, or no known key has signed it. `fault` names it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = Fault(code, sentence)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was signed, and by whom. `others`: the key ids of signatures that nobody here can check."""

    payload: bytes
    by: NoteKey
    others: tuple[str, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed: the type's length and the type, the payload's length and the payload, as the specification writes it."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def keyid(key: NoteKey) -> str:
    """The name of a key in an envelope, a hint and no proof: its verifier key (C2SP signed-note) without the key itself, `name+id`."""
    return f"{key.name}+{key.id.hex()}"


def sealed(payload_type: str, payload: bytes, signer: Signs) -> str:
    """The envelope of a payload, as one line of JSON."""
    signature = base64.b64encode(signer.sign(pae(payload_type, payload))).decode()
    name = keyid(NoteKey(signer.name, signer.public()))
    head = json.dumps({"payloadType": payload_type, "signatures": [{"keyid": name, "sig": signature}]})
    return f'{head[:-1]}, "payload": "{base64.b64encode(payload).decode()}"}}\n'  # what it is stands first, and not behind megabytes


def opened(data: bytes, payload_type: str, keys: Sequence[NoteKey]) -> Envelope:
    """Check an envelope. The payload is not looked at, only its bytes.

    Raises:
        EnvelopeError: it is no envelope, of another type, no known key has signed it, or a known key's signature does not hold.
    """
    fields = _fields(data)
    if fields["payloadType"] != payload_type:
        raise EnvelopeError("malformed", f"the payload is of type {_shown(fields['payloadType'])}, and not {payload_type}")
    payload = _bytes(fields["payload"], "payload")
    signed = pae(payload_type, payload)
    known = {keyid(key): key for key in keys}
    by, others = None, []
    for item in _signatures(fields["signatures"]):
        signature = _bytes(item["sig"], "sig")
        key = known.get(item["keyid"]) if item["keyid"] else next((each for each in keys if _holds(each, signature, signed)), None)
        if key is None:
            others.append(item["keyid"])
            continue
        if not _holds(key, signature, signed):
            raise EnvelopeError("bad-signature", f"the signature of {keyid(key)} does not hold: the file was altered after it was signed")
        by = by or key
    if by is None:
        whose = ", ".join(_shown(other) for other in others) or "nobody"
        raise EnvelopeError("key-unknown", f"signed by {whose}, and no key that was given is that one")
    return Envelope(payload, by, tuple(others))


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for `object_pairs_hook`.

    Raises:
        ValueError: a key stands twice, so that two readers could read two things.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _fields(data: bytes) -> dict[str, Any]:
    if sum(data.count(mark) for mark in (b"{", b"[", b",")) > _MAX_PARTS:
        raise EnvelopeError("malformed", "it has more parts than a signed envelope has; it is no evidence, or was altered")
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError("malformed", f"it is no envelope: {_why(error)}") from error
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in ("payloadType", "payload")):
        raise EnvelopeError("malformed", "it is no envelope: an object with `payloadType`, `payload` and `signatures` is one")
    _only(found, "the envelope", "payloadType", "payload", "signatures")
    return found | {"signatures": found.get("signatures")}


def _only(given: dict[str, Any], what: str, *names: str) -> None:
    """A further field is under no signature. The specification lets readers pass over such; who reads the file by eye would believe it."""
    if more := sorted(given.keys() - {*names}):
        said = f"{what} has a field that nobody signed: {_shown(', '.join(more))}; it was put in after the file was made, or is no evidence"
        raise EnvelopeError("malformed", said)


def _signatures(given: Any) -> list[dict[str, str]]:
    if not isinstance(given, list) or not 0 < len(given) <= MAX_SIGNATURES:
        raise EnvelopeError("malformed", f"`signatures` is no list of one to {MAX_SIGNATURES}")
    found = []
    for item in given:
        if not isinstance(item, dict) or not isinstance(item.get("sig"), str) or not isinstance(item.get("keyid", ""), str):
            raise EnvelopeError("malformed", "a signature is an object with `keyid` and `sig`")
        _only(item, "a signature", "keyid", "sig")
        found.append({"keyid": item.get("keyid", ""), "sig": item["sig"]})
    return found


def _bytes(text: str, what: str) -> bytes:
    """Base64 in its one form, in the standard or the URL's alphabet: the specification asks for both to be read."""
    given = text.translate(_FROM_URL) if ("-" in text or "_" in text) and "+" not in text and "/" not in text else text
    try:
        found = base64.b64decode(given.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise EnvelopeError("malformed", f"`{what}` is not base64") from error
    if base64.b64encode(found).decode() != given:
        raise EnvelopeError("malformed", f"`{what}` is not base64 in its one form")
    return found


def _holds(key: NoteKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _why(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else visible(str(error), 200)


def _shown(text: object) -> str:
    return visible(str(text), 200) or "nobody named"


_FROM_URL = str.maketrans("-_", "+/")
