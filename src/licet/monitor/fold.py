"""The fold: the events of one identity, one after the other in the order of time and uid, through all detectors.

The same events give the same signals and the same state, however they are cut: what a piece leaves behind is all that the next one needs.

A service account of one name is another in each cluster: whoever rules one can make the names of all others there. So what detectors learn
by (`Detector.by_cluster`) they learn apart, for each cluster but the one in which the name was seen first, whose state is the main one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from operator import itemgetter
from typing import Any, Final, NamedTuple

from licet.events import LifecycleEvent, UseEvent
from licet.monitor.detector import Detector, State
from licet.monitor.saying import rest
from licet.monitor.signal import Signal
from licet.monitor.world import Settings, World

Item = UseEvent | LifecycleEvent

_MOST_FORMS = 50_000
_CLUSTERS: Final = "kubernetes"  # the source whose names are of one cluster, and how those begin that are no person's
_OF_CLUSTER: Final = "system:serviceaccount:"
_ELSEWHERE: Final = "elsewhere"  # in a state: by cluster, the states of those who learn by it
_SAYING = 3  # of what `saying` keeps in a state
FORM = (
    "identity", "operation", "outcome", "access", "credential", "account", "region", "ip", "interactive", "resource_account",
    "identity_kind", "error",
)  # fmt: skip
"""What makes two uses alike, and of a person's the workload; see `licet.monitor.detector.Called`."""

_form_of = itemgetter(*(UseEvent._fields.index(name) for name in FORM))


class Folded(NamedTuple):
    """What came of a fold.

    Attributes:
        signals: in the order in which each was first said, the last form of each.
        state: of every detector by its name, as JSON.
        last: time of the last event; minus infinity if there was none.
    """

    signals: tuple[Signal, ...]
    state: State
    last: float


def merged(uses: Iterable[UseEvent], lifecycle: Iterable[LifecycleEvent]) -> Iterator[Item]:
    """Both, each in the order of time and uid, as one row in that order."""
    rest = iter(lifecycle)
    other = next(rest, None)
    for use in uses:
        time = use.time
        while other is not None and (other.time < time or (other.time == time and other.uid < use.uid)):
            yield other
            other = next(rest, None)
        yield use
    if other is not None:
        yield other
        yield from rest


def fold(  # noqa: PLR0912 - one loop, as it runs for every event
    detectors: Sequence[Detector], items: Iterable[Item], world: World, identity: str, state: State | None = None, *,
    learned: State | None = None,
) -> Folded:  # fmt: skip
    """Fold one identity's events, or go on with those that are later than all before.

    Args:
        detectors: whose `name`s are unique.
        items: in the order of time and uid; see `merged`.
        world: what is declared.
        identity: whose events they are: its own, and those of the other names of it.
        state: where the fold before ended; None: there was none.
        learned: with what the fold begins, in each cluster: to see what comes of that alone.
    """
    state = learned if state is None else state
    told: dict[str, Signal] = {}
    states = {each.name: each.start() if state is None or each.name not in state else state[each.name] for each in detectors}
    main = _callers(detectors, states)
    elsewhere: dict[str, dict[str, State]] = {} if state is None else state.get(_ELSEWHERE, {})
    there: dict[str, _Callers] = {}
    quiet: set[Any] = set()
    last = float("-inf")
    for item in items:
        last = item.time
        always, formed, lives = main
        if item.source == _CLUSTERS and (cluster := _cluster(item, world)):
            if cluster not in there:
                begun = elsewhere.setdefault(cluster, _begun(detectors, learned))
                there[cluster] = _callers(detectors, states | begun, cluster)
            always, formed, lives = there[cluster]
        if item.__class__ is UseEvent:
            for use, own in always:
                if found := use(own, item, world):
                    _tell(told, found, identity)
            # What a person does is judged by where it is done, too.
            form = (_form_of(item), item.workload) if item.interactive else _form_of(item)
            if form not in quiet:
                heard = False
                for use, own in formed:
                    if found := use(own, item, world):
                        heard = True
                        _tell(told, found, identity)
                if not heard:
                    if len(quiet) >= _MOST_FORMS:
                        quiet.clear()
                    quiet.add(form)
        else:
            for life, own in lives:
                if found := life(own, item, world):
                    _tell(told, found, identity)
    for each in detectors:
        _tell(told, rest(states[each.name]), identity)
        each.settle(states[each.name])
        for cluster, others in elsewhere.items():
            if each.name in others:
                _tell(told, _in(cluster, rest(others[each.name])), identity)
                each.settle(others[each.name])
    return Folded(tuple(told.values()), states | {_ELSEWHERE: elsewhere} if elsewhere else states, last)


