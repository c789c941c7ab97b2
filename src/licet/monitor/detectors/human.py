"""People at a browser or a console who use what is a machine's, by its kind or by what was declared of it."""

from __future__ import annotations

from collections.abc import Iterable

from licet.events import UseEvent
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World

_MACHINES = ("service_account", "oauth_app", "bot", "ai_agent", "pipeline")
"""A role can be a person's; it is a machine's by what was declared of it, or where the session is an instance's, a pod's or a run's."""


class Human(Detector):
    """HUMAN_USE."""

    name = "human"
    version = 2
    codes = ("HUMAN_USE",)
    uses: Called = "form"

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether a person does what a machine should."""
        if not event.interactive or event.outcome != "success":
            return ()
        known = world.identity(event.identity)
        of_credential = bool(event.credential) and _declared(world.credential(event.credential).declared)
        of_machine = of_credential or _declared(known.declared) or bool(event.workload)
        if known.kind in ("human", "service") or not (known.kind in _MACHINES or of_machine):
            return ()
        what = known.kind.replace("_", " ") if known.kind != "unknown" else "machine"
        return say(
            state, "HUMAN_USE", value="interactive", time=event.time, credential=event.credential, basis="declared",
            observed=f"{event.operation} by a person at a browser or a console{f' ({event.agent})' if event.agent else ''}",
            expected=f"use by a program only: it is a {what}'s", cited=[row(event, "use")],
        )  # fmt: skip


def _declared(declared: object) -> bool:
    return bool(getattr(declared, "uses", ()) or getattr(declared, "networks", ()))
