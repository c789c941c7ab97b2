"""The tool's side of call tokens for one FastAPI route: the route runs only with a token for exactly that call.

    refund = call_token(verifier, tool="pay_back", base_url="https://orders.acme.example")

    @app.post("/pay_back")
    def pay_back(order: Order, call: Annotated[CallClaims, Depends(refund)]) -> str: ...

The arguments are the body, one JSON object; `arguments=` takes them from elsewhere:

    find = call_token(
        verifier, tool="find_order", base_url=..., arguments=lambda request: {"number": request.path_params.integer("number")}
    )

A body and a parameter of path or query that are no argument are refused. Headers and cookies are nobody's argument: where a route takes
a `Header` or `Cookie` and acts by it, nobody judged that, unless `arguments=` makes one of it (`request.header("account")`).

The OpenAPI document says which header is wanted. A route without the dependency is not protected, and FastAPI reads a body before it asks
a dependency: where strangers reach the service, put `licet.integrations.asgi.CallTokens` around all of it.
"""

# Annotations are no texts here: older FastAPIs do not resolve those of a callable object.
from collections.abc import Callable, Mapping

from licet.canonical import Plain
from licet.errors import TokenRefused, UsageError
from licet.integrations._incoming import Incoming
from licet.integrations._tool_side import CHALLENGE, MAX_BODY, ToolSide, note
from licet.tokens import ACCESS_TYPE, CallClaims, Verifier

try:
    from fastapi import HTTPException, Request
    from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBase
    from fastapi.security.base import SecurityBase
except ImportError as error:
    raise ImportError(f"FastAPI is missing, or too old ({error}); pip install 'licet[fastapi]'") from error

__all__ = ["CallClaims", "CallToken", "Incoming", "call_token"]

ToArguments = Callable[[Incoming], Mapping[str, Plain]]

_ABOUT = "A Licet call token for exactly this call, with a proof in `DPoP` (RFC 9449) that it is the sender's."


class CallToken(SecurityBase):
    """The dependency that `call_token` makes, and its security scheme in the OpenAPI document."""

    def __init__(self, side: ToolSide, tool: str, arguments: ToArguments, max_body: int) -> None:
        self.scheme_name = "LicetAccessToken" if side.verifier.typ == ACCESS_TYPE else "LicetCallToken"
        self.model = (
            HTTPBase(scheme="DPoP", description=_ABOUT)
            if side.verifier.typ == ACCESS_TYPE
            else APIKey(**{"in": APIKeyIn.header}, name="Licet-Call-Token", description=_ABOUT)
        )
        self._side, self._tool, self._arguments, self._max_body = side, tool, arguments, max_body

    async def __call__(self, request: Request) -> CallClaims:
        """The verified call that this request is; also at `request.state.licet_call`.

        Raises:
            HTTPException: 401, or 503 where used tokens cannot be looked up. It does not say why; the log does.
        """
        known = None
        try:
            incoming = Incoming(request.scope)
            known = await self._side.known(incoming)
            claims = await self._admit(request, incoming)
        except Exception as error:  # noqa: BLE001 - could not decide is a refusal, whatever it was
            status, _ = note(request.method, request.scope["path"], error, known)
            if status == 401:
                raise HTTPException(401, "invalid_token", {"WWW-Authenticate": CHALLENGE, "Cache-Control": "no-store"}) from None
            raise HTTPException(503, "temporarily_unavailable") from None
        request.state.licet_call = claims
        return claims

    async def _admit(self, request: Request, incoming: Incoming) -> CallClaims:
        # The route may want the body too, so that it is left with the request, and its size must be known before.
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdigit() or int(length) > self._max_body:
            raise TokenRefused("token.malformed", f"the body has no length, or is longer than {self._max_body} bytes")
        incoming.with_body(await request.body())
        try:
            arguments = self._arguments(incoming)
        except UsageError:
            raise  # it says what is wrong here, and the request is no worse for it
        except (LookupError, ValueError, TypeError) as error:
            raise TokenRefused("token.binding", f"the request is not a call of the tool ({type(error).__name__} in arguments=)") from error
        return await self._side.admit(incoming, self._tool, arguments)


def call_token(
    verifier: Verifier,
    *,
    tool: str,
    base_url: str,
    arguments: ToArguments = Incoming.json,
    max_body: int = MAX_BODY,
    definition: str | None = None,
) -> CallToken:
    """A dependency that uses a call token up for one call of `tool`, and gives the route its `CallClaims`.

    Args:
        verifier: whose tokens are taken, for which audience; its `typ` says in which header they come.
        tool: the tool's name in the agent's manifest.
        base_url: where callers reach the service: what the proof's URL must begin with. What a request says of itself is not asked.
        arguments: makes the arguments of the request; by default they are its body. What it does not look at is refused with it.
        max_body: how many bytes a body may have.
        definition: the digest of the tool's definition, where this side knows it (`guard.definitions`).

    Raises:
        UsageError: an argument cannot be meant.
    """
    if not tool or max_body < 1:
        raise UsageError("tool= is the tool's name in the agent's manifest, and max_body= at least 1 byte")
    return CallToken(ToolSide(verifier, base_url, {tool: definition} if definition else None), tool, arguments, max_body)
