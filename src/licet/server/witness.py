"""A witness as a service: C2SP tlog-witness v1.0.0 over HTTP. There is nothing secret in it, and nobody is believed without a signature."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from licet.clock import Clock
from licet.errors import StateError
from licet.ledger.cosigning.cosign import SIZE_TYPE
from licet.ledger.cosigning.submission import MAX_SUBMISSION
from licet.ledger.cosigning.witness import Refused, Witness
from licet.server.access import AccessLog
from licet.server.limits import Limiter, address_key

BODY_SECONDS = 10.0
"""How long a body may take to come."""
THREADS = 8
"""How many requests are worked on at once: each waits for the disk."""
RATE, BURST = 20.0, 100
"""How often one address may ask: a second, and at once."""
_PLAIN = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

_log = logging.getLogger("licet")


def create_app(witness: Witness, clock: Clock, *, rate: float = RATE, burst: int = BURST) -> Starlette:
    """The witness as an ASGI application: `POST /add-checkpoint`, `GET /<SHA-256 of an origin>/checkpoint`, `GET /health`."""
    service = _Service(witness, clock, Limiter(rate=rate, burst=burst))
    app = Starlette(
        routes=[
            Route("/add-checkpoint", service.add, methods=["POST"]),
            Route("/{digest:str}/checkpoint", service.checkpoint, methods=["GET"]),
            Route("/health", service.health, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _not_here, Exception: _failed},  # type: ignore[dict-item]
    )
    app.add_middleware(AccessLog)
    return app


class _Service:
    def __init__(self, witness: Witness, clock: Clock, addresses: Limiter) -> None:
        self._witness, self._clock, self._addresses = witness, clock, addresses
        self._threads: anyio.CapacityLimiter | None = None

    async def add(self, request: Request) -> Response:
        """`add-checkpoint`."""
        self._admit(request)
        body = await _body(request)
        try:
            return _text(await self._in_thread(lambda: self._witness.answer(body)))
        except Refused as refused:
            request.state.error = refused.kind  # for the access log
            if refused.status == 409:
                return Response(f"{refused.known}\n", 409, headers=_PLAIN | {"Content-Type": SIZE_TYPE})  # without a charset
            return _text(f"{refused.kind}: {refused}\n", refused.status)

    async def checkpoint(self, request: Request) -> Response:
        """The last cosigned note of a log."""
        self._admit(request)
        digest = request.path_params["digest"]
        found = await self._in_thread(lambda: self._witness.published(digest) or "")
        return _text(found) if found else _text("nothing was cosigned of a log of this name\n", 404)

    async def health(self, request: Request) -> Response:
        """That we answer."""
        self._admit(request)
        return _text("ok\n")

    def _admit(self, request: Request) -> None:
        host = request.client.host if request.client is not None else ""
        wait = self._addresses.take(address_key(host), self._clock.monotonic())
        if wait:
            raise HTTPException(429, "too many requests; wait as long as Retry-After says", {"Retry-After": str(int(wait) + 1)})

    async def _in_thread(self, work: Callable[[], str]) -> str:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(THREADS)
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        except StateError as error:
            _log.error("licet: the witness could not decide: %s", error)
            raise HTTPException(503, "the witness cannot use its own state now; see its log", {"Retry-After": "5"}) from error


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_SUBMISSION:
                    raise HTTPException(413, f"a request has at most {MAX_SUBMISSION} bytes", {"Connection": "close"})
    except TimeoutError as error:
        raise HTTPException(408, "the body did not come in time", {"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the body did not come whole") from error
    return bytes(body)


def _text(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status, headers=_PLAIN)


async def _not_here(request: Request, error: HTTPException) -> Response:  # noqa: ARG001 - the framework's signature
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers={**_PLAIN, **(error.headers or {})})


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """A mistake of ours: nothing is cosigned. The server logs it."""
    return _text("the witness made a mistake; see its log\n", 500)
