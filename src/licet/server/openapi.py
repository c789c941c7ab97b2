"""The service's OpenAPI 3.1 document: every endpoint, every parameter, and every status that it can answer with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from licet.guard.authority import ACCESS_TOKEN, CALL_TOKEN, ID_TOKEN, TASK_TOKEN
from licet.server.clients import ASSERTION_TYPE
from licet.server.forms import FORM
from licet.server.metadata import Addresses
from licet.server.token import GRANT_TYPE, STRANGERS
from licet.version import VERSION

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_URL = {"type": "string", "format": "uri"}
_NOT_STORED = {"Cache-Control": {"schema": {"const": "no-store"}, "required": True}}
_LATER = {"Retry-After": {"description": "In how many seconds to come again.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}}
_CACHED = {"Cache-Control": {"schema": {"type": "string", "pattern": "^public, max-age=[0-9]+$"}, "required": True}}

_ERRORS = {
    400: "The request is wrong, a token in it is not good, or policy denies it (`access_denied`).",
    401: "The client was not authenticated.",
    408: "The body did not come in time.",
    413: "The body is too long.",
    429: "Too many requests.",
    500: "A mistake of the service.",
    503: "The service's own state cannot be used now: nothing was decided.",
}
_SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "required": ["error", "error_description"],
        "properties": {"error": _TEXT, "error_description": {"type": "string", "pattern": "^[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]*$"}},
    },
    "Issued": {
        "type": "object",
        "required": ["access_token", "issued_token_type", "token_type", "expires_in", "scope", "task"],
        "properties": {
            "access_token": {"type": "string", "description": "The issued token, of whatever kind (RFC 8693 section 2.2.1)."},
            "issued_token_type": {"enum": [TASK_TOKEN, CALL_TOKEN, ACCESS_TOKEN, ID_TOKEN]},
            "token_type": {"enum": ["DPoP", "N_A"]},
            "expires_in": {"type": "integer", "minimum": 0, "description": "In seconds."},
            "scope": _TEXT,
            "task": {"type": "string", "description": "The task's id."},
        },
    },
    "Introspection": {"type": "object", "required": ["active"], "properties": {"active": {"type": "boolean"}, "exp": {"type": "integer"}}},
    "Jwks": {
        "type": "object",
        "required": ["keys"],
        "properties": {"keys": {"type": "array", "items": {"type": "object", "required": ["kty", "kid", "alg", "use"]}}},
    },
    "Metadata": {
        "type": "object",
        "required": ["issuer", "token_endpoint", "jwks_uri", "response_types_supported", "grant_types_supported"],
        "properties": {
            "issuer": _URL, "token_endpoint": _URL, "jwks_uri": _URL, "revocation_endpoint": _URL, "introspection_endpoint": _URL,
            "response_types_supported": _TEXTS, "grant_types_supported": _TEXTS, "token_endpoint_auth_methods_supported": _TEXTS,
            "dpop_signing_alg_values_supported": _TEXTS, "id_token_signing_alg_values_supported": _TEXTS, "subject_types_supported": _TEXTS,
        },
    },
    "Health": {
        "type": "object",
        "required": ["status", "store", "ledger", "keys"],
        "properties": {
            "status": {"enum": ["ok", "failing"]}, "store": {"type": "boolean"}, "ledger": {"type": "boolean"}, "keys": {"type": "boolean"},
        },
    },
    "Monitoring": {
        "type": "object",
        "required": ["status", "reasons"],
        "properties": {
            "status": {"enum": ["ok", "failing"]},
            "reasons": {"type": "array", "items": {"enum": [
                "failed", "unrevealed", "audit", "missed", "silent", "unplayed", "clock", "unjudged", "undelivered", "sink",
                "unreadable",
            ]}},
        },
    },
}  # fmt: skip

_CLIENT: dict[str, Any] = {
    "client_assertion_type": {"const": ASSERTION_TYPE},
    "client_assertion": {"type": "string", "description": "A JWT by the client's key: `private_key_jwt`, RFC 7523 section 3."},
    "client_id": _TEXT,
}
_EXCHANGE: dict[str, Any] = {
    "grant_type": {"const": GRANT_TYPE},
    "subject_token": {"type": "string", "description": "Of an issuer that the manifest trusts, or a task's."},
    "subject_token_type": {"enum": [*STRANGERS, TASK_TOKEN]},
    "requested_token_type": {"enum": [TASK_TOKEN, CALL_TOKEN, ACCESS_TOKEN, ID_TOKEN]},
    "actor_token": {"type": "string", "description": "The agent's own credential."},
    "actor_token_type": {"enum": [*STRANGERS]},
    "authorization_details": {"type": "string", "description": "JSON: a list of one `urn:licet:task` or `urn:licet:tool-call`."},
    "audience": {"type": "string", "description": "For an ID token: one of the manifest's `authority.federation`."},
    "dpop_jkt": {"type": "string", "description": "The key of the agent that a sub-task is for: its RFC 7638 thumbprint."},
}
_TOKEN: dict[str, Any] = {"token": _TEXT, "token_type_hint": _TEXT}
_PROOF = {
    "name": "DPoP", "in": "header", "required": True, "schema": _TEXT,
    "description": "A proof by the holder's key (RFC 9449). With a task's token its `ath` is that token's hash.",
}  # fmt: skip


def document(at: Addresses) -> dict[str, Any]:
    """The document of the service at this address."""
    prefix = at.prefix
    token = _post("Exchange a token (RFC 8693)", "Issued", _EXCHANGE, ["grant_type", "subject_token", "subject_token_type"])
    token["parameters"] = [_PROOF]
    paths = {
        f"{prefix}/token": {"post": token},
        f"{prefix}/revoke": {"post": _post("Take a token back (RFC 7009)", None, _TOKEN, ["token"])},
        f"{prefix}/introspect": {"post": _post("Ask whether a token is good (RFC 7662)", "Introspection", _TOKEN, ["token"])},
        f"{prefix}/jwks.json": {"get": _get("The public keys (RFC 7517)", "Jwks", "application/jwk-set+json")},
        at.oauth: {"get": _get("What the service can do (RFC 8414)", "Metadata")},
        at.openid: {"get": _get("The same for ID tokens (OpenID Connect Discovery)", "Metadata")},
        f"{prefix}/openapi.json": {"get": _get("This document", None)},
        f"{prefix}/health": {"get": _health()},
        f"{prefix}/healthz/monitoring": {"get": _monitoring()},
    }
    for path, methods in paths.items():
        for method, operation in methods.items():
            operation["operationId"] = (
                f"{method}_{path.removeprefix(prefix).strip('/').replace('/', '_').replace('.', '_').replace('-', '_')}"
            )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Licet token authority", "version": VERSION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": at.issuer.removesuffix(prefix) if prefix else at.issuer}],
        "paths": paths,
        "components": {"schemas": _SCHEMAS},
    }


def _post(summary: str, schema: str | None, form: dict[str, Any], required: Sequence[str]) -> dict[str, Any]:
    body = {"type": "object", "required": [*required, "client_assertion_type", "client_assertion"], "properties": form | _CLIENT}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {FORM: {"schema": body}}},
        "responses": {"200": _answer("Done.", schema, headers=_NOT_STORED), **_errors(400, 401, 408, 413, 429, 500, 503)},
    }


def _get(summary: str, schema: str | None, media: str = "application/json") -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _answer("Found.", schema, media, _CACHED), **_errors(429, 500, 503)}}


def _health() -> dict[str, Any]:
    responses = {"200": _answer("A token could be issued.", "Health"), "503": _answer("It could not.", "Health")}
    return {"summary": "Whether a token could be issued now", "responses": responses | _errors(429, 500)}


def _monitoring() -> dict[str, Any]:
    responses = {"200": _answer("It can be relied on.", "Monitoring"), "503": _answer("It cannot, or nobody knows.", "Monitoring")}
    return {
        "summary": "Whether the monitoring of identities can be relied on now, by its drills",
        "responses": responses | _errors(429, 500),
    }


def _answer(description: str, schema: str | None, media: str = "application/json", headers: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {"$ref": f"#/components/schemas/{schema}"} if schema else {"type": "object"}
    return {"description": description, "headers": headers or {}, "content": {media: {"schema": content}}}


def _errors(*statuses: int) -> dict[str, Any]:
    found = {}
    for status in statuses:
        headers = _NOT_STORED | (_LATER if status in (429, 503) else {})
        if status == 401:
            headers |= {"WWW-Authenticate": {"schema": _TEXT, "required": True}}
        found[str(status)] = _answer(_ERRORS[status], "Error", headers=headers)
    return found
