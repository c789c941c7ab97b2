"""One JWK set over HTTP: no redirect, nothing compressed, at most 256 KB, within a few seconds, over TLS or on this machine."""

from __future__ import annotations

import http.client
import re
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from licet.errors import KeySetError, TokenRefused
from licet.manifest.identities import is_loopback
from licet.tokens.algorithms import KeySet
from licet.tokens.jws import json_object
from licet.version import VERSION

MAX_BYTES = 262_144
TIMEOUT = 5.0  # seconds for each step, and twice that for all of them

_MAX_AGE = re.compile(r"max-age\s*=\s*\"?([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A key set, and for how many seconds the far side says that it holds (RFC 9111 section 5.2); None where it does not say."""

    keys: KeySet
    max_age: float | None = None


def key_set(data: bytes, use: str = "sig") -> KeySet:
    """The keys in the text of a JWK set, which is read as strictly as a token is. Keys that are not for us are left out.

    `use`: what the keys that sign may also be marked with. In a SPIFFE bundle that is `jwt-svid` (SPIFFE Trust Domain and Bundle 4.2.2).

    Raises:
        KeySetError: it is no JWK set, is larger than MAX_BYTES, or holds no key that can be used.
    """
    if len(data) > MAX_BYTES:
        raise KeySetError(f"a key set of more than {MAX_BYTES} bytes")
    try:
        found = json_object(data, "key set")
    except TokenRefused as refused:
        raise KeySetError(refused.why) from refused
    listed = found.get("keys")
    marked = (
        [each | {"use": "sig"} if type(each) is dict and each.get("use") == use else each for each in listed]
        if type(listed) is list
        else []
    )
    return KeySet.of({"keys": marked}, skip=True)


class Fetcher:
    """Fetches from one address. What does not come in time is let go of, and nothing new is asked for while it is still under way."""

    def __init__(self, url: str, timeout: float = TIMEOUT, use: str = "sig") -> None:
        self._url, self._timeout, self._use = url, timeout, use
        self._under_way: threading.Thread | None = None
        handlers: list[urllib.request.BaseHandler] = [NoRedirect()]
        if is_loopback(urlsplit(url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))  # else plain text would travel to the proxy
        self._opener = urllib.request.build_opener(*handlers)

    def fetch(self) -> Fetched:
        """What is there now.

        Raises:
            KeySetError: it does not come in time, is too large, or is no key set.
        """
        if self._under_way is not None and self._under_way.is_alive():
            raise KeySetError(f"{self._url}: an earlier request is still not answered")
        box: list[Fetched | KeySetError] = []
        # In a thread of its own: a server that sends one byte now and then would keep a socket's own timeout from ever passing.
        thread = self._under_way = threading.Thread(target=lambda: box.append(self._answer()), name="licet-keys", daemon=True)
        thread.start()
        thread.join(2 * self._timeout)
        if not box:
            raise KeySetError(f"{self._url}: no answer within {2 * self._timeout:g} s")
        if isinstance(box[0], KeySetError):
            raise box[0]
        return box[0]

    def _answer(self) -> Fetched | KeySetError:
        try:
            return self._fetch()
        except KeySetError as error:
            return KeySetError(f"{self._url}: {error}")
        except urllib.error.HTTPError as error:
            error.close()
            return KeySetError(f"{self._url}: answered with status {error.code}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            # `URLError` is an OSError; what the far side wrote is not repeated.
            reason = getattr(error, "reason", error)
            return KeySetError(f"{self._url}: {type(reason).__name__}")

    def _fetch(self) -> Fetched:
        headers = {"Accept": "application/jwk-set+json, application/json", "User-Agent": f"licet/{VERSION}"}
        request = urllib.request.Request(self._url, headers=headers)  # noqa: S310 - the scheme was checked
        ends = time.monotonic() + 2 * self._timeout
        with self._opener.open(request, timeout=self._timeout) as response:
            if response.status != 200:
                raise KeySetError(f"answered with status {response.status}")
            if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
                raise KeySetError("the answer is compressed, which was not asked for")
            body = bytearray()
            while chunk := response.read1(65_536):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise KeySetError(f"the answer has more than {MAX_BYTES} bytes")
                if time.monotonic() > ends:
                    raise KeySetError("the answer came too slowly")
            return Fetched(key_set(bytes(body), self._use), _age(response.headers.get_all("Cache-Control") or []))


def _age(fields: list[str]) -> float | None:
    said = ",".join(fields)[:1_000].lower()
    if "no-store" in said or "no-cache" in said:
        return 0.0
    found = _MAX_AGE.search(said)
    return float(found[1]) if found else None


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """RFC 9110 section 15.4: whoever can redirect could name another's keys; without an answer from here it stays an error."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        """Never."""
