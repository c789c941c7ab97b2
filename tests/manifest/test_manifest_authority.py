"""What `authority:` must not say: a name that others cannot compare, clients without keys or agents, audiences that are our own."""

from __future__ import annotations

import jsonschema_rs
import pytest

from licet.errors import ManifestError, Problem
from licet.manifest import loads
from licet.manifest.schema import build
from licet.manifest.yaml_reader import read
from manifests import NOW, VALID

RUNNER = "{agents: [bot], jwks_file: runner.json}"


def manifest(issuer: str = "https://licet.acme.example", client: str = RUNNER, federation: str = "[sts.cloud.example]") -> str:
    return f"{VALID}authority:\n  issuer: {issuer!r}\n  clients: {{runner: {client}}}\n  federation: {federation}\n"


def problem(text: str) -> Problem:
    """The one problem."""
    with pytest.raises(ManifestError) as caught:
        loads(text, now=NOW)
    (found,) = caught.value.problems
    return found


@pytest.mark.parametrize(
    "issuer",
    ["https://licet.acme.example", "https://licet.acme.example:8443/a/b", "http://127.0.0.1:8470", "http://localhost", "http://[::1]:8470"],
)
def test_a_name_that_can_be_one(issuer: str):
    """And the guard's tokens carry it."""
    loaded = loads(manifest(issuer), now=NOW)
    assert loaded.authority is not None
    assert loaded.authority.issuer == issuer
    assert loaded.authority.clients["runner"].algorithms == ("EdDSA", "Ed25519", "ES256", "ES384", "PS256", "RS256")


@pytest.mark.parametrize(
    "issuer,said",
    [
        ("http://licet.acme.example", "https"),
        ("http://127.0.0.1.evil.example", "https"),
        ("http://localhost.evil.example", "https"),
        ("https://user@licet.acme.example", "https"),
        ("https://licet.acme.example?a=b", "neither query nor fragment"),
        ("https://licet.acme.example?", "neither query nor fragment"),
        ("https://licet.acme.example#a", "https"),
        ("https://licet.acme.example/", "character by character"),
        ("https://licet.acme.example/a/../b", "character by character"),
        ("https://licet.acme.example//a", "character by character"),
        ("https://Licet.acme.example", "character by character"),
        ("https://licet.acme.example:443", "character by character"),
        ("https://licet.acme.example/%61", "https"),
        ("https://licet.acme.example\\a", "https"),
        ("licet.acme.example", "not a name that can stand here"),
        ("urn:licet", "not a name that can stand here"),
    ],
)
def test_a_name_that_cannot(issuer: str, said: str):
    """Others compare it character by character, and find everything below it."""
    found = problem(manifest(issuer))
    assert found.key == "authority.issuer"
    assert said in found.sentence
    assert found.line > 1


@pytest.mark.parametrize(
    "text,key,said",
    [
        (manifest(client="{agents: [bot]}"), "authority.clients.runner", "come from one place"),
        (manifest(client="{agents: [bot], jwks_file: a, jwks_uri: 'https://a.example'}"), "authority.clients.runner", "come from one place"),
        (manifest(client="{agents: [bot], jwks_uri: 'http://a.example'}"), "authority.clients.runner.jwks_uri", "without TLS"),
        (manifest(client="{jwks_file: a}"), "authority.clients.runner.agents", "missing"),
        (manifest(client="{agents: [], jwks_file: a}"), "authority.clients.runner", "may act as no agent"),
        (manifest(client="{agents: [bit], jwks_file: a}"), "authority.clients.runner.agents.0", "did you mean `bot`?"),
        (manifest(client="{agents: ['*'], jwks_file: a}"), "authority.clients.runner.agents.0", "would grant everything"),
        (manifest(client="{agents: [bot], jwks_file: a, algorithms: [HS256]}"), "authority.clients.runner.algorithms.0", "EdDSA"),
        (manifest(client="{agents: [bot], jwks_file: a, algorithms: []}"), "authority.clients.runner.algorithms", "must not be empty"),
        (manifest(client="{agents: [bot], jwks_file: a, client_secret: b}"), "authority.clients.runner.client_secret", "unknown key"),
        (manifest(federation="['*']"), "authority.federation.0", "would grant everything"),
        (manifest(federation="['https://licet.acme.example']"), "authority.federation.0", "the authority itself"),
        (manifest(federation="['https://crm.acme.example']").replace("access: read,", "access: read, audience: 'https://crm.acme.example',"),
         "authority.federation.0", "the tool `read_ticket`"),
        (manifest().replace("  federation", "  fedration"), "authority.fedration", "did you mean `federation`?"),
    ],
)  # fmt: skip
def test_what_would_let_in_too_much_is_an_error(text: str, key: str, said: str):
    """Each error names the key."""
    found = problem(text)
    assert found.key == key
    assert said in found.sentence


def test_the_schema_says_the_same_where_it_can():
    """One source of keys, and no key that is not known."""
    schema = jsonschema_rs.Draft202012Validator(build(), validate_formats=True)
    assert schema.is_valid(read(manifest()).data)
    for client in (
        "{agents: [bot]}",
        "{agents: [bot], jwks_file: a, jwks_uri: 'https://a.example'}",
        "{agents: [bot], jwks_file: a, more: 1}",
    ):
        assert not schema.is_valid(read(manifest(client=client)).data)
    assert not schema.is_valid(read(manifest("urn:licet")).data)
