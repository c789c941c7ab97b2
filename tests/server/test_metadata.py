"""What the service says of itself is what the RFCs ask for, what other people's libraries read, and what it does."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import jwt
import pytest

from licet.clock import SystemClock
from licet.errors import UsageError
from licet.guard import Guard
from licet.manifest import load
from licet.server.app import create_app
from licet.server.metadata import JWKS_SECONDS
from licet.testing import guard_for
from licet.tokens import KeyRing, KeySet, SigningKey
from licet.tokens.remote_keys import RemoteKeys
from licet.tokens.ring import PUBLISH_SECONDS
from running import ID, SIGNING, Service, running


def test_the_metadata_of_rfc_8414(service: Service):
    """Section 2: the required members, and each endpoint where it says."""
    found = service.http.get("/.well-known/oauth-authorization-server").json()
    url = service.url
    assert found["issuer"] == url
    assert found["token_endpoint"] == f"{url}/token"
    assert found["jwks_uri"] == f"{url}/jwks.json"
    assert found["response_types_supported"] == []
    assert found["grant_types_supported"] == ["urn:ietf:params:oauth:grant-type:token-exchange"]
    assert found["dpop_signing_alg_values_supported"] == ["EdDSA", "ES256"]
    for endpoint in ("token", "revocation", "introspection"):
        assert found[f"{endpoint}_endpoint_auth_methods_supported"] == ["private_key_jwt"]
        named = found[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert "ES256" in named
        assert not [name for name in named if name == "none" or name.startswith("HS")]
    for member in ("token_endpoint", "revocation_endpoint", "introspection_endpoint"):
        answer = service.http.post(found[member], data={"token": "x"})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert service.http.get(found["service_documentation"]).json()["openapi"] == "3.1.0"


def test_the_metadata_of_openid_connect_discovery(service: Service):
    """Section 3: what a verifier of ID tokens requires. RS256 must be among the algorithms."""
    answer = service.http.get("/.well-known/openid-configuration")
    found = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert found["issuer"] == service.url
    assert found["subject_types_supported"] == ["public"]
    assert found["response_types_supported"] == ["id_token"]
    assert found["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]


def test_the_keys_may_be_kept_for_less_than_it_takes_until_a_new_one_signs(service: Service):
    """Else a cache would meet a token by a key that it has not seen."""
    answer = service.http.get("/jwks.json")
    assert answer.headers["cache-control"] == f"public, max-age={JWKS_SECONDS}"
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert 2 * JWKS_SECONDS < PUBLISH_SECONDS
    assert not any("d" in key for key in answer.json()["keys"])
    assert len(KeySet.of(answer.json())) == 3


def test_a_cloud_federates_by_discovery_alone(service: Service):
    """PyJWT's client is given the issuer, finds the keys, and takes the ID token for its own audience and no other."""
    issued = service.asker.exchange(service.task(), requested_token_type=ID, audience="sts.cloud.example").json()["access_token"]
    found = service.http.get("/.well-known/openid-configuration").json()
    key = jwt.PyJWKClient(found["jwks_uri"]).get_signing_key_from_jwt(issued)
    algorithms = found["id_token_signing_alg_values_supported"]
    claims = jwt.decode(
        issued, key, algorithms=algorithms, audience="sts.cloud.example", issuer=service.url, options={"require": ["exp", "sub", "jti"]}
    )
    assert claims["sub"] == "agent:bot"
    assert jwt.get_unverified_header(issued)["alg"] in algorithms
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(issued, key, algorithms=algorithms, audience="another", issuer=service.url)


def test_our_own_verifiers_find_the_keys(service: Service):
    """`RemoteKeys`, by the address in the metadata."""
    remote = RemoteKeys(service.http.get("/.well-known/oauth-authorization-server").json()["jwks_uri"])
    for key in service.http.get("/jwks.json").json()["keys"]:
        assert remote.find(key["kid"], key["alg"]) is not None


