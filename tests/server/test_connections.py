"""Who never finishes a request holds no place: on real sockets, with the time for a head made short."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("uvicorn", reason="the extra `server` is not installed")

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from licet.server.protocol import HEAD_SECONDS, PER_ADDRESS, Connections, bounded, only
from licet.server.run import CONCURRENT

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"POST /token HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def serving(protocol: type, slow: threading.Event | None = None) -> Iterator[int]:
    async def answer(request: Request) -> PlainTextResponse:
        if slow is not None:
            import anyio.to_thread

            await anyio.to_thread.run_sync(slow.wait)
        return PlainTextResponse("well")

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), http=protocol, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


Connected = Callable[..., socket.socket]


@pytest.fixture
def connected() -> Iterator[Connected]:
    with ExitStack() as opened:

        def connect(port: int, sent: bytes = b"") -> socket.socket:
            made = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            made.sendall(sent)
            return made

        yield connect


def is_closed(one: socket.socket) -> bool:
    """Whether the other side ends it (it waits for that, and the socket's timeout is a failure)."""
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


def answered(one: socket.socket) -> bytes:
    got = b""
    while not got.endswith(b"well"):
        more = one.recv(4096)
        if not more:
            break
        got += more
    return got


def test_half_a_head_is_not_waited_for(connected: Connected):
    """Nor is a connection that says nothing, nor half a head after a whole request, nor a body that nobody reads and that does not end."""
    with serving(bounded(seconds=0.3)) as port:
        assert is_closed(connected(port, HALF))
        assert is_closed(connected(port))
        again = connected(port, WHOLE)
        assert answered(again).endswith(b"well")
        again.sendall(HALF)
        assert is_closed(again)
        unread = connected(port, b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
        assert answered(unread).endswith(b"well")
        unread.sendall(b"y")  # which stops the timer of an idle connection
        assert is_closed(unread)


def test_a_whole_head_may_take_as_long_as_its_answer_does(connected: Connected):
    """The time is for the head alone; what is sent behind the request is read after its answer."""
    slow = threading.Event()
    with serving(bounded(seconds=0.3), slow) as port:
        one = connected(port, WHOLE + WHOLE)
        assert is_closed(connected(port))  # so that the time is over
        slow.set()
        assert answered(one).count(b"well") >= 1


def test_an_address_has_so_many_connections(connected: Connected):
    """One more is closed at once, before anything is sent; when one ends, another may come."""
    with serving(bounded(most=3)) as port:
        held = [connected(port, WHOLE) for _ in range(3)]
        assert all(answered(one).endswith(b"well") for one in held)
        assert is_closed(connected(port))
        held[0].close()
        for _ in range(100):  # the server learns of it a little later
            other = connected(port)
            try:
                other.sendall(WHOLE)
                if answered(other).endswith(b"well"):
                    break
            except OSError:
                continue
        else:
            pytest.fail("the place that was given back was not given again")


def test_behind_a_proxy_no_address_is_counted(connected: Connected):
    """All come from the proxy's."""
    with serving(bounded(most=None)) as port:
        held = [connected(port, WHOLE) for _ in range(PER_ADDRESS + 1)]
        assert all(answered(one).endswith(b"well") for one in held)


def test_what_nobody_holds_is_not_remembered():
    """The count is of open connections, and grows with nothing else."""
    connections = Connections(2)
    assert [connections.enter("a"), connections.enter("a"), connections.enter("a"), connections.enter("b")] == [True, True, False, True]
    for key in ("a", "a", "b"):
        connections.leave(key)
    assert not connections._open


def test_one_address_cannot_take_all_places():
    """Nor two; and a place that is held by half a head is free again before long."""
    assert 2 * PER_ADDRESS < CONCURRENT
    assert HEAD_SECONDS <= 10


@pytest.mark.parametrize(
    "host, taken",
    [
        ("192.0.2.7", True), ("10.1.2.3", True), ("127.0.0.1", True), ("::1", True), ("::ffff:192.0.2.7", True), ("fe80::1%eth0", False),
        ("192.0.2.8", False), ("11.0.0.1", False), ("::ffff:192.0.2.8", False), ("2001:db8::1", False), ("", False), ("proxy", False),
    ],
)  # fmt: skip
def test_behind_a_proxy_only_the_proxy_and_this_machine_are_answered(host: str, taken: bool) -> None:
    assert only("192.0.2.7, 10.0.0.0/8")(host) is taken


def test_whoever_is_not_let_in_gets_no_answer(connected: Connected) -> None:
    with serving(bounded(peers=lambda host: host != "127.0.0.1")) as port:
        assert is_closed(connected(port, WHOLE))
    with serving(bounded(peers=lambda host: host == "127.0.0.1")) as port:
        assert answered(connected(port, WHOLE)).endswith(b"well")
