"""`create_app(guard)`: the service as an ASGI application. What blocks (SQLite, fsync, other people's keys) runs in threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from licet.clock import Clock
from licet.drill.keys import pinned
from licet.drill.status import status
from licet.errors import StateError, UsageError
from licet.guard import Guard
from licet.manifest.authority import Authority, AuthorityClient
from licet.server.access import AccessLog
from licet.server.answers import Refused, bad_request, too_many, unavailable, why_inward
from licet.server.clients import Client, Clients, claimed
from licet.server.forms import MAX_BODY, Form, read_form
from licet.server.limits import Limiter, address_key
from licet.server.metadata import JWKS_SECONDS, PAGE_SECONDS, Addresses, oauth_metadata, openid_metadata
from licet.server.openapi import document
from licet.server.revocation import introspect, revoke
from licet.server.token import Exchange
from licet.telemetry.remote import continued
from licet.tokens.algorithms import FEDERATED
from licet.tokens.jws import Keys
from licet.tokens.remote_keys import FileKeys, RemoteKeys

BODY_SECONDS = 10.0
"""How long a body may take to come."""
CLIENTS, EVERYBODY, HEALTH, MONITORING = "clients", "everybody", "health", "monitoring"
THREADS = {CLIENTS: 16, EVERYBODY: 4, HEALTH: 1, MONITORING: 1}
"""How many requests are worked on at once. What everybody may ask has threads of its own, which no client can hold."""
FETCHES = 4
"""How many requests may wait for clients' keys from elsewhere: nobody has proved anything yet when they are looked up."""
HEALTH_SECONDS = 1.0
"""How long one answer about health serves all who ask."""
MONITORING_SECONDS = 30.0
"""How long one verdict on the monitoring serves all who ask."""
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}  # RFC 6749 section 5.1

_log = logging.getLogger("licet")
T = TypeVar("T")
Work = Callable[[Client, Form], Response]


@dataclass(frozen=True, slots=True)
class Limits:
    """How often one address may ask, before anybody knows who it is, and one client after: `burst` at once, `rate` a second."""

    address_rate: float = 50.0
    address_burst: int = 200
    client_rate: float = 50.0
    client_burst: int = 200


def create_app(guard: Guard, *, limits: Limits | None = None, folder: Path | None = None) -> Starlette:
    """The service in front of `guard.authority`, as an ASGI application.

    Args:
        guard: with an `authority:` in its manifest.
        limits: how often somebody may ask.
        folder: what a client's `jwks_file` is relative to; by default the manifest's own.

    Raises:
        UsageError: the manifest has no `authority:`, the guard goes by another name than that says, or has no key to federate with; or
            a client's `jwks_file` cannot be used.
    """
    declared = guard.manifest.authority
    if declared is None:
        raise UsageError("the manifest has no `authority:`, so that nobody could ask for a token; see docs/authority.md")
    if guard.issuer != declared.issuer:
        raise UsageError("the guard has another issuer= than `authority.issuer`, under which the service is found; leave issuer= out")
    if declared.federation and not any(key.get("alg") in FEDERATED for key in guard.jwks()["keys"]):
        raise UsageError(
            f"`authority.federation` needs a key for ID tokens ({' or '.join(FEDERATED)}), and there is none; make one with "
            "`licet keys rotate --alg RS256 --now`"
        )
    service = Service(guard, declared, limits or Limits(), folder or guard.manifest.folder)
    app = Starlette(
        routes=service.routes(),
        exception_handlers={Refused: _refused, HTTPException: _not_here, Exception: _failed},  # type: ignore[dict-item]
    )
    app.add_middleware(AccessLog)
    return app