def test_a_rotated_key_is_published_at_once(tmp_path: Path):
    """Before it signs."""
    (tmp_path / "ring").mkdir(mode=0o700)
    ring = KeyRing(tmp_path / "ring", now=SystemClock().now())
    ring.rotate(SystemClock().now(), algorithm="RS256", wait=0)
    with running(tmp_path, key=ring) as service:
        made = ring.rotate(SystemClock().now())
        assert made.kid in [key["kid"] for key in service.http.get("/jwks.json").json()["keys"]]


def test_an_issuer_with_a_path(tmp_path: Path):
    """RFC 8414 section 3.1 puts its document before the path, OpenID Connect Discovery behind it; all else is below it."""
    with running(tmp_path, path="/licet") as service:
        root = service.url.removesuffix("/licet")
        for address in (f"{root}/.well-known/oauth-authorization-server/licet", f"{service.url}/.well-known/openid-configuration"):
            assert service.http.get(address).json()["token_endpoint"] == f"{service.url}/token"
        assert service.http.get(f"{root}/jwks.json").status_code == 404
        assert service.asker.open().status_code == 200


def test_the_service_is_what_the_manifest_calls_it_whatever_a_request_says(service: Service):
    """The Host header is anybody's."""
    found = service.http.get("/.well-known/oauth-authorization-server", headers={"Host": "evil.example"}).json()
    assert "evil.example" not in json.dumps(found)


def test_health_names_the_part_that_fails_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With a ledger that others can read, 503; neither the path nor the reason is told."""
    monkeypatch.setattr("licet.server.app.HEALTH_SECONDS", 0)
    with running(tmp_path) as service:
        good = service.http.get("/health")
        assert (good.status_code, good.json()) == (200, {"status": "ok", "store": True, "ledger": True, "keys": True})
        assert service.asker.open().status_code == 200
        service.guard._ledger.close()  # opened anew, as in another process
        (segment,) = (tmp_path / "state" / "ledger" / "live").iterdir()
        segment.chmod(0o644)
        bad = service.http.get("/health")
        assert (bad.status_code, bad.json()) == (503, {"status": "failing", "store": True, "ledger": False, "keys": True})


def test_health_of_a_store_that_is_gone_and_of_keys_that_do_not_sign(tmp_path: Path):
    """Each part is really tried."""
    with guard_for(MINIMAL, tmp_path, key=Broken()) as guard:
        assert guard.health() == {"store": True, "ledger": True, "keys": False}
        with sqlite3.connect(tmp_path / "licet-state" / "licet.db") as other:
            other.execute("DROP TABLE spent")
        other.close()
        assert guard.health()["store"] is False


def test_a_service_needs_its_section_and_its_own_name(tmp_path: Path):
    """Without `authority:`, under another issuer's name, or without a key for the ID tokens that it promises, nothing is served."""
    with guard_for(MINIMAL, tmp_path) as guard, pytest.raises(UsageError, match="authority"):
        create_app(guard)
    with running(tmp_path) as service:
        manifest, own = load(tmp_path / "licet.yaml"), service.url
    assert own == manifest.authority.issuer
    with (
        Guard(manifest, state=tmp_path / "second", key=SIGNING, issuer="https://other.example") as guard,
        pytest.raises(UsageError, match="issuer"),
    ):
        create_app(guard)
    with Guard(manifest, state=tmp_path / "third", key=SigningKey.generate()) as guard, pytest.raises(UsageError, match="RS256"):
        create_app(guard)


class Broken:
    """A key management service that is down."""

    def __init__(self) -> None:
        self._key = SIGNING.signer(0, ("ES256",))
        self.kid, self.jwk = self._key.kid, self._key.jwk

    def sign(self, data: bytes) -> bytes:
        raise ConnectionError("no answer")


MINIMAL = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools: {note: {access: read, egress: false}}
tasks: {work: {intent: Work, ttl: 10m, tools: {note: {}}}}
"""
