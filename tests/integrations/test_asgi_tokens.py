"""A request reaches a tool only with a token for exactly that call: the ASGI middleware, against real servers and raw bytes."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import get_current_span

from licet import CallClaims, TokenRefused, UsageError
from licet.canonical import digest
from licet.integrations._incoming import arguments_of
from licet.integrations.asgi import CallTokens, Incoming, verified_call
from licet.store import SqliteStore
from licet.telemetry import process
from tool_side import AUDIENCE, ORDER, Tool, World, current, listen, raw, serving, url_of

CALLS = {"POST /pay_back": "pay_back", "POST /take_back": "take_back"}
BODY = json.dumps(ORDER).encode()


class Side:
    """A tool behind the middleware, served."""

    def __init__(self, world: World, **options: Any) -> None:
        self.world, self.tool, self.sock = world, Tool(), listen()
        self.base = url_of(self.sock)
        options = {"call": CALLS, "base_url": self.base, "open": {"/health"}, **options}
        self.app = CallTokens(self.tool, options.pop("verifier", None) or world.verifier(), **options)
        self._serving = serving(self.app, self.sock)

    def __enter__(self) -> Side:
        self._serving.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._serving.__exit__(*exception)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        return f"{self.base}/pay_back"

    def post(self, headers: Any, *, url: str | None = None, body: bytes = BODY, **more: Any) -> httpx.Response:
        given = [*(headers.items() if isinstance(headers, dict) else headers)]
        if not any(name.lower() == "content-type" for name, _ in given):
            given.append(("Content-Type", "application/json"))
        return httpx.request(more.pop("method", "POST"), url or self.url, headers=given, content=body, timeout=20, **more)


@pytest.fixture
def side(world: World) -> Iterator[Side]:
    with Side(world) as made:
        yield made


def refused(answer: httpx.Response) -> bool:
    """One answer for every reason, to the byte."""
    assert (answer.status_code, answer.content) == (401, b'{"error":"invalid_token"}')
    assert answer.headers["www-authenticate"] == 'DPoP error="invalid_token"'
    return True


def why(caplog: pytest.LogCaptureFixture) -> str:
    return [record.getMessage() for record in caplog.records if record.name == "licet"][-1]


# What is let through ---------------------------------------------------------------------------------------------------------


def test_an_allowed_call_reaches_the_tool_with_its_body_and_its_claims_and_without_its_token(side: Side) -> None:
    answer = side.post(side.world.headers(side.url))
    assert answer.status_code == 200
    assert answer.json() == {"got": ORDER}
    ((scope, body),) = side.tool.ran
    assert body == BODY
    claims = scope["state"]["licet_call"]
    assert isinstance(claims, CallClaims)
    assert (claims.tool, claims.agent, claims.principal, claims.audience) == ("pay_back", "bot", "user:grace", AUDIENCE)
    names = {name for name, _ in scope["headers"]}
    assert not names & {b"licet-call-token", b"dpop"}
    assert b"content-type" in names


def test_the_access_token_envelope_comes_in_authorization_under_dpop(world: World) -> None:
    with Side(world, verifier=world.verifier(typ="at+jwt"), call={"POST /pay_back": "classic"}) as side:
        headers = world.headers(side.url, "classic", {"a": 1})
        assert headers["Authorization"].startswith("DPoP ")
        token = headers["Authorization"].split(" ")[1]
        assert refused(side.post(headers | {"Authorization": f"Bearer {token}"}, body=b'{"a":1}'))
        assert refused(side.post({"Licet-Call-Token": token, "DPoP": headers["DPoP"]}, body=b'{"a":1}'))
        assert side.post(headers, body=b'{"a":1}').status_code == 200
        assert b"authorization" not in {name for name, _ in side.tool.ran[0][0]["headers"]}


@pytest.mark.parametrize(
    "body",
    [
        b'{"note":"sp\\u00e4\\u0165","euros":1e1,"number":3.0}',
        '{"euros": 10.00,\n "number": 30E-1, "note": "späť"}'.encode(),
    ],
    ids=["escapes, order, numbers", "spaces, more numbers"],
)
def test_another_form_of_the_same_json_is_the_same_call_as_rfc_8785_has_it(side: Side, body: bytes) -> None:
    assert digest(arguments_of(body)) == digest(dict(ORDER))
    assert side.post(side.world.headers(side.url), body=body).status_code == 200


def test_a_function_takes_arguments_from_query_and_path(world: World) -> None:
    def call(request: Incoming) -> tuple[str, dict[str, Any]]:
        return "find_order", {"number": int(request.path.rpartition("/")[2]), "part": request.query["part"]}

    with Side(world, call=call) as side:
        url = f"{side.base}/orders/7"
        arguments = {"number": 7, "part": "a b"}
        answer = httpx.get(f"{url}?part=a%20b", headers=world.headers(url, "find_order", arguments, "GET"))
        assert answer.status_code == 200
        for odd in ("?part=a%20b&part=x", "?part=%FF", "?part", "?", "?part=b", "?part=a%20b&more=1&more=2"):
            assert refused(httpx.get(url + odd, headers=world.headers(url, "find_order", arguments, "GET")))
        other = f"{side.base}/orders/8"  # the path's number is an argument, and the path is in the proof
        assert refused(httpx.get(f"{other}?part=a%20b", headers=world.headers(url, "find_order", arguments, "GET")))
        assert refused(httpx.get(f"{url}?part=a%20b", headers=world.headers(other, "find_order", arguments, "GET")))
        assert len(side.tool.ran) == 1


def test_an_open_path_needs_no_token_and_has_no_claims(side: Side) -> None:
    assert httpx.get(f"{side.base}/health").status_code == 200
    assert "licet_call" not in side.tool.ran[0][0].get("state", {})


async def test_behind_a_proxy_the_proof_is_for_the_url_that_callers_know(world: World) -> None:
    guarded = CallTokens(Tool(), world.verifier(), call=CALLS, base_url=f"{AUDIENCE}/")
    assert (await asked(guarded, "/pay_back", world.headers("https://orders.acme.example/pay_back")))[0]["status"] == 401
    assert (await asked(guarded, "/pay_back", world.headers(f"{AUDIENCE}/pay_back?x=1#y")))[0]["status"] == 200


async def test_the_call_is_found_below_and_nowhere_else(world: World) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(verified_call())

    guarded = CallTokens(app, world.verifier(), call=CALLS, base_url="https://x.example", open={"/health"})
    headers = world.headers("https://x.example/pay_back")
    await asked(guarded, "/pay_back", headers)
    await asked(guarded, "/health", {})
    assert [call and call.tool for call in seen] == ["pay_back", None]
    assert verified_call() is None


# What is refused -------------------------------------------------------------------------------------------------------------


def test_without_a_token_nothing_runs(side: Side) -> None:
    assert refused(side.post({}))
    assert side.tool.ran == []


def test_a_replay_is_refused_and_found(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    headers = side.world.headers(side.url)
    assert side.post(headers).status_code == 200
    assert refused(side.post(headers))
    assert "token.replay" in why(caplog)
    assert [found.check for found in side.world.guard._store.findings()] == ["token.replay"]
    assert len(side.tool.ran) == 1


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
def test_every_method_is_protected(side: Side, method: str) -> None:
    answer = side.post({}, method=method)
    assert answer.status_code == 401
    if method != "POST":  # nor does a token for one method help with another
        assert side.post(side.world.headers(side.url), method=method).status_code == 401
        assert side.post(side.world.headers(side.url, method=method), method=method).status_code == 401
    assert side.tool.ran == []


def test_swapped_arguments_another_tool_and_another_place_are_refused(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    mint = side.world.headers
    other = f"{side.base}/take_back"
    assert refused(side.post(mint(side.url), body=json.dumps(ORDER | {"euros": 1000}).encode()))
    assert "not those that were judged" in why(caplog)
    assert refused(side.post(mint(side.url), body=json.dumps(ORDER | {"more": None}).encode()))
    assert refused(side.post(mint(side.url, "take_back")))
    assert "another tool" in why(caplog)
    assert refused(side.post(mint(side.url), url=other))
    assert refused(side.post(mint("https://elsewhere.example/pay_back")))
    assert "another request" in why(caplog)
    assert side.tool.ran == []


def test_a_token_without_its_proof_or_with_the_proof_of_another_is_refused(side: Side) -> None:
    one, two = side.world.headers(side.url), side.world.headers(side.url)
    assert refused(side.post({"Licet-Call-Token": one["Licet-Call-Token"]}))
    assert refused(side.post(one | {"DPoP": two["DPoP"]}))
    assert side.post(one).status_code == 200


def test_a_token_after_the_end_of_its_task_is_refused_and_found(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    with side.world.task() as task:
        headers = side.world.inside("pay_back", lambda: current().headers_for("POST", side.url), **ORDER)
    assert refused(side.post(headers))
    assert "token.ended" in why(caplog)
    (found,) = side.world.guard._store.findings(task.id)
    assert found.check == "token.ended"
    assert "after the end of its task" in found.sentence


@pytest.mark.parametrize("name", ["Licet-Call-Token", "DPoP", "Content-Type", "Content-Encoding", "Authorization"])
def test_a_header_that_stands_twice_is_refused(side: Side, name: str) -> None:
    headers = side.world.headers(side.url) | {"Content-Type": "application/json"}
    headers.setdefault(name, "identity")
    assert refused(side.post([*headers.items(), (name, headers[name])]))
    assert refused(side.post([*headers.items(), (name.upper(), "x")]))
    assert side.tool.ran == []


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"])
def test_a_header_that_names_another_request_is_refused(side: Side, name: str) -> None:
    assert refused(side.post(side.world.headers(side.url) | {name: "/health"}))
    assert refused(side.post({name: "/health"}))


def test_what_a_request_says_of_its_own_address_is_not_believed(side: Side) -> None:
    lies = {
        "Host": "elsewhere.example", "X-Forwarded-Host": "elsewhere.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/x",
        "Forwarded": "host=elsewhere.example;proto=https",
    }  # fmt: skip
    assert refused(side.post(side.world.headers("https://elsewhere.example/pay_back") | lies))
    assert refused(side.post(side.world.headers("http://elsewhere.example/pay_back") | lies))
    assert side.post(side.world.headers(side.url) | lies).status_code == 200


PATHS = [
    "//pay_back", "/./pay_back", "/pay_back/", "/x/../pay_back", "/health/../pay_back", "/health/%2e%2e/pay_back", "/%70ay_back", "/health/",
    "//health", "/%68ealth", "/health%2f", "/Health", "/health;x", "/health%00", "/health%3f", "/pay_back%20", "/", "/health/x",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_spelling_of_a_path_gets_around_the_token(side: Side, path: str) -> None:
    for method in (b"POST", b"GET"):
        answer = raw(side.base, method + b" " + path.encode() + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 401 ")
    assert side.tool.ran == []


def test_a_query_that_nobody_judged_is_refused(side: Side) -> None:
    assert refused(side.post(side.world.headers(side.url), url=f"{side.url}?force=true"))
    assert httpx.get(f"{side.base}/health?x=1").status_code == 200


def test_a_body_that_nobody_judged_is_refused(world: World) -> None:
    with Side(world, call=lambda request: (request.path.strip("/"), dict(ORDER))) as side:
        assert refused(side.post(world.headers(side.url)))
        assert side.post(world.headers(side.url), body=b"").status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_table_with_a_method_that_has_no_body_is_told_what_to_give_instead(world: World, method: str) -> None:
    with pytest.raises(UsageError, match="has no body to take arguments from; give call= a function"):
        CallTokens(Tool(), world.verifier(), call=CALLS | {f"{method} /rooms": "pay_back"}, base_url="https://a.example")


def orders(request: Incoming) -> tuple[str, dict[str, Any]]:
    """As the docstring of the middleware has it."""
    if (request.method, request.path) == ("GET", "/orders"):
        return "find_order", {"number": request.query.integer("number")}
    raise LookupError("no tool")


@pytest.mark.parametrize(
    "query",
    [
        "number=3&customer=all", "number=3&number=3", "Number=9&number=3", "number=3&x", "number=0_3", "number=%20+3", "number=3%0A",
        "number=%D9%A3", "number=03", "number=+3", "number=%2B3", "number=-0", "number=3.0", "number=", "number=3;x=1", "x=3", "",
        "number=" + "3" * 17,
    ],
)  # fmt: skip
def test_of_a_query_every_parameter_is_read_and_a_number_has_one_form(world: World, query: str) -> None:
    with Side(world, call=orders) as side:
        url = f"{side.base}/orders"
        headers = world.headers(url, "find_order", {"number": 3}, "GET")
        given = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        answer = raw(side.base, f"GET /orders?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{given}\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert side.tool.ran == []
        assert httpx.get(f"{url}?number=3", headers=headers).status_code == 200  # and the token is still unused


def test_a_bare_semicolon_is_refused_also_where_a_text_is_asked_for(world: World) -> None:
    """To some readers it parts two parameters."""
    with Side(world, call=lambda request: (request.path.strip("/"), dict(request.query))) as side:
        url, arguments = f"{side.base}/find_order", {"part": "a;x=1"}
        headers = world.headers(url, "find_order", arguments, "GET")
        assert raw(
            side.base,
            b"GET /find_order?part=a;x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
            + b"\r\n",
        ).startswith(b"HTTP/1.1 401 ")
        assert httpx.get(url, params=arguments, headers=headers).status_code == 200


async def test_a_parameter_that_a_router_took_out_of_the_path_is_read_or_refused(world: World) -> None:
    reads: dict[str, Any] = {
        "path": lambda request: ("pay_back", request.json() if request.path else {}),
        "one": lambda request: ("pay_back", request.json() if request.path_params["shop"] else {}),
        "names": lambda request: ("pay_back", request.json() if list(request.path_params) else {}),
        "both": lambda request: ("pay_back", request.json() if dict(request.path_params.items()) else {}),
    }
    found = {}
    for name, call in reads.items():
        guarded = CallTokens(Tool(), world.verifier(), call=call, base_url="https://x.example")
        headers = world.headers("https://x.example/acme/eve")
        start, _ = await asked(guarded, "/acme/eve", headers, path_params={"shop": "acme", "customer": "eve"})
        found[name] = start["status"]
    assert found == {"path": 401, "one": 401, "names": 401, "both": 200}


async def test_a_function_that_does_not_look_at_the_path_takes_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It would take a token for one path's tool as good for all paths."""
    tool = Tool()
    guarded = CallTokens(tool, world.verifier(), call=lambda request: ("pay_back", request.json()), base_url="https://x.example")
    start, _ = await asked(guarded, "/delete", world.headers("https://x.example/delete"))
    assert (start["status"], tool.ran) == (503, [])
    assert "call= did not look at the request's path" in why(caplog)


