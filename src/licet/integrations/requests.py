"""Sends the running call's token, and the proof that it is ours, with a request of requests.

    @guard.tool
    def pay_back(number: int, euros: int) -> str:
        arguments = dict(licet.current_call().call.arguments)
        return requests.post("https://orders.acme.example/pay_back", json=arguments, auth=LicetAuth(), timeout=10).text

Send exactly the arguments that were judged: the far side compares them. A token is good for one request: a second one from the same call
is a `UsageError` before anything is sent, and so is a URL that is not under the tool's `audience`. A redirect is followed, unless
`allow_redirects=False`, without the token, even to the same place; the far side then refuses it. An adapter with `max_retries` sends a
used token again, and is refused too.
"""

from __future__ import annotations

from typing import Any

from licet.integrations._agent_side import SECRET_HEADERS, headers_of, place_of

try:
    from requests import PreparedRequest, Response
    from requests.auth import AuthBase
except ImportError as error:
    raise ImportError(f"requests is missing ({error}); pip install 'licet[requests]'") from error

__all__ = ["LicetAuth"]


class LicetAuth(AuthBase):
    """Authentication of one request by the running guarded call.

    Args:
        at: where the tool is, if its `audience` in the manifest is a name or another address: a URL; only what is below it gets a token.

    Raises:
        UsageError: `at` is not the URL of a place; and on sending, whatever keeps the token here.
    """

    def __init__(self, at: str | None = None) -> None:
        self._at = place_of(at)

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Add the headers to one request. See `requests.auth.AuthBase`."""
        headers = headers_of(r.method or "", r.url or "", self._at)
        ours = [name for name in headers if name.lower() in SECRET_HEADERS]
        r.headers.update(headers | {name: _Unshown(headers[name]) for name in ours})

        def forget(response: Response, *_: Any, **__: Any) -> None:
            # Called before a redirect is followed, which would copy them to wherever it leads. Where no answer comes, nobody calls.
            for request in (r, response.request):
                for name in ours:
                    request.headers.pop(name, None)

        r.register_hook("response", forget)  # type: ignore[no-untyped-call]
        return r


class _Unshown(str):
    """A header's value that goes out as it is, and is `****` to whoever reads it here: what logs requests, or `error.request` of a failure.

    `http.client` takes the bytes by `encode`. Whatever takes them another way sends `****`, and is refused.
    """

    __slots__ = ("_sent",)
    _sent: str

    def __new__(cls, value: str) -> _Unshown:
        made = super().__new__(cls, "****")
        made._sent = value
        return made

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return self._sent.encode(encoding, errors)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)
