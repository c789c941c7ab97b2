"""What findings cite as events of OCSF 1.8.0: uses are API Activity (6003), what happened to identities and credentials is Entity
Management (3004).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from licet.events import LifecycleEvent, LifecycleKind, UseEvent
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory
from licet.monitor.history import faces
from licet.monitor.ocsf import Event, base, user_of
from licet.monitor.told import native
from licet.records import Evidence

_READ, _OTHER = 2, 99
_SHA256: Final = 3
_PROVIDERS: Final = {"cloudtrail": "AWS", "entra": "Azure", "m365": "Azure"}
_OTHER_ENTITY, _USER_ENTITY = (99, "Other"), (2, "User")
_ACTIVITIES: Final[Mapping[LifecycleKind, tuple[int, str]]] = {
    "issued": (1, "Create"), "created": (1, "Create"), "deleted": (4, "Delete"), "activated": (10, "Activate"),
    "expired": (11, "Deactivate"), "job_started": (10, "Activate"), "job_ended": (11, "Deactivate"),
    "suspended": (12, "Suspend"), "revoked": (9, "Disable"),
    "logging_started": (8, "Enable"), "logging_stopped": (9, "Disable"),
}  # fmt: skip
_UPDATE: Final = (3, "Update")


def cited_events(inventory: Inventory, evidence: Evidence) -> UseEvent | LifecycleEvent | None:
    """The event that is cited; None if it is none (a baseline), or is not there any more."""
    if evidence.body:
        return None
    rows = inventory.rows("SELECT body FROM lifecycle WHERE uid=?", (evidence.uid,))
    if rows:
        return lifecycle_of(rows[0][0])
    for name in faces(inventory, evidence.identity):
        for event in inventory.uses(name, evidence.time, evidence.time):
            if event.uid == evidence.uid:
                return event
    return None


def event_of(event: UseEvent | LifecycleEvent, version: str) -> Event:
    """A cited event. `version` is that of Licet."""
    return _use(event, version) if isinstance(event, UseEvent) else _life(event, version)


def evidence_of(cited: Evidence, event: UseEvent | LifecycleEvent | None) -> Event:
    """An entry of a Detection Finding's `evidences`."""
    found: Event = {"uid": cited.uid, "name": cited.role}
    if isinstance(event, UseEvent):
        found |= {"actor": _actor(event), "api": _api(event.operation), "src_endpoint": _endpoint(event)}
        return found | ({"resources": [_resource(event)]} if event.resource else {})
    if isinstance(event, LifecycleEvent):
        whom = event.by or event.identity
        if whom:
            found["user"] = user_of(whom)
        return found | {"data": _of_life(event)}
    return found | {"data": {"baseline": cited.body} if cited.body else {"uid": cited.uid}}


def _use(event: UseEvent, version: str) -> Event:
    # What is called writing can create, change or delete.
    activity = (_READ, "Read") if event.access == "read" else (_OTHER, event.operation)
    found = base((6003, "API Activity"), activity, severity="info", time=event.time, uid=event.uid, version=version)
    found |= {
        "actor": _actor(event), "api": _api(event.operation), "src_endpoint": _endpoint(event),
        "status_id": 1 if event.outcome == "success" else 2, "status": "Success" if event.outcome == "success" else "Failure",
    }  # fmt: skip
    if event.error:
        found["status_code"] = event.error
    if event.agent:
        found["http_request"] = {"user_agent": event.agent}
    if event.resource:
        found["resources"] = [_resource(event)]
    if event.region or event.source in _PROVIDERS:
        found["metadata"]["profiles"] = ["cloud"]
        found["cloud"] = {"provider": _PROVIDERS.get(event.source, "Other")} | ({"region": event.region} if event.region else {})
        if event.account:
            found["cloud"]["account"] = {"uid": event.account}
    _origin(found, event)
    found["unmapped"] |= {
        name: value for name in ("outcome", "access", "workload", "network", "on_behalf_of", "trace_id", "intent", "resource_account")
        if (value := getattr(event, name))
    }  # fmt: skip
    return found


def _life(event: LifecycleEvent, version: str) -> Event:
    activity = _ACTIVITIES.get(event.kind, _UPDATE)
    found = base((3004, "Entity Management"), activity, severity="info", time=event.time, uid=event.uid, version=version)
    uid = event.credential or event.identity or event.workload or event.source
    number, title = _USER_ENTITY if not event.credential and event.identity else _OTHER_ENTITY
    entity: Event = {"uid": uid, "type_id": number, "type": title}
    if number == _USER_ENTITY[0]:
        entity["user"] = user_of(event.identity, account=event.account)
    found |= {
        "entity": entity, "comment": event.reason or event.kind, "status_id": 1 if event.outcome == "success" else 2,
        "status": "Success" if event.outcome == "success" else "Failure",
    }  # fmt: skip
    if event.by:
        found["actor"] = {"user": user_of(event.by)}
    _origin(found, event)
    found["unmapped"] |= _of_life(event)
    return found


def _of_life(event: LifecycleEvent) -> dict[str, Any]:
    names = ("kind", "identity", "credential", "credential_kind", "supersedes", "workload", "privilege", "access", "outcome", "reason")
    found: dict[str, Any] = {name: value for name in names if (value := getattr(event, name))}
    if event.generation >= 0 or event.presented >= 0:
        found |= {"generation": event.generation, "presented_generation": event.presented}
    return found


def _origin(found: Event, event: UseEvent | LifecycleEvent) -> None:
    source, native_id = native(event.uid)
    found["metadata"] |= {"original_event_uid": native_id, "log_name": source}
    if event.digest:
        found["raw_data_hash"] = {"algorithm_id": _SHA256, "algorithm": "SHA-256", "value": event.digest}
    found["unmapped"] = {"place": event.place} if event.place else {}


def _actor(event: UseEvent) -> Event:
    found: Event = {"user": user_of(event.identity, event.identity_kind, event.identity_name, event.credential, event.account)}
    return found | ({"session": {"uid": event.session}} if event.session else {})


def _api(operation: str) -> Event:
    service = operation.partition(":")[0]
    return {"operation": operation} | ({"service": {"name": service}} if service else {})


def _endpoint(event: UseEvent) -> Event:
    found: Event = {"ip": event.ip} if event.ip else {"name": event.workload or "unknown"}
    if event.country:
        found["location"] = {"country": event.country}
    if event.network.startswith("AS") and event.network[2:].isdecimal():
        found["autonomous_system"] = {"number": int(event.network[2:])}
    return found


def _resource(event: UseEvent) -> Event:
    return {"uid": event.resource, "name": event.resource} | ({"type": event.resource_kind} if event.resource_kind else {})
