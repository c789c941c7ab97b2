"""requests sends the running call's token once, to the tool's own place only, and never on with a redirect."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from licet import UsageError
from licet.integrations.asgi import CallTokens
from licet.integrations.requests import LicetAuth
from test_httpx_auth import SECRET, Noting, pays
from tool_side import AUDIENCE, ORDER, Tool, World, current, listen, serving, url_of


@pytest.fixture
def places() -> Iterator[tuple[tuple[str, Noting], tuple[str, Noting]]]:
    one, two = Noting(), Noting()
    with serving(one) as first, serving(two) as second:
        yield (first, one), (second, two)


def sending(base: str, **options: Any) -> Callable[[], requests.Response]:
    def run() -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.post(f"{base}/pay_back", json=dict(current().call.arguments), auth=LicetAuth(at=base), timeout=20, **options)

    return run


def test_a_guarded_call_is_let_through_by_the_tool(world: World) -> None:
    tool, sock = Tool(), listen()
    app = CallTokens(tool, world.verifier(), call={"POST /pay_back": "pay_back"}, base_url=url_of(sock))
    with serving(app, sock) as base:
        answer = pays(world, sending(base))
    assert (answer.status_code, answer.json()) == (200, {"got": ORDER})
    assert not SECRET & {name.lower() for name in answer.request.headers}


def test_a_second_request_of_one_call_is_an_error_before_anything_is_sent(world: World, places: Any) -> None:
    (base, server), _ = places

    def twice() -> None:
        sending(base)()
        with pytest.raises(UsageError, match=r"is used.*a guarded call of its own"):
            sending(base)()

    pays(world, twice)
    assert len(server.seen) == 1
    assert {"licet-call-token", "dpop"} <= server.seen[0][1].keys()


def test_who_reads_a_request_that_failed_finds_no_token_and_the_server_got_it(world: World, places: Any) -> None:
    """It is unused, and would be good for a minute: where nobody answers, no hook is called that could take it away."""
    (base, server), _ = places
    pays(world, sending(base))
    (_, sent) = server.seen[0]
    assert sent["licet-call-token"].count(".") == sent["dpop"].count(".") == 2
    sock = listen()
    gone = url_of(sock)
    sock.close()
    failed: list[requests.RequestException] = []

    def run() -> None:
        with pytest.raises(requests.ConnectionError) as error:
            sending(gone)()
        failed.append(error.value)

    pays(world, run)
    (error,) = failed
    assert error.request is not None
    assert {error.request.headers[name] for name in SECRET if name in error.request.headers} == {"****"}
    copied = error.request.copy()
    shown = [
        repr(error),
        repr(vars(error.request)),
        repr(copied.headers),
        json.dumps(dict(copied.headers)),
        pickle.dumps(dict(copied.headers)),
    ]
    shown += ["".join(f"{name}: {value}" for name, value in error.request.headers.items())]
    assert not [text for text in shown if ("eyJ" in text if isinstance(text, str) else b"eyJ" in text)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_without_the_token(world: World, places: Any, status: int) -> None:
    (base, server), (other, elsewhere) = places
    server.status, server.to = status, f"{other}/x"
    assert pays(world, sending(base)).status_code == 200
    assert {"licet-call-token", "dpop"} <= server.seen[0][1].keys()
    assert [path for path, _ in elsewhere.seen] == ["/x"]
    assert not SECRET & elsewhere.seen[0][1].keys()


def test_a_redirect_of_an_access_token_loses_it_in_the_same_place_too(world: World, places: Any) -> None:
    (base, server), _ = places
    server.to = f"{base}/again"

    def run() -> None:
        with requests.Session() as session:
            session.trust_env, session.max_redirects = False, 2
            with pytest.raises(requests.TooManyRedirects):
                session.post(f"{base}/pay_back", auth=LicetAuth(at=base), timeout=20)

    pays(world, run, "classic", a=1)
    assert [bool(SECRET & headers.keys()) for _, headers in server.seen] == [True, False, False]


def test_without_following_the_next_request_has_no_token(world: World, places: Any) -> None:
    (base, server), (other, elsewhere) = places
    server.to = f"{other}/x"

    def run() -> None:
        answer = sending(base, allow_redirects=False)()
        with requests.Session() as session:
            assert answer.next is not None
            session.send(answer.next, timeout=20)

    pays(world, run)
    assert not SECRET & elsewhere.seen[0][1].keys()


class Unreached(requests.adapters.BaseAdapter):
    def send(self, request: Any, **_: Any) -> Any:
        raise AssertionError(f"sent to {request.url}")

    def close(self) -> None:
        pass


def refused(world: World, url: str, match: str, *, at: str | None = None, tool: str = "pay_back", **arguments: Any) -> bool:
    def run() -> None:
        with requests.Session() as session:
            session.mount("https://", Unreached())
            session.mount("http://", Unreached())
            with pytest.raises(UsageError, match=match):
                session.post(url, auth=LicetAuth(at=at))

    pays(world, run, tool, **arguments)
    return True


def test_outside_of_a_guarded_call_nothing_is_sent() -> None:
    with pytest.raises(UsageError, match="no guarded call is running"):
        requests.post(AUDIENCE, auth=LicetAuth(), timeout=5)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/tools", "https://orders.acme.example/toolsmith", "https://orders.acme.example:444/tools",
        "https://orders.acme.example@evil.example/tools", "https://orders.acme.example/tools/%2e%2e/admin",
        "https://orders.acme.example\\@evil.example/tools", "https://orders.acme.example/tools/..%2fadmin",
    ],
)  # fmt: skip
def test_a_url_that_is_not_under_the_audience_is_refused(world: World, url: str) -> None:
    assert refused(world, url, "goes elsewhere")


def test_plain_http_is_for_this_machine_only(world: World) -> None:
    assert refused(world, "http://orders.acme.example/x", "goes over TLS only", at="http://orders.acme.example")


def test_a_tool_without_an_address_or_a_bound_token_sends_nothing(world: World) -> None:
    assert refused(world, "https://orders.acme.example/x", "not a URL", tool="named", a=1)
    assert refused(world, "https://orders.acme.example/x", "bound to no key", at="https://orders.acme.example", tool="at_home", a=1)
    assert refused(world, "https://orders.acme.example/x", "no token to send", at="https://orders.acme.example", tool="quick", a=1)
