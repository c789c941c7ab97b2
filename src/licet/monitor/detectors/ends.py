"""Uses after the end: revoked, superseded, bound to a job that is over, expired.

Each is a fact of what happened to the credential, at the time of the event itself and not of its arrival. Only a use that succeeded shows
that the credential still authenticates, or one that failed as only what was let in can fail; what was denied is a signal of its own, and a
small one, as is what failed for another reason. A suspended credential is fine again once the source that told of it says so: nothing else
undoes what ended it, and to call it active all the same alerts. A workload ends only what was bound to it before, and one that starts
again runs anew: a pod of a set has the name of the one before it. Where no binding is told, a use's own workload is its binding, from its
first use there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from licet.clock import lasting
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.life import let_in, place_of, undone_by
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import keep, row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World

# Credentials and jobs of one identity whose ends are known; the oldest go first. Those that will only end by themselves have a place of
# their own: however many are issued, none makes an end forgotten.
_MOST = 4_096
_AGAIN = 8  # ends of one workload
_NONE: Final[dict[str, Any]] = {}
_FIRST: Final = "use before"
_WHOLE: Final = ""  # the identity itself, where a credential's fingerprint stands else; or there where its name is its own

_SAYS: Final = {
    "revoked": ("POST_REVOCATION_USE", "no use after it was {}"),
    "rotated": ("POST_ROTATION_USE", "no use of the old version after its rotation"),
    "ended": ("POST_JOB_USE", "no use after its job ended"),
    "expires": ("EXPIRED_ACCEPTED", "no use after it expired"),
}


class Ends(Detector):
    """POST_REVOCATION_USE, POST_ROTATION_USE, POST_JOB_USE, EXPIRED_ACCEPTED, REACTIVATED; DENIED_AFTER_END, ROTATION_OVERLAP."""

    name = "ends"
    version = 6
    codes = (
        "POST_REVOCATION_USE", "POST_ROTATION_USE", "POST_JOB_USE", "EXPIRED_ACCEPTED", "REACTIVATED", "DENIED_AFTER_END",
        "ROTATION_OVERLAP",
    )  # fmt: skip
    uses: Called = "always"
    lives = True

    def start(self) -> State:
        """`of`: by credential, or by the place of the identity itself, its ends, of which `revoked` is by the source that told of it;
        `days`: by credential, when it ends by itself, and where it is bound; `jobs`: by workload, its ends; `held`: by workload and
        session (else credential), the first use.
        """
        return {"of": {}, "days": {}, "jobs": {}, "held": {}}

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Note what ends by it."""
        if event.outcome != "success":
            return ()
        kind, credential = event.kind, event.credential
        if event.supersedes:
            # It ends once, by the first version that takes its place.
            _of(state["of"], event.supersedes).setdefault("rotated", row(event, "rotation"))
        if kind in ("revoked", "suspended", "deleted"):
            if credential or event.identity:
                told = _of(state["of"], credential or place_of(event)).setdefault("revoked", {})
                told.setdefault(event.source, [*row(event, "revocation"), kind])
        elif kind == "activated" or (kind == "created" and not credential):
            ends = [state["of"].get(each, _NONE) for each in ((credential,) if credential else (place_of(event), _WHOLE))]
            undone_by(event.source, ends[0].get("revoked", {}))
            stands = [end for each in ends if (end := _first(each)) is not None]
            if stands:
                return _reactivated(state, min(stands, key=lambda end: (end[2], end[0])), event)
        elif kind == "job_ended":
            if event.workload:
                before = state["jobs"].get(event.workload, ())
                keep(state["jobs"], event.workload, [*before[-_AGAIN + 1 :], row(event, "end of the job")], _MOST)
            if credential:
                _of(state["of"], credential).setdefault("ended", row(event, "end of the job"))
        else:
            if kind == "job_started" and event.workload in state["jobs"]:
                # It runs anew; one that began and ended at one time has ended.
                state["jobs"][event.workload] = [each for each in state["jobs"][event.workload] if each[2] >= event.time]
            if credential:
                _noted(state, credential, event)
        return ()

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether what it was done with had ended."""
        of, days = state["of"], state["days"]
        left = _left(state, event) if event.workload else None
        if not of and not days and left is None:
            return ()
        ends, day = of.get(event.credential, _NONE), days.get(event.credential, _NONE)
        whole = (_first(of.get(_WHOLE, _NONE)), _first(of.get(place_of(event), _NONE)))
        if not ends and not day and not any(whole) and left is None:
            return ()
        found: list[Signal] = []
        bound: list[Any] | None = None
        if event.credential and (ends or day):
            for what, end in (("revoked", _first(ends)), ("rotated", ends.get("rotated")), ("expires", day.get("expires"))):
                if end is not None:
                    found += _late(state, what, end, [end], event, world)
            if (end := ends.get("ended")) is not None:
                found += _late(state, "ended", end, [end], event, world)
            elif (bound := day.get("bound")) is not None and (end := _end_since(state, bound[3], bound)) is not None:
                found += _late(state, "ended", end, [bound, end], event, world)
        if left is not None and bound is None and "ended" not in ends:
            found += _late(state, "ended", left[1], left, event, world)
        end = min((each for each in whole if each is not None), key=lambda each: (each[2], each[0]), default=None)
        if end is not None:
            found += _late(state, "revoked", end, [end], event, world)
        return found


def _reactivated(state: State, end: list[Any], event: LifecycleEvent) -> tuple[Signal, ...]:
    """Who told of the end did not take it back."""
    source = end[0].partition("/")[0]
    what = "activated" if event.kind == "activated" else "made anew"
    return say(
        state, "REACTIVATED", value=end[0], time=event.time, credential=event.credential, since=end[2], basis="lifecycle",
        observed=f"was {what}{f' by {event.by}' if event.by else ''} at {event.source}, {lasting(int(event.time - end[2]))} after it was"
        f" {end[-1]}, as {source} says", expected=f"it stays {end[-1]} until {source} says otherwise",
        cited=[end[:3], row(event, "activation")],
    )  # fmt: skip


def _of(known: dict[str, dict[str, Any]], credential: str) -> dict[str, Any]:
    found = known.get(credential)
    if found is None:
        found = {}
        keep(known, credential, found, _MOST)
    return found


def _first(ends: Mapping[str, Any]) -> list[Any] | None:
    """The first revocation that is not undone."""
    told: Mapping[str, list[Any]] = ends.get("revoked", _NONE)
    return min(told.values(), key=lambda end: (end[2], end[0]), default=None)


def _end_since(state: State, workload: str, since: list[Any]) -> list[Any] | None:
    """The first end of a workload that is not before the binding (or the first use)."""
    ends = state["jobs"].get(workload)
    return next((each for each in ends if each[2] >= since[2]), None) if ends else None


def _left(state: State, event: UseEvent) -> list[list[Any]] | None:
    """The first use in its workload, and the end of that, if it has ended since."""
    who = event.session or event.credential
    if not who:
        return None
    key = f"{event.workload} {who}"
    first = state["held"].get(key)
    if first is None:
        if event.outcome == "success":
            keep(state["held"], key, row(event, _FIRST), _MOST)
        return None
    end = _end_since(state, event.workload, first)
    return None if end is None else [first, end]


def _noted(state: State, credential: str, event: LifecycleEvent) -> None:
    if event.kind == "expired":
        _of(state["days"], credential)["expires"] = [*row(event, "expiry"), event.time]
    elif event.expires:
        _of(state["days"], credential)["expires"] = [*row(event, "its end was said"), event.expires]
    if event.workload:
        state["of"].get(credential, {}).pop("ended", None)
        _of(state["days"], credential)["bound"] = [*row(event, "binding"), event.workload]


def _late(  # noqa: PLR0917
    state: State, what: str, end: list[Any], why: list[list[Any]], event: UseEvent, world: World
) -> tuple[Signal, ...]:  # fmt: skip
    since: float = end[3] if what == "expires" else end[2]
    after = event.time - since
    grace = world.settings.grace
    code, expected = _SAYS[what]
    cited = [each[:4] if each[1] == _FIRST else each[:3] for each in why]
    happened = {"revoked": end[-1], "rotated": "superseded", "ended": "at the end of its job", "expires": "expired"}[what]
    if after <= grace:
        if what == "rotated" and after > 0 and event.outcome == "success":
            return say(
                state, "ROTATION_OVERLAP", value=end[0], time=event.time, credential=event.credential, alert=False, basis="lifecycle",
                observed=f"the old version was used {lasting(int(after))} after its rotation", expected="the new version only", since=since,
                cited=[*cited, row(event, "use")],
            )  # fmt: skip
        return ()
    if not let_in(event):
        vain = "was denied" if event.outcome == "denied" else "it failed"
        return say(
            state, "DENIED_AFTER_END", value=f"{what} {end[0]}", time=event.time, credential=event.credential, alert=False, since=since,
            observed=f"tried {event.operation} {lasting(int(after))} after it was {happened}, and {vain}", basis="lifecycle",
            expected=expected.format(happened), cited=[*cited, row(event, "attempt")],
        )  # fmt: skip
    came = "succeeded" if event.outcome == "success" else f"was let in ({event.error})"
    return say(
        state, code, value=end[0], time=event.time, credential=event.credential, since=since, basis="lifecycle",
        observed=f"{event.operation} {came} {lasting(int(after))} after it was {happened}",
        expected=expected.format(happened), cited=[*cited, row(event, "use")],
    )  # fmt: skip
