"""Who asks: clients that the manifest names, each known by its key (`private_key_jwt`, RFC 7523 and OpenID Connect Core section 9).

There is no other way in: no secret that two sides know, and no client without authentication.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from licet.clock import Clock
from licet.errors import TokenRefused
from licet.server.answers import Refused
from licet.server.forms import Form
from licet.tokens import TokenState
from licet.tokens.claims import SKEW_SECONDS, required
from licet.tokens.jws import Jws, Keys, check_signature, claims_of, parse

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 300
"""The longest life of an assertion."""
MAX_JTI = 128  # characters
# RFC 7523 names no type, and most clients write `JWT` or none; draft-ietf-oauth-rfc7523bis does. Any other is another kind of token.
_TYPES = (None, "jwt", "client-authentication+jwt")


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client: its keys, what it may sign with, and the agents that it may act as."""

    id: str
    agents: frozenset[str]
    keys: Keys = field(repr=False)
    algorithms: Sequence[str] = ()


class Clients:
    """Authenticates clients. `audiences`: what an assertion may be for, our issuer's name or our token endpoint, character by character."""

    def __init__(self, clients: Mapping[str, Client], *, audiences: Sequence[str], state: TokenState, clock: Clock) -> None:
        self._clients, self._audiences, self._state, self._clock = dict(clients), tuple(audiences), state, clock

    def authenticate(self, form: Form, authorization: str | None) -> Client:
        """The client that sent this request.

        Raises:
            Refused: it has not proved to be one. The answer does not say what was wrong.
            StateError: used assertions cannot be looked up.
        """
        # RFC 6749 section 2.3: one method, and of ours there is one.
        if authorization is not None or "client_secret" in form or form.get("client_assertion_type") != ASSERTION_TYPE:
            raise unknown_client()
        try:
            client = self._check(form)
        except TokenRefused as error:
            raise unknown_client() from error
        return client

    def _check(self, form: Form) -> Client:
        jws = parse(form.get("client_assertion", ""))
        if _type_of(jws) not in _TYPES:
            raise TokenRefused("token.type", "the assertion is another kind of token")
        claims = claims_of(jws)
        # RFC 7523 section 3, 1 and 2: `iss` and `sub` are both the client. Which keys are asked follows from it, and nothing else yet.
        name = required(claims, "sub", str)
        client = self._clients.get(name)
        if client is None or claims.get("iss") != name or form.get("client_id", name) != name:
            raise TokenRefused("token.issuer", "the assertion is of no client, or of another")
        check_signature(jws, client.keys, client.algorithms)
        # 3. One text, exactly: a list could name another server too, which would then hold an assertion that is good here.
        audience = required(claims, "aud", str, "token.audience")
        if audience not in self._audiences:
            raise TokenRefused("token.audience", "the assertion is for somebody else")
        until = self._times(claims)
        # 7. Used once. After the signature, so that nobody else can use it up.
        jti = required(claims, "jti", str)
        if len(jti) > MAX_JTI:
            raise TokenRefused("token.claims", "the assertion's `jti` is too long")
        if self._state.spend(f"client\0{name}\0{jti}", until, (), self._clock.now()) is not True:
            raise TokenRefused("token.replay", "the assertion was used before")
        return client

    def _times(self, claims: Mapping[str, object]) -> float:
        """4 to 6: it is in its time, and that time is short. The answer is when it is dead."""
        now = self._clock.now()
        expires = required(claims, "exp", int, "token.time")
        if now >= expires + SKEW_SECONDS or expires > now + ASSERTION_SECONDS + SKEW_SECONDS:
            raise TokenRefused("token.time", "the assertion is over, or lives too long")
        for name in ("nbf", "iat"):
            if name in claims and required(claims, name, int, "token.time") > now + SKEW_SECONDS:
                raise TokenRefused("token.time", "the assertion is from the future")
        if "iat" in claims and expires - required(claims, "iat", int, "token.time") > ASSERTION_SECONDS:
            raise TokenRefused("token.time", "the assertion lives too long")
        return expires + 2 * SKEW_SECONDS


def unknown_client() -> Refused:
    """RFC 6749 section 5.2. A 401 names a scheme (RFC 9110 section 15.5.2); ours is none of HTTP's, so that it has the name of RFC 8414."""
    return Refused(401, "invalid_client", "the client was not authenticated", {"WWW-Authenticate": 'private_key_jwt realm="licet"'})


def _type_of(jws: Jws) -> str | None:
    found = jws.header.get("typ")
    return found if found is None else found.lower().removeprefix("application/")
