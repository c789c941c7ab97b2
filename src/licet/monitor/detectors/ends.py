"""Uses after the end: revoked, superseded, bound to a job that is over, expired.

Each is a fact of what happened to the credential, at the time of the event itself and not of its arrival. Only a use that succeeded shows
that the credential still authenticates, or one that failed as only what was let in can fail; what was denied is a signal of its own, and a
small one, as is what failed for another reason. A suspended credential is fine again once the source that told of it says so, of the same
account: nothing else undoes what ended it, and to call it active all the same alerts. Of several who say when it ends by itself the first
holds, and what a cluster says is for what is used in that cluster. A workload ends only what was bound to it before, and one that starts
again runs anew: a pod of a set has the name of the one before it. Where no binding is told, a use's own workload is its binding, from its
first use there on. Who was ended by another and takes it back himself, as he may at that source, alerts too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from licet.clock import lasting
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.faces import is_sure
from licet.inventory.heard import OPERATORS
from licet.inventory.life import first_to_end, let_in, place_of, stopper, teller, undone_by, until_by
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import keep, row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World

# Credentials and jobs of one identity whose ends are known; the oldest go first. Those that will only end by themselves have a place of
# their own: however many are issued, none makes an end forgotten. So have those of which an operator told, and the identity itself is never
# among them: however many ends somebody makes at a platform, none of those is forgotten.
_MOST = 4_096
_AGAIN = 8  # ends of one workload
_NONE: Final[dict[str, Any]] = {}
_FIRST: Final = "use before"
_ENDS: Final = ("of", "of told", "days", "days told", "whole")  # of a state
_EVERYWHERE: Final = ""  # where a cluster stands else

_SAYS: Final = {
    "revoked": ("POST_REVOCATION_USE", "no use after it was {}"),
    "rotated": ("POST_ROTATION_USE", "no use of the old version after its rotation"),
    "ended": ("POST_JOB_USE", "no use after its job ended"),
    "expires": ("EXPIRED_ACCEPTED", "no use after it expired"),
}


class Ends(Detector):
    """POST_REVOCATION_USE, POST_ROTATION_USE, POST_JOB_USE, EXPIRED_ACCEPTED, REACTIVATED; DENIED_AFTER_END, ROTATION_OVERLAP."""

    name = "ends"
    version = 8
    codes = (
        "POST_REVOCATION_USE", "POST_ROTATION_USE", "POST_JOB_USE", "EXPIRED_ACCEPTED", "REACTIVATED", "DENIED_AFTER_END",
        "ROTATION_OVERLAP",
    )  # fmt: skip
    uses: Called = "always"
    lives = True

    def start(self) -> State:
        """`of`: by credential and cluster, its ends, of which `revoked` and `ended` are by who told of it, and `others` are those of
        `revoked` that another did than whom it is about; `days`: by credential and cluster, when it ends by itself, by who said it, and
        where it is bound; `of told`, `days told`: the same of credentials of whose end an operator told; `whole`: by cluster, the ends of
        the identity itself; `jobs`: by workload, its ends; `held`: by workload and session (else credential), the first use.
        """
        return {"of": {}, "of told": {}, "days": {}, "days told": {}, "whole": {}, "jobs": {}, "held": {}}

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Note what ends by it."""
        if event.outcome != "success":
            return ()
        kind, credential = event.kind, event.credential
        place = place_of(event)
        if event.supersedes:
            # It ends once, by the first version that takes its place.
            _of(state, "of", event, event.supersedes).setdefault("rotated", row(event, "rotation"))
        if kind in ("revoked", "suspended", "deleted"):
            if credential or event.identity:
                _revoked(_of(state, "of", event, credential), event, world)
        elif kind == "activated" or (kind == "created" and not credential):
            known = _known(state, "of", credential)
            there = known.get(place, _NONE)
            undone_by(event, there.get("revoked", {}))
            found = _by_itself(state, there.get("others", {}).pop(stopper(event), None), event, world)
            ended = [known[each] for each in {place, _EVERYWHERE} if each in known]
            if (end := _earliest(map(_first, ended))) is not None:
                found += _reactivated(state, end, event)
            return found
        elif kind == "job_ended":
            if event.workload:
                before = state["jobs"].get(event.workload, ())
                keep(state["jobs"], event.workload, [*before[-_AGAIN + 1 :], row(event, "end of the job")], _MOST)
            if credential:
                ended_at = _of(state, "of", event, credential).setdefault("ended", {})
                ended_at.setdefault(teller(event), row(event, "end of the job"))
        else:
            if kind == "job_started" and event.workload in state["jobs"]:
                # It runs anew; one that began and ended at one time has ended.
                state["jobs"][event.workload] = [each for each in state["jobs"][event.workload] if each[2] >= event.time]
            if credential:
                _noted(state, event)
        return ()

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether what it was done with had ended."""
        left = _left(state, event) if event.workload else None
        if left is None and not any(state[each] for each in _ENDS):
            return ()
        place = place_of(event)
        ends, known = _there(state, "of", event.credential, place), _there(state, "days", event.credential, place)
        whole = [end for each in {_EVERYWHERE, place} if (end := _first(state["whole"].get(each, _NONE))) is not None]
        if not ends and not known and not whole and left is None:
            return ()
        found: list[Signal] = []
        rotated = _earliest(each.get("rotated") for each in ends)
        for what, end in (("revoked", _earliest(map(_first, ends))), ("rotated", rotated), ("expires", _expiry(known))):
            if end is not None:
                found += _late(state, what, end, [end], event, world)
        bound = [each["bound"] for each in known if "bound" in each]
        if (end := _earliest([_first(each, "ended") for each in ends])) is not None:
            found += _late(state, "ended", end, [end], event, world)
        elif bound:
            over = [(each, end) for each in bound if (end := _end_since(state, each[3], each)) is not None]
            if over:
                why = min(over, key=lambda each: (each[1][2], each[1][0]))
                found += _late(state, "ended", why[1], list(why), event, world)
        elif left is not None:
            found += _late(state, "ended", left[1], left, event, world)
        if (end := _earliest(whole)) is not None:
            found += _late(state, "revoked", end, [end], event, world)
        return found


def _reactivated(state: State, end: list[Any], event: LifecycleEvent) -> tuple[Signal, ...]:
    """Who told of the end did not take it back."""
    source = end[0].partition("/")[0]
    what = "activated" if event.kind == "activated" else "made anew"
    where = f" in {event.account}" if source == event.source and event.account else ""
    return say(
        state, "REACTIVATED", value=end[0], time=event.time, credential=event.credential, since=end[2], basis="lifecycle",
        observed=f"was {what}{f' by {event.by}' if event.by else ''} at {event.source}{where}, {lasting(int(event.time - end[2]))} after it"
        f" was {end[-1]}, as {source} says", cited=[end[:3], row(event, "activation")],
        expected=f"it stays {end[-1]} until {source} says otherwise{', of the account where it ended' if where else ''}",
    )  # fmt: skip


def _revoked(ends: dict[str, Any], event: LifecycleEvent, world: World) -> None:
    ends.setdefault("revoked", {}).setdefault(stopper(event), [*row(event, "revocation"), event.kind])
    if event.by and not _is_itself(event, world):
        ends.setdefault("others", {}).setdefault(stopper(event), [*row(event, "revocation"), event.by, event.kind])


def _by_itself(state: State, end: list[Any] | None, event: LifecycleEvent, world: World) -> tuple[Signal, ...]:
    """What another ended is taken up again by whom it was taken from. The source takes it so, and it is not ended any more.

    Args:
        end: what another did; None: nobody else did.
    """
    if end is None or not _is_itself(event, world):
        return ()
    what = "activated" if event.kind == "activated" else "made anew"
    return say(
        state, "REACTIVATED", value=end[0], time=event.time, credential=event.credential, since=end[2], basis="lifecycle",
        observed=f"was {what} by {event.by} itself at {event.source}, {lasting(int(event.time - end[2]))} after {end[3]} had it {end[-1]}",
        expected="another than itself takes it up again", cited=[end[:3], row(event, "activation")],
    )  # fmt: skip


def _is_itself(event: LifecycleEvent, world: World) -> bool:
    """Whether who did it is whom it is about, by name or as another name of the same one."""
    if not event.by or not event.identity or event.by == event.identity:
        return bool(event.by and event.identity)
    one, other = (known.same_as if is_sure(known := world.identity(uid)) else uid for uid in (event.by, event.identity))
    return one == other


def _of(state: State, what: str, event: LifecycleEvent, credential: str, *, is_told: bool = True) -> dict[str, Any]:
    """Where the event's word on a credential, or on the identity itself, is kept. `is_told`: it is an end, if an operator says so."""
    if credential:
        known, told = state[what], state[f"{what} told"]
        found = told.get(credential)
        if found is None and is_told and event.source in OPERATORS:
            found = known.pop(credential, {})
            keep(told, credential, found, _MOST)
        elif found is None and (found := known.get(credential)) is None:
            found = {}
            keep(known, credential, found, _MOST)
    else:
        found = state["whole"]
    there: dict[str, Any] = found.setdefault(place_of(event), {})
    return there


