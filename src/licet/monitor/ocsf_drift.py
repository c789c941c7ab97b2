"""Privilege drift as IAM Analysis Findings (2008) of OCSF 1.8.0: what an identity may do, and what of that it does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from licet.inventory.privileges import DAY, Drift
from licet.monitor.ocsf import About, Event, base, millis, posture_of, resource_of
from licet.monitor.ocsf_told import Told, activity

_MOST: Final = 200  # privileges that one event names
_NAME: Final = "inventory.drift"


def drift_event(found: Drift, about: About, owner: str, version: str, before: Mapping[str, Told]) -> tuple[Event, Told]:
    """What can be narrowed of one identity, and how it is told.

    Args:
        found: as of the latest event of the sources that would show its uses.
        about: what is known of it.
        owner: what its owner is called; empty: nobody.
        version: of Licet.
        before: what was told before, by `finding_info.uid`.
    """
    unused = [each for each in found.held if each.verdict == "unused"]
    services = {each.grant.privilege.partition(":")[0] for each in found.held if ":" in each.grant.privilege}
    used = {each.grant.privilege.partition(":")[0] for each in found.held if each.verdict != "unused" and ":" in each.grant.privilege}
    uid = hashlib.sha256(f"{_NAME} {found.identity}".encode()).hexdigest()[:24]
    said = f"{len(unused)} of {len(found.held)} permissions were not used in {found.window / DAY:.0f} days"
    beside = f"; {len(found.outside)} operations are outside its purpose" if found.outside else ""
    edition = f"{found.as_of:.0f}"
    does = activity(before.get(uid), edition)
    event = base((2008, "IAM Analysis Finding"), does, severity="low", time=found.as_of, uid=f"{uid}-{edition}", version=version)
    event |= posture_of(found.identity, about)
    event |= {
        "status_id": 1, "status": "New", "message": said + beside, "confidence_id": 3,
        "resources": [resource_of(found.identity, about, owner)],
        "finding_info": {
            "uid": uid, "title": "may do more than it does", "desc": said + beside, "types": [_NAME], "created_time": millis(found.as_of),
            "analytic": {"uid": _NAME, "name": _NAME, "type_id": 1, "type": "Rule"},
        },
        "permission_analysis_results": [{
            "granted_privileges": [each.grant.privilege for each in found.held[:_MOST]], "analyzed_privileges_count": len(found.held),
            "unused_privileges_count": len(unused), "unused_services_count": len(services - used),
        }],
        "unmapped": {
            "unused_privileges": [each.grant.privilege for each in unused[:_MOST]],
            "outside_purpose": [{"operation": name, "uses": tally.uses} for name, tally in found.outside[:_MOST]],
            "since": millis(found.since), "window_days": round(found.window / DAY),
        },
    }  # fmt: skip
    if found.proposals:
        told = (
            f"{each.permission}: {'take away' if not each.change else 'narrow to ' + ', '.join(each.change)}" for each in found.proposals
        )
        event["remediation"] = {"desc": "; ".join(told)}
    return event, Told(edition, does)
