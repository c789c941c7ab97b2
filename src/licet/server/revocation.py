"""Taking a token back (RFC 7009), and asking whether one is good (RFC 7662). Both are for the clients whose agents a token names."""

from __future__ import annotations

from typing import Any

from licet.errors import TokenRefused
from licet.guard.authority import Authority
from licet.server.answers import Refused
from licet.server.clients import Client
from licet.server.forms import Form, needed

_SHOWN = (
    "act", "agent", "aud", "authorization_details", "client_id", "cnf", "exp", "iat", "iss", "jti", "nbf", "scope", "sub", "tctx", "txn",
)  # fmt: skip


def revoke(authority: Authority, client: Client, form: Form) -> None:
    """End a task by its token, or deny a call's. A token that is none of ours is as good as revoked (RFC 7009 section 2.2).

    Raises:
        Refused: there is no token, it is of agents that this client may not act as (section 2.1), or an ID token of ours (section 2.2.1).
        StateError: it could not be done.
    """
    token = needed(form, "token")
    try:
        agents = authority.agents_of(token)
    except TokenRefused:
        if authority.lasting(token):
            why = "an ID token is good until it expires, within minutes; what ends here are tasks and call tokens"
            raise Refused(400, "unsupported_token_type", why) from None
        return
    # Whoever delegated may take back what he handed on, and so all who act are asked; not the other way round.
    if not client.agents.intersection(agents):
        raise Refused(400, "unauthorized_client", "the token is not of an agent that this client may act as")
    authority.revoke(token, by=f"client {client.id}")


def introspect(authority: Authority, client: Client, form: Form) -> dict[str, Any]:
    """Whether a call's or task's token is good now, and what it says; it is not used up.

    A token of others is told as one that is not good: this client has no business with it (RFC 7662 section 2.2).

    Raises:
        Refused: there is no token.
        StateError: it could not be decided.
    """
    token = needed(form, "token")
    claims = authority.active(token)
    if claims is None or not client.agents.intersection(authority.agents_of(token)):
        return {"active": False}
    return {"active": True, **{name: claims[name] for name in _SHOWN if name in claims}}
