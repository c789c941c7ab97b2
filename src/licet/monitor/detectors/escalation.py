"""Permissions and credentials that an identity gives itself, or is given by somebody whose work that is not.

A new credential is suspicious where it is first used from a network that its identity never came from: who made it took it elsewhere.
Temporary credentials (of assumed roles) are made all the time, and are left out, and so is what the platform itself makes (a node its pods'
tokens); so are people, who move.

What lets somebody do everything alerts, whoever gave it but the owner's pipeline or the platform itself (of a cluster, the API server
alone: a certificate can have the names of the other components); and so does trust that is given to an account which nobody declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from licet.clock import lasting
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.faces import is_sure
from licet.monitor.detector import Called, Detector, State
from licet.monitor.networks import within
from licet.monitor.saying import keep, row, say
from licet.monitor.signal import Signal
from licet.monitor.world import DAY, World

_MOST: Final = 256  # networks, and new credentials, of one identity
_TEMPORARY: Final = 2 * DAY
_EVERYTHING: Final = frozenset({
    "administratoraccess",  # AWS
    "cluster-admin", "core:*/*", "*:*/*",  # Kubernetes
    "global administrator", "company administrator", "privileged role administrator",  # Entra
    "super administrator", "super_admin", "super organization administrator",  # Okta
    "owner",  # GitHub
})  # fmt: skip
"""Names of rights that hold all others."""
_ALLOWS_ALL: Final = "allows *:*"  # as the reader of CloudTrail says it of an inline policy, which has any name
_TAKE_BACK: Final = (
    "Take the right back unless somebody answers for it; see what was done with it since, and what else its giver did and with which"
    " credential."
)
_SERVER: Final = "system:apiserver"
"""It makes the roles and bindings that each cluster has. Readers know it by the group of those who may do everything anyway."""
_ASSUME: Final = "sts:AssumeRole"
_TRUSTS: Final = "trusts "
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_BY, _FIRST, _PLACE, _BEFORE = 3, 4, 5, 6


class Escalation(Detector):
    """SELF_GRANT, SELF_ISSUE, GRANT_ADDED."""

    name = "escalation"
    version = 5
    codes = ("SELF_GRANT", "SELF_ISSUE", "GRANT_ADDED")
    uses: Called = "always"
    lives = True

    def start(self) -> State:
        """`networks`: where it came from, with its first use from there; `issued`: new credentials, as uid, role, time, by whom, first use,
        the new network it came from, and a use from where it came from before.
        """
        return {"networks": {}, "issued": {}}

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """What it was given."""
        if event.outcome != "success" or not event.identity:
            return ()
        if event.kind == "granted" or (event.kind == "scope_widened" and _same(event.by, event.identity, world)):
            return _granted(state, event, world)
        if event.kind != "issued" or not event.by or (event.expires and event.expires - event.time <= _TEMPORARY):
            return ()
        if world.identity(event.by).kind == "service":  # a node asks for the tokens of its pods
            return ()
        itself = _same(event.by, event.identity, world)
        if itself or not _owners_pipeline(event, world):
            if event.credential:
                keep(state["issued"], event.credential, [*row(event, "issue"), event.by, 0.0, "", None], _MOST)
            if itself and world.identity(event.identity).kind != "human":
                return say(
                    state, "SELF_ISSUE", value=f"made {event.uid}", time=event.time, credential=event.credential, alert=False,
                    basis="lifecycle", severity="low", observed=f"made itself a {event.credential_kind or 'credential'}",
                    expected="credentials that its owner's pipeline makes", cited=[row(event, "issue")],
                )  # fmt: skip
        return ()

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Where it comes from, and whether a new credential comes from elsewhere."""
        network = event.network
        if not network:
            return ()
        networks, new = state["networks"], state["issued"].get(event.credential)
        if new is None:
            if network not in networks and event.outcome == "success":
                keep(networks, network, row(event, "use before"), _MOST)
            return ()
        if event.outcome != "success":
            return ()
        if not new[_FIRST]:
            new[_FIRST] = event.time
            if networks and network not in networks and not _declared(event, world):
                new[_PLACE], new[_BEFORE] = network, next(reversed(networks.values()))
        if network not in networks:
            keep(networks, network, row(event, "use before"), _MOST)
        if new[_PLACE] != network or event.time - new[_FIRST] > DAY or world.identity(event.identity).kind == "human":
            return ()
        return say(
            state, "SELF_ISSUE", value=f"used {new[0]}", time=event.time, credential=event.credential, basis="lifecycle", since=new[2],
            observed=f"{event.operation} from {network} with a credential that {new[_BY]} made {lasting(event.time - new[2])} before",
            expected="use from where the identity came from until then", cited=[new[_BEFORE], new[:3], row(event, "use")],
        )  # fmt: skip


def _granted(state: State, event: LifecycleEvent, world: World) -> tuple[Signal, ...]:
    privilege = event.privilege or "a permission"
    about = f" ({event.reason})" if event.reason else ""
    if _same(event.by, event.identity, world):
        strong = event.access in ("admin", "")
        return say(
            state, "SELF_GRANT", value=privilege, time=event.time, alert=strong, severity=None if strong else "medium", basis="lifecycle",
            observed=f"gave itself {privilege}{about}", expected="permissions that somebody else gives", cited=[row(event, "grant")],
        )  # fmt: skip
    known = _owners_pipeline(event, world)
    broad = event.access == "admin" and not known
    alone = broad and (_is_everything(event) or _trusts_a_stranger(event, world)) and not _is_platform(event, world)
    return say(
        state, "GRANT_ADDED", value=privilege, time=event.time, alert=alone, points=40 if broad else 10,
        severity="high" if alone else None, basis="lifecycle", expected="the permissions that it had",
        observed=f"was given {privilege}{about}{f' by {event.by}' if event.by else ''}", cited=[row(event, "grant")],
        action=_TAKE_BACK if alone else "",
    )  # fmt: skip


def _is_platform(event: LifecycleEvent, world: World) -> bool:
    return world.identity(event.by).kind == "service" and (event.source != "kubernetes" or event.by == _SERVER)


def _is_everything(event: LifecycleEvent) -> bool:
    if event.reason == _ALLOWS_ALL:
        return True
    return event.privilege.rpartition("/")[2].lower() in _EVERYTHING or event.privilege.lower() in _EVERYTHING


def _trusts_a_stranger(event: LifecycleEvent, world: World) -> bool:
    """Whether a role lets in somebody of an account that is in no declared environment, or anybody."""
    if event.privilege != _ASSUME or not event.reason.startswith(_TRUSTS):
        return False
    accounts = [_ACCOUNT.search(each) for each in event.reason.removeprefix(_TRUSTS).split(", ")]
    return any(found is None or not world.environment(found[0]) for found in accounts)


def _same(by: str, identity: str, world: World) -> bool:
    """Whether both are one, by their names or as faces of one."""
    if not by or by == identity:
        return bool(by)
    one, other = (known.same_as if is_sure(known := world.identity(uid)) else uid for uid in (by, identity))
    return one == other


def _owners_pipeline(event: LifecycleEvent, world: World) -> bool:
    """Whether a pipeline of the same owner did it."""
    if not event.by or world.identity(event.by).kind != "pipeline":
        return False
    own, other = world.owner(event.identity), world.owner(event.by)
    return own is not None and other is not None and own[0].uid == other[0].uid


def _declared(event: UseEvent, world: World) -> bool:
    networks: Any = world.credential(event.credential).declared.networks or world.identity(event.identity).declared.networks
    return bool(networks) and within(event.ip, networks)
