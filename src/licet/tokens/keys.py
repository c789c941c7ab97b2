"""The signing key: Ed25519, in a PEM file that only its owner can read."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from licet.canonical import canonical
from licet.errors import KeyFileError
from licet.machine import open_own

ALGORITHM = "EdDSA"  # RFC 8037; PyJWT does not know RFC 9864's `Ed25519` yet


@dataclass(frozen=True)
class SigningKey:
    """A private key and the names by which others know its public half."""

    private: Ed25519PrivateKey

    @cached_property
    def jwk(self) -> dict[str, str]:
        """The public key as a JWK (RFC 8037 section 2), with `use`, `alg` and `kid`."""
        return self._members | {"use": "sig", "alg": ALGORITHM, "kid": self.kid}

    @cached_property
    def kid(self) -> str:
        """The RFC 7638 thumbprint: SHA-256 over the required members in canonical order, base64url."""
        return _base64url(hashlib.sha256(canonical(dict(self._members))).digest())

    @cached_property
    def _members(self) -> dict[str, str]:
        raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """A JWK set with this key's public half (RFC 7517 section 5)."""
        return {"keys": [self.jwk]}

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key, kept nowhere."""
        return cls(Ed25519PrivateKey.generate())


def load_or_create(path: str | Path) -> SigningKey:
    """The key in `path`; a missing file is created with mode 0600.

    Raises:
        KeyFileError: others can read the file, it belongs to somebody else, or it does not hold an Ed25519 key.
    """
    file = Path(path)
    try:
        # O_EXCL decides who creates it when several processes start at once; O_NOFOLLOW keeps links out.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _load(file)
    except OSError as error:
        raise KeyFileError(f"{file}: {error.strerror}; check the state folder's rights") from error
    key = SigningKey.generate()
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(descriptor, "wb") as out:
        out.write(pem)
        out.flush()
        os.fsync(out.fileno())
    return key


def _load(file: Path) -> SigningKey:
    with os.fdopen(open_own(file, os.O_RDONLY, KeyFileError), "rb") as opened:
        pem = opened.read(10_000)
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{file}: does not hold a private key in PEM form; move it away and a new one is made") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{file}: holds a key of another kind than Ed25519")
    return SigningKey(private)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
