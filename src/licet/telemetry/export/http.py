"""The HTTP session that our OTLP exporters send with: it sees what the receiver really did.

The SDK's exporter takes every answer below 400 for a delivery, reads answers of any length, and does not look for a partial success.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter

_MOST = 4 << 20  # bytes of an answer, as gRPC has it; a partial success has some hundred
_LONGEST = 10.0  # seconds that an answer's body may take


class Refused(requests.exceptions.RequestException):
    """The receiver answered with something that is no delivery, and a second try will not help."""


class WatchedSession(requests.Session):
    """A session whose requests end, and that says what came of the last one.

    `rejected` reads, out of the body of a success, how many items the receiver did not take; it may raise anything.
    """

    def __init__(self, rejected: Callable[[bytes], int]) -> None:
        super().__init__()
        self.said = ""
        """What came of the last request, in few words; empty after a success."""
        self.rejected = 0
        """How many items of the last request the receiver did not take, although it took the request."""
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Watched(self, rejected))


class _Watched(HTTPAdapter):
    def __init__(self, session: WatchedSession, rejected: Callable[[bytes], int]) -> None:
        super().__init__()
        self._session, self._rejected = session, rejected

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        session = self._session
        session.rejected = 0
        try:
            answer = super().send(request, *args, **options | {"stream": True})  # requests gives all but the first by name
        except Exception as error:
            session.said = _cause(error)
            raise
        body = _bounded(answer)
        session.said = f"HTTP {answer.status_code}"
        if 300 <= answer.status_code < 400:
            session.said += ", a redirect; name the place that it leads to"
            raise Refused(session.said, request=request)
        if 200 <= answer.status_code < 300:
            session.said = ""
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind == "text/html":
                session.said = "what answered is a web page, and no OTLP receiver"
                raise Refused(session.said, request=request)
            if body:
                session.rejected = self._read(body)
        # What is handed on has been read whole: nobody waits for the rest of it.
        answer.raw = io.BytesIO(body)
        answer.headers.pop("Content-Encoding", None)
        return answer

    def _read(self, body: bytes) -> int:
        try:
            number = max(0, self._rejected(body))
        except Exception:  # noqa: BLE001 - the body is anybody's; the status said that it was taken
            return 0
        self._session.said = "the receiver took a part only" if number else ""
        return number


def _bounded(answer: requests.Response) -> bytes:
    """At most so many bytes, for at most so long. The status has been said: a body that cannot be read takes nothing back."""
    ends, body = time.monotonic() + _LONGEST, b""
    read = getattr(answer.raw, "read1", answer.raw.read)  # what is there, where urllib3 can; else until it is so much
    try:
        while len(body) < _MOST and time.monotonic() < ends:
            if not (part := read(min(4096, _MOST - len(body)), decode_content=True)):
                return body
            body += part
    except Exception:  # noqa: BLE001 - urllib3 raises much, and so do its decoders
        body = b""
    answer.raw.close()
    return body


def _cause(error: BaseException) -> str:
    """The innermost reason, in words of this machine: `Connection refused`."""
    seen: BaseException | None = error
    for _ in range(10):
        if isinstance(seen, OSError) and seen.strerror and not isinstance(seen, requests.exceptions.RequestException):
            return str(seen.strerror)
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((each for each in getattr(seen, "args", ()) if isinstance(each, BaseException)), None)
        following = inner or (seen and (seen.__cause__ or seen.__context__))
        if following is None:
            break
        seen = following
    return "no answer in time" if isinstance(error, requests.exceptions.Timeout) else type(seen).__name__
