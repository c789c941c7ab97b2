"""Logging that somebody turned off: a trail stopped or deleted, a stream of logs deactivated."""

from __future__ import annotations

from collections.abc import Iterable

from licet.events import LifecycleEvent
from licet.monitor.detector import Detector, State
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World


class Logging(Detector):
    """LOGGING_DISABLED."""

    name = "logging"
    codes = ("LOGGING_DISABLED",)
    lives = True

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Whether logging ends by it. It concerns whoever did it."""
        if event.kind != "logging_stopped" or event.outcome != "success":
            return ()
        what = event.reason or event.privilege or "the log"
        return say(
            state, "LOGGING_DISABLED", value=f"{event.source} {event.account} {what}", time=event.time, credential=event.credential,
            basis="catalogue", observed=f"turned off logging: {what}{f' in {event.account}' if event.account else ''}",
            expected="logging stays on", cited=[row(event, "end of logging")],
        )  # fmt: skip
