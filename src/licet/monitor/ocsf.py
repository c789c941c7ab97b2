"""Findings as events of the Open Cybersecurity Schema Framework, OCSF 1.8.0 (https://schema.ocsf.io/1.8.0): Detection Finding (2004), and
IAM Analysis Finding (2008) where all that is said is of how an identity stands, and not of what it did.

Times are milliseconds since the epoch. What the schema has no place for stands under `unmapped`, as it says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from licet.escape import counted
from licet.inventory.model import Credential, Identity, Owner
from licet.monitor.codes import CODES
from licet.monitor.told import native
from licet.monitor.verdicts import Status
from licet.records import Evidence, Explanation, Finding, Severity

VERSION: Final = "1.8.0"
Event = dict[str, Any]

POSTURE: Final = frozenset({"STALE_ACTIVE", "UNOWNED_ACTIVE", "SHARED_CREDENTIAL", "ROTATION_OVERLAP", "GRANT_ADDED"})
"""Reasons that say how an identity stands. A finding of nothing else is an IAM Analysis Finding."""

SEVERITIES: Final[Mapping[Severity, tuple[int, str]]] = {
    "info": (1, "Informational"), "low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical"),
}  # fmt: skip
STATUSES: Final[Mapping[Status, tuple[int, str]]] = {
    "open": (1, "New"), "acknowledged": (2, "In Progress"), "suppressed": (3, "Suppressed"), "withdrawn": (4, "Resolved"),
}  # fmt: skip
USER_TYPES: Final[Mapping[str, tuple[int, str]]] = {"human": (1, "User"), "service": (3, "System"), "unknown": (0, "Unknown")}
SERVICE: Final = (4, "Service")

_RULE, _BEHAVIORAL = (1, "Rule"), (2, "Behavioral")
_ATTACK: Final = re.compile(r"(T[0-9]{4})(?:\.[0-9]{3})?")
_ATTACK_VERSION: Final = "18.1"


class About(NamedTuple):
    """What is known beside a finding: whom it concerns, who answers for that, and with what it authenticates."""

    identity: Identity | None = None
    owner: Owner | None = None
    credentials: Sequence[Credential] = ()


def base(of: tuple[int, str], activity: tuple[int, str], *, severity: Severity, time: float, uid: str, version: str) -> Event:
    """What every event of OCSF has. `of` is its class; `version` is that of Licet."""
    class_uid, name = of
    number, title = SEVERITIES[severity]
    return {
        "activity_id": activity[0], "activity_name": activity[1], "category_uid": class_uid // 1_000, "class_uid": class_uid,
        "class_name": name, "type_uid": class_uid * 100 + activity[0], "severity_id": number, "severity": title, "time": millis(time),
        "metadata": {"version": VERSION, "uid": uid, "product": {"name": "Licet", "vendor_name": "Licet", "version": version}},
    }  # fmt: skip


def millis(seconds: float) -> int:
    """Milliseconds since the epoch."""
    return round(seconds * 1_000)


def user_of(uid: str, kind: str = "unknown", name: str = "", credential: str = "", account: str = "") -> Event:
    """Somebody or something that acts."""
    number, title = USER_TYPES.get(kind, SERVICE)
    found: Event = {"uid": uid, "type_id": number, "type": title}
    if name:
        found["name"] = name
    if credential:
        found["credential_uid"] = credential
    if account:
        found["account"] = {"uid": account}
    return found


def finding_event(
    finding: Finding, status: Status, updated: float, about: About, version: str, *, evidences: Sequence[Event] = (), identity: str = "",
    related: Mapping[str, int] | None = None, activity: tuple[int, str] | None = None, edition: str = "", drill: str = "",
) -> Event:  # fmt: skip
    """One finding.

    Args:
        finding: of the monitor, or of the guard.
        status: how it stands.
        updated: when it last changed (seconds since the epoch).
        about: what is known beside it.
        version: of Licet.
        evidences: `ocsf_events.evidence_of` each event that it cites.
        identity: whom one of the guard concerns.
        related: by uid, which `type_uid` the event has with which what it cites is told beside the finding.
        activity: Create, Update or Close (`ocsf_told.activity`); None: as it stands, as if nothing had been told of it.
        edition: tells this event from the one that is told when the finding has changed.
        drill: it was a drill, and which.
    """
    why = finding.explanation
    whom = why.identity if why is not None else identity
    posture = why is not None and whom != "" and set(why.codes) <= POSTURE
    does = activity or ((3, "Close") if status == "withdrawn" else (1, "Create"))
    of = (2008, "IAM Analysis Finding") if posture else (2004, "Detection Finding")
    uid = "-".join(filter(None, (finding.id, status, edition)))
    event = base(of, does, severity=finding.severity, time=updated, uid=uid, version=version)
    state, title = STATUSES[status]
    confidence = why.confidence if why is not None else 1.0
    event |= {
        "status_id": state, "status": title, "message": finding.sentence, "confidence_score": round(confidence * 100),
        "confidence_id": 3 if confidence >= 0.8 else 2 if confidence >= 0.5 else 1,
        "finding_info": _info(finding, why, updated, related or {}),
        "unmapped": _unmapped(finding, why),
    }  # fmt: skip
    if drill:
        event |= {"verdict_id": 6, "verdict": "Test"}
        event["metadata"]["profiles"] = ["incident"]
        event["unmapped"]["drill"] = drill
    if whom:
        event["resources"] = [resource_of(whom, about, finding.owner)]
    if why is not None and why.actions:
        event["remediation"] = {"desc": " ".join(why.actions)}
    if posture:
        return event | posture_of(whom, about)
    event["is_alert"] = True
    if why is not None and why.points:
        event["risk_score"] = round(why.points)
    if evidences:
        event["evidences"] = list(evidences)
    return event


def _info(finding: Finding, why: Explanation | None, updated: float, related: Mapping[str, int]) -> Event:
    kind, title = _BEHAVIORAL if why is not None and why.points else _RULE
    info: Event = {
        "uid": finding.id, "title": _title(finding, why), "desc": finding.sentence, "created_time": millis(finding.time),
        "modified_time": millis(updated), "first_seen_time": millis(finding.time),
        "analytic": {"uid": finding.check, "name": finding.check, "type_id": kind, "type": title},
    }  # fmt: skip
    if attacks := [_attack(each) for each in finding.references if _ATTACK.fullmatch(each)]:
        info["attacks"] = attacks
    if why is None:
        return info | {"types": [finding.check]}
    events = [each for each in why.evidence if not each.body]
    info |= {
        "types": list(why.codes), "last_seen_time": millis(max((each.last or each.time for each in why.because), default=finding.time)),
        "related_events_count": len(events), "related_events": [_related(each, related) for each in events],
        "data_sources": sorted({native(each.uid)[0] for each in events}),
    }  # fmt: skip
    return info


def _title(finding: Finding, why: Explanation | None) -> str:
    if why is None:
        return finding.check
    first = CODES[why.codes[0]].title if why.codes and why.codes[0] in CODES else finding.check
    return first if len(why.codes) < 2 else f"{first}, and {counted(len(why.codes) - 1, 'reason')} more"


def _related(cited: Evidence, related: Mapping[str, int]) -> Event:
    found: Event = {"uid": cited.uid, "title": cited.role, "created_time": millis(cited.time)}
    return found | ({"type_uid": related[cited.uid]} if cited.uid in related else {})


def _attack(reference: str) -> Event:
    technique = reference.partition(".")[0]
    found: Event = {"technique": {"uid": technique}, "version": _ATTACK_VERSION}
    return found | ({"sub_technique": {"uid": reference}} if reference != technique else {})


def resource_of(whom: str, about: About, owner: str) -> Event:
    """The identity that a finding is about, as a resource with its owner."""
    known = about.identity
    name, kind = (known.name or whom, known.kind) if known is not None else (whom, "unknown")
    found: Event = {"uid": whom, "name": name, "type": kind, "role_id": 3, "role": "Affected"}
    if owner:
        found["owner"] = _owner(owner, about.owner)
    return found


def _owner(uid: str, owner: Owner | None) -> Event:
    found: Event = {"uid": uid}
    if owner is not None:
        if owner.name:
            found["name"] = owner.name
        if "@" in owner.contact:
            found["email_addr"] = owner.contact
    return found


def posture_of(whom: str, about: About) -> Event:
    """Who an identity is, when it was seen, and what it authenticates with."""
    known = about.identity or Identity(whom)
    metrics: Event = {
        "last_seen_time": millis(known.last_seen),
        "programmatic_credentials": [
            {"uid": each.uid, "type": each.kind or "unknown"} | ({"last_used_time": millis(each.last_used)} if each.last_used else {})
            for each in about.credentials
        ],
    }
    if known.first_seen:
        metrics["first_seen_time"] = millis(known.first_seen)
    return {"user": user_of(whom, known.kind, known.name, account=known.account), "identity_activity_metrics": metrics}


def _unmapped(finding: Finding, why: Explanation | None) -> Event:
    found: Event = {"references": list(finding.references)}
    if finding.task_id:
        found["task_id"] = finding.task_id
    if why is not None:
        found["because"] = [
            {"code": each.code, "observed": each.observed, "expected": each.expected, "basis": each.basis, "time": millis(each.time),
             "since": millis(each.since), "sample_size": each.sample, "number": each.number}
            for each in why.because
        ]  # fmt: skip
        found["counter_evidence"] = list(why.counter)
        found["evidence"] = [
            {"uid": each.uid, "role": each.role, "sha256": each.digest, "place": each.place} | ({"body": each.body} if each.body else {})
            for each in why.evidence
        ]
    return found
