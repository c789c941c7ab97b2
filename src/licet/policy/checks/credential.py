"""Whether the tool's credential, by what is declared of it, is fit to be used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from licet.manifest import Credential
from licet.policy.request import Facts, Request, reason
from licet.records import Effect, Reason


def expired(request: Request, facts: Facts) -> Iterator[Reason]:
    """The last day of a credential is the day that it names, in UTC."""
    name, credential = _of(request, facts)
    if credential and credential.expires and _today(request) > credential.expires:
        yield reason("credential.expired", f"credential `{name}` expired on {credential.expires}", (name,))


def revoked(request: Request, facts: Facts) -> Iterator[Reason]:
    """A revocation counts from the beginning of its day."""
    name, credential = _of(request, facts)
    if credential and credential.revoked and _today(request) >= credential.revoked:
        yield reason("credential.revoked", f"credential `{name}` was revoked on {credential.revoked}", (name,))


def stale(request: Request, facts: Facts) -> Iterator[Reason]:
    """Older than its own rotation period, or of an age that nobody knows."""
    name, credential = _of(request, facts)
    if credential is None or credential.rotate_every is None:
        return
    since = credential.rotated or credential.issued
    if since is None:
        yield reason("credential.stale", f"credential `{name}` is to be rotated, and nobody says since when it is in use", (name,))
    elif _today(request) - since > credential.rotate_every:
        yield reason("credential.stale", f"credential `{name}` was last changed on {since}, which is too long ago", (name,))


def unowned(request: Request, facts: Facts) -> Iterator[Reason]:
    """In `environment: prod` somebody must answer for it."""
    name, credential = _of(request, facts)
    if credential and credential.owner is None:
        effect: Effect | None = "deny" if facts.manifest.environment_of(credential) == "prod" else None
        yield reason("credential.unowned", f"credential `{name}` has no owner", (name,), effect)


def _of(request: Request, facts: Facts) -> tuple[str, Credential | None]:
    tool = facts.tool(request.tool)
    return (tool.credential or "" if tool else ""), facts.credential(request.tool)


def _today(request: Request) -> date:
    return datetime.fromtimestamp(request.time, UTC).date()
