"""What a detector is: a fold over one identity's events.

Events come in the order of time and uid. What a detector keeps is its state: JSON objects, lists, texts and numbers only, bounded in size
whatever the number of events, as it is kept between two runs. Nothing else is kept, and no clock is read: the same events give the same
signals, at once or in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from licet.events import LifecycleEvent, UseEvent
from licet.monitor.signal import Signal
from licet.monitor.world import World

State = dict[str, Any]


class Detector(Protocol):
    """One detector, without state of its own.

    Attributes:
        name: stable, as findings name it.
        version: another one folds every identity again.
        codes: the reason codes that it can give.
    """

    name: str
    version: int
    codes: tuple[str, ...]

    def start(self) -> State:
        """The state before the first event."""

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """One use. Called for every use, so that it returns `()` at once where it has nothing to say."""

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Something that happened to the identity or one of its credentials."""

    def end(self, state: State, identity: str, world: World) -> Iterable[Signal]:
        """What is so at `world.now`, after the last event: dormant, unowned. Changes nothing."""
