"""What became of one credential, told from all that is known to have happened to it. Pure; any order of events gives the same answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, Final

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Credential, CredentialStatus, IdentityStatus

_OF_PLACES: Final = ("kubernetes",)
"""Sources whose names are of one cluster: what ends there is not what is called the same in another."""

TEMPORARY: Final = "temporary_key"
"""The kind of AWS's temporary credentials, of which a log often shows no more than the use."""

LONGEST_TEMPORARY: Final = 129_600.0
"""Seconds: none lives for longer (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html)."""

TOKEN: Final = "service_account_token"  # noqa: S105 - the kind's name
"""The kind of tokens that a cluster's API server issues on request: until when, stands in no log of level Metadata."""

LONGEST_TOKEN: Final = 366 * 86_400.0
"""Seconds. The API server prolongs what it issues to pods to a year; who asks for more by hand has it in use, or is not told of after that.
https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/ (`--service-account-extend-token-expiration`)
"""


def life_of(
    known: Credential, events: Iterable[LifecycleEvent], workload_ended: Callable[[str, float], float] = lambda *_: 0.0
) -> Credential:
    """The credential with what its lifecycle events say. What was tried and denied changed nothing.

    Args:
        known: who it is; what it says of its life is forgotten, as the events say all of it.
        events: of this credential, and those that name it as superseded.
        workload_ended: when a workload ended that it was bound to at a time; 0: not that is known.
    """
    found = replace(
        known, generation=-1, supersedes="", issued_by="", issued=0.0, expires=0.0, rotated=0.0, revoked=0.0, ended=0.0, workload="",
        status="unknown",
    )  # fmt: skip
    bound = 0.0
    stops: dict[str, tuple[float, CredentialStatus]] = {}
    for event in sorted((each for each in events if each.outcome == "success"), key=lambda each: (each.time, each.uid)):
        if event.supersedes == known.uid:
            # It ends once, by the first version that takes its place.
            found = found if found.rotated else replace(found, rotated=event.time)
        elif event.credential == known.uid:
            found = _begun(found, event) if event.kind in _BEGINS else _ended(found, event, stops)
            if event.kind in _BEGINS and event.workload:
                found, bound = replace(found, ended=0.0), event.time
    if found.workload and not found.ended:
        found = replace(found, ended=workload_ended(found.workload, bound))
    return found


_BEGINS = ("issued", "created", "rotated", "renewed", "bound")


def _begun(found: Credential, event: LifecycleEvent) -> Credential:
    if event.kind in ("issued", "created", "rotated"):
        found = replace(found, issued=found.issued or event.time, issued_by=found.issued_by or event.by)
    return replace(
        found, supersedes=event.supersedes or found.supersedes, expires=event.expires or found.expires,
        generation=max(found.generation, event.generation), workload=event.workload or found.workload,
    )  # fmt: skip


_LET_IN: Final[Mapping[str, re.Pattern[str]]] = {
    "cloudtrail": re.compile(
        r"(?:Client\.)?DryRunOperation|NoSuch(?!Bucket\Z)\w+|(?:\w+\.)*\w*(?:NotFound|AlreadyExists|AlreadyOwnedByYou|NotEmpty|Conflict|InUse"
        r"|NotFoundError|NotFoundFault|AlreadyExistsFault)(?:Exception)?"
    ),
    "kubernetes": re.compile("NotFound|AlreadyExists|Conflict|Invalid|Gone|404|409|410|422"),
}  # fmt: skip


def let_in(use: UseEvent) -> bool:
    """Whether a use shows that what it was done with still authenticates: it succeeded, or failed as only what was let in can fail.

    What AWS cannot find, or has already, it has looked for: for whom it does not know it does not look (a bucket alone is not found for
    anybody). A dry run of EC2 that would have succeeded fails by its name (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html);
    Kubernetes looks for an object after it has authenticated and authorized who asks (https://kubernetes.io/docs/concepts/security/controlling-access/).
    """
    if use.outcome != "failed":
        return use.outcome == "success"
    signs = _LET_IN.get(use.source)
    return signs is not None and signs.fullmatch(use.error) is not None


def undone_by(source: str, stops: MutableMapping[str, Any]) -> None:
    """Take away what is undone where a source says that something is active: what ended it by that same source's word, and no more.

    What a platform calls active was never ended there; who revoked it in another place, or told of it here, did not take that back.

    Args:
        source: of the event that says so.
        stops: revocations, suspensions and deletions, by the source that told of them.
    """
    stops.pop(source, None)


def _ended(found: Credential, event: LifecycleEvent, stops: dict[str, tuple[float, CredentialStatus]]) -> Credential:
    if event.kind == "activated":
        undone_by(event.source, stops)
        return _stopped(found, stops)
    if event.kind in ("suspended", "revoked", "deleted"):
        first = stops.pop(event.source, (event.time,))[0]
        stops[event.source] = (first, event.kind)  # the last that was told says what it is
        return _stopped(found, stops)
    if event.kind == "job_ended":
        return replace(found, ended=found.ended or event.time)
    if event.kind == "expired":
        return replace(found, expires=min(found.expires or event.time, event.time))
    return found


def _stopped(found: Credential, stops: Mapping[str, tuple[float, CredentialStatus]]) -> Credential:
    told = list(stops.values())
    return replace(found, revoked=min((time for time, _ in told), default=0.0), status=told[-1][1] if told else "unknown")


def place_of(event: UseEvent | LifecycleEvent) -> str:
    """Where the name of the event's identity is its own; empty where it is the same everywhere."""
    return f"{event.source} {event.account}" if event.source in _OF_PLACES else ""


def status_at(credential: Credential, now: float) -> CredentialStatus:
    """What it is at `now` (seconds since the epoch)."""
    if credential.revoked:
        return credential.status if credential.status in ("suspended", "deleted") else "revoked"
    if credential.rotated:
        return "superseded"
    if credential.ended and credential.ended <= now:
        return "ended"
    expires = credential.expires or _at_most(credential)
    return "expired" if expires and expires <= now else "active"


def _at_most(credential: Credential) -> float:
    """When it has ended for sure, where nothing says when it ends; 0 where that is not known."""
    if credential.kind == TEMPORARY and credential.last_used:
        return credential.last_used + LONGEST_TEMPORARY
    seen = max(credential.last_used, credential.issued)
    return seen + LONGEST_TOKEN if credential.kind == TOKEN and not credential.name and seen else 0.0  # what has a name is kept


def status_with(status: CredentialStatus, identity: IdentityStatus) -> CredentialStatus:
    """What a credential is, knowing what its identity is: nothing of a deleted identity is active."""
    return "deleted" if identity == "deleted" and status == "active" else status
