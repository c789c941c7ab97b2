"""Whether the tool's credential, by what is declared of it, is fit to be used."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from licet.manifest import Credential
from licet.policy.request import Facts, Request, reason
from licet.records import Effect, Reason


def expired(request: Request, facts: Facts) -> Iterable[Reason]:
    """The last day of a credential is the day that it names, in UTC."""
    name, credential = _of(request, facts)
    if credential is None or credential.expires is None or _today(request) <= credential.expires:
        return ()
    return [reason("credential.expired", f"credential `{name}` expired on {credential.expires}", (name,))]


def revoked(request: Request, facts: Facts) -> Iterable[Reason]:
    """A revocation counts from the beginning of its day."""
    name, credential = _of(request, facts)
    if credential is None or credential.revoked is None or _today(request) < credential.revoked:
        return ()
    return [reason("credential.revoked", f"credential `{name}` was revoked on {credential.revoked}", (name,))]


def stale(request: Request, facts: Facts) -> Iterable[Reason]:
    """Older than its own rotation period, or of an age that nobody knows."""
    name, credential = _of(request, facts)
    if credential is None or credential.rotate_every is None:
        return ()
    since = credential.rotated or credential.issued
    if since is None:
        return [reason("credential.stale", f"credential `{name}` is to be rotated, and nobody says since when it is in use", (name,))]
    if _today(request) - since <= credential.rotate_every:
        return ()
    return [reason("credential.stale", f"credential `{name}` was last changed on {since}, which is too long ago", (name,))]


def unowned(request: Request, facts: Facts) -> Iterable[Reason]:
    """In `environment: prod` somebody must answer for it."""
    name, credential = _of(request, facts)
    if credential is None or credential.owner is not None:
        return ()
    effect: Effect | None = "deny" if facts.manifest.environment_of(credential) == "prod" else None
    return [reason("credential.unowned", f"credential `{name}` has no owner", (name,), effect)]


_NONE: tuple[str, None] = ("", None)


def _of(request: Request, facts: Facts) -> tuple[str, Credential | None]:
    declared = facts.manifest.credentials
    tool = facts.tool(request.tool) if declared else None
    return (tool.credential, declared.get(tool.credential)) if tool is not None and tool.credential else _NONE


def _today(request: Request) -> date:
    return datetime.fromtimestamp(request.time, UTC).date()
