"""The fold: the events of one identity, one after the other in the order of time and uid, through all detectors.

The same events give the same signals and the same state, however they are cut: what a piece leaves behind is all that the next one needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from operator import itemgetter
from typing import Any, NamedTuple

from licet.events import LifecycleEvent, UseEvent
from licet.monitor.detector import Detector, State
from licet.monitor.saying import rest
from licet.monitor.signal import Signal
from licet.monitor.world import Settings, World

Item = UseEvent | LifecycleEvent

_MOST_FORMS = 50_000
_SAYING = 2  # of what `saying` keeps in a state
FORM = (
    "identity", "operation", "outcome", "access", "credential", "account", "region", "ip", "interactive", "resource_account",
    "identity_kind", "error",
)  # fmt: skip
"""What makes two uses alike; see `licet.monitor.detector.Called`."""

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
    detectors: Sequence[Detector], items: Iterable[Item], world: World, identity: str, state: State | None = None
) -> Folded:  # fmt: skip
    """Fold one identity's events, or go on with those that are later than all before.

    Args:
        detectors: whose `name`s are unique.
        items: in the order of time and uid; see `merged`.
        world: what is declared.
        identity: whose events they are: its own, and those of the other names of it.
        state: where the fold before ended; None: there was none.
    """
    told: dict[str, Signal] = {}
    states = {each.name: each.start() if state is None or each.name not in state else state[each.name] for each in detectors}
    always, formed, lives = _callers(detectors, states)
    quiet: set[Any] = set()
    last = float("-inf")
    for item in items:
        last = item.time
        if item.__class__ is UseEvent:
            for use, own in always:
                if found := use(own, item, world):
                    _tell(told, found, identity)
            form = _form_of(item)
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
    return Folded(tuple(told.values()), states, last)


def ended(detectors: Iterable[Detector], state: State, identity: str, world: World) -> tuple[Signal, ...]:
    """What is so at `world.now`, by where the fold ended."""
    told: dict[str, Signal] = {}
    for each in detectors:
        if each.name in state:
            _tell(told, each.end(state[each.name], identity, world), identity)
    return tuple(told.values())


def versions(detectors: Iterable[Detector], settings: Settings) -> str:
    """What a kept fold was made with: a fold of another version, or by other settings, is made anew."""
    return json.dumps([[[each.name, each.version] for each in detectors], asdict(settings), _SAYING], separators=(",", ":"))


_Calls = list[tuple[Callable[[Any, Any, World], Iterable[Signal]], State]]


def _callers(detectors: Iterable[Detector], states: State) -> tuple[_Calls, _Calls, _Calls]:
    """Who is called for every use, who only for uses of a form that is not known to be without interest, and who for lifecycle events."""
    always: _Calls = []
    formed: _Calls = []
    lives: _Calls = []
    for each in detectors:
        own = states[each.name]
        if each.uses == "always":
            always.append((each.use, own))
        elif each.uses == "form":
            formed.append((each.use, own))
        if each.lives:
            lives.append((each.lifecycle, own))
    return always, formed, lives


def _tell(told: dict[str, Signal], found: Iterable[Signal], identity: str) -> None:
    for each in found:
        evidence = tuple(cited if cited.identity else cited._replace(identity=identity) for cited in each.evidence)
        signal = each._replace(identity=identity, evidence=evidence)
        told[signal.id] = signal
