"""Who asks: clients that the manifest names, each known by its key (`private_key_jwt`, RFC 7523 and OpenID Connect Core section 9).

There is no other way in: no secret that two sides know, and no client without authentication.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from licet.catalogue import CHECKS
from licet.clock import Clock
from licet.errors import TokenRefused
from licet.escape import visible
from licet.records import Finding
from licet.server.answers import Refused
from licet.server.forms import Form
from licet.tokens import TokenState
from licet.tokens.claims import SKEW_SECONDS, required
from licet.tokens.jws import Jws, Keys, check_signature, claims_of, parse

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 300
"""The longest life of an assertion."""
NOTE_SECONDS = 60.0
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
    owner: str = ""


class Clients:
    """Authenticates clients. `audiences`: what an assertion may be for, our issuer's name or our token endpoint, character by character."""

    def __init__(self, clients: Mapping[str, Client], *, audiences: Sequence[str], state: TokenState, clock: Clock) -> None:
        self._clients, self._audiences, self._state, self._clock = dict(clients), tuple(audiences), state, clock
        self._told: dict[tuple[str, str], float] = {}  # of declared clients and our own checks: it is bounded

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
        try:
            check_signature(jws, client.keys, client.algorithms)
        except TokenRefused as refused:
            self._note(client, refused, "somebody who has none of its keys uses its name")
            raise
        try:
            self._use(claims, name)
        except TokenRefused as refused:
            self._note(client, refused, "an assertion that it signed was refused")
            raise
        return client

    def _use(self, claims: Mapping[str, object], name: str) -> None:
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

    def _note(self, client: Client, refused: TokenRefused, what: str) -> None:
        """A finding, one in NOTE_SECONDS for a client and a reason: whoever tries without end must not fill the store."""
        now, told = self._clock.monotonic(), (client.id, refused.check)
        if now < self._told.get(told, float("-inf")) + NOTE_SECONDS:
            return
        self._told[told] = now
        sentence = f"client {client.id} of the token authority: {what} ({refused.why})"
        severity: Literal["medium", "high"] = "high" if refused.check == "token.replay" else "medium"
        references = CHECKS[refused.check].references
        found = Finding(
            secrets.token_hex(16), self._clock.now(), refused.check, severity, sentence, owner=client.owner, references=references
        )
        self._state.add_finding(found)

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


def claimed(form: Form) -> str:
    """Who a request says that it is from, for the log: nothing of it is verified."""
    name: object = form.get("client_id")
    if name is None:
        try:
            name = claims_of(parse(form.get("client_assertion", ""))).get("sub")
        except TokenRefused:
            name = None
    return repr(visible(name, 40)) if isinstance(name, str) else "somebody"


def unknown_client() -> Refused:
    """RFC 6749 section 5.2. A 401 names a scheme (RFC 9110 section 15.5.2); ours is none of HTTP's, so that it has the name of RFC 8414."""
    return Refused(401, "invalid_client", "the client was not authenticated", {"WWW-Authenticate": 'private_key_jwt realm="licet"'})


def _type_of(jws: Jws) -> str | None:
    found = jws.header.get("typ")
    return found if found is None else found.lower().removeprefix("application/")
