"""Keyed fingerprints: a credential is known again by them, and nobody learns it from them.

HMAC-SHA-256 (RFC 2104) with a key of its own, derived from the state folder's secret (RFC 5869), as Vault's audit devices do it. A plain
hash would not do: ids of access keys are short enough to be tried out.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "cred:"
_LABEL = b"licet: fingerprints of credentials, 1"
_MOST = 50_000  # fingerprints that are kept, as one credential is used many times; by the text itself, in memory only


class Fingerprints:
    """Makes them. `secret`: that of the state folder. Use one per process: it remembers the last ones."""

    def __init__(self, secret: bytes) -> None:
        self._key = HKDF(SHA256(), 32, None, _LABEL).derive(secret)
        self._known: dict[str, str] = {}

    def of(self, shown: str) -> str:
        """The fingerprint of a credential's id, as logs show it; empty for an empty one.

        Kubernetes puts `JTI=` or `X509SHA256=` before some ids in some places: an id has the same fingerprint with and without it.
        A text that looks like a fingerprint gets one of its own: else who can choose an id could pass for any credential.
        """
        found = self._known.get(shown)
        if found is None:
            bare = shown.removeprefix("JTI=").removeprefix("X509SHA256=")
            if not bare:
                return ""
            found = PREFIX + hmac.digest(self._key, bare.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:32]
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[shown] = found
        return found


def is_fingerprint(text: str) -> bool:
    """Whether this is one of ours."""
    return text.startswith(PREFIX) and len(text) == len(PREFIX) + 32 and not text[len(PREFIX) :].strip("0123456789abcdef")