class Service:
    """The endpoints."""

    def __init__(self, guard: Guard, declared: Authority, limits: Limits, folder: Path) -> None:
        self._guard, self._declared, self._clock = guard, declared, guard.clock
        self._at = at = Addresses(declared.issuer)
        places = threading.Semaphore(FETCHES)
        clients = {name: _client(name, client, folder, self._clock, places) for name, client in declared.clients.items()}
        clients = {name: replace(client, owner=_owner(guard, declared.clients[name])) for name, client in clients.items()}
        state = guard.token_state
        self._clients = Clients(clients, audiences=(at.issuer, at.token), state=state, clock=self._clock)
        self._exchange = Exchange(guard.authority, guard.manifest, url=at.token, state=state, clock=self._clock)
        self._addresses = Limiter(rate=limits.address_rate, burst=limits.address_burst)
        self._askers = Limiter(rate=limits.client_rate, burst=limits.client_burst)
        self._page = document(at)
        self._threads: dict[str, anyio.CapacityLimiter] = {}
        self._health: tuple[float, Mapping[str, bool]] = (float("-inf"), {})
        self._monitoring: tuple[float, Sequence[str]] = (float("-inf"), ())

    def routes(self) -> list[Route]:
        """All endpoints, below the issuer's path."""
        at, prefix = self._at, self._at.prefix
        return [
            Route(f"{prefix}/token", self.token, methods=["POST"]),
            Route(f"{prefix}/revoke", self.revoke, methods=["POST"]),
            Route(f"{prefix}/introspect", self.introspect, methods=["POST"]),
            Route(f"{prefix}/jwks.json", self.jwks, methods=["GET"]),
            Route(at.oauth, self.oauth, methods=["GET"]),
            Route(at.openid, self.openid, methods=["GET"]),
            Route(f"{prefix}/openapi.json", self.openapi, methods=["GET"]),
            Route(f"{prefix}/health", self.health, methods=["GET"]),
            Route(f"{prefix}/healthz/monitoring", self.monitoring, methods=["GET"]),
        ]

    # For clients ---------------------------------------------------------------------------------------------------------

    async def token(self, request: Request) -> Response:
        """RFC 8693."""
        proofs = request.headers.getlist("dpop")
        return await self._asked(request, lambda client, form: _json(self._exchange.answer(client, form, proofs)))

    async def revoke(self, request: Request) -> Response:
        """RFC 7009."""

        def work(client: Client, form: Form) -> Response:
            revoke(self._guard.authority, client, form)
            return _json({})

        return await self._asked(request, work)

    async def introspect(self, request: Request) -> Response:
        """RFC 7662."""
        return await self._asked(request, lambda client, form: _json(introspect(self._guard.authority, client, form)))

    async def _asked(self, request: Request, work: Work) -> Response:
        self._admit(request)
        if request.url.query:  # RFC 6749 section 2.3.1 and 3.2: what is secret must not stand where it is logged
            raise bad_request("the parameters are sent in the body, and none in the URL")
        if len(request.headers.getlist("content-type")) != 1:
            raise bad_request("exactly one Content-Type is needed")
        form = read_form(await _body(request), request.headers["content-type"])
        authorization = request.headers.get("authorization")

        def blocking() -> Response:
            who = None
            try:
                client = self._clients.authenticate(form, authorization)
                who = request.state.client = client.id  # for the access log
                wait = self._askers.take(client.id, self._clock.monotonic())
                if wait:
                    raise too_many(wait)
                return work(client, form)
            except Refused as error:
                level, why = why_inward(error)
                _log.log(level, "licet: %s: %s %s: %s", request.url.path, error.error, f"for {who}" if who else f"to {claimed(form)}", why)
                raise

        with continued(request.headers.raw):  # who asks for a call's token has its span, and ours stands under that
            return await self._in_thread(blocking, CLIENTS)

    # For everybody -------------------------------------------------------------------------------------------------------

    async def jwks(self, request: Request) -> Response:
        """RFC 7517."""
        self._admit(request)
        found = await self._in_thread(self._guard.jwks, EVERYBODY)
        return JSONResponse(found, headers=_cached(JWKS_SECONDS), media_type="application/jwk-set+json")

    async def oauth(self, request: Request) -> Response:
        """RFC 8414."""
        self._admit(request)
        return JSONResponse(oauth_metadata(self._at, self._declared), headers=_cached(PAGE_SECONDS))

    async def openid(self, request: Request) -> Response:
        """OpenID Connect Discovery."""
        self._admit(request)
        published = (await self._in_thread(self._guard.jwks, EVERYBODY))["keys"]
        return JSONResponse(openid_metadata(self._at, self._declared, published), headers=_cached(JWKS_SECONDS))

    async def openapi(self, request: Request) -> Response:
        """The description of all this."""
        self._admit(request)
        return JSONResponse(self._page, headers=_cached(PAGE_SECONDS))

    async def health(self, request: Request) -> Response:
        """Whether a token could be issued now."""
        self._admit(request)

        def look() -> Mapping[str, bool]:
            asked, found = self._health
            if self._clock.monotonic() - asked >= HEALTH_SECONDS:
                found = self._guard.health()
                self._health = (self._clock.monotonic(), found)
            return found

        found = await self._in_thread(look, HEALTH)
        well = all(found.values())
        return JSONResponse({"status": "ok" if well else "failing", **found}, status_code=200 if well else 503, headers=NOT_STORED)

    async def monitoring(self, request: Request) -> Response:
        """Whether the monitoring can be relied on now, by its drills. What cannot be told is no yes."""
        self._admit(request)

        def look() -> Sequence[str]:
            asked, found = self._monitoring
            if self._clock.monotonic() - asked >= MONITORING_SECONDS:
                try:
                    card = status(self._guard.state, self._clock.now(), trusted=pinned(), figures=False)
                    found = tuple(dict.fromkeys(each.kind for each in card.reasons))
                except StateError as error:
                    _log.error("licet: the drills' verdict cannot be told: %s", error)
                    found = ("unreadable",)
                self._monitoring = (self._clock.monotonic(), found)
            return found

        found = await self._in_thread(look, MONITORING)
        told = {"status": "failing" if found else "ok", "reasons": list(found)}
        return JSONResponse(told, status_code=503 if found else 200, headers=NOT_STORED)

    # How -----------------------------------------------------------------------------------------------------------------

    def _admit(self, request: Request) -> None:
        """Before anything else is done for an address."""
        host = request.client.host if request.client is not None else ""
        wait = self._addresses.take(address_key(host), self._clock.monotonic())
        if wait:
            raise too_many(wait)

    async def _in_thread(self, work: Callable[[], T], of: str) -> T:
        if of not in self._threads:
            self._threads[of] = anyio.CapacityLimiter(THREADS[of])
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads[of])
        except StateError as error:
            _log.error("licet: the service could not decide: %s", error)
            raise unavailable() from error


