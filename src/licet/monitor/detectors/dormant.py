"""Long rests: what was not used for long and is used again, and what is not used and was not ended.

How long is long: the window, and three times the longest rest so far, so that a job that runs each quarter does not count as asleep.
Attempts that were denied are no use. Of what was made and never used it is told too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from licet.clock import lasting
from licet.events import LifecycleEvent, UseEvent
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import DAY, World

_MOST: Final = 1_024  # credentials of one identity whose last use is known; those that lived the shortest go first
_FIRST, _LAST, _REST, _UID, _AWAKE = range(5)
_SHORT: Final = ("temporary_key", "call_token", "service_account_token")
"""Kinds that end by themselves, with a session, a call or a pod: each is used once, and does not sleep."""
_ENDS: Final = ("revoked", "suspended", "deleted", "expired", "job_ended")


class Dormant(Detector):
    """REVIVED; STALE_ACTIVE as it stands now."""

    name = "dormant"
    codes = ("REVIVED", "STALE_ACTIVE")
    standing = ("STALE_ACTIVE",)
    uses: Called = "always"
    by_cluster = True
    lives = True

    def start(self) -> State:
        """`of`: by credential (empty: the identity), first and last use, longest rest, uid of the last use, what it woke up from.
        `made`: by credential, when it was issued; `over`: those that have ended.
        """
        return {"of": {}, "made": {}, "over": {}}

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Note it, and whether it came after a long rest."""
        if event.outcome != "success":
            return ()
        of, time = state["of"], event.time
        found: tuple[Signal, ...] = ()
        for key in (event.credential, "") if event.credential and event.credential_kind not in _SHORT else ("",):
            known = of.get(key)
            if known is None:
                of[key] = [time, time, 0.0, event, None]
                if len(of) > _MOST:
                    _shed(of)
                continue
            rest = time - known[_LAST]
            if rest > known[_REST]:
                settings = world.settings
                if rest > settings.window and rest > settings.longest_gap * known[_REST]:
                    known[_AWAKE] = [[_last(known)[0], "the use before", known[_LAST], _last(known)[1]], time, rest, known[_REST]]
                known[_REST] = rest
            if known[_AWAKE] is not None:
                if found or time - known[_AWAKE][1] > DAY:  # what the credential says, the identity need not say again
                    known[_AWAKE] = None
                else:
                    found = _revived(state, event, key, known[_AWAKE], world)
            known[_LAST] = time
            known[_UID] = event
        return found

    def settle(self, state: State) -> None:
        """Of the last uses only the uids, and whose they are, are kept."""
        for known in state["of"].values():
            known[_UID] = _last(known)

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Note what was made, and what has ended."""
        if event.outcome != "success":
            return ()
        made, over = state["made"], state["over"]
        if event.supersedes:
            _noted(over, event.supersedes, event.time)
        if event.kind in _ENDS and (event.credential or event.kind in ("suspended", "revoked", "deleted")):
            _noted(over, event.credential, event.time)
        elif event.kind in ("activated", "created"):
            over.pop(event.credential, None)
        elif event.credential and (event.expires or event.workload):
            _noted(over, event.credential, event.expires or event.time)  # it ends by itself
        if event.kind in ("issued", "rotated") and event.credential and not event.expires and event.credential_kind not in _SHORT:
            made.setdefault(event.credential, row(event, "issue"))
            if len(made) > _MOST:
                del made[next(iter(made))]
        return ()

    def end(self, state: State, identity: str, world: World) -> Iterable[Signal]:
        """What sleeps at `world.now`."""
        settings, now, over = world.settings, world.now, state["over"]
        if "" in over or world.identity(identity).kind == "service":
            return
        # What is said of all credentials need not be said of the identity.
        told: set[str] = set()
        for key in sorted(state["of"], reverse=True):
            _first, last, rest, (uid, whose), _awake = state["of"][key]
            limit = max(settings.window, settings.longest_gap * rest)
            if now - last > limit and key not in over and uid not in told:
                told.add(uid)
                yield from say(
                    {}, "STALE_ACTIVE", value=uid, credential=key, time=last + settings.window, alert=False, basis="lifecycle", since=last,
                    observed=f"last used before {lasting(int(limit))}, and not ended", expected="ended, or in use",
                    cited=[[uid, "the last use", last, whose]],
                )  # fmt: skip
        for key, (uid, role, when) in state["made"].items():
            if key not in state["of"] and key not in over and now - when > settings.window:
                yield from say(
                    {}, "STALE_ACTIVE", value=uid, credential=key, time=when + settings.window, alert=False, basis="lifecycle", since=when,
                    observed=f"never used in {lasting(int(settings.window))} since it was made", expected="ended, or in use",
                    cited=[[uid, role, when]],
                )  # fmt: skip


def _revived(state: State, event: UseEvent, key: str, awake: list[Any], world: World) -> tuple[Signal, ...]:
    if world.identity(event.identity).kind in ("human", "service"):
        return ()
    before, woke, slept, rest = awake
    usual = f"; the longest before was {lasting(int(rest))}" if rest else ""
    return say(
        state, "REVIVED", value=before[0], credential=key, time=woke, basis="lifecycle", since=before[2],
        observed=f"used again ({event.operation}) after {lasting(int(slept))} without any use",
        expected=f"no rest of more than {lasting(int(world.settings.window))}{usual}", cited=[before, row(event, "use")],
    )  # fmt: skip


def _last(known: list[Any]) -> list[str]:
    """Uid and identity of the last use."""
    last = known[_UID]
    return [last.uid, last.identity] if isinstance(last, UseEvent) else last


def _noted(over: dict[str, float], key: str, time: float) -> None:
    over[key] = time
    if len(over) > 4 * _MOST:
        del over[next(iter(over))]


def _shed(of: dict[str, list[Any]]) -> None:
    """Half of the credentials go, those that were in use for the shortest time: what lives for an hour never sleeps."""
    whole = of.pop("") if "" in of else None
    stay = sorted(of.items(), key=lambda each: (each[1][_LAST] - each[1][_FIRST], each[1][_LAST], each[0]))[len(of) // 2 :]
    of.clear()
    if whole is not None:
        of[""] = whole
    of.update(sorted(stay, key=lambda each: (each[1][_FIRST], each[0])))
