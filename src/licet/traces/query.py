"""A running Jaeger, asked by its query API (v3): `jaeger://HOST[:PORT][/TRACE_ID][?service=NAME&lookback=24h&limit=N]`, or a trace's link.

The answer is OTLP's JSON. No redirect is followed, nothing compressed is asked for, and what is too large or too slow is an error that
says what to do. Credentials come from the environment, and travel over TLS or on this machine only.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from licet.errors import UsageError
from licet.escape import visible
from licet.lines import MAX_LINE
from licet.manifest import duration
from licet.manifest.identities import is_loopback
from licet.telemetry.otlp import TOO_MANY, BadSpan, too_many
from licet.telemetry.reader import ReadSpan, spans_of
from licet.tokens.fetch import NoRedirect
from licet.version import VERSION

HEADERS = "LICET_JAEGER_HEADERS"
"""Headers to send, as in OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer%20...`, separated by commas."""

MAX_BYTES = MAX_LINE  # of one answer
TIMEOUT = 10.0  # seconds for each step
WHOLE = 60.0  # seconds for one answer
ALL = 120.0  # seconds for all answers of one source
MAX_ALL = 4 * MAX_BYTES  # bytes of all of them
MAX_SERVICES = 100
_PORT, _LIMIT, _LOOKBACK = 16686, 100, "24h"
_TRACE = re.compile(r"[0-9a-fA-F]{1,32}", re.ASCII)
_LINK = re.compile(r"http(s?)://([^/?#]+)/(?:trace|api/traces|api/v3/traces)/([0-9a-fA-F]{1,32})/?(?:\?ui[A-Z][^#]*)?", re.ASCII)
_SHORT = 12  # characters: as many of a task's id as lists show
_NOT_A_TASK = "a task's id is not its trace's: that stands at the top of Jaeger's page, and behind `trace` in what `licet task` prints"
_CREDENTIALS = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+:/.*@", re.ASCII | re.DOTALL)  # not parsed: what is misspelt can hold some too
_BLANKS = re.compile(r"[ \t\r\n]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """What a source names. `trace`: one trace; else the newest traces of `service` (of every service, if it is empty)."""

    source: str
    base: str
    trace: str
    service: str
    lookback: float
    limit: int


def is_link(source: str) -> bool:
    """Whether a source is a link of one trace, as Jaeger's page has it (`/trace/ID`), or its API."""
    return _LINK.fullmatch(source) is not None


def without_credentials(source: str) -> None:
    """Refuse a source that holds credentials, in whatever form, before anything of it is shown. An `@` in a service's name is `%40`.

    Raises:
        UsageError: it may hold some; they are not repeated.
    """
    if _CREDENTIALS.match(source):
        raise UsageError(
            f"credentials do not belong into an address, which is shown and logged; set {HEADERS}=Authorization=Bearer%20TOKEN "
            "(an `@` in the name of a service is written %40)"
        )


def address_of(source: str) -> Address:
    """A source as an address.

    Raises:
        UsageError: it is none.
    """
    without_credentials(source)
    if (link := _LINK.fullmatch(source)) is not None:  # its query says how the page looks
        secure, authority, trace_id = link.groups()
        plain = "" if secure or re.search(r":[0-9]+$", authority) else ":80"
        return replace(address_of(f"jaeger{'+https' if secure else ''}://{authority}{plain}/{trace_id}"), source=source)
    shape = "write jaeger://HOST:PORT[/TRACE_ID][?service=NAME&lookback=24h&limit=N]"
    try:
        parts = urlsplit(source)
        port = parts.port
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)) if parts.query else {}
    except ValueError as error:
        raise UsageError(f"{shown(source)}: not an address; {shape}") from error
    trace = parts.path.strip("/")
    if not parts.hostname or parts.fragment or given.keys() - {"service", "lookback", "limit"} or (trace and not _TRACE.fullmatch(trace)):
        raise UsageError(f"{shown(source)}: not an address; {shape}")
    limit = given.get("limit", str(_LIMIT))
    if not re.fullmatch(r"[1-9][0-9]{0,3}", limit, re.ASCII):
        raise UsageError(f"{visible(source, 200)}: `limit` is a number of traces from 1 to 9999")
    try:
        lookback = duration(given.get("lookback", _LOOKBACK)).total_seconds()
    except ValueError as error:
        raise UsageError(f"{visible(source, 200)}: `lookback`: {error}") from error
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    secure = parts.scheme == "jaeger+https"
    authority = host if secure and port is None else f"{host}:{_PORT if port is None else port}"
    base = f"{'https' if secure else 'http'}://{authority}"
    return Address(source, base, trace.lower().zfill(32) if trace else "", given.get("service", ""), lookback, int(limit))


def spans_of_jaeger(source: str) -> Iterator[ReadSpan | BadSpan]:
    """The spans that a Jaeger has.

    Raises:
        UsageError: the address is none, or Jaeger does not answer, or not as its API says.
    """
    address = address_of(source)
    ask = _Asking(address)
    if address.trace:
        found = ask(f"/api/v3/traces/{address.trace}")
        if found is None:
            short = address.trace.lstrip("0")
            whole = "" if len(short) > _SHORT else f"`{short}` is no whole trace id, which has 32 hexadecimal digits; "
            raise UsageError(f"{address.base}: has no trace {short}; {whole}{_NOT_A_TASK}")
        yield from _spans(found, source)
        return
    services = [address.service] if address.service else _services(ask, address)
    now = time.time()
    for service in services:
        wanted = {
            "query.service_name": service, "query.start_time_min": _stamp(now - address.lookback), "query.start_time_max": _stamp(now + 60),
            "query.num_traces": str(address.limit), "query.search_depth": str(address.limit),
        }  # fmt: skip
        yield from _spans(ask(f"/api/v3/traces?{urlencode(wanted, quote_via=quote)}") or [], source)


def _services(ask: _Asking, address: Address) -> list[str]:
    found = ask("/api/v3/services") or [{}]
    names = found[0].get("services") if isinstance(found[0], dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(
            f"{address.base}: does not answer as Jaeger's query API (/api/v3/services); is this its query port (usually 16686)?"
        )
    if len(names) > MAX_SERVICES:
        raise UsageError(f"{address.base}: has {len(names)} services; name one: {address.source}?service=NAME")
    return names


def _spans(documents: list[Any], source: str) -> Iterator[ReadSpan | BadSpan]:
    for number, data in enumerate(documents, 1):
        place = f"{source}:{number}"
        if not isinstance(data, dict) or not isinstance(data.get("result"), dict):
            said = data.get("error") if isinstance(data, dict) else None
            message = said.get("message") if isinstance(said, dict) else None
            more = f": {visible(message, 200)}" if isinstance(message, str) else ""
            yield BadSpan(place, "", f"is no whole document with `result`{more}")
        elif data["result"]:  # an empty answer has no `resourceSpans` either
            yield from spans_of(data["result"], place)


_REASONS = {"ConnectionRefusedError": "connection refused", "gaierror": "no such host", "TimeoutError": "no answer in time"}


class _Asking:
    """One Jaeger. An answer is the list of its JSON documents, of which a stream can hold several; None for 404."""

    def __init__(self, address: Address) -> None:
        self._address = address
        host = urlsplit(address.base).hostname or ""
        handlers: list[urllib.request.BaseHandler] = [NoRedirect()]
        if is_loopback(host):
            handlers.append(urllib.request.ProxyHandler({}))  # else plain text would travel to the proxy
        self._headers = {"Accept": "application/json", "User-Agent": f"licet/{VERSION}", **_headers(os.environ.get(HEADERS, ""))}
        if os.environ.get(HEADERS) and address.base.startswith("http:") and not is_loopback(host):
            raise UsageError(f"{address.base}: {HEADERS} would travel in the open; write jaeger+https://, or unset it")
        self._opener = urllib.request.build_opener(*handlers)
        self._ends, self._bytes = time.monotonic() + ALL, 0

    def __call__(self, path: str) -> list[Any] | None:
        left = self._ends - time.monotonic()
        if left <= 0 or self._bytes > MAX_ALL:
            what = f"take more than {ALL:g} s" if left <= 0 else f"have more than {MAX_ALL // 1024 // 1024} MiB"
            raise UsageError(f"{self._address.base}: all answers together {what}; ask for less: ?service=NAME&limit=20&lookback=1h")
        box: list[bytes | UsageError | None] = []
        # In a thread of its own: a server that sends one byte now and then would keep a socket's own timeout from ever passing.
        thread = threading.Thread(target=lambda: box.append(self._answer(path)), name="licet-jaeger", daemon=True)
        thread.start()
        thread.join(min(WHOLE + TIMEOUT, left))
        if not box:
            raise UsageError(f"{self._address.base}: no answer within {min(WHOLE, left):.0f} s; ask for less: ?limit=20&lookback=1h")
        if isinstance(box[0], UsageError):
            raise box[0]
        self._bytes += len(box[0] or b"")
        return None if box[0] is None else self._documents(box[0])

    def _answer(self, path: str) -> bytes | UsageError | None:
        base = self._address.base
        try:
            return self._fetch(path)
        except UsageError as error:
            return error
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            hints = {401: f"set {HEADERS}", 403: f"set {HEADERS}", 400: "name a service: ?service=NAME"}
            hint = hints.get(error.code, "a redirect is not followed; write the address that it leads to" if error.code // 100 == 3 else "")
            return UsageError(f"{base}: answered with status {error.code}{'; ' + hint if hint else ''}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            # `URLError` is an OSError; what the far side wrote is not repeated.
            reason = getattr(error, "reason", error)
            said = _REASONS.get(type(reason).__name__, type(reason).__name__)
            return UsageError(f"{base}: {said}; is Jaeger there, and is this its query port (usually {_PORT})?")

    def _fetch(self, path: str) -> bytes:
        request = urllib.request.Request(self._address.base + path, headers=self._headers)  # noqa: S310 - the scheme is ours
        ends = time.monotonic() + WHOLE
        with self._opener.open(request, timeout=TIMEOUT) as response:
            if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
                raise UsageError(f"{self._address.base}: the answer is compressed, which was not asked for")
            body = bytearray()
            while chunk := response.read1(65_536):
                body += chunk
                if len(body) > MAX_BYTES or time.monotonic() > ends:
                    what = f"has more than {MAX_BYTES // 1024 // 1024} MiB" if len(body) > MAX_BYTES else "came too slowly"
                    raise UsageError(f"{self._address.base}: the answer {what}; ask for less: ?limit=20&lookback=1h")
            return bytes(body)

    def _documents(self, body: bytes) -> list[Any]:
        found: list[Any] = []
        if too_many(body):
            raise UsageError(f"{self._address.base}: the answer {TOO_MANY}; ask for less: ?limit=20&lookback=1h")
        try:
            said = body.decode("utf-8")
            decoder, at = json.JSONDecoder(parse_constant=_no_number), 0
            while (at := _next(said, at)) < len(said):
                data, at = decoder.raw_decode(said, at)
                found.append(data)
        except (ValueError, RecursionError) as error:
            if found:  # a stream that breaks off
                return [*found, None]
            why = "does not answer in JSON; is this Jaeger's query port (usually 16686), without a path before /api?"
            raise UsageError(f"{self._address.base}: {why}") from error
        return found


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _next(said: str, at: int) -> int:
    found = _BLANKS.match(said, at)
    return found.end() if found is not None else at


def shown(source: str) -> str:
    """Without what stands behind `?`: it can be a key that somebody meant for a server."""
    head, mark, _ = source.partition("?")
    return f"{visible(head.partition('#')[0], 200)}{'?...' if mark else ''}"


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _headers(said: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for pair in filter(str.strip, said.split(",")):
        name, _, value = pair.partition("=")
        name, value = name.strip(), unquote(value.strip())
        if not _HEADER.fullmatch(name) or not value or not value.isprintable() or not value.isascii():
            raise UsageError(f"{HEADERS}: write NAME=VALUE, several with commas, and blanks as %20")  # what it holds is not shown
        found[name] = value
    return found
