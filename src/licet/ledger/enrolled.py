"""Keys that the ledger itself names, and what stands under them: those of drills.

The first that is enrolled is trusted, each other one where an earlier one signs for it. So nobody who can write into the ledger today can
speak with the voice of the one that stands in its past.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from licet.canonical import Plain, canonical
from licet.ledger.reader import LedgerFiles

ENROL: Final = "drill.key"
"""The kind of record that enrols a key."""

CONTEXT: Final = b"licet drill v1\x00"
"""What stands before all that is signed."""

_NEEDLE: Final = b'"kind":"drill.key"'
Record = Mapping[str, Any]


def signed_by(public: bytes, said: Plain, signature: str) -> bool:
    """Whether the signature is that of the key, over what is said.

    What was found good is remembered in this process, by a digest over all of it: who asks again and again, as a health check does, waits
    for the new ones alone.
    """
    try:
        message, signed = CONTEXT + canonical(said), bytes.fromhex(signature)
        whole = hashlib.sha256(b"".join(len(each).to_bytes(8, "big") + each for each in (public, signed, message))).digest()
        if whole in _good:
            return True
        Ed25519PublicKey.from_public_bytes(public).verify(signed, message)
    except (InvalidSignature, ValueError):
        return False
    if len(_good) >= _MOST:
        _good.clear()
    _good.add(whole)
    return True


_MOST: Final = 200_000  # 32 bytes each
_good: set[bytes] = set()


def name_of(public: bytes) -> str:
    """What a key is called in records: the beginning of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def enrolled(files: LedgerFiles) -> dict[str, bytes]:
    """The keys by their names, out of the whole ledger.

    Raises:
        LedgerError: it cannot be read.
    """
    found = {int(record["seq"]): record for line in files.records() if _NEEDLE in line for record in _read(line)}
    return keys_of(found)[0]


def keys_of(records: Mapping[int, Record], trusted: str = "", after: float = 0.0) -> tuple[dict[str, bytes], list[str], float]:
    """The drills' keys by their names, what is wrong with those that are enrolled, and since when there is one (0: there is none).

    Args:
        records: those that enrol keys, and any others.
        trusted: the name of the key that is trusted, if somebody knows it from elsewhere; else the first that is enrolled is. Each other
            one is where an earlier one signs for it.
        after: seconds since the epoch; of what was wrong before it nothing is said.
    """
    publics: dict[str, bytes] = {}
    wrong: list[str] = []
    since = 0.0
    for seq, record in sorted(records.items()):
        if record.get("kind") != ENROL:
            continue
        try:
            public = bytes.fromhex(str(record.get("public")))
        except ValueError:
            public = b""
        name = name_of(public)
        by = publics.get(str(record.get("by")))
        said: dict[str, Plain] = {"key": name, "public": public.hex()}
        if name in publics:  # a run that was cut off before its book knew of the key enrols it again
            continue
        first = not publics and trusted in ("", name)
        if not first and (by is None or not signed_by(by, said, str(record.get("vouched")))):
            if time_of(record) >= after:
                wrong.append(f"record {seq} enrols a key for which no earlier one vouches: what it signs is no drill")
        elif signed_by(public, said, str(record.get("signature"))):
            publics[name] = public
            since = since or time_of(record)
    return publics, wrong, since


def time_of(record: Record) -> float:
    """When a record was written; infinity if it does not say."""
    try:
        return datetime.fromisoformat(str(record.get("time"))).timestamp()
    except ValueError:
        return float("inf")


def _read(line: bytes) -> Iterator[Record]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict) and type(found.get("seq")) is int and found.get("kind") == ENROL:
        yield found