def _client(name: str, declared: AuthorityClient, folder: Path, clock: Clock, places: threading.Semaphore) -> Client:
    keys: Keys
    if declared.jwks_uri is not None:
        keys = remote = RemoteKeys(declared.jwks_uri, clock=clock, places=places)
        # Nobody's first request waits for them, nor does the service's start.
        threading.Thread(target=remote.warm, name="licet-first-keys", daemon=True).start()
    else:
        keys = FileKeys(folder / str(declared.jwks_file))
        try:
            keys.find(None, "")  # a client that could never ask is a mistake of the manifest, told before anybody listens
        except StateError as error:
            raise UsageError(f"authority.clients.{name}.jwks_file: {error}") from error
    return Client(name, frozenset(declared.agents), keys, declared.algorithms)


def _owner(guard: Guard, client: AuthorityClient) -> str:
    """Who looks at what is found of a client: the owner of its first agent that has one."""
    found = (guard.manifest.agents[name].owner for name in client.agents if name in guard.manifest.agents)
    return next((owner for owner in found if owner), "")


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise Refused(413, "invalid_request", f"the body is longer than {MAX_BODY} bytes", {"Connection": "close"})
    except TimeoutError as error:
        raise Refused(408, "invalid_request", "the body did not come in time", {"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise bad_request("the body did not come whole") from error
    return bytes(body)


def _json(found: Mapping[str, Any]) -> Response:
    return JSONResponse(dict(found), headers=NOT_STORED)


def _cached(seconds: int) -> dict[str, str]:
    return {"Cache-Control": f"public, max-age={seconds}", "X-Content-Type-Options": "nosniff"}


async def _refused(request: Request, error: Refused) -> Response:
    request.state.error = error.error  # for the access log
    return JSONResponse(error.body(), status_code=error.status, headers={**NOT_STORED, **error.headers})


async def _not_here(request: Request, error: HTTPException) -> Response:  # noqa: ARG001 - the framework's signature
    """A path or a method that is not there."""
    what = {404: ("not_found", "there is nothing at this path"), 405: ("invalid_request", "this path does not take this method")}
    name, why = what.get(error.status_code, ("invalid_request", "the request cannot be read"))
    return JSONResponse(
        {"error": name, "error_description": why}, status_code=error.status_code, headers={**NOT_STORED, **(error.headers or {})}
    )


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """A mistake of ours: nothing is granted, and nothing is told. The server logs it."""
    return JSONResponse({"error": "server_error", "error_description": "the service made a mistake; see its log"}, 500, headers=NOT_STORED)
