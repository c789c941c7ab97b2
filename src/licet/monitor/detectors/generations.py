"""Renewals that show an older counter than the one in force: two hold the credential, and one of them has a copy.

As Teleport does it for bots: each renewal raises a counter, and who shows an old one is not who renewed last.
"""

from __future__ import annotations

from collections.abc import Iterable

from licet.events import LifecycleEvent
from licet.monitor.detector import Detector, State
from licet.monitor.saying import keep, row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World

_MOST = 1_024  # credentials of one identity whose counter is known


class Generations(Detector):
    """GENERATION_MISMATCH."""

    name = "generations"
    codes = ("GENERATION_MISMATCH",)
    lives = True

    def start(self) -> State:
        """`of`: by credential (empty: the identity), the highest counter, and the event that set it."""
        return {"of": {}}

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Whether what was shown is behind what is in force."""
        if event.generation < 0 and event.presented < 0:
            return ()
        of = state["of"]
        # A renewal can give the credential another id: then it goes on from the one that it takes the place of.
        inherited = of.get(event.supersedes) if event.supersedes else None
        known = of.get(event.credential) or inherited
        found: tuple[Signal, ...] = ()
        if known is not None and 0 <= event.presented < known[0]:
            found = say(
                state, "GENERATION_MISMATCH", value=known[1][0], credential=event.credential, time=event.time, basis="lifecycle",
                observed=f"generation {event.presented} was presented", expected=f"generation {known[0]}, in force since it was given",
                since=known[1][2], cited=[known[1], row(event, "renewal")],
            )  # fmt: skip
        if event.outcome == "success" and event.generation >= 0 and (known is None or event.generation > known[0]):
            keep(of, event.credential, [event.generation, row(event, "the renewal before")], _MOST)
        elif known is not None and known is inherited:
            keep(of, event.credential, known, _MOST)
        return found
