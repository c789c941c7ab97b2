"""httpx sends the running call's token once, to the tool's own place only, and never on with a redirect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from licet import UsageError
from licet.integrations.asgi import CallTokens
from licet.integrations.httpx import LicetAuth
from tool_side import AUDIENCE, ORDER, Tool, World, current, listen, serving, url_of

SECRET = {"licet-call-token", "dpop", "authorization"}


class Noting:
    """A server that notes the headers that come, and redirects where it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.to: str = ""
        self.status = 307

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append((scope["path"], {name.decode(): value.decode() for name, value in scope["headers"]}))
        headers = [(b"location", self.to.encode())] if self.to else []
        await send({"type": "http.response.start", "status": self.status if self.to else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def service(world: World) -> Iterator[tuple[str, Tool]]:
    tool, sock = Tool(), listen()
    verifier = world.verifier()
    app = CallTokens(tool, verifier, call={"POST /pay_back": "pay_back"}, base_url=url_of(sock))
    with serving(app, sock) as base:
        yield base, tool


@pytest.fixture
def places() -> Iterator[tuple[tuple[str, Noting], tuple[str, Noting]]]:
    one, two = Noting(), Noting()
    with serving(one) as first, serving(two) as second:
        yield (first, one), (second, two)


def pays(world: World, run: Callable[[], Any], tool: str = "pay_back", **arguments: Any) -> Any:
    with world.task():
        return world.inside(tool, run, **(arguments or ORDER))


def sending(base: str, url: str = "", **options: Any) -> Callable[[], httpx.Response]:
    def run() -> httpx.Response:
        with httpx.Client(auth=LicetAuth(at=base), trust_env=False, **options) as client:
            return client.post(url or f"{base}/pay_back", json=dict(current().call.arguments))

    return run


def test_a_guarded_call_is_let_through_by_the_tool(world: World, service: tuple[str, Tool]) -> None:
    base, tool = service
    answer = pays(world, sending(base))
    assert (answer.status_code, answer.json()) == (200, {"got": ORDER})
    assert tool.ran[0][0]["state"]["licet_call"].tool == "pay_back"
    assert not SECRET & set(answer.request.headers)  # whatever logs the request does not log a token


def test_an_async_client_is_let_through_too(world: World, service: tuple[str, Tool]) -> None:
    base, _ = service

    async def run() -> int:
        async with httpx.AsyncClient(auth=LicetAuth(at=base), trust_env=False) as client:
            return (await client.post(f"{base}/pay_back", json=dict(current().call.arguments))).status_code

    async def pay_back(number: int, euros: int, note: str) -> int:
        return await run()

    async def main() -> int:
        async with world.task():
            return await world.guard.tool(pay_back)(**ORDER)

    assert asyncio.run(main()) == 200


def test_hooks_do_not_see_a_token_and_the_server_does(world: World, places: Any) -> None:
    (base, server), _ = places
    seen: list[str] = []
    hooks = {"request": [lambda request: seen.append(str(request.headers) + repr(request.headers.multi_items()))]}
    pays(world, sending(base, event_hooks=hooks))
    ((_, headers),) = server.seen
    assert {"licet-call-token", "dpop"} <= headers.keys()
    assert all(part not in seen[0] for name in ("licet-call-token", "dpop") for part in headers[name].split("."))


def test_a_second_request_of_one_call_is_an_error_before_anything_is_sent(world: World, places: Any) -> None:
    (base, server), _ = places

    def twice() -> None:
        sending(base)()
        with pytest.raises(UsageError, match=r"is used.*a guarded call of its own"):
            sending(base)()

    pays(world, twice)
    assert len(server.seen) == 1
    pays(world, sending(base))  # the next call has a token of its own
    assert len(server.seen) == 2


def test_a_connection_that_failed_is_not_tried_again_with_the_same_token(world: World) -> None:
    sock = listen()
    base = url_of(sock)
    sock.close()

    def run() -> None:
        with pytest.raises(httpx.ConnectError) as error:
            sending(base)()
        assert not SECRET & set(error.value.request.headers)  # unused, it would be good for a minute
        assert "eyJ" not in repr(vars(error.value.request))
        with pytest.raises(UsageError, match="is used"):
            sending(base)()

    pays(world, run)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_without_the_token_wherever_it_leads(world: World, places: Any, status: int) -> None:
    (base, server), (other, elsewhere) = places
    server.status = status
    server.to = f"{other}/x"
    answer = pays(world, sending(base, follow_redirects=True))
    assert answer.status_code == 200
    ((_, first),), ((_, second),) = server.seen, elsewhere.seen
    assert {"licet-call-token", "dpop"} <= first.keys()
    assert not SECRET & second.keys()


def test_a_redirect_of_an_access_token_to_another_origin_or_to_the_same_loses_it(world: World, places: Any) -> None:
    (base, server), (other, elsewhere) = places
    server.to = f"{other}/x"
    pays(world, sending(base, follow_redirects=True), "classic", a=1)
    assert server.seen[0][1]["authorization"].startswith("DPoP ")
    assert not SECRET & elsewhere.seen[0][1].keys()
    server.seen.clear()
    server.to = f"{base}/again"
    with pytest.raises(httpx.TooManyRedirects):
        pays(world, sending(base, follow_redirects=True, max_redirects=2), "classic", a=1)
    assert [bool(SECRET & headers.keys()) for _, headers in server.seen] == [True, False, False]


def test_without_following_the_next_request_has_no_token(world: World, places: Any) -> None:
    (base, server), (other, elsewhere) = places
    server.to = f"{other}/x"

    def run() -> None:
        with httpx.Client(trust_env=False) as client:
            answer = client.post(f"{base}/pay_back", auth=LicetAuth(at=base))
            assert answer.next_request is not None
            client.send(answer.next_request)

    pays(world, run)
    assert not SECRET & elsewhere.seen[0][1].keys()


def refused(world: World, url: str, *, at: str | None = None, tool: str = "pay_back", match: str = "", **arguments: Any) -> bool:
    """Whether nothing is sent: a transport that must not be reached stands for the network."""

    def reached(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"sent to {request.url}")

    def run() -> None:
        with httpx.Client(auth=LicetAuth(at=at), transport=httpx.MockTransport(reached)) as client, pytest.raises(UsageError, match=match):
            client.post(url)

    pays(world, run, tool, **arguments)
    return True


def test_outside_of_a_guarded_call_nothing_is_sent() -> None:
    with httpx.Client(auth=LicetAuth()) as client, pytest.raises(UsageError, match="no guarded call is running"):
        client.post(AUDIENCE)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/tools", "https://orders.acme.example/", "https://orders.acme.example/toolsmith", "https://orders.acme.example",
        "https://orders.acme.example/other/tools", "https://orders.acme.example:444/tools", "https://orders.acme.example.evil.example/tools",
        "https://orders.acme.example@evil.example/tools", "https://user:pw@orders.acme.example/tools", "https://x.orders.acme.example/tools",
        "https://orders.acme.example/tools/../admin", "https://orders.acme.example/tools/%2e%2e/admin", "https://orders.acme.example/tools/..",
        "https://orders.acme.example/tools/%252e%252e/admin", "https://orders.acme.example/tools/..%2fadmin", "https://orders.acme.example/TOOLS",
        "https://orders.acme.example/tools/..\\admin", "https://orders.acme.example/tools/x/..;/admin", "https://orders.acme.example//tools",
        *(f"https://orders.acme.example/tools/{up}/admin" for up in ("..%00", "..%20", "..%09", "..%23x", "..%3fx", "%25252e%25252e", "\uff0e\uff0e", "%c0%ae%c0%ae", "..%5c.")),
    ],
)  # fmt: skip
def test_a_url_that_is_not_under_the_audience_is_refused(world: World, url: str) -> None:
    assert refused(world, url, match="goes elsewhere")


