"""Keyed digests and names: what records hold in place of contents and people.

A plain SHA-256 of a short value (an amount, an address, a PIN) is found by trying. These are HMACs (RFC 2104) with a key of the state
folder's own, so that only who has its secret can ask whether a value was this one. Equal values keep equal digests within one state folder,
and have nothing in common in two.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from licet.canonical import Plain, canonical, digest, digest_text
from licet.records import Claim

PLAIN, KEYED = "sha256:", "hmac-sha256:"
_DIGESTS, _NAMES = b"licet: digests of contents, 1", b"licet: pseudonyms of principals, 1"


class Pseudonyms:
    """Makes what one state folder's records hold. `secret`: that of the state folder, from which each use derives a key (RFC 5869)."""

    def __init__(self, secret: bytes) -> None:
        self._digests, self._names = _derived(secret, _DIGESTS), _derived(secret, _NAMES)

    def digest(self, plain: str) -> str:
        """`hmac-sha256:` and the hex HMAC over a plain digest; what is none (empty, or of what could not be judged) stays as it is."""
        if not plain.startswith(PLAIN):
            return plain
        return KEYED + hmac.digest(self._digests, plain.encode("ascii", "backslashreplace"), hashlib.sha256).hex()

    def text(self, text: str) -> str:
        """The keyed digest of a text."""
        return self.digest(digest_text(text))

    def value(self, value: Plain) -> str:
        """The keyed digest of a value, by its RFC 8785 form.

        Raises:
            ValueError: it is not JSON.
        """
        return self.digest(digest(value))

    def principal(self, name: str) -> str:
        """What stands for a person in traces: the same for the same name, and no way back without the key. Empty for an empty name."""
        return KEYED + hmac.digest(self._names, name.encode("utf-8", "backslashreplace"), hashlib.sha256).hex() if name else ""

    def claim(self, claim: Claim) -> Claim:
        """What a budget counts of a call, with keyed digests of the values that it tells apart."""
        return replace(claim, values=tuple(map(self.digest, claim.values))) if claim.values else claim

    def is_text(self, recorded: str, text: str) -> bool:
        """Whether a recorded digest is of this text: plain ones, of older records, are compared as they are."""
        return _same(recorded, digest_text(text) if recorded.startswith(PLAIN) else self.text(text))

    def is_value(self, recorded: str, value: Plain) -> bool:
        """Whether a recorded digest is of this value (arguments are an object by name).

        Raises:
            ValueError: the value is not JSON.
        """
        return _same(recorded, digest(value) if recorded.startswith(PLAIN) else self.value(value))

    def is_result(self, recorded: str, *outputs: Plain) -> bool:
        """Whether a recorded `result` is of these outputs: of one, or of all that a generator yielded, and at last what it returned (None).

        Raises:
            ValueError: an output is not JSON.
        """
        of_all = hashlib.sha256(b"".join(digest(output).encode() for output in outputs)).hexdigest()
        return _same(recorded, PLAIN + of_all if recorded.startswith(PLAIN) else self.digest(PLAIN + of_all))


def content_digest(key: bytes, form: bytes) -> str:
    """The digest of one value by its RFC 8785 form, under a key of its own: once the key is gone, nobody can try values out."""
    return KEYED + hmac.digest(key, form, hashlib.sha256).hex()


def is_content(record: Mapping[str, Any], name: str, key: bytes, value: Plain) -> bool:
    """Whether a record's `contents` has, under `name`, the digest of this value under this key. What is no record has none."""
    contents = record.get("contents")
    recorded = contents.get(name) if isinstance(contents, dict) else None
    try:
        return isinstance(recorded, str) and _same(recorded, content_digest(key, canonical(value)))
    except ValueError:  # the value is not JSON
        return False


def _derived(secret: bytes, label: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, label).derive(secret)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
