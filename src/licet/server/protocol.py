"""HTTP/1.1 of uvicorn, with two bounds that it lacks: how long a request's head may take, and how many connections one address may hold.

Both are for those who never finish a request. No limit of requests sees them, and each holds one of the few places that there are.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable

from uvicorn.protocols.http.h11_impl import H11Protocol

from licet.server.limits import address_key

HEAD_SECONDS = 10.0
"""From the connection, and from each answer, to a whole next head. (An idle connection is closed sooner, by uvicorn's keep-alive.)"""
PER_ADDRESS = 64
"""Open connections of one address, as `address_key` tells them apart; a fourth of all that there are."""


class Connections:
    """How many connections each address has open. `most` is None where all come from a proxy. Used in the event loop alone."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, key: str) -> bool:
        """Count one more, unless there are as many as there may be."""
        if self._most is not None and self._open[key] >= self._most:
            return False
        self._open[key] += 1
        return True

    def leave(self, key: str) -> None:
        """Count one less."""
        self._open[key] -= 1
        if self._open[key] <= 0:
            del self._open[key]


def everybody(host: str) -> bool:  # noqa: ARG001 - whoever it is
    """For a service that speaks TLS itself, or listens on this machine alone."""
    return True


def only(proxies: str) -> Callable[[str], bool]:
    """Whether an address is one of `proxies` (addresses and networks, comma-separated), or this machine's own."""
    known = [ipaddress.ip_network(each.strip(), strict=False) for each in proxies.split(",")]

    def one_of_them(host: str) -> bool:
        try:
            found = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(found, "ipv4_mapped", None) or found
        return plain.is_loopback or any(plain in network for network in known)

    return one_of_them


def bounded(
    *, most: int | None = PER_ADDRESS, seconds: float = HEAD_SECONDS, peers: Callable[[str], bool] = everybody
) -> type[H11Protocol]:
    """The protocol for `uvicorn.Config(http=...)`; `most` connections of an address, `seconds` for a head, and only of `peers`."""
    connections = Connections(most)

    class Bounded(H11Protocol):
        _key: str | None = None
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            host = self.client[0] if self.client else ""
            key = address_key(host)
            if not peers(host) or not connections.enter(key):
                transport.abort()
                return
            self._key = key
            self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_is_here()
            if self._key is not None:
                connections.leave(self._key)
                self._key = None
            super().connection_lost(exc)

        def handle_events(self) -> None:
            before = self.cycle
            super().handle_events()
            if self.cycle is not before:  # a head was read
                self._head_is_here()

        def on_response_complete(self) -> None:
            # Before the rest: a next head may be here already, and is then read in there.
            if not self.transport.is_closing():
                self._await_head()
            super().on_response_complete()

        def _await_head(self) -> None:
            self._head_is_here()
            self._timer = self.loop.call_later(seconds, self._late)

        def _head_is_here(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _late(self) -> None:
            # Not `close`: it would wait until the other side has read what is written, and he need not.
            self._timer = None
            self.transport.abort()

    return Bounded