@pytest.mark.parametrize("path", ["", "/", "/pay_back", "/a/b?x=1", "/a.b/..c"])
def test_a_url_under_the_audience_is_taken(world: World, path: str) -> None:
    got: list[httpx.Request] = []

    def run() -> None:
        transport = httpx.MockTransport(lambda request: got.append(request) or httpx.Response(200))  # type: ignore[func-returns-value]
        with httpx.Client(auth=LicetAuth(), transport=transport) as client:
            client.post(AUDIENCE + path)

    pays(world, run)
    assert {b"Licet-Call-Token", b"DPoP"} <= {name for name, _ in got[0].headers.raw}


def test_nothing_goes_in_the_open_to_a_proxy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """To this machine a token may go without TLS; to the proxy of the environment it may not."""
    monkeypatch.setenv("HTTP_PROXY", "http://10.0.0.1:3128")
    monkeypatch.setenv("http_proxy", "http://10.0.0.1:3128")
    from licet.integrations._agent_side import _check_under

    here = "http://127.0.0.1:9/tools"
    with pytest.raises(UsageError, match="HTTP_PROXY"):
        _check_under(f"{here}/x", here, "pay_back")
    _check_under("https://orders.acme.example/x", "https://orders.acme.example", "pay_back")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    _check_under(f"{here}/x", here, "pay_back")


def test_plain_http_is_for_this_machine_only(world: World, places: Any) -> None:
    assert refused(world, "http://orders.acme.example/tools/x", match="goes over TLS only|goes elsewhere")
    for base in ("http://orders.acme.example", "http://10.0.0.1", "http://127.0.0.1.evil.example", "http://localhost.evil.example"):
        assert refused(world, f"{base}/x", at=base, match="goes over TLS only")
    (base, server), _ = places
    pays(world, sending(base))
    assert len(server.seen) == 1


def test_a_tool_without_an_address_needs_one_said(world: World) -> None:
    assert refused(world, "https://orders.acme.example/x", tool="named", match="not a URL", a=1)
    assert refused(world, "https://orders.acme.example/x", tool="at_home", match="declare", a=1)


def test_a_token_that_is_bound_to_no_key_stays_here(world: World) -> None:
    assert refused(world, "https://orders.acme.example/x", at="https://orders.acme.example", tool="at_home", match="bound to no key", a=1)


def test_a_call_without_a_token_of_its_own_has_none_to_send(world: World) -> None:
    assert refused(world, "https://orders.acme.example/x", at="https://orders.acme.example", tool="quick", match="no token to send", a=1)


def test_an_address_said_in_the_program_is_the_only_one(world: World) -> None:
    assert refused(world, AUDIENCE, at="https://orders.internal.example/a", match="goes elsewhere")


@pytest.mark.parametrize("at", ["", "orders.acme.example", "https://a.example?x", "ftp://a.example", "https://u@a.example"])
def test_an_address_that_is_none_is_said_at_once(at: str) -> None:
    with pytest.raises(UsageError):
        LicetAuth(at=at)


def test_a_version_of_httpx_that_would_copy_the_token_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers are copied by the library's own means; should a later one copy what goes out, nothing goes out."""
    init = httpx.Headers.__init__

    def copies_all(self: Any, headers: Any = None, encoding: Any = None) -> None:
        init(self, headers.raw if isinstance(headers, httpx.Headers) else headers, encoding)

    monkeypatch.setattr(httpx.Headers, "__init__", copies_all)
    assert refused(world, AUDIENCE, match="would send a token on")
