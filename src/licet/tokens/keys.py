"""What signs: a key in this process, or anything that signs as one does (a key management service)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from licet.errors import KeyFileError, UsageError
from licet.tokens.algorithms import MIN_RSA_BITS, PublicKey, algorithm, thumbprint

Private = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SIGNING = ("EdDSA", "ES256", "RS256")
"""What can be generated here. Call tokens are signed with the first two; RS256 is for clouds and vaults that take nothing else."""


class Signer(Protocol):
    """What the issuer signs with. A key management service stands behind one by an object with these three members.

    `jwk` is the public key with `kid`, `alg` (`EdDSA`, `ES256` or `RS256`) and `use: sig`; `sign` gives the JWS signature of `data`: for
    ES256 the 64 bytes of r and s (RFC 7518 section 3.4), and not the DER form that most services answer with.
    """

    @property
    def kid(self) -> str:
        """The key's id, by which verifiers find it: its RFC 7638 thumbprint."""

    @property
    def jwk(self) -> Mapping[str, Any]:
        """The public key."""

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`. Whatever it raises, the call is refused."""


class SigningKey:
    """A private key in this process, and the names by which others know its public half. Ed25519, P-256, or RSA of at least 2048 bits."""

    def __init__(self, private: Private) -> None:
        self.private = private
        self.algorithm = _algorithm_of(private)
        self._signs = algorithm(self.algorithm)

    def sign(self, data: bytes) -> bytes:
        """See `Signer`."""
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(data)  # what PyJWT does, without its looking at what it was given
        return self._signs.sign(data, self.private)

    @cached_property
    def jwk(self) -> Mapping[str, Any]:
        """The public key as a JWK (RFC 8037 section 2, RFC 7518 section 6), with `use`, `alg` and `kid`."""
        return self._members | {"use": "sig", "alg": self.algorithm, "kid": self.kid}

    @cached_property
    def kid(self) -> str:
        """The RFC 7638 thumbprint."""
        return thumbprint(self._members)

    @cached_property
    def _members(self) -> dict[str, Any]:
        found = self._signs.to_jwk(self.private.public_key(), as_dict=True)
        return {name: value for name, value in found.items() if name in ("crv", "e", "kty", "n", "x", "y")}

    def pem(self) -> bytes:
        """The private key, as PKCS #8 in PEM form, not encrypted."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def __repr__(self) -> str:
        return f"SigningKey({self.algorithm}, kid={self.kid!r})"

    @classmethod
    def generate(cls, name: str = "EdDSA") -> SigningKey:
        """A new key, kept nowhere.

        Raises:
            UsageError: `name` is none of SIGNING.
        """
        if name == "EdDSA":
            return cls(Ed25519PrivateKey.generate())
        if name == "ES256":
            return cls(ec.generate_private_key(ec.SECP256R1()))
        if name == "RS256":
            return cls(rsa.generate_private_key(65537, 3072))
        raise UsageError(f"no key can be made for {name!r}; there are: {', '.join(SIGNING)}")

    @classmethod
    def of_pem(cls, pem: bytes, source: str) -> SigningKey:
        """The key in a PEM text. `source` names it in errors.

        Raises:
            KeyFileError: it holds no private key of a kind that is used here.
        """
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyFileError(f"{source}: does not hold a private key in PEM form (PKCS #8, not encrypted)") from error
        if not isinstance(private, (Ed25519PrivateKey, ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
            raise KeyFileError(f"{source}: holds a key of another kind than Ed25519, P-256 or RSA")
        try:
            return cls(private)
        except UsageError as error:
            raise KeyFileError(f"{source}: {error}") from error


def _algorithm_of(private: Private) -> str:
    if isinstance(private, Ed25519PrivateKey):
        return "EdDSA"  # RFC 8037; most libraries do not know RFC 9864's `Ed25519` yet
    if isinstance(private, ec.EllipticCurvePrivateKey):
        if not isinstance(private.curve, ec.SECP256R1):
            raise UsageError(f"a key on {private.curve.name} is not used here; make one on P-256")
        return "ES256"
    if private.key_size < MIN_RSA_BITS:
        raise UsageError(f"an RSA key of {private.key_size} bits is too weak; make one of 3072")
    return "RS256"


class KeySource(Protocol):
    """Which key signs now, and which keys are published. `name` stays the same while keys come and go."""

    @property
    def name(self) -> str:
        """What an issuer without a URL is called by."""

    def signer(self, now: float, algorithms: tuple[str, ...]) -> Signer | None:
        """The key of one of these algorithms that signs at `now`; None if there is none."""

    def published(self, now: float) -> list[Mapping[str, Any]]:
        """The public keys that a verifier must know at `now`."""


class FixedKeys:
    """Keys that are handed in, and not rotated here: by the program, or by the environment.

    Raises:
        UsageError: there is no signer, or its `kid` is not its own.
        KeySetError: a signer's `jwk` is not a public key.
    """

    def __init__(self, *signers: Signer) -> None:
        if not signers:
            raise UsageError("nothing can be signed without a key; hand one in")
        for signer in signers:
            public = PublicKey.of(signer.jwk)
            if signer.kid != signer.jwk.get("kid") or len(public.algorithms) != 1:
                raise UsageError("a signer's `jwk` needs the signer's `kid`, and an `alg`")
        self._signers = signers
        self.name = signers[0].kid

    def signer(self, now: float, algorithms: tuple[str, ...]) -> Signer | None:  # noqa: ARG002 - these keys know no time
        """See `KeySource`."""
        return next((signer for signer in self._signers if signer.jwk["alg"] in algorithms), None)

    def published(self, now: float) -> list[Mapping[str, Any]]:  # noqa: ARG002 - as above
        """See `KeySource`."""
        return [signer.jwk for signer in self._signers]


def key_of_environment(environment: Mapping[str, str]) -> SigningKey | None:
    """The key of `LICET_SIGNING_KEY`: a private key in PEM form, in which `\\n` may stand for line ends; None if it is not set.

    Raises:
        KeyFileError: it is set, and is no such key.
    """
    text = environment.get("LICET_SIGNING_KEY")
    if not text:
        return None
    return SigningKey.of_pem(text.replace("\\n", "\n").encode(), "LICET_SIGNING_KEY")


def jwks_text(keys: list[Mapping[str, Any]]) -> str:
    """A JWK set as JSON (RFC 7517 section 5)."""
    return json.dumps({"keys": [dict(key) for key in keys]}, indent=2)
