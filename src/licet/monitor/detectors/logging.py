"""Logging that somebody turned off: a trail stopped or deleted, a stream of logs deactivated."""

from __future__ import annotations

from collections.abc import Iterable

from licet.events import LifecycleEvent, UseEvent
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World


class Logging(Detector):
    """LOGGING_DISABLED."""

    name = "logging"
    version = 3
    codes = ("LOGGING_DISABLED",)
    uses: Called = "always"
    lives = True

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Keep it until the next one: what a record did stands right behind the use that it is."""
        state["use"] = event
        return ()

    def settle(self, state: State) -> None:
        """A record is never cut into two folds."""
        state.pop("use", None)

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """Whether logging ends by it. It concerns whoever did it."""
        if event.kind != "logging_stopped" or event.outcome != "success":
            return ()
        what = event.reason or event.privilege or "the log"
        # The event is of the log, so that the credential with which it was turned off is known by the use that the same record is.
        use: UseEvent | None = state.get("use")
        if use is None or not use.credential or (use.source, use.native_id) != (event.source, event.native_id.partition("#")[0]):
            use = None
        return say(
            state, "LOGGING_DISABLED", value=f"{event.source} {event.account} {what}", time=event.time, basis="catalogue",
            credential=use.credential if use else event.credential,
            observed=f"turned off logging: {what}{f' in {event.account}' if event.account else ''}{_how(use)}",
            expected="logging stays on", cited=[*([row(use, "use")] if use else []), row(event, "end of logging")],
        )  # fmt: skip


def _how(use: UseEvent | None) -> str:
    """From where, with which program and with what it was done, as far as the record tells."""
    if use is None:
        return ""
    kind = use.credential_kind.replace("_", " ") or "credential"
    said = (f"from {use.ip}" if use.ip else "", f"with {use.agent}" if use.agent else "", f"by {kind} {use.credential[:13]}")
    return f", {' '.join(each for each in said if each)}"
