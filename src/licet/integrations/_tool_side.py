"""What stands between a request and a tool, whatever the framework: the request is read strictly, and nothing of it goes unjudged.

`asgi` and `fastapi` are made of this. A refusal says one thing outward, always the same: an error that explains itself helps to build a
better forgery. Which check refused, and why, goes to the logger `licet`, without the token.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from urllib.parse import urlsplit

from licet.canonical import Plain
from licet.errors import TokenRefused, UsageError
from licet.escape import visible
from licet.integrations._incoming import PROOF_HEADER, TOKEN_HEADER, Incoming
from licet.telemetry.process import process_metrics
from licet.tokens import ACCESS_TYPE, CallClaims, Proof, Verifier
from licet.tokens.claims import whose

MAX_BODY = 1024 * 1024
"""How many bytes of a body are read, by default."""
CHALLENGE = 'DPoP error="invalid_token"'  # RFC 9449 section 7.1, RFC 6750 section 3
REFUSED = b'{"error":"invalid_token"}'
UNDECIDED = b'{"error":"temporarily_unavailable"}'

log = logging.getLogger("licet")
verified: ContextVar[CallClaims | None] = ContextVar("licet_verified_call", default=None)


class ToolSide:
    """One tool's side: the verifier, and the URL under which callers reach it. Both frameworks' doors lead through `admit`.

    Raises:
        UsageError: `base_url` is not the URL of a place.
    """

    def __init__(self, verifier: Verifier, base_url: str, definitions: Mapping[str, str] | None = None) -> None:
        self.verifier = verifier
        self._base = place(base_url, "base_url=")
        self._definitions = dict(definitions or {})

    async def known(self, request: Incoming) -> CallClaims:
        """Whose token the request comes with, before its body is waited for or parsed: a stranger's costs no more than a signature.

        Raises:
            TokenRefused: it comes with no token of the issuer's for this tool, in its time.
        """
        token, _ = request.presented(self.verifier.typ)
        return await asyncio.to_thread(self.verifier.peek, token)  # a key may have to be fetched

    async def admit(self, request: Incoming, tool: str, arguments: Mapping[str, Plain]) -> CallClaims:
        """Use the request's token up for this call. Verifying waits for the store, so that it is done in a thread.

        Raises:
            TokenRefused: the request does not come with a token for this call.
        """
        if unseen := request.unseen():
            raise TokenRefused("token.binding", f"the request has {unseen}, and no argument was made of it")
        token, jwt = request.presented(self.verifier.typ)
        proof = Proof(jwt, request.method, request.url(self._base)) if jwt is not None else None
        known = self._definitions.get(tool)
        claims = await asyncio.to_thread(self.verifier.verify, token, tool=tool, arguments=arguments, proof=proof, definition=known)
        log.info("call of %s in task %s by %s admitted: token %s", tool, claims.task, visible(claims.agent, 100), claims.jti)
        return claims


def note(method: str, path: str, error: Exception, claims: CallClaims | None = None) -> tuple[int, bytes]:
    """Tell our own log why a request was refused, and the sender that it was: status and body of the answer.

    `claims`: of its token, where that is known to be the issuer's.
    """
    if isinstance(error, TokenRefused):
        refused = error
    else:
        # Of an error that is none of ours only the class is told: its text may hold whatever it was working on.
        refused = TokenRefused("token.undecided", str(error) if isinstance(error, UsageError) else f"{type(error).__name__} while deciding")
    process_metrics().refused(refused.check)
    who = refused.whose or (whose(claims) if claims else "")
    said = f"{refused.why}; {who}" if who else refused.why
    log.warning("%s %s refused: %s: %s", visible(method, 20), visible(path, 200), refused.check, visible(said, 800))
    return (503, UNDECIDED) if refused.check == "token.undecided" else (401, REFUSED)


def place(url: str, what: str) -> str:
    """A URL of a place, without a slash at its end.

    Raises:
        UsageError: it is no http(s) URL, or holds a user, a query or a fragment.
    """
    problem = f"{what} is the URL where callers reach the tool, as https://orders.acme.example, with no user, query or fragment"
    try:
        found = urlsplit(url)
        wrong = found.scheme not in ("http", "https") or not found.hostname or found.username is not None or (found.port == 0)
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(problem) from error
    if wrong or found.query or found.fragment or url != url.strip():
        raise UsageError(problem)
    return url.rstrip("/")


def without_tokens(headers: Iterable[tuple[bytes, bytes]], typ: str) -> list[tuple[bytes, bytes]]:
    """The headers for the tool: a token that is used up is of no use to it, and would only find its way into logs."""
    ours = {TOKEN_HEADER, PROOF_HEADER} | ({"authorization"} if typ == ACCESS_TYPE else set())
    return [(name, value) for name, value in headers if name.decode("latin-1").lower() not in ours]
