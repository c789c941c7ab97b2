"""Who may prove names: what `issuers` and `proved_by` must not say."""

from __future__ import annotations

import pytest

from licet.errors import ManifestError, Problem
from licet.manifest import loads
from licet.manifest.identities import why_unsafe
from manifests import NOW, VALID

LOGIN = "{kind: oidc, issuer: 'https://login.acme.example', audiences: [desk], jwks_uri: 'https://login.acme.example/jwks', proves: %s}"
MESH = "{kind: jwt-svid, trust_domain: acme.example, audiences: [licet], jwks_file: bundle.json, proves: agent}"
CLUSTER = "{kind: kubernetes, issuer: 'https://k8s.acme.example', audiences: [licet], jwks_file: cluster.json, proves: agent}"


def manifest(issuers: str, *proved_by: str) -> str:
    """The valid manifest with issuers, and an agent for each `proved_by`."""
    agents = "".join(f"  bot{i}: {{owner: support, tasks: [answer], proved_by: {{{each}}}}}\n" for i, each in enumerate(proved_by))
    return VALID.replace("agents:\n", f"issuers: {{{issuers}}}\nagents:\n{agents}")


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ManifestError) as caught:
        loads(text, now=NOW)
    return caught.value.problems


def test_the_keys_are_read_as_they_are_meant() -> None:
    """Defaults belong to the kind; one role needs no list."""
    loaded = loads(manifest(f"login: {LOGIN % 'principal'}, mesh: {MESH}", "mesh: 'spiffe://acme.example/bot'"), now=NOW)
    login, mesh = loaded.issuers["login"], loaded.issuers["mesh"]
    assert (login.proves, login.accepted_types, login.oldest) == (("principal",), ("JWT",), 86_400)
    assert "EdDSA" in login.accepted_algorithms
    assert "EdDSA" not in mesh.accepted_algorithms
    assert loaded.agents["bot0"].proved_by == {"mesh": "spiffe://acme.example/bot"}


@pytest.mark.parametrize(
    "issuers,proved_by,key,said",
    [
        (f"mesh: {MESH}", ("mash: 'spiffe://acme.example/bot'",), "agents.bot0.proved_by.mash", "did you mean `mesh`?"),
        (f"login: {LOGIN % 'principal'}", ("login: bot",), "agents.bot0.proved_by.login", "add `agent` to `issuers.login.proves`"),
        (f"mesh: {MESH}", ("mesh: 'spiffe://evil.example/bot'",), "agents.bot0.proved_by.mesh", "begins with `spiffe://acme.example/`"),
        (f"mesh: {MESH}", ("mesh: 'spiffe://acme.example/*'",), "agents.bot0.proved_by.mesh", "`*` stands for itself"),
        (f"cluster: {CLUSTER}", ("cluster: bot",), "agents.bot0.proved_by.cluster", "system:serviceaccount:NAMESPACE:NAME"),
        (
            f"login: {LOGIN % 'agent'}", ("login: bot", "login: bot"), "agents.bot1.proved_by.login", "agent `bot0` is proved by this subject too",
        ),
        (f"a: {LOGIN % 'principal'}, b: {LOGIN % '[agent, principal]'}", (), "issuers.b.issuer", "`a` has this `issuer` too"),
        (f"a: {MESH}, b: {MESH}", (), "issuers.b.trust_domain", "`a` has this `trust_domain` too"),
        (f"login: {(LOGIN % 'agent').replace('https://login.acme.example/jwks', 'http://acme.example/jwks')}", (), "issuers.login.jwks_uri", "without TLS"),
        (f"login: {(LOGIN % 'agent').replace('https://login.acme.example/jwks', 'https://a:b@acme.example/')}", (), "issuers.login.jwks_uri", "a user name"),
    ],
)  # fmt: skip
def test_what_could_prove_the_wrong_name_is_an_error(issuers: str, proved_by: tuple[str, ...], key: str, said: str) -> None:
    """Each error names the key, and what to write."""
    (problem,) = problems(manifest(issuers, *proved_by))
    assert problem.key == key
    assert problem.line > 1
    assert said in problem.sentence


def test_one_issuer_may_stand_twice_where_it_proves_different_things() -> None:
    """ID tokens for the desk prove people, those for the agents' own audience prove agents."""
    assert loads(manifest(f"people: {LOGIN % 'principal'}, agents: {LOGIN % 'agent'}"), now=NOW)


@pytest.mark.parametrize(
    "url,safe",
    [
        ("https://acme.example/jwks", True), ("http://127.0.0.1:8080/jwks", True), ("http://localhost/jwks", True), ("http://[::1]:1/", True),
        ("http://127.0.0.1.evil.example/", False), ("http://localhost.evil.example/", False), ("http://0.0.0.0/", False),
        ("http://169.254.169.254/", False), ("https://acme.example/#a", False), ("https://acme.example:port/", False), ("https:///jwks", False),
        ("https://[::1/", False), ("http://localhost@evil.example/", False), ("http://2130706433/", False),
    ],
)  # fmt: skip
def test_keys_come_by_tls_or_from_this_machine(url: str, safe: bool) -> None:
    """By the spelling of the address alone: what a name resolves to may change."""
    assert (why_unsafe(url) == "") is safe
