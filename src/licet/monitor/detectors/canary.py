"""Credentials that nobody may use: any use of one is misuse, and so is an attempt that was denied."""

from __future__ import annotations

from collections.abc import Iterable

from licet.events import UseEvent
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World


class Canary(Detector):
    """CANARY_TOUCHED."""

    name = "canary"
    codes = ("CANARY_TOUCHED",)
    uses: Called = "form"

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether a canary was used."""
        if not event.credential or not world.credential(event.credential).canary:
            return ()
        how = {"success": "with success", "denied": "and was denied", "failed": "and failed"}[event.outcome]
        return say(
            state, "CANARY_TOUCHED", value="canary", time=event.time, credential=event.credential, basis="declared",
            observed=f"{event.operation} was tried with a canary{f' from {event.ip}' if event.ip else ''}, {how}",
            expected="no use by anybody: it is a canary", cited=[row(event, "use")],
        )  # fmt: skip