def test_a_header_is_an_argument_where_the_function_makes_one_of_it(world: World) -> None:
    def call(request: Incoming) -> tuple[str, dict[str, Any]]:
        return request.path.strip("/"), {**request.json(), "note": request.header("Account")}

    with Side(world, call=call) as side:
        body = json.dumps({"number": 3, "euros": 10}).encode()
        headers = world.headers(side.url, arguments={"number": 3, "euros": 10, "note": "GB29"})
        assert refused(side.post(headers | {"account": "GB30"}, body=body))
        assert refused(side.post(headers, body=body))
        assert refused(side.post([*headers.items(), ("account", "GB29"), ("Account", "GB29")], body=body))
        assert side.post(headers | {"ACCOUNT": "GB29"}, body=body).status_code == 200


def test_a_body_asked_of_a_method_that_has_none_is_said_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with Side(world, call=lambda request: (request.path.strip("/"), request.json())) as side:
        assert httpx.get(side.url, headers=world.headers(side.url, method="GET")).status_code == 503
    assert "a GET has no body to take arguments from" in why(caplog)


def test_nothing_is_parsed_nor_waited_for_without_a_token_of_the_issuers(world: World) -> None:
    """A stranger's body must not hold the event loop."""
    asked_for: list[str] = []

    def call(request: Incoming) -> tuple[str, dict[str, Any]]:
        asked_for.append(request.path)
        return request.path.strip("/"), request.json()

    with Side(world, call=call) as side:
        good = world.headers(side.url)
        head, claims, signature = good["Licet-Call-Token"].split(".")
        forged = f"{head}.{claims}.{signature[:-4]}AAAA"
        for token in ("x", "x.y.z", forged, good["DPoP"]):
            assert refused(side.post(good | {"Licet-Call-Token": token}))
            waiting = request_bytes(side, good | {"Licet-Call-Token": token}, "Content-Length: 100000")
            assert raw(side.base, waiting).startswith(b"HTTP/1.1 401 ")
        with Side(world, call=call, verifier=world.verifier(audience="https://other.example")) as other:
            assert refused(other.post(world.headers(other.url)))
        assert asked_for == []
        assert side.post(good).status_code == 200
        assert asked_for == ["/pay_back"]


