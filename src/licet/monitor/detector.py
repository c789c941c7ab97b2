# ruff: noqa: ARG002 - what all detectors are called with
"""What a detector is: a fold over one identity's events.

Events come in the order of time and uid. What a detector keeps is its state: JSON objects, lists, texts and numbers, bounded in size
whatever the number of events, as it is kept between two runs (within a fold also events, see `Detector.settle`). Nothing else is kept, and
no clock is read: the same events give the same signals, at once or in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from licet.events import LifecycleEvent, UseEvent
from licet.monitor.signal import Signal
from licet.monitor.world import World

State = dict[str, Any]

Called = Literal["always", "form", "never"]
"""For which uses a detector is called: for all; for all but those that are like one of which it said nothing, in what `fold.FORM` lists
(what it says depends on these and on what was declared, and on nothing else); for none."""


class Detector:
    """One detector, without state of its own. This one says nothing; the others take from it what they do not need.

    Attributes:
        name: stable, as findings name it.
        version: another one folds every identity again.
        codes: the reason codes that it can give.
        standing: those of them that `end` gives.
        uses: for which uses it is called.
        lives: whether it is called for lifecycle events.
        by_cluster: it learns what an identity is used to, and does so for each cluster in which a service account has the same name.
    """

    name: str = ""
    version: int = 1
    codes: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    uses: Called = "never"
    lives: bool = False
    by_cluster: bool = False

    def start(self) -> State:
        """The state before the first event."""
        return {}

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """One use. Called for many, so that it returns `()` at once where it has nothing to say."""
        return ()

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Something that happened to the identity or one of its credentials."""
        return ()

    def settle(self, state: State) -> None:
        """After the last event of a fold: what is no JSON in the state becomes JSON. Until then it may hold events as they came."""

    def recall(self, bodies: Sequence[Mapping[str, Any]]) -> State:
        """The state as it was when it learned what these cited baselines say; of one that learns nothing, the first."""
        return self.start()

    def end(self, state: State, identity: str, world: World) -> Iterable[Signal]:
        """What is so at `world.now`, after the last event: dormant. Changes nothing."""
        return ()
