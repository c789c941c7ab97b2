"""What the service says of itself, to whoever asks: RFC 8414, OpenID Connect Discovery 1.0 and RFC 7517."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from licet.manifest.authority import Authority
from licet.server.token import GRANT_TYPE, TASK_DETAIL
from licet.tokens.algorithms import FEDERATED, OURS
from licet.tokens.claims import CALL_DETAIL
from licet.tokens.ring import PUBLISH_SECONDS

JWKS_SECONDS = PUBLISH_SECONDS // 3
"""How long caches keep the key set. A key signs PUBLISH_SECONDS after it was published: two caches in a row and a slow one know it then."""
PAGE_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything is, from the issuer's name alone: never from what a request says of its host.

    An issuer may have a path (`https://acme.example/licet`). RFC 8414 section 3.1 puts its document before that path, OpenID Connect
    Discovery section 4 after it.
    """

    issuer: str

    @property
    def prefix(self) -> str:
        """The issuer's path."""
        return urlsplit(self.issuer).path

    @property
    def token(self) -> str:
        """The token endpoint: what proofs and assertions are for."""
        return f"{self.issuer}/token"

    @property
    def oauth(self) -> str:
        """The path of the RFC 8414 document."""
        return f"/.well-known/oauth-authorization-server{self.prefix}"

    @property
    def openid(self) -> str:
        """The path of the OpenID Connect document."""
        return f"{self.prefix}/.well-known/openid-configuration"


def oauth_metadata(at: Addresses, declared: Authority) -> dict[str, Any]:
    """RFC 8414 section 2, with the members of RFC 7009, RFC 7662, RFC 9396 and RFC 9449."""
    algorithms: list[str] = sorted({name for client in declared.clients.values() for name in client.algorithms}) or [*OURS]
    auth = {"endpoint_auth_methods_supported": ["private_key_jwt"], "endpoint_auth_signing_alg_values_supported": algorithms}
    found: dict[str, Any] = {
        "issuer": at.issuer,
        "token_endpoint": at.token,
        "jwks_uri": f"{at.issuer}/jwks.json",
        "revocation_endpoint": f"{at.issuer}/revoke",
        "introspection_endpoint": f"{at.issuer}/introspect",
        "service_documentation": f"{at.issuer}/openapi.json",
        "grant_types_supported": [GRANT_TYPE],
        "response_types_supported": [],  # there is no authorization endpoint; the member is required
        "dpop_signing_alg_values_supported": [*OURS],
        "authorization_details_types_supported": [TASK_DETAIL, CALL_DETAIL],
    }
    for endpoint in ("token", "revocation", "introspection"):
        found |= {f"{endpoint}_{name}": value for name, value in auth.items()}
    return found


def openid_metadata(at: Addresses, declared: Authority, published: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """OpenID Connect Discovery section 3: how a cloud or a vault finds the keys of the ID tokens that `federate` makes.

    Of the algorithms those are named of which a key is published. Nobody logs in here, and so the endpoint for that does not exist; the
    response type is the one that the specification requires of every issuer, and that such verifiers look for.
    """
    able = [name for name in FEDERATED if any(key.get("alg") == name for key in published)]
    return oauth_metadata(at, declared) | {
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": able or [*FEDERATED],
        "claims_supported": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "licet"],
        "scopes_supported": ["openid"],
    }
