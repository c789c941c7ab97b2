"""HTTP for witnesses: no redirect, nothing compressed, bounded in size and time, over TLS or on this machine."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from licet.errors import LedgerError, UsageError
from licet.manifest.identities import is_loopback
from licet.version import VERSION

TIMEOUT = 5.0
"""Seconds for each step, and twice that for all of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the type of the content (without parameters), and the content."""

    status: int
    type: str
    body: bytes


class Web:
    """One address. What does not come in time is let go of, and nothing new is asked for while it is still under way.

    Raises:
        UsageError: the address is none, or would be spoken to in the open.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        self.url, self._timeout = checked(url), timeout
        self._under_way: threading.Thread | None = None
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if is_loopback(urlsplit(self.url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))  # else plain text would travel to the proxy
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, path: str, body: bytes | None = None, *, most: int) -> Answer:
        """GET a path below the address, or POST a body to it. `most`: bytes of an answer.

        Raises:
            LedgerError: no whole answer comes in time, or it is too large.
        """
        url = f"{self.url}/{path}"
        if self._under_way is not None and self._under_way.is_alive():
            raise LedgerError(f"{url}: an earlier request is still not answered")
        box: list[Answer | str] = []
        # In a thread of its own: a server that sends one byte now and then would keep a socket's own timeout from ever passing.
        thread = threading.Thread(target=lambda: box.append(self._answer(url, body, most)), name="licet-witness-http", daemon=True)
        self._under_way = thread
        thread.start()
        thread.join(2 * self._timeout)
        if not box:
            raise LedgerError(f"{url}: no answer within {2 * self._timeout:g} s")
        if isinstance(box[0], str):
            raise LedgerError(f"{url}: {box[0]}")
        return box[0]

    def _answer(self, url: str, body: bytes | None, most: int) -> Answer | str:
        headers = {"User-Agent": f"licet/{VERSION}"} | ({"Content-Type": "text/plain"} if body is not None else {})
        request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - the scheme was checked
        ends = time.monotonic() + 2 * self._timeout
        try:
            try:
                response = self._opener.open(request, timeout=self._timeout)
            except urllib.error.HTTPError as error:  # a status that is no success is an answer too
                response = error
            with response:
                if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
                    return "the answer is compressed, which was not asked for"
                data = bytearray()
                while chunk := response.read1(65_536):
                    data += chunk
                    if len(data) > most:
                        return f"the answer has more than {most} bytes"
                    if time.monotonic() > ends:
                        return "the answer came too slowly"
                length = response.headers.get("Content-Length", "")
                if length.isdecimal() and int(length) != len(data):
                    return "the answer did not come whole"
                kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                return Answer(response.status or 0, kind, bytes(data))
        except (OSError, http.client.HTTPException, ValueError) as error:
            # `URLError` is an OSError; what the far side wrote is not repeated.
            reason = getattr(error, "reason", error)
            return f"cannot be asked ({type(reason).__name__}); check the address, and that it is up"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever can redirect could have us ask others; without an answer from here it stays a status."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        """Never."""


def checked(url: str) -> str:
    """An address without its last slash.

    Raises:
        UsageError: it is none, or others could read what is sent there.
    """
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError as error:
        raise UsageError(f"{url!r} is no address: {error}") from error
    if not url.isascii() or not url.isprintable() or found.scheme not in ("http", "https") or not host or found.query or found.fragment:
        raise UsageError(f"{url!r} is no address; write https://HOST[:PORT][/PATH]")
    if found.username is not None or found.password is not None:
        raise UsageError("an address has no user and no password in it: it stands where others read")
    if found.scheme == "http" and not is_loopback(host):
        raise UsageError(f"{url} is without TLS, which is for this machine alone; write https")
    return url.rstrip("/")
