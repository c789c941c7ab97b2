"""Uses in another environment than the identity's own, where no edge leads there.

Its own is what was declared for the credential, else for the identity, else that of the account which its own name says (an ARN). Where it
is used is the environment of the account, and of the account of the resource. An environment that nobody declared is none. What failed as
only what was let in can fail was let in.
"""

from __future__ import annotations

from collections.abc import Iterable

from licet.events import UseEvent
from licet.inventory.life import let_in
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World


class Crossing(Detector):
    """ENV_CROSSING."""

    name = "crossing"
    version = 2
    codes = ("ENV_CROSSING",)
    uses: Called = "form"

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether it is from one environment into another."""
        done = let_in(event)
        if event.outcome == "failed" and not done:
            return ()
        origin = own_environment(event, world)
        if not origin:
            return ()
        found: tuple[Signal, ...] = ()
        for account in (event.account, event.resource_account):
            target = world.environment(account) if account else ""
            if target and target != origin and not world.edge(origin, target):
                found += say(
                    state, "ENV_CROSSING", value=f"{'' if done else 'denied '}{origin}>{target} {account}", time=event.time,
                    credential=event.credential, alert=done, points=None if done else 40, basis="declared",
                    severity=("medium" if event.access == "read" else "high") if done else "low",
                    observed=f"an identity of {origin} {'did' if done else 'tried'} {event.operation} in {target} ({account})",
                    expected=f"no use in {target}: no edge leads there from {origin}", cited=[row(event, "use")],
                )  # fmt: skip
        return found


def own_environment(event: UseEvent, world: World) -> str:
    """The environment that an identity belongs to; empty if it is not known."""
    if event.credential and (declared := world.credential(event.credential).declared.environment):
        return declared
    known = world.identity(event.identity)
    if known.declared.environment:
        return known.declared.environment
    parts = event.identity.split(":", 5)
    return world.environment(parts[4]) if len(parts) == 6 and parts[0] == "arn" and parts[4] else ""
