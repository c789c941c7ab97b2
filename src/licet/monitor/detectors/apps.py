"""Applications whose scope or secrets grow, and what they do with it.

A wider scope or a new secret alone has points, as both happen in honest work. It alerts where the application is somebody else's, or nobody
answers for it, or both came within a day. What it never used before and uses within a week of such a change is told too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from licet.events import LifecycleEvent, UseEvent
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import keep, row, say
from licet.monitor.signal import Signal
from licet.monitor.world import DAY, World

_SEEN: Final = 1_024  # operations and resources of one application
_CHANGES: Final = 8
_AFTER: Final = 7 * DAY
_TIME, _CODE, _ALERT, _CREDENTIAL, _WHAT, _CALLED = 2, 3, 4, 5, 6, 7


class Apps(Detector):
    """APP_SCOPE_WIDENED, APP_CREDENTIAL_ADDED, APP_FIRST_RESOURCE."""

    name = "apps"
    version = 3
    codes = ("APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED", "APP_FIRST_RESOURCE")
    uses: Called = "always"
    lives = True

    def start(self) -> State:
        """`seen`: what it used; `changes`: the newest ones, each as uid, role, time, code, whether it alerts, credential, what, and how
        the record calls the application.
        """
        return {"seen": {}, "changes": []}

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Whether it may do more, or can show one secret more."""
        if event.outcome != "success" or not event.identity:
            return ()
        changes: list[list[Any]] = state["changes"]
        if event.kind == "scope_widened":
            code, role, what = "APP_SCOPE_WIDENED", "wider scope", event.privilege
        elif event.kind == "issued" and not event.expires and not event.supersedes and _is_app(event.identity, changes, world):
            code, role, what = "APP_CREDENTIAL_ADDED", "new secret", event.credential_kind or "secret"
        else:
            return ()
        known = world.identity(event.identity)
        foreign = known.third_party or (world.owners and world.owner(event.identity) is None)
        if code == "APP_CREDENTIAL_ADDED" and not event.by:
            foreign = False  # nobody is named where it is the keeper of secrets who tells it: that one was seen
        near = [each for each in changes if each[_CODE] != code and event.time - each[_TIME] <= DAY]
        change = [*row(event, role), code, foreign or bool(near), event.credential, what, event.reason]
        changes.append(change)
        del changes[:-_CHANGES]
        found = _changed(state, change, near, event.by, foreign=foreign)
        for each in near:
            if not each[_ALERT]:
                each[_ALERT] = True
                found += _changed(state, each, [change], "", foreign=False)
        return found

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether it uses something for the first time, after a change."""
        if event.outcome != "success":
            return ()
        seen = state["seen"]
        known = seen.get(event.operation)
        if known is None:
            thing = f"{event.operation.partition(':')[0]} {event.resource_kind}".strip()
            began = seen.get(f" {thing}")
            if began is None:
                # Of something new it is kept since when it is known, so that what follows belongs to it.
                keep(seen, f" {thing}", event.time, _SEEN)
                began = event.time
            keep(seen, event.operation, began, _SEEN)
            known = began
        changes = state["changes"]
        if not changes:
            return ()
        before = [each for each in changes if each[_TIME] <= known and event.time - each[_TIME] <= _AFTER]
        if not before:
            return ()
        thing = f"{event.operation.partition(':')[0]} {event.resource_kind}".strip()
        told = " and ".join(dict.fromkeys(f"{each[1]} ({each[_WHAT]})" if each[_WHAT] else each[1] for each in before))
        return say(
            state, "APP_FIRST_RESOURCE", value=thing, time=event.time, alert=any(each[_ALERT] for each in before), basis="lifecycle",
            since=before[0][_TIME], observed=f"{event.operation}: the first use of {thing}, after: {told}",
            expected="what it used before the change", cited=[*(each[:3] for each in before), row(event, "use")],
        )  # fmt: skip


def _is_app(identity: str, changes: list[list[Any]], world: World) -> bool:
    known = world.identity(identity)
    return known.kind == "oauth_app" or known.third_party or any(each[_CODE] == "APP_SCOPE_WIDENED" for each in changes)


def _changed(state: State, change: list[Any], near: list[list[Any]], by: str, *, foreign: bool) -> tuple[Signal, ...]:
    code, alert, what = change[_CODE], change[_ALERT], change[_WHAT]
    who = f" by {by}" if by else ""
    called = f" ({change[_CALLED]})" if change[_CALLED] else ""
    grew = f"may do more{called}: {what}" if code == "APP_SCOPE_WIDENED" else f"got one more {what.replace('_', ' ')}"
    also = "; the other change came within a day" if near else ""
    if not alert:
        expected = "nothing new, or a change that its owner knows of"
    elif foreign:
        expected = "no change unseen: it is a third party's, or nobody owns it"
    else:
        expected = "not a wider scope and a new secret within a day"
    # That it alerts is another thing than that it does not: what was said of the change alone is no longer said.
    return say(
        state, code, value=f"{what} {change[0]}", time=change[_TIME], credential=change[_CREDENTIAL], alert=alert, basis="lifecycle",
        points=None, severity=None if alert else "medium", observed=f"{grew}{who}{also}", expected=expected,
        cited=[change[:3], *(each[:3] for each in near)],
    )  # fmt: skip
