"""Who may ask: each way to be taken for a client that one is not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from licet.server.app import Limits
from licet.server.clients import ASSERTION_TYPE
from licet.server.forms import MAX_BODY
from licet.server.token import GRANT_TYPE
from licet.tokens import SigningKey
from licet.tokens.algorithms import base64url
from licet.tokens.keys import jwks_text
from running import HELPERS, RUNNER, TASK, Asker, Service, running

NOW = int(time.time())


def unknown(answer: httpx.Response) -> None:
    """Refused, always in the same words."""
    assert (answer.status_code, answer.json()) == (
        401,
        {"error": "invalid_client", "error_description": "the client was not authenticated"},
    ), answer.text
    assert answer.headers["www-authenticate"].startswith("private_key_jwt")
    assert answer.headers["cache-control"] == "no-store"


def asked(service: Service, form: dict[str, str], path: str = "/introspect", **headers: str) -> httpx.Response:
    return service.http.post(path, data={"token": "x"} | form, headers=headers)


def with_assertion(service: Service, assertion: str, **more: str) -> httpx.Response:
    return asked(service, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion} | more)


def test_a_good_assertion_is_taken_for_the_issuer_and_for_the_token_endpoint(service: Service):
    """RFC 7523 section 3: both are names of ours, character by character; the types are those that clients write."""
    for audience in (service.url, f"{service.url}/token"):
        assert with_assertion(service, service.asker.assertion(aud=audience)).status_code == 200
    for typ in (None, "JWT", "client-authentication+jwt"):
        assert with_assertion(service, service.asker.assertion({"typ": typ})).status_code == 200
    assert with_assertion(service, service.asker.assertion(), client_id="runner").status_code == 200
    assert with_assertion(service, service.asker.assertion(iat=None)).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://evil.example"},
        {"aud": None},
        {"aud": ["https://evil.example"]},
        {"iss": "helpers"},
        {"sub": "helpers"},
        {"iss": "helpers", "sub": "helpers"},
        {"iss": "nobody", "sub": "nobody"},
        {"iss": None},
        {"sub": None},
        {"sub": ["runner"]},
        {"exp": None},
        {"exp": NOW - 60, "iat": NOW - 90},
        {"exp": NOW + 3600},
        {"exp": NOW + 3600, "iat": None},
        {"exp": True},
        {"exp": str(NOW + 60)},
        {"exp": NOW + 60.5},
        {"exp": -1},
        {"iat": NOW + 100_000, "exp": NOW + 100_060},
        {"iat": NOW + 100_000},
        {"iat": NOW - 3600},
        {"iat": "now"},
        {"nbf": NOW + 100_000},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "j" * 129},
    ],
    ids=" ".join,
)
def test_a_claim_that_is_not_good(service: Service, claims: dict[str, Any]):
    """Whatever the claim, the answer says the same."""
    unknown(with_assertion(service, service.asker.assertion(**claims)))


def test_an_audience_that_only_looks_like_ours(service: Service):
    """No list, no slash, no other case, no port left out, no other endpoint."""
    url = service.url
    for audience in (
        [url],
        [url, "https://evil.example"],
        f"{url}/",
        f"{url}/TOKEN",
        f"{url}/token/",
        f"{url}/revoke",
        url.upper(),
        f" {url}",
    ):
        unknown(with_assertion(service, service.asker.assertion(aud=audience)))


def test_an_assertion_by_another_key(service: Service):
    """Another client's, and one that nobody knows, with our client's `kid` and with its own."""
    for key in (HELPERS, SigningKey.generate("ES256")):
        unknown(with_assertion(service, service.asker.assertion(key=key)))
        unknown(with_assertion(service, service.asker.assertion({"kid": RUNNER.kid}, key=key)))
        unknown(with_assertion(service, service.asker.assertion({"kid": None}, key=key)))


def test_an_algorithm_that_the_client_does_not_use(service: Service):
    """`helpers` may sign with ES256 alone; `none` and a MAC with the public key are no signature at all."""
    good = service.asker.assertion()
    body = good.split(".")[1]
    none = base64url(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    for tail in ("", "AA"):
        unknown(with_assertion(service, f"{none}.{body}.{tail}"))
    pem = RUNNER.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, jwks_text([RUNNER.jwk]).encode(), json.dumps(dict(RUNNER.jwk)).encode()):
        mac = base64url(json.dumps({"alg": "HS256", "typ": "JWT", "kid": RUNNER.kid}).encode())
        unknown(with_assertion(service, f"{mac}.{body}.{base64url(hmac.digest(secret, f'{mac}.{body}'.encode(), 'sha256'))}"))
    unknown(with_assertion(service, Asker(service, "helpers", SigningKey.generate()).assertion()))


@pytest.mark.parametrize(
    "header",
    [{"jwk": dict(RUNNER.jwk)}, {"jku": "https://evil.example"}, {"x5u": "https://evil.example"}, {"crit": ["exp"]}, {"b64": False},
     {"typ": "dpop+jwt"}, {"typ": "at+jwt"}, {"typ": "licet-task+jwt"}, {"kid": "../../etc/passwd"}, {"kid": 7}],
    ids=" ".join,
)  # fmt: skip
def test_a_header_that_is_not_good(service: Service, header: dict[str, Any]):
    """A key or an address in a header is not asked, and another kind of token is no assertion."""
    unknown(with_assertion(service, service.asker.assertion(header)))


def test_an_assertion_is_used_once(service: Service):
    """Also at another endpoint, and by 8 at once exactly one."""
    assertion = service.asker.assertion()
    assert with_assertion(service, assertion).status_code == 200
    unknown(with_assertion(service, assertion))
    unknown(asked(service, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}, "/revoke"))
    assertion = service.asker.assertion()
    with ThreadPoolExecutor(8) as several:
        answers = several.map(lambda _: with_assertion(service, assertion).status_code, range(8))
        assert sorted(answers) == [200] + [401] * 7


def test_what_is_changed_on_the_way(service: Service):
    """A changed payload, a changed signature, a cut one, padding, and a claim that stands twice."""
    head, body, tail = service.asker.assertion().split(".")
    other = base64url(json.dumps(json.loads(base64.urlsafe_b64decode(body + "==")) | {"jti": "other"}).encode())
    twice = f'{{"iss":"runner","sub":"runner","sub":"runner","aud":"{service.url}","exp":{int(time.time()) + 60},"jti":"t"}}'
    text = f"{head}.{base64url(twice.encode())}"
    for changed in (f"{head}.{other}.{tail}", f"{head}.{body}.{tail[:-4]}", f"{head}.{body}.{tail}==", f"{head}.{body}", "", "x" * 9_000):
        unknown(with_assertion(service, changed))
    unknown(with_assertion(service, f"{text}.{base64url(RUNNER.sign(text.encode()))}"))
    assert with_assertion(service, f"{head}.{body}.{tail}").status_code == 200


def test_there_is_no_other_way_in(service: Service):
    """No secret, no header, no second method, no client without authentication, no other client's id, no other type of assertion."""
    good = service.asker.assertion
    unknown(asked(service, {}))
    unknown(asked(service, {"client_id": "runner"}))
    unknown(asked(service, {"client_id": "runner", "client_secret": "s"}))
    unknown(with_assertion(service, good(), client_secret="s"))
    unknown(with_assertion(service, good(), client_id="helpers"))
    unknown(asked(service, service.asker.authentication(), Authorization="Basic cnVubmVyOng="))
    unknown(
        asked(service, {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "client_assertion": good()})
    )
    unknown(asked(service, {"client_assertion": good()}))
    for path in ("/token", "/revoke", "/introspect"):
        unknown(asked(service, {"grant_type": GRANT_TYPE}, path))


