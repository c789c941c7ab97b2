"""Findings by webhook, signed as Standard Webhooks 1.0.0 has it (https://www.standardwebhooks.com).

The signature is HMAC-SHA-256 over id, time and body, so that who receives them knows that they are ours, and are not old. No redirect is
followed, and nothing goes in the open but to this machine.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from licet.clock import iso
from licet.errors import StateError, UsageError
from licet.machine import open_own
from licet.manifest.identities import is_loopback
from licet.monitor.deliveries import Message, Reply
from licet.monitor.told import finding_data
from licet.version import VERSION

TIMEOUT: Final = 10.0
"""Seconds for each step of a request, and for all of it."""

PREFIX: Final = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret
_LONGEST_FILE = 1_000
_BAD_MESSAGE: Final = (400, 413, 415, 422)  # what is said of a message, and not of who sends it
_GONE, _NOT_NOW = 410, (429, 503)
_DAY = 86_400.0


class Webhook:
    """One address that findings are posted to. `secret`: the bytes that it shares with us.

    Raises:
        UsageError: the address is none, or others could read what is sent there.
    """

    def __init__(self, url: str, secret: bytes, timeout: float = TIMEOUT) -> None:
        self._url, self._secret, self._timeout = checked(url), secret, timeout
        parts = urlsplit(url)
        host = parts.hostname or ""
        self.shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{parts.port}' if parts.port else ''}"
        # Paths of webhooks are often as good as a password.
        self.name = f"{self.shown} {hashlib.sha256(url.encode()).hexdigest()[:16]}"
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if is_loopback(host):
            handlers.append(urllib.request.ProxyHandler({}))  # else plain text would travel to the proxy
        self._opener = urllib.request.build_opener(*handlers)

    def send(self, message: Message, now: float) -> Reply:
        """Post it. Only an answer of 2xx that comes in time says that it was taken."""
        return self.post(message.id, body_of(message), now)

    def post(self, uid: str, body: bytes, now: float) -> Reply:
        """Post a body under an id, by which it is known when it comes twice."""
        stamp = int(now)
        headers = {
            "Content-Type": "application/json", "User-Agent": f"licet/{VERSION}", "webhook-id": uid,
            "webhook-timestamp": str(stamp), "webhook-signature": signature(self._secret, uid, stamp, body),
        }  # fmt: skip
        box: list[Reply] = []
        # In a thread of its own: a server that sends one byte now and then would keep a socket's own timeout from ever passing.
        thread = threading.Thread(target=lambda: box.append(self._answer(body, headers)), name="licet-webhook", daemon=True)
        thread.start()
        thread.join(self._timeout)
        return box[0] if box else Reply(taken=False, why=f"{self.shown}: no answer within {self._timeout:g} s")

    def _answer(self, body: bytes, headers: dict[str, str]) -> Reply:
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310 - the scheme was checked
        try:
            try:
                response = self._opener.open(request, timeout=self._timeout)
            except urllib.error.HTTPError as error:  # a status that is no success is an answer too
                response = error
            with response:
                return self._of_status(int(response.status or 0), response.headers.get("Retry-After", ""))
        except (OSError, http.client.HTTPException, ValueError) as error:
            # `URLError` is an OSError; what the far side wrote is not repeated.
            reason = getattr(error, "reason", error)
            return Reply(
                taken=False, why=f"{self.shown}: cannot be reached ({type(reason).__name__}); check the address, and that it is up"
            )

    def _of_status(self, status: int, after: str) -> Reply:
        if 200 <= status < 300:
            return Reply(taken=True)
        if 300 <= status < 400:
            return Reply(taken=False, why=f"{self.shown}: redirects ({status}), which is not followed; name the last address")
        if status == _GONE:
            return Reply(taken=False, why=f"{self.shown}: wants no more of them (410); take the address away", wait=_DAY)
        why = f"{self.shown}: answered {status}"
        if status in _BAD_MESSAGE:
            return Reply(taken=False, why=why, message=True)
        return Reply(taken=False, why=why, wait=seconds_of(after, time.time()) if status in _NOT_NOW else 0.0)


def body_of(message: Message) -> bytes:
    """What is posted: the kind of event, when it became so, and the finding. The same in every try."""
    status = "withdrawn" if message.kind == "withdrawn" else "open"
    data = finding_data(message.finding, status, codes=(message.finding.check,)) | ({"drill": message.drill} if message.drill else {})
    told = {"type": f"finding.{message.kind}", "timestamp": iso(message.updated), "data": data}
    return json.dumps(told, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def signature(secret: bytes, message: str, stamp: int, body: bytes) -> str:
    """The header `webhook-signature`: version 1, over the message's id, the time in seconds, and the body."""
    digest = hmac.digest(secret, b".".join((message.encode(), str(stamp).encode(), body)), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def secret_of(path: str | Path) -> bytes:
    """The secret in a file that is ours alone: `whsec_` and the Base64 of 24 to 64 bytes.

    Raises:
        StateError: the file cannot be read, or others can read it.
        UsageError: it holds no secret.
    """
    descriptor = open_own(path, os.O_RDONLY, StateError)
    with os.fdopen(descriptor, "rb") as file:
        text = file.read(_LONGEST_FILE).strip()
    try:
        found = base64.b64decode(text.removeprefix(PREFIX.encode()), validate=True)
    except binascii.Error:
        found = b""
    if not text.startswith(PREFIX.encode()) or not _SHORTEST <= len(found) <= _LONGEST:
        how = f'(umask 077; echo "{PREFIX}$(openssl rand -base64 32)" > {path})'
        raise UsageError(f"{path}: holds no secret of a webhook, which is {PREFIX!r} and the Base64 of 24 to 64 bytes; make one: {how}")
    return found


def seconds_of(after: str, now: float) -> float:
    """The seconds that a `Retry-After` asks for (RFC 9110 section 10.2.3): a number, or a date; 0 for anything else."""
    text = after.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def checked(url: str) -> str:
    """The address, if one may post to it.

    Raises:
        UsageError: it is none, or others could read what is sent there.
    """
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError as error:
        raise UsageError("--to is no address; write https://HOST[:PORT][/PATH]") from error
    if not url.isascii() or not url.isprintable() or " " in url or found.scheme not in ("http", "https") or not host or found.fragment:
        raise UsageError("--to is no address; write https://HOST[:PORT][/PATH]")
    if found.username is not None or found.password is not None:
        raise UsageError("--to has a user or a password in it, and stands where others read; who sends is shown by the signature")
    if found.scheme == "http" and not is_loopback(host):
        raise UsageError("--to is without TLS, which is for this machine alone; write https")
    return url


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever can redirect could have us tell others."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        """Never."""
