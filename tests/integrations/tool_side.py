"""A guarded agent's tokens, and a tool's side to send them to: real servers on loopback, real SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

import licet
from licet import Guard, Verifier
from licet.store import SqliteStore

AUDIENCE = "https://orders.acme.example/tools"
ARGUMENTS = "{number: {origin: [intent, nowhere]}, euros: {origin: [intent, nowhere]}, note: {content: true}}"
MANIFEST = f"""\
licet: 1
environment: dev
owners: {{o: {{name: O, contact: o@acme.example}}}}
agents: {{bot: {{owner: o, tasks: [work]}}}}
tools:
  pay_back: {{access: write, egress: false, audience: '{AUDIENCE}', arguments: {ARGUMENTS}}}
  take_back: {{access: write, egress: false, audience: '{AUDIENCE}', arguments: {ARGUMENTS}}}
  find_order: {{access: read, egress: false, audience: '{AUDIENCE}'}}
  classic: {{access: write, egress: false, audience: '{AUDIENCE}', envelope: at+jwt}}
  named: {{access: write, egress: false, audience: 'urn:acme:orders'}}
  at_home: {{access: write, egress: false}}
  quick: {{access: read, egress: false}}
tasks:
  work:
    intent: Work
    ttl: 10m
    tools: {{pay_back: {{}}, take_back: {{}}, find_order: {{}}, classic: {{}}, named: {{}}, at_home: {{}}, quick: {{}}}}
checks: {{origin.unanchored: {{then: flag}}}}
"""
ORDER = {"number": 3, "euros": 10, "note": "späť"}


@dataclass
class World:
    """One guard with its state, and tasks in it."""

    guard: Guard
    folder: Path

    def verifier(self, **options: Any) -> Verifier:
        """What the tool's side has: the public keys and the store."""
        state = options.pop("state", None) or SqliteStore(self.folder / "state" / "licet.db")
        options = {"issuer": self.guard.issuer, "audience": AUDIENCE, **options}
        return Verifier(self.guard.jwks(), state=state, **options)

    def task(self) -> Any:
        return self.guard.task("work", intent="Pay back order 3: 10 euros", agent="bot", principal="user:grace")

    def inside(self, tool: str, run: Any, **arguments: Any) -> Any:
        """What `run` answers when it is done inside a guarded call."""

        def body(**arguments: Any) -> Any:
            return run()

        # The wrapped function says which arguments there are.
        body.__signature__ = _signature(arguments)  # type: ignore[attr-defined]
        return self.guard.wrap(body, name=tool)(**arguments)

    def headers(self, url: str, tool: str = "pay_back", arguments: Mapping[str, Any] = ORDER, method: str = "POST") -> dict[str, str]:
        """The headers for one request, as an allowed call in a task of its own gives them; the task stays open."""
        with self.guard.task("work", intent="Pay back order 3: 10 euros", agent="bot", principal="user:grace", detached=True):
            found: dict[str, str] = self.inside(tool, lambda: current().headers_for(method, url), **arguments)
        return found


def current() -> Any:
    """The call that is running here."""
    call = licet.current_call()
    assert call is not None
    return call


def _signature(arguments: Mapping[str, Any]) -> Any:
    return inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in arguments])


@dataclass
class Tool:
    """An ASGI application that notes what reaches it."""

    ran: list[Any] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.ran.append((scope, body))
        answer = json.dumps({"got": json.loads(body) if body else None}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": answer})


class _Server(uvicorn.Server):
    """uvicorn, which looks every tenth of a second whether it should stop: here more often."""

    async def main_loop(self) -> None:
        await self.on_tick(0)
        while not self.should_exit:  # noqa: ASYNC110 - it is a flag, and no event
            await asyncio.sleep(0.005)


@contextlib.contextmanager
def serving(app: Any, listening: socket.socket | None = None) -> Iterator[str]:
    """The URL of a real server of `app` on a free port of loopback."""
    sock = listening or listen()
    server = _Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        yield url_of(sock)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        sock.close()


def listen() -> socket.socket:
    """A socket on a free port, which already takes connections: nobody has to wait for the server to be up."""
    return socket.create_server(("127.0.0.1", 0))


def url_of(sock: socket.socket) -> str:
    return f"http://127.0.0.1:{sock.getsockname()[1]}"


def raw(url: str, data: bytes, *more: bytes) -> bytes:
    """What the server answers to these very bytes."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(data)
        for part in more:
            connection.sendall(part)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
        return answer