def test_a_key_that_is_taken_out_is_refused_at_once(tmp_path: Path):
    """The client's file is read again; a file that is gone is an answer that nothing could be decided."""
    with running(tmp_path) as service:
        assert with_assertion(service, service.asker.assertion()).status_code == 200
        (tmp_path / "runner.json").write_text(jwks_text([HELPERS.jwk]), encoding="utf-8")
        unknown(with_assertion(service, service.asker.assertion()))
        (tmp_path / "runner.json").unlink()
        answer = with_assertion(service, service.asker.assertion())
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert "runner.json" not in answer.text


# The form ---------------------------------------------------------------------------------------------------------------------


def refused(answer: httpx.Response, status: int = 400) -> str:
    assert (answer.status_code, answer.json()["error"]) == (status, "invalid_request"), answer.text
    return str(answer.json()["error_description"])


def test_the_parameters_stand_once_in_the_body(service: Service):
    """Twice, in the URL, as JSON, not in UTF-8, too many or too long: refused before anybody is authenticated."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    post = service.http.post
    assert "twice" in refused(post("/introspect", content="token=a&token=b", headers=form))
    assert "twice" in refused(post("/introspect", content="token=a&token=", headers=form))
    assert "URL" in refused(post("/introspect?token=a", data={"token": "a"}))
    refused(post("/introspect", json={"token": "a"}))
    refused(post("/introspect", content=b"token=%ff", headers=form))
    refused(post("/introspect", content="token=ä".encode(), headers=form))
    refused(post("/introspect", content="token", headers=form))
    refused(post("/introspect", content="&".join(f"p{number}=1" for number in range(50)), headers=form))
    refused(post("/introspect", content="token=" + "a" * MAX_BODY, headers=form), 413)
    refused(post("/introspect", content=iter([b"token=", b"a" * MAX_BODY]), headers=form), 413)


def test_the_form_may_say_its_charset(service: Service):
    """As many clients do."""
    body = httpx.Request("POST", service.url, data={"token": "x"} | service.asker.authentication()).content
    headers = {"Content-Type": "Application/x-www-form-urlencoded; charset=UTF-8"}
    assert service.http.post("/introspect", content=body, headers=headers).json() == {"active": False}


def test_what_is_not_there(service: Service):
    """Another path and another method, as JSON."""
    assert service.http.get("/nothing").json()["error"] == "not_found"
    answer = service.http.get("/token")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


# How often ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path, limits=Limits(address_rate=0.01, address_burst=6, client_rate=0.01, client_burst=2)) as made:
        yield made


def test_a_client_that_asks_too_often(narrow: Service):
    """It waits, and another client does not."""
    asker, other = narrow.asker, Asker(narrow, "helpers", HELPERS)
    assert [asker.post("/introspect", {"token": "x"}).status_code for _ in range(3)] == [200, 200, 429]
    assert other.post("/introspect", {"token": "x"}).status_code == 200


def test_an_address_that_asks_too_often(narrow: Service):
    """Before anybody is authenticated, whatever it asks for, and it is told for how long to wait."""
    statuses = [asked(narrow, {}).status_code for _ in range(6)]
    assert statuses == [401] * 6
    answers = [asked(narrow, {}), narrow.http.get("/jwks.json"), narrow.http.get("/health"), narrow.asker.exchange("x", TASK)]
    assert {answer.status_code for answer in answers} == {429}
    assert all(0 < int(answer.headers["retry-after"]) <= 101 for answer in answers)


def test_what_is_signed_for_nobody_uses_nothing_up(service: Service):
    """A forged assertion with a client's `jti` does not use that `jti` up."""
    good = service.asker.assertion(jti="the-same")
    unknown(with_assertion(service, service.asker.assertion(jti="the-same", key=HELPERS)))
    assert with_assertion(service, good).status_code == 200
