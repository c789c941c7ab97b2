"""Two holders of one credential: at once from two places, or two workloads that do not follow each other.

Two places are two networks with different programs, or in different countries, within half an hour. An address that changes is none: a
hosted runner, a laptop and a load balancer change theirs, and keep their program. No program at all is another one, unless the credential
was used without one before. Networks that are all declared are the owner's.
Two workloads share a credential where the first goes on after the second began; a new deployment, or one more instance of the same, is
another name of the same workload.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from licet.clock import lasting
from licet.events import LifecycleEvent, UseEvent
from licet.monitor.detector import Called, Detector, State
from licet.monitor.networks import within
from licet.monitor.saying import keep, row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World

_CREDENTIALS: Final = 512  # of one identity, of which is known who holds them; the oldest go first
_NETWORKS, _USES, _PROGRAMS, _WORKLOADS = 8, 32, 16, 8  # of one credential
_TIME, _AGENT, _COUNTRY, _IP, _WORKLOAD = 2, 4, 5, 6, 4


class Holders(Detector):
    """CONCURRENT_HOLDERS."""

    name = "holders"
    version = 2
    codes = ("CONCURRENT_HOLDERS",)
    uses: Called = "always"

    def start(self) -> State:
        """`of`: by credential, by network, its newest uses; by program, from which networks it ever came; the last network and agent."""
        return {"of": {}}

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Note who holds it, and whether that is another one than just before."""
        credential, network = event.credential, event.network
        if not credential or not network or event.outcome != "success":
            return ()
        known = state["of"].get(credential)
        if known is None:
            known = [{}, {}, "", ""]
            keep(state["of"], credential, known, _CREDENTIALS)
        places, _, place, agent = known
        found: tuple[Signal, ...] = ()
        if network != place or event.agent != agent or len(places) > 1:
            found = _moved(state, known, event, world)
            known[2:] = network, event.agent
        uses = places[network]
        uses.append(event)
        if len(uses) > _USES:
            del uses[: _USES // 2]
        return found

    def settle(self, state: State) -> None:
        """Of each use only what can be asked for is kept."""
        for places, *_ in state["of"].values():
            for uses in places.values():
                for at in range(len(uses) - 1, -1, -1):  # those that were kept before are at its beginning
                    if uses[at].__class__ is list:
                        break
                    uses[at] = _row(uses[at])


def _row(use: UseEvent | list[Any]) -> list[Any]:
    return [*row(use, "use"), product(use.agent), use.country, use.ip] if isinstance(use, UseEvent) else use


def _moved(state: State, known: list[Any], event: UseEvent, world: World) -> tuple[Signal, ...]:
    """It comes from elsewhere than just before, or with another program, or from one of several places."""
    places, programs = known[0], known[1]
    network, program = event.network, product(event.agent)
    if network not in places:
        keep(places, network, [], _NETWORKS)
    found: tuple[Signal, ...] = ()
    seen = programs.get(program)
    for other, uses in places.items():
        # Of a program that works in several networks nothing can be said without countries: looked at first, as it is so for most.
        if other != network and (event.country or seen is None or (program and other not in seen)):
            found += _at_once(state, event, program, other, uses=uses, seen=programs, world=world)
    if seen is None:
        keep(programs, program, [network], _PROGRAMS)
    elif network not in seen:
        seen.append(network)
        del seen[:-_NETWORKS]
    return found


def _at_once(
    state: State, event: UseEvent, program: str, other: str, *, uses: list[Any], seen: dict[str, list[str]], world: World
) -> tuple[Signal, ...]:  # fmt: skip
    since = event.time - world.settings.holders
    if not uses or _time(uses[-1]) < since:
        return ()
    at_home = other in seen.get(program, ()) or (not program and program in seen)
    if at_home and (not event.country or all(_country(each) in ("", event.country) for each in uses)):
        return ()  # nothing below could say anything: so it is with all that work in several networks
    recent = [_row(each) for each in uses if _time(each) >= since]
    abroad = [each for each in recent if each[_COUNTRY] and event.country and each[_COUNTRY] != event.country]
    human = world.identity(event.identity).kind == "human"
    strange = [] if human or at_home else [
        each for each in recent if each[_AGENT] and each[_AGENT] != program and event.network not in seen.get(each[_AGENT], ())
    ]  # fmt: skip
    against = abroad or strange
    if not against or _all_declared(event, against, world):
        return ()
    last = against[-1]
    return say(
        state, "CONCURRENT_HOLDERS", value=" ".join(sorted((event.network, other))), time=event.time, credential=event.credential,
        basis="lifecycle", since=last[_TIME], sample=len(against),
        observed=f"used from {_from(other, last[_AGENT], last[_COUNTRY])}, and {lasting(event.time - last[_TIME])} later from "
        f"{_from(event.network, program, event.country)}",
        expected=f"one holder within {lasting(world.settings.holders)}",
        cited=[*(each[:4] for each in against), row(event, "use")],
    )  # fmt: skip


def _all_declared(event: UseEvent, uses: list[list[Any]], world: World) -> bool:
    declared = world.credential(event.credential).declared.networks or world.identity(event.identity).declared.networks
    return bool(declared) and all(within(ip, declared) for ip in (event.ip, *(each[_IP] for each in uses)))


def _from(network: str, program: str, country: str) -> str:
    return " ".join(part for part in (network, f"({country})" if country else "", f"with {program}" if program else "") if part)


def _time(use: UseEvent | list[Any]) -> float:
    return use.time if isinstance(use, UseEvent) else float(use[_TIME])


def _country(use: UseEvent | list[Any]) -> str:
    return use.country if isinstance(use, UseEvent) else str(use[_COUNTRY])


@lru_cache(8_192)
def product(agent: str) -> str:
    """A program's name without its version: a new version is the same holder."""
    return agent.partition("/")[0].partition(" ")[0]


class Sharing(Detector):
    """SHARED_CREDENTIAL, by workloads. (By identities: `licet.monitor.shared`.)"""

    name = "sharing"
    version = 2
    codes = ("SHARED_CREDENTIAL",)
    uses: Called = "always"
    lives = True

    def start(self) -> State:
        """`of`: by credential, by kind of workload, its last use, the newest last; `bound`: by credential, to what it is bound."""
        return {"of": {}, "bound": {}, "over": {}}

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether a workload goes on after another one began."""
        credential, workload = event.credential, event.workload
        if not workload or not credential or event.outcome != "success":
            return ()
        holders = state["of"].get(credential)
        if holders is None:
            holders = {}
            keep(state["of"], credential, holders, _CREDENTIALS)
        this = sort_of(workload)
        before = holders.get(this)
        last = next(reversed(holders), this)
        found: tuple[Signal, ...] = ()
        if before is not None and last != this:
            before, other = _of_workload(before), _of_workload(holders[last])
            found = say(
                state, "SHARED_CREDENTIAL", value=f"used {' '.join(sorted((last, this)))}", time=event.time, credential=credential,
                basis="lifecycle", since=before[2], observed=f"workloads {other[_WORKLOAD]} and {workload} use it in turns",
                expected="one workload, or one after the other", cited=[before[:4], other[:4], row(event, "use")],
            )  # fmt: skip
        if last == this:
            holders[this] = event
        else:
            keep(holders, this, event, _WORKLOADS)
        return found

    def settle(self, state: State) -> None:
        """Of each last use only what can be cited is kept."""
        for holders in state["of"].values():
            for this, last in holders.items():
                holders[this] = _of_workload(last)

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Whether it is bound to a second workload while the first one runs."""
        if event.outcome != "success" or not event.workload:
            return ()
        if event.kind == "job_ended":
            keep(state["over"], event.workload, event.time, _CREDENTIALS)
        elif event.kind in ("job_started", "bound"):
            state["over"].pop(event.workload, None)  # a name that comes again is of one that runs
        if event.kind != "bound" or not event.credential:
            return ()
        bound = state["bound"].setdefault(event.credential, {})
        if len(state["bound"]) > _CREDENTIALS:
            del state["bound"][next(iter(state["bound"]))]
        running = [each for name, each in bound.items() if name not in state["over"] and name != event.workload]
        keep(bound, event.workload, [*row(event, "binding"), event.workload], _WORKLOADS)
        return tuple(self._bound_twice(state, event, running))

    def _bound_twice(self, state: State, event: LifecycleEvent, running: list[list[Any]]) -> Iterator[Signal]:
        for other in running:
            yield from say(
                state, "SHARED_CREDENTIAL", value=f"bound {other[3]} {event.workload}", time=event.time, credential=event.credential,
                basis="lifecycle", since=other[2], observed=f"bound to {event.workload} while {other[3]} runs, to which it is bound too",
                expected="one workload at a time", cited=[other[:3], row(event, "binding")],
            )  # fmt: skip


def _of_workload(use: UseEvent | list[Any]) -> list[Any]:
    return [*row(use, "use"), use.workload] if isinstance(use, UseEvent) else use


_MADE_UP: Final = re.compile(r"[^aeiou]{5,}")
_PARTS: Final = re.compile(r"[-_/.:#@ ]+")


@lru_cache(16_384)
def sort_of(workload: str) -> str:
    """A workload's name without what platforms make up for each instance: numbers, and groups of consonants as Kubernetes draws them.

    Of a pipeline's run that is its last part alone, and people gave the repository the rest of its name.
    """
    if workload.startswith("run:"):
        return workload.rpartition("/")[0]
    parts = _PARTS.split(workload)
    return "/".join(each for each in parts if each and not any(sign.isdigit() for sign in each) and not _MADE_UP.fullmatch(each))
