"""The key that commits to drills. Whoever judges events does not hold it; that it is the drills' key stands in the ledger.

It may lie elsewhere than the state folder (`--key`, `LICET_DRILL_KEY`): on the machine that runs drills and not on the one that judges.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from licet.canonical import Plain, canonical
from licet.errors import KeyFileError
from licet.ledger.enrolled import CONTEXT, name_of, signed_by
from licet.machine import open_own

__all__ = ["FILE", "TRUST", "DrillKey", "name_of", "pinned", "signed_by"]

FILE: Final = "drill.key"
TRUST: Final = "LICET_DRILL_TRUST"
"""The variable that names the drills' key, where it is known from elsewhere than the ledger."""

_MAX_PEM = 10_000  # bytes


def pinned(given: str | None = None) -> str:
    """The name of the drills' key, as somebody knows it from elsewhere: what is given, else the variable; empty: the ledger's first."""
    return given or os.environ.get(TRUST, "")


class DrillKey:
    """An Ed25519 key (RFC 8032)."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    def sign(self, said: Plain) -> str:
        """The signature over the canonical form of what is said (RFC 8785), in hex."""
        return self._private.sign(CONTEXT + canonical(said)).hex()

    def derived(self, purpose: str) -> bytes:
        """32 bytes for a purpose, of HMAC-SHA-256 under the private key: who does not hold it cannot tell them from chance."""
        return hmac.digest(self._private.private_bytes_raw(), CONTEXT + purpose.encode(), hashlib.sha256)

    @classmethod
    def of(cls, path: str | Path, *, create: bool = True) -> DrillKey:
        """The key in a file; a missing one is made, with mode 0600, unless `create` is false.

        Raises:
            KeyFileError: it cannot be read or written, others can read it, it is missing, or it holds no Ed25519 key.
        """
        if not os.path.lexists(path) and create:
            descriptor = open_own(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KeyFileError)
            with os.fdopen(descriptor, "wb") as made:
                made.write(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with os.fdopen(open_own(path, os.O_RDONLY, KeyFileError), "rb") as opened:
            pem = opened.read(_MAX_PEM)
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyFileError(
                f"{path}: does not hold a private key in PEM form; put back its copy, or name another with `--key`"
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"{path}: drills are committed to with Ed25519, and this is another kind of key")
        return cls(private)
