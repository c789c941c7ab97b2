"""What became of one credential, told from all that is known to have happened to it. Pure; any order of events gives the same answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, Final

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.heard import OPERATORS
from licet.inventory.model import Credential, CredentialStatus, IdentityStatus

_OF_PLACES: Final = ("kubernetes",)
"""Sources whose names are of one cluster: what ends there is not what is called the same in another."""

OPERATOR: Final = "operator"
"""Who tells of an expiry, where it is an operator, whichever way."""

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
    days: dict[str, tuple[float, float]] = {}
    for event in _of_one_place(sorted((each for each in events if each.outcome == "success"), key=lambda each: (each.time, each.uid))):
        if event.supersedes == known.uid:
            # It ends once, by the first version that takes its place.
            found = found if found.rotated else replace(found, rotated=event.time)
        elif event.credential == known.uid:
            found = _begun(found, event) if event.kind in _BEGINS else _ended(found, event, stops)
            if (until := until_by(event)) is not None:
                days[teller(event)] = (event.time, until)
            if event.kind in _BEGINS and event.workload:
                found, bound = replace(found, ended=0.0), event.time
    if found.workload and not found.ended:
        found = replace(found, ended=workload_ended(found.workload, bound))
    first = first_to_end(days)
    return found if first is None else replace(found, expires=days[first][1])


def _of_one_place(events: list[LifecycleEvent]) -> list[LifecycleEvent]:
    """Those of one cluster, and those that are of none: a credential is of the cluster that issued it first, else that told of it first."""
    placed = [each for each in events if place_of(each)]
    if len({place_of(each) for each in placed}) < 2:
        return events
    home = place_of(next((each for each in placed if each.kind in _BEGINS[:3]), placed[0]))
    return [each for each in events if place_of(each) in ("", home)]


_BEGINS = ("issued", "created", "rotated", "renewed", "bound")


def _begun(found: Credential, event: LifecycleEvent) -> Credential:
    if event.kind in ("issued", "created", "rotated"):
        found = replace(found, issued=found.issued or event.time, issued_by=found.issued_by or event.by)
    return replace(
        found, supersedes=event.supersedes or found.supersedes, generation=max(found.generation, event.generation),
        workload=event.workload or found.workload,
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


def teller(event: LifecycleEvent) -> str:
    """Who tells of an end: a source, of one account, as what another account says is another's word; or an operator."""
    return OPERATOR if event.source in OPERATORS else f"{event.source} {event.account}"


def undone_by(event: LifecycleEvent, stops: MutableMapping[str, Any]) -> None:
    """Take away what is undone where an event says that something is active: what ended it by the word of that same source and account,
    and no more. What a platform calls active was never ended there; who revoked it elsewhere, or told of it here, did not take that back.

    Args:
        event: the one that says so.
        stops: revocations, suspensions and deletions, by who told of them (`stopper`).
    """
    stops.pop(stopper(event), None)


def stopper(event: LifecycleEvent) -> str:
    """As `teller`; of operators each source is one, as a manifest says nothing of what a vault revoked."""
    return event.source if event.source in OPERATORS else teller(event)


def until_by(event: LifecycleEvent) -> float | None:
    """Until when it holds, as the event says; None: it says nothing of that."""
    return event.time if event.kind == "expired" else event.expires or None


def first_to_end(days: Mapping[str, tuple[float, float]]) -> str | None:
    """Whose word of when it ends by itself holds: the earliest end, whoever says a later one. What an operator says takes the place of what
    others said before, and nothing takes the place of it.

    Args:
        days: by `teller`, when he said it, and until when it holds. The last that each said.
    """
    last = days[OPERATOR][0] if OPERATOR in days else None
    count = {who: until for who, (said, until) in days.items() if last is None or who == OPERATOR or said > last}
    return min(count, key=lambda who: (count[who], who), default=None)


def _ended(found: Credential, event: LifecycleEvent, stops: dict[str, tuple[float, CredentialStatus]]) -> Credential:
    if event.kind == "activated":
        undone_by(event, stops)
        return _stopped(found, stops)
    if event.kind in ("suspended", "revoked", "deleted"):
        first = stops.pop(stopper(event), (event.time,))[0]
        stops[stopper(event)] = (first, event.kind)  # the last that was told says what it is
        return _stopped(found, stops)
    if event.kind == "job_ended":
        return replace(found, ended=found.ended or event.time)
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
