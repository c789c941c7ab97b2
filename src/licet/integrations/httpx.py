"""Sends the running call's token, and the proof that it is ours, with a request of httpx.

    @guard.tool
    def pay_back(number: int, euros: int) -> str:
        with httpx.Client(auth=LicetAuth()) as client:
            return client.post("https://orders.acme.example/pay_back", json=dict(licet.current_call().call.arguments)).text

Send exactly the arguments that were judged: the far side compares them. A token is good for one request: a second one from the same call
is a `UsageError` before anything is sent, and so is a URL that is not under the tool's `audience`. Nothing is retried. A redirect is
followed, if the client follows them, without the token, even to the same place; the far side then refuses it.
"""

from __future__ import annotations

from collections.abc import Generator

from licet.errors import UsageError
from licet.integrations._agent_side import SECRET_HEADERS, headers_of, place_of

try:
    import httpx
except ImportError as error:
    raise ImportError(f"httpx is missing ({error}); pip install 'licet[httpx]'") from error

__all__ = ["LicetAuth"]


class LicetAuth(httpx.Auth):
    """Authentication of one request by the running guarded call, for `httpx.Client` and `httpx.AsyncClient` alike.

    Args:
        at: where the tool is, if its `audience` in the manifest is a name or another address: a URL; only what is below it gets a token.

    Raises:
        UsageError: `at` is not the URL of a place; and on sending, whatever keeps the token here.
    """

    def __init__(self, at: str | None = None) -> None:
        self._at = place_of(at)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers to one request. See `httpx.Auth`."""
        request.headers = _OnlyOnce(request.headers, headers_of(request.method, str(request.url), self._at))
        yield request


class _OnlyOnce(httpx.Headers):
    """Headers of which some go out with this one request, and are in no copy.

    httpx copies a request's headers into the one that follows a redirect, and drops `Authorization` alone, and that not always. Whatever
    else reads them here (a hook that logs, `response.request`) does not see a token either.
    """

    def __init__(self, headers: httpx.Headers, ours: dict[str, str]) -> None:
        super().__init__([item for item in headers.raw if item[0].decode("latin-1").lower() not in SECRET_HEADERS & _lower(ours)])
        self._ours = [(name.encode("ascii"), value.encode("ascii")) for name, value in ours.items()]
        copied = httpx.Headers(self)
        if any(name in copied for name in SECRET_HEADERS & _lower(ours)):
            raise UsageError("this version of httpx would send a token on with a redirect; use httpx 0.27 or 0.28")

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """All of them, for the transport."""
        return [*super().raw, *self._ours]


def _lower(names: dict[str, str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