def ended(detectors: Iterable[Detector], state: State, identity: str, world: World) -> tuple[Signal, ...]:
    """What is so at `world.now`, by where the fold ended."""
    told: dict[str, Signal] = {}
    for each in detectors:
        if each.name in state:
            _tell(told, each.end(state[each.name], identity, world), identity)
        for cluster, others in state.get(_ELSEWHERE, {}).items():
            if each.name in others:
                _tell(told, _in(cluster, each.end(others[each.name], identity, world)), identity)
    return tuple(told.values())


def versions(detectors: Iterable[Detector], settings: Settings) -> str:
    """What a kept fold was made with: a fold of another version, or by other settings, is made anew."""
    return json.dumps(
        [[[each.name, each.version, each.by_cluster] for each in detectors], asdict(settings), _SAYING], separators=(",", ":")
    )


def _cluster(item: Item, world: World) -> str:
    """The cluster of a service account's event, if the name was first seen in another; else empty."""
    if not item.account or not item.identity.startswith(_OF_CLUSTER) or item.account == world.identity(item.identity).account:
        return ""
    return item.account


def _begun(detectors: Iterable[Detector], learned: State | None) -> dict[str, State]:
    """States of those who learn by the cluster, at its beginning."""
    known: Mapping[str, State] = learned or {}
    return {each.name: deepcopy(known[each.name]) if each.name in known else each.start() for each in detectors if each.by_cluster}


def _in(cluster: str, found: Iterable[Signal]) -> tuple[Signal, ...]:
    """What is said of another cluster is another thing."""
    return tuple(each._replace(value=f"{each.value} in {cluster}", observed=f"in {cluster}: {each.observed}") for each in found)


def _said_in(call: _Call, cluster: str) -> _Call:
    def called(state: Any, item: Any, world: World) -> Iterable[Signal]:
        found = call(state, item, world)
        return _in(cluster, found) if found else ()

    return called


_Call = Callable[[Any, Any, World], Iterable[Signal]]
_Calls = list[tuple[_Call, State]]
_Callers = tuple[_Calls, _Calls, _Calls]


def _callers(detectors: Iterable[Detector], states: Mapping[str, State], cluster: str = "") -> _Callers:
    """Who is called for every use, who only for uses of a form that is not known to be without interest, and who for lifecycle events."""
    always: _Calls = []
    formed: _Calls = []
    lives: _Calls = []
    for each in detectors:
        own = states[each.name]
        use: _Call = each.use
        lifecycle: _Call = each.lifecycle
        if cluster and each.by_cluster:
            use, lifecycle = _said_in(use, cluster), _said_in(lifecycle, cluster)
        if each.uses == "always":
            always.append((use, own))
        elif each.uses == "form":
            formed.append((use, own))
        if each.lives:
            lives.append((lifecycle, own))
    return always, formed, lives


def _tell(told: dict[str, Signal], found: Iterable[Signal], identity: str) -> None:
    for each in found:
        evidence = tuple(cited if cited.identity else cited._replace(identity=identity) for cited in each.evidence)
        signal = each._replace(identity=identity, evidence=evidence)
        told[signal.id] = signal
