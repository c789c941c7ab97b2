"""What proves a name, and what does not: tokens that joserfc signed, of each kind, and each way in which they can be wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foreign import ACCESS, ACCOUNT, CLUSTER, LOGIN, NOW, PERSON, SPIRE, WORKLOAD, ForeignKey, KeyServer, jwks, new_key, sign
from licet.errors import TokenRefused, UsageError
from licet.manifest import loads
from licet.records import Decision, TaskRecord
from licet.testing import FakeClock, ephemeral_key
from licet.tokens import FixedKeys, Issuer, Minting
from licet.tokens.identity import MAX_TOKEN, Identities, Proved

MANIFEST = """\
licet: 1
environment: prod
owners: {{o: {{name: O, contact: o@acme.example}}}}
issuers:
  login: {{kind: oidc, issuer: 'https://login.acme.example', audiences: [desk, desk-beta], jwks_uri: '{url}', proves: principal, typ: [JWT, at+jwt]}}
  robots: {{kind: oidc, issuer: 'https://robots.acme.example', audiences: [licet], jwks_file: robots.json, proves: [agent, principal], max_age: 1h}}
  mesh: {{kind: jwt-svid, trust_domain: acme.example, audiences: [licet], jwks_file: mesh.json, proves: agent}}
  named: {{kind: jwt-svid, issuer: 'https://spire.acme.example', trust_domain: named.example, audiences: [licet], jwks_file: mesh.json, proves: agent}}
  cluster: {{kind: kubernetes, issuer: 'https://k8s.acme.example', audiences: [licet], jwks_file: cluster.json, proves: agent}}
