"""Running the service: where it listens, that it does so in the open only with TLS, and that it stops in order."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from licet.errors import UsageError
from licet.guard import Guard
from licet.manifest.identities import is_loopback

STOP_SECONDS = 10
"""How long requests that are under way may take when the service stops."""
CONCURRENT = 256
"""More connections than that are answered with 503."""
MAX_HEAD = 16_384  # bytes of a request's line and headers


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen. `certificate` and `key` are PEM files; `proxies` the addresses of proxies that speak TLS in our place."""

    host: str = "127.0.0.1"
    port: int = 8470
    certificate: str | None = None
    key: str | None = None
    proxies: str | None = None

    @property
    def tls(self) -> bool:
        """Whether we speak TLS ourselves."""
        return self.certificate is not None


def check(at: Listening, issuer: str) -> None:
    """Whether this may be served so: nothing but this machine is answered without TLS.

    Raises:
        UsageError: it may not.
    """
    if (at.certificate is None) != (at.key is None):
        raise UsageError("--tls-cert and --tls-key belong together")
    if at.tls and at.proxies is not None:
        raise UsageError("either this service speaks TLS (--tls-cert) or a proxy does (--behind-tls-proxy); take one out")
    for address in at.proxies.split(",") if at.proxies is not None else ():
        why = "what it says of addresses is believed, so that each proxy is named by its own"
        try:
            network = ipaddress.ip_network(address.strip(), strict=False)
        except ValueError as error:
            raise UsageError(f"--behind-tls-proxy takes addresses or networks, and not {address!r}: {why}") from error
        if network.prefixlen < (8 if network.version == 4 else 32):
            raise UsageError(f"--behind-tls-proxy {address.strip()} is about everybody: {why}")
    if not 0 <= at.port <= 65_535:
        raise UsageError("--port is 0 to 65535")
    open_to_others = not is_loopback(at.host)
    plain = urlsplit(issuer).scheme == "http"
    if open_to_others and plain:
        raise UsageError(f"{issuer} is a name without TLS, for this machine alone; write an https `issuer` before others are answered")
    if open_to_others and not at.tls and at.proxies is None:
        raise UsageError(
            f"on {at.host} others can reach this service, and all would travel in the open: give --tls-cert and --tls-key, or say "
            "--behind-tls-proxy ADDRESS if a proxy speaks TLS in front of it"
        )
    if plain and (at.tls or at.proxies is not None):
        raise UsageError(f"{issuer} says http, and this service would speak TLS; write an https `issuer`")


def serve(guard: Guard, at: Listening, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `ready` is called with our URL once we listen.

    Raises:
        UsageError: the extra is not installed, or this may not be served so, or the address cannot be had.
    """
    declared = guard.manifest.authority
    check(at, declared.issuer if declared else "")
    try:
        from licet.server.app import create_app
    except ImportError as error:
        raise UsageError("`licet serve` needs the extra `server`: pip install 'licet[server]'") from error
    listen(create_app(guard), at, ready)


def listen(app: Any, at: Listening, ready: Callable[[str], None]) -> None:
    """Serve an ASGI application until SIGINT or SIGTERM. See `serve`."""
    try:
        import uvicorn

        from licet.server.protocol import PER_ADDRESS, bounded, only
    except ImportError as error:
        raise UsageError("a service needs the extra `server`: pip install 'licet[server]'") from error
    # Of a proxy all connections come from one address, and who holds how many is for it to count.
    # Without TLS nobody else is answered: he would speak in the open, and could say that he comes from anywhere.
    protocol = bounded(most=PER_ADDRESS) if at.proxies is None else bounded(most=None, peers=only(at.proxies))
    config = uvicorn.Config(
        app, access_log=False, log_config=None, server_header=False, lifespan="off", ws="none", http=protocol,
        proxy_headers=at.proxies is not None, forwarded_allow_ips=at.proxies, limit_concurrency=CONCURRENT, backlog=CONCURRENT,
        timeout_keep_alive=5, timeout_graceful_shutdown=STOP_SECONDS, h11_max_incomplete_event_size=MAX_HEAD,
        ssl_certfile=at.certificate, ssl_keyfile=at.key,
    )  # fmt: skip
    try:
        config.load()
    except (OSError, ValueError) as error:
        raise UsageError(f"the certificate or its key cannot be used: {error}; both are PEM files") from error
    listener = _bind(at)

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                host, port = listener.getsockname()[:2]
                shown = f"[{host}]" if ":" in host else host
                ready(f"{'https' if at.tls else 'http'}://{shown}:{port}")

    # The server stops in order at the first signal, and then raises it again for whoever was there before it: nobody.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        Server(config).run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        listener.close()


def _bind(at: Listening) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # By this protocol asyncio knows that it is TCP, and turns off Nagle's waiting: 40 ms for each answer otherwise.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(f"{at.host}:{at.port} cannot be listened on: {error.strerror}; choose another --host or --port") from error
    return listener


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Our log, and one line for each request, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours, servers = logging.getLogger("licet"), logging.getLogger("uvicorn.error")
    before = ours.level, servers.level
    ours.setLevel(logging.INFO)
    servers.setLevel(logging.WARNING)
    for logger in (ours, servers):
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, level in zip((ours, servers), before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
