"""Public keys as JWKs (RFC 7517), each bound to what it may verify. The arithmetic is PyJWT's and `cryptography`'s."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from jwt.algorithms import Algorithm, get_default_algorithms

from licet.canonical import canonical
from licet.errors import KeySetError

OURS = ("EdDSA", "ES256")
"""What call tokens are signed with (design § 6)."""
FEDERATED = ("RS256", "ES256")
"""What ID tokens for clouds and vaults are signed with: they take no EdDSA."""
OTHERS = ("EdDSA", "Ed25519", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
"""What credentials of other issuers may be signed with: asymmetric algorithms only."""

_CURVES = {"Ed25519": ("EdDSA", "Ed25519"), "P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_REQUIRED = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192  # RFC 7518 section 3.3; above, one verification takes too long
MAX_KEYS = 100


@cache
def algorithm(name: str) -> Algorithm:
    """PyJWT's implementation. RFC 9864's `Ed25519` is the `EdDSA` of RFC 8037 with one curve, which PyJWT does not know by that name.

    Raises:
        KeyError: it is none of OTHERS.
    """
    if name not in OTHERS:
        raise KeyError(name)
    return get_default_algorithms()["EdDSA" if name == "Ed25519" else name]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of an issuer. `algorithms` are those that it may verify: one, where the JWK names it."""

    kid: str
    algorithms: tuple[str, ...]
    thumbprint: str
    jwk: Mapping[str, Any] = field(repr=False)
    _key: Any = field(repr=False)

    @classmethod
    def of(cls, jwk: Mapping[str, Any]) -> PublicKey:
        """The key of a JWK.

        Raises:
            KeySetError: it is not a public key for signatures, is too weak, or contradicts itself.
        """
        given: object = jwk
        if not isinstance(given, Mapping):
            raise KeySetError("a key is not a JSON object")
        kind = jwk.get("kty")
        if not isinstance(kind, str) or kind not in _REQUIRED:
            raise KeySetError("a key is of no kind that signatures are checked with here (`kty`: OKP, EC or RSA)")
        if _PRIVATE & jwk.keys():
            raise KeySetError("a key set for verifying holds a private key; publish only its public members")
        if any(not isinstance(jwk.get(name), str) for name in _REQUIRED[kind]):
            raise KeySetError(f"a key of kind {kind} needs {', '.join(_REQUIRED[kind])} as texts")
        # RFC 7517 sections 4.2 and 4.3: a key says what it is for.
        operations = jwk.get("key_ops", ["verify"])
        if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
            raise KeySetError("a key is not for verifying signatures (`use`, `key_ops`)")
        possible = _RSA if kind == "RSA" else _CURVES.get(jwk["crv"], ())
        named = jwk.get("alg")
        if named is not None and named not in possible:
            raise KeySetError("a key's `alg` is not one that its kind and curve can have")
        if not possible:
            raise KeySetError("a key is on a curve that is not used here")
        try:
            key = algorithm(possible[0]).from_jwk({name: jwk[name] for name in _REQUIRED[kind]})
        except (jwt.InvalidKeyError, ValueError, TypeError) as error:
            raise KeySetError("a key is damaged: its numbers are not those of a key") from error
        if kind == "RSA":
            _check_rsa(key)
        kid, print_ = jwk.get("kid"), thumbprint(jwk)
        if kid is not None and not isinstance(kid, str):
            raise KeySetError("a key's `kid` is not a text")
        return cls(kid or print_, (named,) if named else tuple(possible), print_, {name: jwk[name] for name in _REQUIRED[kind]}, key)

    def verify(self, name: str, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `data`; False too where the key is not one for the algorithm `name`."""
        return name in self.algorithms and bool(algorithm(name).verify(data, self._key, signature))


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """RFC 7638: SHA-256 over the required members in canonical order, base64url."""
    return base64url(hashlib.sha256(canonical({name: jwk[name] for name in _REQUIRED[jwk["kty"]]})).digest())


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class KeySet:
    """The keys of one issuer, from a JWK set (RFC 7517 section 5).

    Raises:
        KeySetError: it is no JWK set, holds no usable key, or two keys have one `kid`.
    """

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys: dict[str, PublicKey] = {}
        for key in keys:
            if key.kid in self._keys:
                raise KeySetError("two keys have one `kid`")
            self._keys[key.kid] = key
        if len(self._keys) > MAX_KEYS:
            raise KeySetError(f"a key set holds more than {MAX_KEYS} keys")

    @classmethod
    def of(cls, jwks: object, *, skip: bool = False) -> KeySet:
        """From a parsed JWK set. `skip`: leave out keys that are not for us, as RFC 7517 section 5 asks for sets of strangers."""
        found = jwks.get("keys") if isinstance(jwks, Mapping) else None
        if not isinstance(found, Sequence) or isinstance(found, (str, bytes)) or not found:
            raise KeySetError("this is not a JWK set: it needs `keys`, a list that is not empty")
        if len(found) > MAX_KEYS:
            raise KeySetError(f"a key set holds more than {MAX_KEYS} keys")
        keys, problem = [], None
        for jwk in found:
            try:
                keys.append(PublicKey.of(jwk))
            except KeySetError as error:
                if not skip:
                    raise
                problem = problem or error
        if not keys:
            raise problem or KeySetError("the key set holds no key that can be used")
        return cls(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """See `jws.Keys`."""
        if kid is not None:
            key = self._keys.get(kid)
            return key if key is not None and algorithm in key.algorithms else None
        able = [key for key in self._keys.values() if algorithm in key.algorithms]
        return able[0] if len(able) == 1 else None


def _check_rsa(key: Any) -> None:
    numbers = key.public_numbers()
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise KeySetError(f"an RSA key has {key.key_size} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are taken")
    if numbers.e < 65537 or numbers.e.bit_length() > 64:  # FIPS 186-5 section 5.4
        raise KeySetError("an RSA key has an exponent that is too small or too large")
    if all(numbers.n % prime in residues for prime, residues in _roca_residues()):
        raise KeySetError("an RSA key was made by a chip whose keys can be factored (ROCA, CVE-2017-15361); replace it")


@cache
def _roca_residues() -> tuple[tuple[int, frozenset[int]], ...]:
    """The odd primes up to 167, each with the powers of 65537 modulo it.

    That chip's primes have the form k * M + (65537**a mod M), where M is the product of the first primes; so a modulus of its making is a
    power of 65537 modulo each of them (Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, section 2). Any other modulus is so
    by chance only, once in 2**27.8 keys.
    """
    found = []
    for prime in range(3, 168, 2):
        if all(prime % factor for factor in range(3, prime, 2)):
            powers, power = set[int](), 1
            while power not in powers:
                powers.add(power)
                power = power * 65537 % prime
            found.append((prime, frozenset(powers)))
    return tuple(found)