agents:
  bot:
    owner: o
    tasks: [work]
    proved_by:
      mesh: spiffe://acme.example/agents/bot
      cluster: system:serviceaccount:agents:bot
      robots: bot-client
  other: {{owner: o, tasks: [work], proved_by: {{mesh: spiffe://acme.example/agents/other}}}}
tools: {{note: {{access: read, egress: false}}}}
tasks: {{work: {{intent: Work, ttl: 10m, tools: {{note: {{}}}}}}}}
"""
KEY, RSA, MESH, ROBOTS, CLUSTER_KEY = new_key(), new_key("RS256", "r1"), new_key(kid="m1"), new_key("Ed25519", "e1"), new_key("RS256", "c1")
ROBOT = {"iss": "https://robots.acme.example", "sub": "bot-client", "aud": "licet", "iat": NOW - 10, "exp": NOW + 300}


class Desk:
    """The identities of a manifest whose issuers are real."""

    def __init__(self, folder: Path) -> None:
        self.server = KeyServer(jwks(KEY, RSA))
        for name, key in (("robots", ROBOTS), ("mesh", MESH), ("cluster", CLUSTER_KEY)):
            (folder / f"{name}.json").write_bytes(jwks(key))
        self.clock = FakeClock()
        manifest = loads(MANIFEST.format(url=self.server.url), now=self.clock.now())
        self.identities = Identities(manifest.issuers, manifest.agents, folder=folder, clock=self.clock)

    def principal(self, claims: dict[str, Any] | bytes = PERSON, key: ForeignKey = KEY, algorithm: str = "ES256", **header: Any) -> Proved:
        return self.identities.principal(sign(claims, key, algorithm, **header))

    def agent(self, claims: dict[str, Any], key: ForeignKey = MESH, algorithm: str = "ES256", agent: str = "bot", **header: Any) -> Proved:
        return self.identities.agent(sign(claims, key, algorithm, **header), agent)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = Desk(tmp_path_factory.mktemp("desk"))
    yield made
    made.server.close()


def without(claims: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in names}


# Good tokens ------------------------------------------------------------------------------------------------------------------

GOOD_PEOPLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("an ID token", PERSON, {}),
    ("without typ", PERSON, {"typ": None}),
    ("typ as a media type", PERSON, {"typ": "application/JWT"}),
    ("RSA", PERSON, {"key": RSA, "algorithm": "RS256"}),
    ("RSA-PSS", PERSON, {"key": RSA, "algorithm": "PS256"}),
    ("without kid, where one key fits", PERSON, {"kid": None}),
    ("thumbprints of certificates", PERSON, {"x5t": "abc", "x5t#S256": "def"}),
    ("an access token", ACCESS, {"typ": "at+jwt"}),
    ("an access token as a media type", ACCESS, {"typ": "application/at+JWT"}),
    ("one of several access audiences", ACCESS | {"aud": ["x", "desk"]}, {"typ": "at+jwt"}),
    ("several audiences, ours authorised", PERSON | {"aud": ["desk", "mail"], "azp": "desk-beta"}, {}),
    ("one audience in a list", PERSON | {"aud": ["desk"], "azp": "phone"}, {}),
    ("another audience of ours", PERSON | {"aud": "desk-beta"}, {}),
    ("whatever else is known of a person", PERSON | {"nonce": "n", "email": "a@b", "groups": ["g"] * 500, "amr": ["pwd"]}, {}),
    ("a clock that is ahead", PERSON | {"iat": NOW + 25, "exp": NOW + 26}, {}),
    ("just over, within skew", PERSON | {"iat": NOW - 100, "exp": NOW - 25}, {}),
    ("parts of seconds", PERSON | {"iat": NOW - 0.5, "exp": NOW + 60.5}, {}),
]


@pytest.mark.parametrize("why,claims,how", GOOD_PEOPLE, ids=[row[0] for row in GOOD_PEOPLE])
def test_a_good_token_proves_a_principal(desk: Desk, why: str, claims: dict[str, Any], how: dict[str, Any]) -> None:
    """Its name is that of the entry in the manifest, and the subject."""
    assert desk.principal(claims, **how) == Proved("login:ada", "login", "ada", claims["exp"], "oidc")


GOOD_AGENTS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("a JWT-SVID", WORKLOAD, {}, "mesh"),
    ("of type JOSE", WORKLOAD, {"typ": "JOSE"}, "mesh"),
    ("without typ", WORKLOAD, {"typ": None}, "mesh"),
    ("audience as a text", WORKLOAD | {"aud": "licet"}, {}, "mesh"),
    ("with whatever issuer", WORKLOAD | {"iss": "https://anything.example", "iat": NOW}, {}, "mesh"),
    ("a projected service account token", ACCOUNT, {"key": CLUSTER_KEY, "algorithm": "RS256", "typ": None}, "cluster"),
    ("a year long, renewed each hour", ACCOUNT | {"exp": NOW + 31_536_000}, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "cluster"),
    ("a client of an OIDC provider", ROBOT, {"key": ROBOTS, "algorithm": "Ed25519"}, "robots"),
]


@pytest.mark.parametrize("why,claims,how,issuer", GOOD_AGENTS, ids=[row[0] for row in GOOD_AGENTS])
def test_a_good_token_proves_an_agent(desk: Desk, why: str, claims: dict[str, Any], how: dict[str, Any], issuer: str) -> None:
    """Which agent a subject is, the manifest says."""
    found = desk.agent(claims, **how)
    assert (found.name, found.issuer, found.subject) == ("bot", issuer, claims["sub"])


# Bad tokens: (why, claims, how it is signed, the check that refuses) ------------------------------------------------------------

OTHER = new_key(kid="k1")  # another key by the name of ours
BAD_PEOPLE: list[tuple[str, Any, dict[str, Any], str]] = [
    ("another issuer", PERSON | {"iss": "https://login.evil.example"}, {}, "token.issuer"),
    ("an issuer with a slash more", PERSON | {"iss": f"{LOGIN}/"}, {}, "token.issuer"),
    ("an issuer in capitals", PERSON | {"iss": LOGIN.upper()}, {}, "token.issuer"),
    ("an issuer in a list", PERSON | {"iss": [LOGIN]}, {}, "token.issuer"),
    ("no issuer", without(PERSON, "iss"), {}, "token.issuer"),
    ("the entry's name for an issuer", PERSON | {"iss": "login"}, {}, "token.issuer"),
    ("an issuer that proves agents alone", ACCOUNT, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.issuer"),
    ("an issuer, and the keys of another", PERSON, {"key": ROBOTS, "algorithm": "Ed25519"}, "token.key"),
    ("another audience", PERSON | {"aud": "mail"}, {}, "token.audience"),
    ("a longer audience", PERSON | {"aud": "desk2"}, {}, "token.audience"),
    ("an audience in capitals", PERSON | {"aud": "DESK"}, {}, "token.audience"),
    ("no audience", without(PERSON, "aud"), {}, "token.audience"),
    ("an empty list of audiences", PERSON | {"aud": []}, {}, "token.audience"),
    ("an audience within an object", PERSON | {"aud": {"desk": True}}, {}, "token.audience"),
    ("an audience within a list within a list", PERSON | {"aud": [["desk"]]}, {}, "token.audience"),
    ("an audience and a number", PERSON | {"aud": ["desk", 1]}, {}, "token.audience"),
    ("several audiences, and nobody authorised", PERSON | {"aud": ["desk", "mail"]}, {}, "token.audience"),
    ("several audiences, another authorised", PERSON | {"aud": ["desk", "mail"], "azp": "mail"}, {}, "token.audience"),
    ("over", PERSON | {"exp": NOW - 31}, {}, "token.time"),
    ("from the future", PERSON | {"iat": NOW + 31}, {}, "token.time"),
    ("not begun", PERSON | {"nbf": NOW + 31}, {}, "token.time"),
    ("over before it was issued", PERSON | {"iat": NOW, "exp": NOW - 1}, {}, "token.time"),
    ("older than a day", PERSON | {"iat": NOW - 86_431}, {}, "token.time"),
    ("no exp", without(PERSON, "exp"), {}, "token.time"),
    ("no iat", without(PERSON, "iat"), {}, "token.time"),
    ("exp as a text", PERSON | {"exp": str(NOW + 60)}, {}, "token.time"),
    ("exp as a truth", PERSON | {"exp": True}, {}, "token.time"),
    ("exp without end", json.dumps(PERSON | {"exp": 0}).replace('"exp": 0', '"exp": 1e999').encode(), {}, "token.malformed"),
    ("exp below zero", PERSON | {"exp": -1}, {}, "token.time"),
    ("exp as NaN", json.dumps(PERSON | {"exp": float("nan")}).encode(), {}, "token.malformed"),
    ("no subject", without(PERSON, "sub"), {}, "token.claims"),
    ("an empty subject", PERSON | {"sub": ""}, {}, "token.claims"),
    ("a subject that is a number", PERSON | {"sub": 1}, {}, "token.claims"),
    ("a subject of blanks", PERSON | {"sub": " ada"}, {}, "token.claims"),
    ("a subject with a line", PERSON | {"sub": "ada\nroot"}, {}, "token.claims"),
    ("a subject that looks like another", PERSON | {"sub": "\u0430da"}, {}, "token.claims"),
    ("a subject that is long", PERSON | {"sub": "a" * 256}, {}, "token.claims"),
    ("two subjects", b'{"sub": "eve", ' + json.dumps(PERSON).encode()[1:], {}, "token.malformed"),
    ("another's signature", PERSON, {"key": OTHER}, "token.signature"),
    ("an unknown key", PERSON, {"key": new_key(kid="k9")}, "token.key"),
    ("a key id that is a path", PERSON, {"kid": "../../k1"}, "token.key"),
    ("a key id in capitals", PERSON, {"kid": "K1"}, "token.key"),
    ("an algorithm that the key is not for", PERSON, {"key": new_key("RS256", "k1"), "algorithm": "RS256"}, "token.key"),
    ("an algorithm that is not allowed", PERSON, {"key": RSA, "algorithm": "RS512"}, "token.key"),
    ("a secret for a key", PERSON, {"key": new_key("HS256", "k1"), "algorithm": "HS256"}, "token.key"),
    ("a key in the header", PERSON, {"jwk": OTHER.as_dict(private=False)}, "token.malformed"),
    ("an address of keys in the header", PERSON, {"jku": "https://evil.example/jwks"}, "token.malformed"),
    ("an address of a certificate", PERSON, {"x5u": "https://evil.example/"}, "token.malformed"),
    ("a certificate", PERSON, {"x5c": ["AA"]}, "token.malformed"),
    ("something critical", PERSON, {"crit": ["kid"]}, "token.malformed"),
    ("a header that nobody knows", PERSON, {"weird": "x"}, "token.malformed"),
    ("a token for calls", PERSON, {"typ": "licet-call+jwt"}, "token.type"),
    ("a token of a task", PERSON, {"typ": "licet-task+jwt"}, "token.type"),
    ("a proof of possession", PERSON, {"typ": "dpop+jwt"}, "token.type"),
    ("a transaction token", PERSON, {"typ": "txntoken+jwt"}, "token.type"),
    ("a logout token by its type", PERSON, {"typ": "logout+jwt"}, "token.type"),
    ("a logout token by its claim", PERSON | {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {}, "token.type"),
    ("a call token as an access token", ACCESS | {"tctx": {"task_id": "a"}}, {"typ": "at+jwt"}, "token.type"),
    ("a token for one action", ACCESS | {"authorization_details": [{"type": "payment"}]}, {"typ": "at+jwt"}, "token.type"),
    ("an access token without client", without(ACCESS, "client_id"), {"typ": "at+jwt"}, "token.claims"),
    ("an access token without id", without(ACCESS, "jti"), {"typ": "at+jwt"}, "token.claims"),
    ("a token that is bound to a key", ACCESS | {"cnf": {"jkt": "a"}}, {"typ": "at+jwt"}, "token.proof"),
    ("no JSON", b"ada", {}, "token.malformed"),
    ("no object", b'["ada"]', {}, "token.malformed"),
    ("deep", PERSON | {"a": json.loads("[" * 30 + "]" * 30)}, {}, "token.malformed"),
    ("longer than any", PERSON | {"a": "a" * MAX_TOKEN}, {}, "token.malformed"),
]


@pytest.mark.parametrize("why,claims,how,check", BAD_PEOPLE, ids=[row[0] for row in BAD_PEOPLE])
def test_a_bad_token_proves_no_principal(desk: Desk, why: str, claims: Any, how: dict[str, Any], check: str) -> None:
    """Outside all refusals are one; our own records tell them apart."""
    with pytest.raises(TokenRefused) as refused:
        desk.principal(claims, **how)
    assert refused.value.check == check
    assert str(refused.value) == TokenRefused.OUTWARD


BAD_AGENTS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("another workload", WORKLOAD | {"sub": "spiffe://acme.example/agents/other"}, {}, "token.actor"),
    ("a longer path", WORKLOAD | {"sub": "spiffe://acme.example/agents/bot/x"}, {}, "token.actor"),
    ("another trust domain", WORKLOAD | {"sub": "spiffe://evil.example/agents/bot"}, {}, "token.issuer"),
    ("another trust domain that is known", WORKLOAD | {"sub": "spiffe://named.example/agents/bot"}, {}, "token.issuer"),
    ("an issuer, and another's domain", WORKLOAD | {"iss": SPIRE, "sub": "spiffe://other.example/agents/bot"}, {}, "token.issuer"),
    ("a trust domain with a port", WORKLOAD | {"sub": "spiffe://acme.example:1/agents/bot"}, {}, "token.issuer"),
    ("a trust domain in capitals", WORKLOAD | {"sub": "spiffe://ACME.example/agents/bot"}, {}, "token.issuer"),
    ("a trust domain with a user", WORKLOAD | {"sub": "spiffe://a@acme.example/agents/bot"}, {}, "token.issuer"),
    ("a path with dots", WORKLOAD | {"sub": "spiffe://acme.example/agents/../bot"}, {}, "token.claims"),
    ("a path with an empty part", WORKLOAD | {"sub": "spiffe://acme.example/agents//bot"}, {}, "token.issuer"),
    ("a slash at the end", WORKLOAD | {"sub": "spiffe://acme.example/agents/bot/"}, {}, "token.issuer"),
    ("a path in percents", WORKLOAD | {"sub": "spiffe://acme.example/agents/b%6ft"}, {}, "token.issuer"),
    ("a query", WORKLOAD | {"sub": "spiffe://acme.example/agents/bot?x"}, {}, "token.issuer"),
    ("no path", WORKLOAD | {"sub": "spiffe://acme.example"}, {}, "token.issuer"),
    ("no SPIFFE ID", WORKLOAD | {"sub": "https://acme.example/agents/bot"}, {}, "token.issuer"),
    ("longer than a SPIFFE ID", WORKLOAD | {"sub": "spiffe://acme.example/" + "a" * 2_048}, {}, "token.claims"),
    ("a JWT-SVID without audience", without(WORKLOAD, "aud"), {}, "token.audience"),
    ("a JWT-SVID for another", WORKLOAD | {"aud": ["other"]}, {}, "token.audience"),
    ("a JWT-SVID without end", without(WORKLOAD, "exp"), {}, "token.time"),
    ("a JWT-SVID for two days, without iat", WORKLOAD | {"exp": NOW + 172_800}, {}, "token.time"),
    ("a JWT-SVID that is over", WORKLOAD | {"exp": NOW - 31}, {}, "token.time"),
    ("a JWT-SVID by an algorithm that SPIFFE has not", WORKLOAD, {"key": new_key("Ed25519", "m1"), "algorithm": "Ed25519"}, "token.key"),
    ("a JWT-SVID with a header more", WORKLOAD, {"x5t": "a"}, "token.malformed"),
    ("a WIT", WORKLOAD, {"typ": "wit+jwt"}, "token.type"),
    ("an access token for an SVID", WORKLOAD, {"typ": "at+jwt"}, "token.type"),
    ("a token of an issuer that proves people alone", PERSON, {"key": KEY}, "token.issuer"),
    ("one of people with a workload's name", PERSON | {"sub": WORKLOAD["sub"], "aud": "licet"}, {"key": KEY}, "token.key"),
    ("the cluster's key for a workload", WORKLOAD, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.key"),
    ("another account", ACCOUNT | {"sub": "system:serviceaccount:agents:root"}, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.claims"),
    ("another namespace", ACCOUNT | {"kubernetes.io": {"namespace": "kube-system", "serviceaccount": {"name": "bot"}}}, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.claims"),
    ("another name", ACCOUNT | {"kubernetes.io": {"namespace": "agents", "serviceaccount": {"name": "root"}}}, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.claims"),
    ("no account in the claim", ACCOUNT | {"kubernetes.io": {"namespace": "agents", "serviceaccount": "bot"}}, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.claims"),
    ("a legacy secret", without(ACCOUNT, "exp", "aud", "kubernetes.io"), {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.audience"),
    ("no claim of the cluster", without(ACCOUNT, "kubernetes.io"), {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.claims"),
    ("a node", ACCOUNT | {"sub": "system:node:bot"}, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.claims"),
    ("another account that is whole", ACCOUNT | {"sub": "system:serviceaccount:agents:root", "kubernetes.io": {"namespace": "agents", "serviceaccount": {"name": "root"}}}, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.actor"),
    ("an account token for the API server", ACCOUNT | {"aud": [CLUSTER]}, {"key": CLUSTER_KEY, "algorithm": "RS256"}, "token.audience"),
    ("a client that acts for another", ROBOT | {"act": {"sub": "eve"}}, {"key": ROBOTS, "algorithm": "Ed25519"}, "token.actor"),
    ("a client's token that is old", ROBOT | {"iat": NOW - 3_700}, {"key": ROBOTS, "algorithm": "Ed25519"}, "token.time"),
    ("a client's access token where ID tokens are taken", ROBOT | {"client_id": "a", "jti": "b"}, {"key": ROBOTS, "algorithm": "Ed25519", "typ": "at+jwt"}, "token.type"),
]  # fmt: skip


@pytest.mark.parametrize("why,claims,how,check", BAD_AGENTS, ids=[row[0] for row in BAD_AGENTS])
def test_a_bad_token_proves_no_agent(desk: Desk, why: str, claims: dict[str, Any], how: dict[str, Any], check: str) -> None:
    """Nor does a good one of another agent."""
    with pytest.raises(TokenRefused) as refused:
        desk.agent(claims, **how)
    assert refused.value.check == check


@pytest.mark.parametrize("agent", ["other", "nobody", "", "login"])
def test_a_token_proves_the_agent_that_the_manifest_names(desk: Desk, agent: str) -> None:
    """And no other one, declared or not."""
    with pytest.raises(TokenRefused) as refused:
        desk.agent(WORKLOAD, agent=agent)
    assert refused.value.check == "token.actor"


def test_no_algorithm_is_no_signature(desk: Desk) -> None:
    """In each spelling; and a signature that is cut, empty or another's."""
    token = sign(PERSON, KEY)
    for name in ("none", "None", "NONE", "nOnE", "", "es256"):
        with pytest.raises(TokenRefused):
            desk.identities.principal(_header(token, alg=name))
        with pytest.raises(TokenRefused):
            desk.identities.principal(_header(token, alg=name).rpartition(".")[0] + ".")
    head, body, tail = token.split(".")
    other = sign(PERSON | {"sub": "eve"}, KEY).split(".")
    for changed in (
        f"{head}.{body}.",
        f"{head}.{body}.{tail[:-4]}",
        f"{head}.{other[1]}.{tail}",
        f"{head}.{body}.{other[2]}",
        f"{token}=",
        f" {token}",
    ):
        with pytest.raises(TokenRefused):
            desk.identities.principal(changed)


def test_a_public_key_is_no_secret(desk: Desk) -> None:
    """HMAC under the bytes of the public key, in each form that a library may take it in."""
    import base64
    import hashlib
    import hmac

    for secret in (RSA.as_pem(private=False), RSA.as_der(private=False), json.dumps(RSA.as_dict(private=False)).encode()):
        head = _b64(json.dumps({"alg": "HS256", "kid": "r1", "typ": "JWT"}).encode())
        signed = f"{head}.{_b64(json.dumps(PERSON).encode())}"
        mac = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256)).rstrip(b"=").decode()
        with pytest.raises(TokenRefused) as refused:
            desk.identities.principal(f"{signed}.{mac}")
        assert refused.value.check == "token.key"


def test_our_own_tokens_prove_nobody(tmp_path: Path) -> None:
    """Not even where the manifest trusts our own issuer: a call token says for whom, and not who presents it."""
    signer = ephemeral_key()
    ours = Issuer(FixedKeys(signer), "urn:licet:self", "urn:licet:guard:a")
    issuer = "{kind: oidc, issuer: 'urn:licet:self', audiences: ['urn:crm'], jwks_file: self.json, proves: [principal, agent], typ: [JWT, at+jwt]}"
    manifest = loads(MANIFEST.format(url="https://login.acme.example/jwks").replace("issuers:\n", f"issuers:\n  self: {issuer}\n"), now=NOW)
    (tmp_path / "self.json").write_text(json.dumps({"keys": [dict(signer.jwk)]}))
    identities = Identities(manifest.issuers, manifest.agents, folder=tmp_path, clock=FakeClock())
    task = TaskRecord("a" * 32, "work", "bot", "user:grace", "Work", "sha256:0", NOW, 600.0, root="a" * 32)
    for envelope in ("licet-call+jwt", "at+jwt"):
        minting = Minting(
            tool="note", audience="urn:crm", args_digest="sha256:0", expires=NOW + 60, step=1, purpose="Work", intent_digest="sha256:1",
            actors=("bot",), context={}, envelope=envelope,  # type: ignore[arg-type]
        )  # fmt: skip
        token = ours.mint(Decision("allow"), task, minting, now=NOW).jwt
        with pytest.raises(TokenRefused) as refused:
            identities.principal(token)
        assert refused.value.check == "token.type"


def test_unknown_keys_do_not_wear_out_the_provider(desk: Desk) -> None:
    """Two hundred tokens, each by a key that nobody knows: at most one request more."""
    desk.principal()
    before = desk.server.asked
    for number in range(200):
        with pytest.raises(TokenRefused) as refused:
            desk.principal(kid=f"k-{number}")
        assert refused.value.check == "token.key"
    assert desk.server.asked <= before + 1


def test_keys_that_cannot_be_had_refuse(tmp_path: Path) -> None:
    """Could not decide is a refusal; the reason names the issuer, and not the token."""
    desk = Desk(tmp_path)
    desk.server.status = 503
    with pytest.raises(TokenRefused) as refused:
        desk.principal()
    assert refused.value.check == "token.undecided"
    assert "`login`" in refused.value.why
    (tmp_path / "mesh.json").unlink()
    with pytest.raises(TokenRefused) as refused:
        desk.agent(WORKLOAD)
    assert refused.value.check == "token.undecided"
    desk.server.close()


def test_weak_keys_verify_nothing(tmp_path: Path) -> None:
    """RFC 7518 section 3.3: 1024 bits are too few, whoever publishes them."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from joserfc.jwk import RSAKey

    weak = rsa.generate_private_key(65537, 1024)
    with pytest.warns(Warning, match="2048"):
        key = RSAKey.import_key(weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), {"kid": "w"})
    desk = Desk(tmp_path)
    desk.server.body = jwks(KEY, key)
    assert desk.principal()
    with pytest.raises(TokenRefused) as refused:
        desk.principal(key=key, algorithm="RS256")
    assert refused.value.check == "token.key"
    desk.server.close()


def test_a_token_without_an_issuer_for_its_role_is_the_programs_mistake(tmp_path: Path) -> None:
    """It can only be mended in the manifest, and nothing falls back to a claim."""
    identities = Identities({}, {}, folder=tmp_path)
    with pytest.raises(UsageError, match="proves: principal"):
        identities.principal(sign(PERSON, KEY))
    with pytest.raises(UsageError, match="proves: agent"):
        identities.agent(sign(WORKLOAD, MESH), "bot")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200), st.none(), st.integers()))
def test_whatever_is_shown_is_refused(desk: Desk, shown: Any) -> None:
    """Never another error."""
    for ask in (desk.identities.principal, lambda token: desk.identities.agent(token, "bot")):
        with pytest.raises(TokenRefused):
            ask(shown)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*ACCOUNT, "azp", "act", "cnf", "events", "nonce"]), VALUES)
def test_any_claim_with_any_value_is_taken_or_refused(desk: Desk, name: str, value: Any) -> None:
    """Signed by the right key: what an issuer writes cannot crash the verifier, nor be another subject than it says."""
    for claims, key, algorithm in ((PERSON, KEY, "ES256"), (WORKLOAD, MESH, "ES256"), (ACCOUNT, CLUSTER_KEY, "RS256")):
        changed = claims | {name: value}
        try:
            token = sign(json.dumps(changed, ensure_ascii=True).encode(), key, algorithm)
            found = desk.identities.principal(token) if claims is PERSON else desk.identities.agent(token, "bot")
        except TokenRefused:
            continue
        assert found.subject == changed["sub"]
        assert changed["exp"] > NOW - 30


def _b64(data: bytes) -> str:
    import base64

    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _header(token: str, **changes: Any) -> str:
    import base64

    head, rest = token.split(".", 1)
    found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return f"{_b64(json.dumps(found | changes).encode())}.{rest}"
