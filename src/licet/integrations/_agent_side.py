"""What goes along when a guarded tool calls a service: the running call's token and its proof, to the one place that they are for.

`httpx` and `requests` are made of this.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import threading
import time
import unicodedata
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from licet.errors import UsageError
from licet.guard import current_call
from licet.integrations._incoming import PROOF_HEADER, TOKEN_HEADER
from licet.integrations._tool_side import place
from licet.tokens import MAX_SECONDS

SECRET_HEADERS = frozenset({TOKEN_HEADER, PROOF_HEADER, "authorization"})
_PORTS = {"http": 80, "https": 443}
_CUT = re.compile(r"[\x00-\x20;#?%].*", re.DOTALL)  # what a server may take for the end of a segment


class _Sent:
    """The tokens that left this process, by digest, for as long as they live."""

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def first(self, token: str) -> bool:
        """Whether this one is sent for the first time."""
        key, now = hashlib.sha256(token.encode()).digest(), time.monotonic()
        with self._lock:
            if key in self._until:
                return False
            self._until = {old: until for old, until in self._until.items() if until > now}
            self._until[key] = now + 2 * MAX_SECONDS
            return True


_sent = _Sent()


def headers_of(method: str, url: str, at: str | None) -> dict[str, str]:
    """The headers for one request of the running call; its token is then used up.

    `at`: where the tool is, by `place_of`; None: its audience says so.

    Raises:
        UsageError: there is no running call, its token is not for this URL, cannot be sent safely, or was sent before.
    """
    call = current_call()
    if call is None:
        raise UsageError("no guarded call is running here: send this request from inside a tool that `guard.tool` or `guard.wrap` made")
    tool = call.call.tool
    if not call.audience.startswith(("http://", "https://")) and at is None:
        raise UsageError(
            f"where `{tool}` is to be found is not known: its `audience:` in the manifest is not a URL (or is missing); "
            "declare one, or say LicetAuth(at='https://...')"
        )
    _check_under(url, at or call.audience, tool)
    headers = call.headers_for(method, url)
    if "DPoP" not in headers:
        raise UsageError(f"the token of `{tool}` is bound to no key, so that it may not leave this process; declare its `audience:`")
    if not _sent.first(call.token):
        raise UsageError(
            f"the token of this call of `{tool}` is used: it was sent before, and is good for one request. "
            "Make every further request, a retry too, in a guarded call of its own"
        )
    return headers


def place_of(at: str | None) -> str | None:
    """`at=` of an auth class, looked at when it is made.

    Raises:
        UsageError: it is not the URL of a place.
    """
    return at if at is None else place(at, "at=")


def _check_under(url: str, base: str, tool: str) -> None:
    try:
        there, here = urlsplit(url), urlsplit(base)
        same = _origin(there) == _origin(here)
    except ValueError as error:
        raise UsageError(f"the URL of this request of `{tool}` cannot be read") from error
    if there.scheme == "http" and not _loopback(there.hostname or ""):
        raise UsageError(f"a token goes over TLS only, or to this machine itself: the URL of this request of `{tool}` is plain http")
    if there.scheme == "http" and _proxied(there.hostname or ""):
        raise UsageError(
            f"this request of `{tool}` would go in the open to the proxy of the environment (HTTP_PROXY): name this machine in NO_PROXY"
        )
    prefix = here.path.rstrip("/")
    path = there.path
    under = (path or "/") == (prefix or "/") or path.startswith(f"{prefix}/")
    if not same or there.username is not None or _climbs(path) or not under:
        raise UsageError(f"the token of `{tool}` is for {base} and what is below it, and this request goes elsewhere")


def _climbs(path: str) -> bool:
    """Whether a server may take a segment for the folder above, as it stands or however it is escaped; then a prefix says nothing."""
    for _ in range(5):
        plain = unquote(path)
        if plain == path:
            break
        path = plain
    # U+FFFD: what was no UTF-8, such as the overlong form of a dot. Full-width dots are dots to some.
    segments = [_CUT.sub("", unicodedata.normalize("NFKC", part)) for part in re.split(r"[/\\]", path)]
    return "\N{REPLACEMENT CHARACTER}" in path or any(part in (".", "..") for part in segments)


def _proxied(host: str) -> bool:
    found = getproxies()
    return ("http" in found or "all" in found) and not proxy_bypass(host)


def _origin(url: SplitResult) -> tuple[str, str, int | None]:
    """RFC 6454 section 4."""
    if url.scheme not in _PORTS or not url.hostname:
        raise ValueError("no origin")
    return url.scheme, url.hostname.lower(), url.port or _PORTS[url.scheme]


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"  # RFC 6761 section 6.3