def test_the_log_says_whose_token_was_refused_where_the_issuer_signed_it(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    headers = side.world.headers(side.url)
    bare = {name: value for name, value in headers.items() if name != "DPoP"}
    jti = json.loads(urlsafe_b64decode(headers["Licet-Call-Token"].split(".")[1] + "=="))["jti"]
    assert refused(side.post(headers | {"Licet-Call-Token": "x.y.z"}))
    assert "agent bot" not in why(caplog)
    for sent, more in ((bare, {}), (headers, {"body": b"{"}), (headers, {"body": b"{}"}), (headers, {"url": f"{side.url}?x=1"})):
        caplog.clear()
        assert refused(side.post(sent, **more))  # type: ignore[arg-type]
        assert f"; token {jti} of task " in why(caplog)
        assert "(agent bot, tool pay_back)" in why(caplog)
    assert side.post(headers).status_code == 200
    assert refused(side.post(headers))
    assert f"token.replay: the token was used before; token {jti} of task " in why(caplog)


def test_a_web_socket_is_refused(world: World) -> None:
    sent: list[Any] = []

    async def go() -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        guarded = CallTokens(Tool(), world.verifier(), call=CALLS, base_url="https://x.example")
        await guarded({"type": "websocket", "path": "/pay_back", "headers": []}, receive, send)
        with pytest.raises(UsageError):
            await guarded({"type": "pipe", "path": "/health"}, receive, send)

    asyncio.run(go())
    assert sent == [{"type": "websocket.close", "code": 1008}]


# Bodies ----------------------------------------------------------------------------------------------------------------------

BODIES = {
    "name twice": b'{"number":3,"euros":10,"euros":10,"note":"sp\\u00e4\\u0165"}',
    "name twice, one escaped": b'{"number":3,"euros":10,"\\u0065uros":10,"note":"sp\\u00e4\\u0165"}',
    "constant": b'{"number":NaN,"euros":10,"note":""}',
    "too large a number": b'{"number":1e400,"euros":10,"note":""}',
    "digits that a double drops": b'{"number":3.00000000000000000001,"euros":10,"note":"sp\\u00e4\\u0165"}',
    "digits without end": b'{"number":' + b"1" * 1_001 + b"}",
    "byte order mark": b"\xef\xbb\xbf" + BODY,
    "utf-16": json.dumps(ORDER).encode("utf-16"),
    "latin-1": json.dumps(ORDER, ensure_ascii=False).encode("latin-1", "replace"),
    "two values": BODY + b"{}",
    "a list": b"[" + BODY + b"]",
    "lone surrogate": b'{"number":3,"euros":10,"note":"\\ud800"}',
    "another unicode form": json.dumps(ORDER | {"note": "spa\u0308t\u030c"}).encode(),
    "deep": b'{"number":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "single quotes": b"{'number':3}",
    "comment": BODY + b" // x",
    "empty": b"",
    "text for a number": json.dumps(ORDER | {"number": "3"}).encode(),
    "true for one": json.dumps(ORDER | {"number": True}).encode(),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_two_readers_could_read_differently_is_refused(side: Side, body: bytes) -> None:
    assert refused(side.post(side.world.headers(side.url), body=body))
    assert side.tool.ran == []


@pytest.mark.parametrize(
    "header",
    [
        {"Content-Encoding": "gzip"}, {"Content-Encoding": "identity, gzip"}, {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-16"}, {"Content-Type": "application/json; charset=utf-7"},
        {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "application/json, text/plain"}, {"Content-Type": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_body_that_says_that_it_is_something_else_is_refused(side: Side, header: dict[str, str]) -> None:
    assert refused(side.post(side.world.headers(side.url) | header))
    assert side.tool.ran == []


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_json_in_utf_8_is_taken_however_it_says_so(side: Side, kind: str) -> None:
    assert side.post(side.world.headers(side.url) | {"Content-Type": kind}).status_code == 200


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)


@settings(max_examples=300, deadline=None)
@given(arguments=st.dictionaries(st.text(), values, max_size=4), escaped=st.booleans(), spaced=st.booleans())
def test_what_was_judged_is_read_back_from_json_with_the_same_digest(arguments: dict[str, Any], escaped: bool, spaced: bool) -> None:
    try:
        judged = digest(arguments)
    except ValueError:
        return  # a lone surrogate: no token is minted for it
    body = json.dumps(arguments, ensure_ascii=escaped, indent=2 if spaced else None).encode()
    assert digest(arguments_of(body)) == judged


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,0123456789.eE+-\\u truefalsn', max_size=40).map(str.encode))
def test_whatever_bytes_come_they_are_read_or_refused(body: bytes) -> None:
    try:
        found = arguments_of(body)
    except TokenRefused:
        return
    assert found == json.loads(body)


def test_a_number_has_at_most_a_thousand_digits() -> None:
    for digits in ("1" * 1_000, "0." + "0" * 998):
        assert arguments_of(f'{{"a":{digits}}}'.encode()) == {"a": json.loads(digits)}
        with pytest.raises(TokenRefused):
            arguments_of(f'{{"a":{digits}0}}'.encode())


def request_bytes(side: Side, headers: dict[str, str], *more: str) -> bytes:
    lines = ["POST /pay_back HTTP/1.1", "Host: a", "Content-Type: application/json", *more, *(f"{n}: {v}" for n, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_a_chunked_body_is_read_whole_and_as_one(side: Side) -> None:
    head = request_bytes(side, side.world.headers(side.url), "Transfer-Encoding: chunked", "Connection: close")
    answer = raw(side.base, head, *(chunk(BODY[place : place + 7]) for place in range(0, len(BODY), 7)), b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert side.tool.ran[0][1] == BODY
    head = request_bytes(side, side.world.headers(side.url), "Transfer-Encoding: chunked", "Connection: close")
    assert raw(side.base, head + chunk(BODY) + chunk(b"{}") + b"0\r\n\r\n").startswith(b"HTTP/1.1 401 ")


def test_a_body_beyond_the_cap_is_refused_whether_it_says_its_length_or_not(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with Side(world, max_body=len(BODY)) as side:
        assert side.post(world.headers(side.url)).status_code == 200  # exactly the cap
        caplog.clear()
        said = request_bytes(side, world.headers(side.url), "Content-Length: 1000000000")
        assert raw(side.base, said + b"{").startswith(b"HTTP/1.1 401 ")  # and nobody waits for the rest
        assert "longer than" in why(caplog)
        caplog.clear()
        unsaid = request_bytes(side, world.headers(side.url), "Transfer-Encoding: chunked")
        assert raw(side.base, unsaid + chunk(BODY) + chunk(b" ") + b"0\r\n\r\n").startswith(b"HTTP/1.1 401 ")
        assert "longer than" in why(caplog)
        assert len(side.tool.ran) == 1


def test_without_a_token_no_body_is_waited_for(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    head = request_bytes(side, {}, "Content-Length: 100000")
    assert raw(side.base, head).startswith(b"HTTP/1.1 401 ")
    assert "no token" in why(caplog)


def test_a_body_that_does_not_arrive_is_given_up(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with Side(world, body_seconds=0.05) as side:
        head = request_bytes(side, world.headers(side.url), "Content-Length: 100")
        assert raw(side.base, head + b'{"number":').startswith(b"HTTP/1.1 401 ")
        assert "did not arrive" in why(caplog)


async def test_a_sender_that_leaves_in_the_middle_has_not_used_its_token_up(world: World) -> None:
    tool = Tool()
    guarded = CallTokens(tool, world.verifier(), call=CALLS, base_url="https://x.example")
    headers = world.headers("https://x.example/pay_back")
    gone = [{"type": "http.request", "body": BODY[:5], "more_body": True}, {"type": "http.disconnect"}]
    assert await asked(guarded, "/pay_back", headers, gone) == []
    assert tool.ran == []
    assert (await asked(guarded, "/pay_back", headers))[0]["status"] == 200


def test_a_connection_that_breaks_in_the_middle_of_a_body_runs_nothing(side: Side) -> None:
    headers = side.world.headers(side.url)
    host, _, port = side.base.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request_bytes(side, headers, f"Content-Length: {len(BODY)}") + BODY[:-1])
    assert side.post(headers).status_code == 200  # the token is still good, and the broken request has not run
    assert len(side.tool.ran) == 1


async def asked(app: Any, path: str, headers: dict[str, str], messages: list[Any] | None = None, **scope: Any) -> list[Any]:
    """What an application sends for one request, spoken to as a server does."""
    waiting = list(messages or [{"type": "http.request", "body": BODY, "more_body": False}])
    sent: list[Any] = []
    given = [(name.lower().encode(), value.encode()) for name, value in {"content-type": "application/json", **headers}.items()]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    full = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": given, **scope}
    await app(full, receive, send)
    return sent


# Many at once, and what is broken ----------------------------------------------------------------------------------------------


def test_of_many_requests_with_one_token_exactly_one_passes(side: Side) -> None:
    for _ in range(5):
        headers, ready = side.world.headers(side.url), threading.Barrier(8)

        def send(_: int, headers: Any = headers, ready: threading.Barrier = ready) -> int:
            ready.wait()
            return side.post(headers).status_code

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(send, range(8))) == [200] + [401] * 7
    assert len(side.tool.ran) == 5


def test_a_store_that_is_down_refuses(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = SqliteStore(tmp_path / "other.db", busy_seconds=0.05)
    with Side(world, verifier=world.verifier(state=store)) as side:
        assert side.post(world.headers(side.url)).status_code == 200
        (tmp_path / "other.db").write_bytes(b"this is no database" * 1000)
        store.close()
        answer = side.post(world.headers(side.url))
        assert (answer.status_code, answer.content) == (503, b'{"error":"temporarily_unavailable"}')
        assert "token.undecided" in why(caplog)
        assert len(side.tool.ran) == 1


class Broken:
    """A store that fails in a way that nobody thought of, with a secret in the error's text."""

    def spend(self, *_: Any) -> bool:
        raise RuntimeError("the token eyJ-SECRET")


def test_whatever_fails_is_a_refusal_and_its_text_is_told_to_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with Side(world, verifier=world.verifier(state=Broken())) as side:
        assert side.post(world.headers(side.url)).status_code == 503
        assert side.tool.ran == []
        assert "SECRET" not in caplog.text
        assert "RuntimeError" in why(caplog)


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), TypeError("x"), ZeroDivisionError("x")])
def test_a_mapping_that_fails_is_a_refusal(world: World, error: Exception) -> None:
    def call(request: Incoming) -> Any:
        raise error

    with Side(world, call=call) as side:
        assert side.post(world.headers(side.url)).status_code in (401, 503)
        assert side.tool.ran == []


@pytest.mark.parametrize("answer", [None, "pay_back", ("pay_back",), ("pay_back", None), (7, {}), ("pay_back", [1])])
def test_a_mapping_that_answers_nonsense_is_a_refusal(world: World, answer: Any) -> None:
    def call(request: Incoming) -> Any:
        request.json()
        return answer

    with Side(world, call=call) as side:
        assert side.post(world.headers(side.url)).status_code in (401, 503)
        assert side.tool.ran == []


def test_a_definition_that_changed_on_this_side_is_refused(world: World) -> None:
    with Side(world, definitions={"pay_back": "sha256:other"}) as side:
        assert refused(side.post(world.headers(side.url)))
    with Side(world, definitions=world.guard.definitions) as side:
        assert side.post(world.headers(side.url)).status_code == 200


def test_no_token_is_logged(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    headers = side.world.headers(side.url)
    side.post(headers)
    side.post(headers)
    side.post({"Licet-Call-Token": "x.y.z", "DPoP": headers["DPoP"]})
    texts = [record.getMessage() for record in caplog.records if record.name == "licet"]
    assert len(texts) == 3
    assert not any(part in text for text in texts for value in headers.values() for part in value.split("."))


def test_a_path_cannot_write_a_line_of_its_own_into_the_log(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    raw(side.base, b"GET /x%0aadmitted%1b[31m HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert "\n" not in why(caplog)
    assert "\x1b" not in why(caplog)


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "orders.acme.example"}, {"base_url": "https://a.example?x=1"}, {"base_url": "https://u:p@a.example"}, {"base_url": ""},
        {"base_url": "ftp://a.example"}, {"base_url": "https://a.example#x"}, {"base_url": None}, {"open": "/health"}, {"open": {"health"}},
        {"call": {"/pay_back": "pay_back"}}, {"call": {"post /pay_back": "pay_back"}}, {"call": {"POST pay_back": "x"}},
        {"call": {"POST /pay_back": ""}}, {"call": {"HEAD /pay_back": "pay_back"}}, {"call": CALLS | {"GET /pay_back": "pay_back"}},
        {"max_body": 0}, {"body_seconds": 0}, {"open": {"/pay_back"}},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_meant_is_said_at_once(world: World, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        CallTokens(Tool(), world.verifier(), **{"call": CALLS, "base_url": "https://a.example", **options})


def test_what_a_tool_does_stands_under_the_call_that_asked_for_it(world: World):
    """The `traceparent` that `headers_for` gives is gone on with (W3C Trace Context)."""
    seen: list[Any] = []

    class Traced(Tool):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(get_current_span().get_span_context())
            await super().__call__(scope, receive, send)

    side = Side(world)
    side.tool = Traced()
    side.app._app = side.tool
    with side:
        headers = world.headers(side.url)
        assert side.post(headers).status_code == 200
    (span,) = seen
    assert headers["traceparent"].split("-")[1:3] == [format(span.trace_id, "032x"), format(span.span_id, "016x")]


def test_a_refused_token_is_counted_by_its_check(side: Side, monkeypatch: pytest.MonkeyPatch):
    """In the application's own metrics, where it has some."""
    reader = InMemoryMetricReader()
    monkeypatch.setattr(process.metrics, "get_meter_provider", lambda: MeterProvider([reader]))
    process.process_metrics.cache_clear()
    try:
        assert refused(side.post({}))
    finally:
        process.process_metrics.cache_clear()
    data = json.loads(reader.get_metrics_data().to_json())
    (found,) = [each for each in data["resource_metrics"][0]["scope_metrics"][0]["metrics"] if each["name"] == "licet.token.refused"]
    (point,) = found["data"]["data_points"]
    assert (point["attributes"], point["value"]) == ({"licet.decision.reason": "token.malformed"}, 1)
