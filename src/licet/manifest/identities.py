"""Whose word proves who somebody is: the issuers of identity tokens that a manifest trusts, and for what."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, field_validator, model_validator
from pydantic.config import JsonDict

from licet.manifest.arguments import listed
from licet.manifest.words import Closed, Duration

IssuerKind = Literal["oidc", "jwt-svid", "kubernetes"]
Role = Literal["principal", "agent"]
Algorithm = Literal["EdDSA", "Ed25519", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
TokenType = Literal["JWT", "at+jwt"]

# Without `:`, which parts issuer and subject in the name of a proved principal: else `a:b` and `c` would be `a` and `b:c`.
IssuerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_./-]{0,63}$")]
Exact = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$", max_length=2048)]
ProvedBy = Mapping[str, Exact]

# What each kind is signed with unless the manifest says otherwise, and all that it may say. SPIFFE JWT-SVID section 2.1 has no EdDSA;
# a Kubernetes API server signs with RSA and ECDSA keys only.
_SPIFFE: Final[tuple[Algorithm, ...]] = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
DEFAULT_ALGORITHMS: Final[Mapping[IssuerKind, tuple[Algorithm, ...]]] = {
    "oidc": ("RS256", "PS256", "ES256", "EdDSA", "Ed25519"),
    "jwt-svid": _SPIFFE,
    "kubernetes": ("RS256", "ES256", "ES384", "ES512"),
}
DEFAULT_MAX_AGE = 86_400.0

_NULL: JsonDict = {"type": "null"}
ONE_SOURCE: JsonDict = {
    "oneOf": [
        {"properties": {"jwks_uri": {"not": _NULL}, "jwks_file": _NULL}, "required": ["jwks_uri"]},
        {"properties": {"jwks_file": {"not": _NULL}, "jwks_uri": _NULL}, "required": ["jwks_file"]},
    ]
}
_PARTS_OF_KINDS: JsonDict = {
    "if": {"properties": {"kind": {"const": "jwt-svid"}}, "required": ["kind"]},
    "then": {
        "properties": {
            "trust_domain": {"not": _NULL},
            "typ": _NULL,
            "algorithms": {"items": {"enum": list(_SPIFFE)}},
        },
        "required": ["trust_domain"],
    },
    "else": {"properties": {"trust_domain": _NULL, "issuer": {"not": _NULL}}, "required": ["issuer"]},
    "allOf": [
        {
            "if": {"properties": {"kind": {"const": "kubernetes"}}, "required": ["kind"]},
            "then": {"properties": {"typ": _NULL}},
        }
    ],
}


_ROLE: JsonDict = {"enum": ["principal", "agent"]}
_ROLES: JsonDict = {"anyOf": [_ROLE, {"type": "array", "minItems": 1, "items": _ROLE}]}


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else listed(value)


class KeysFromOnePlace(Closed):
    """Somebody whose public keys are found at an address, or in a file beside the manifest."""

    jwks_uri: Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2048)] | None = None
    jwks_file: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = None

    @field_validator("jwks_uri")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        if value is not None and (why := why_unsafe(value)):
            raise ValueError(f"{why}; write an https address without user name and fragment")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.jwks_uri is None) == (self.jwks_file is None):
            raise ValueError("the keys come from one place; write `jwks_uri` or `jwks_file`")
        return self


class TrustedIssuer(KeysFromOnePlace):
    """One issuer of identity tokens: what it is called in them, for whom they must be, its keys, and what they prove.

    `audiences` are our own names: a token must be for one of them. `max_age` is the longest time since a token was issued.
    """

    model_config = ConfigDict(json_schema_extra=ONE_SOURCE | _PARTS_OF_KINDS)

    kind: IssuerKind
    issuer: Exact | None = None
    audiences: Annotated[tuple[Exact, ...], BeforeValidator(listed), Field(min_length=1)]
    algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    proves: Annotated[tuple[Role, ...], BeforeValidator(_one_or_many), Field(min_length=1), WithJsonSchema(_ROLES)]
    trust_domain: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,255}$")] | None = None
    typ: Annotated[tuple[TokenType, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    max_age: Duration | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> TrustedIssuer:
        if (self.kind == "jwt-svid") != (self.trust_domain is not None):
            raise ValueError("`trust_domain` belongs to `kind: jwt-svid`, which needs it; a bundle of keys vouches for one trust domain")
        if self.issuer is None and self.kind != "jwt-svid":
            raise ValueError("`issuer` is missing; write the `iss` of its tokens, exactly")
        if self.typ is not None and self.kind != "oidc":
            raise ValueError("`typ` belongs to `kind: oidc`; take it out")
        if self.kind == "jwt-svid" and (odd := sorted(set(self.algorithms or ()) - set(_SPIFFE))):
            raise ValueError(f"a JWT-SVID is not signed with {', '.join(odd)}; write some of {', '.join(_SPIFFE)}")
        return self

    @property
    def accepted_algorithms(self) -> tuple[Algorithm, ...]:
        """What its tokens may be signed with."""
        return self.algorithms or DEFAULT_ALGORITHMS[self.kind]

    @property
    def oldest(self) -> float:
        """How long ago a token may have been issued, in seconds."""
        return DEFAULT_MAX_AGE if self.max_age is None else self.max_age.total_seconds()

    @property
    def accepted_types(self) -> tuple[TokenType, ...]:
        """Which tokens of an OIDC provider are taken: `JWT` are ID tokens, `at+jwt` access tokens."""
        return self.typ or ("JWT",)


def why_unsafe(url: str) -> str:
    """Why keys may not be fetched from this address; empty if they may: https, or http on this very machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "this is no address"
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        return "this address has no host, or a user name or fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return ""
    return "keys that come without TLS could be anybody's"


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine, by its spelling."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def misfit(kind: IssuerKind, trust_domain: str | None, subject: str) -> str:
    """Why a subject can be none of an issuer of this kind; empty if it can."""
    if "*" in subject:
        return "subjects are compared whole, so that `*` stands for itself"
    if kind == "jwt-svid" and not subject.startswith(f"spiffe://{trust_domain}/"):
        return f"a subject of this trust domain begins with `spiffe://{trust_domain}/`"
    if kind == "kubernetes":
        parts = subject.split(":")
        if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or not all(parts):
            return "a service account is written `system:serviceaccount:NAMESPACE:NAME`"
    return ""