def _known(state: State, what: str, credential: str) -> Mapping[str, Any]:
    """By cluster, what is known of a credential, or of the identity itself."""
    if not credential:
        return state["whole"] if what == "of" else _NONE
    found: Mapping[str, Any] | None = state[f"{what} told"].get(credential)
    return state[what].get(credential, _NONE) if found is None else found


def _there(state: State, what: str, credential: str, place: str) -> list[Any]:
    """What is known of a credential that is used in a place: what holds everywhere, and what was told there. Who uses it outside of all
    clusters ends with it in each.
    """
    found = _known(state, what, credential) if credential else _NONE
    return [each for at, each in found.items() if not place or at in (_EVERYWHERE, place)]


def _first(ends: Mapping[str, Any], what: str = "revoked") -> list[Any] | None:
    """The first revocation that is not undone, or the first end of a job."""
    told: Mapping[str, list[Any]] = ends.get(what, _NONE)
    return _earliest(told.values())


def _earliest(ends: Iterable[list[Any] | None]) -> list[Any] | None:
    return min((each for each in ends if each is not None), key=lambda end: (end[2], end[0]), default=None)


def _expiry(known: Iterable[Mapping[str, Any]]) -> list[Any] | None:
    """What says when it ends by itself."""
    said: dict[str, list[Any]] = {}
    for each in known:
        said |= each.get("expires", _NONE)
    first = first_to_end({who: (each[2], each[3]) for who, each in said.items()})
    return None if first is None else said[first]


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


def _noted(state: State, event: LifecycleEvent) -> None:
    if (until := until_by(event)) is not None:
        is_over = event.kind == "expired"
        said = _of(state, "days", event, event.credential, is_told=is_over).setdefault("expires", {})
        said[teller(event)] = [*row(event, "expiry" if is_over else "its end was said"), until]
    if event.workload:
        _known(state, "of", event.credential).get(place_of(event), _NONE).get("ended", {}).pop(teller(event), None)
        _of(state, "days", event, event.credential, is_told=False)["bound"] = [*row(event, "binding"), event.workload]


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
