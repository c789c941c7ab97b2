"""Uses outside what was declared: operations, regions, networks. What was declared of the credential counts, else of the identity."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from licet.events import UseEvent
from licet.inventory.life import let_in
from licet.monitor.detector import Called, Detector, State
from licet.monitor.networks import within
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import World
from licet.records import Severity


class Purpose(Detector):
    """OUT_OF_PURPOSE_USE, OUT_OF_REGION_USE, OUT_OF_NETWORK_USE. What was denied has points only."""

    name = "purpose"
    version = 2
    codes = ("OUT_OF_PURPOSE_USE", "OUT_OF_REGION_USE", "OUT_OF_NETWORK_USE")
    uses: Called = "form"

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Hold it against what was declared."""
        if event.outcome == "failed" and not let_in(event):
            return ()
        of = world.identity(event.identity).declared
        own = world.credential(event.credential).declared if event.credential else of
        found: tuple[Signal, ...] = ()
        if (uses := own.uses or of.uses) and not is_for(event.operation, uses):
            what = f" ({purpose})" if (purpose := own.purpose or of.purpose) else ""
            found += _outside(
                state, event, "OUT_OF_PURPOSE_USE", event.operation, observed=f"did {event.operation}", expected=f"{_listed(uses)}{what}"
            )
        if (regions := own.regions or of.regions) and event.region and event.region not in regions:
            found += _outside(
                state,
                event,
                "OUT_OF_REGION_USE",
                event.region,
                observed=f"did {event.operation} in {event.region}",
                expected=f"regions {_listed(regions)}",
            )
        networks = own.networks or of.networks
        # Without an address of its own it is the platform that calls on behalf of somebody.
        if networks and event.ip and event.network and not within(event.ip, networks):
            found += _outside(
                state,
                event,
                "OUT_OF_NETWORK_USE",
                event.network,
                observed=f"did {event.operation} from {event.ip}",
                expected=f"networks {_listed(networks)}",
            )
        return found


def _outside(state: State, event: UseEvent, code: str, value: str, *, observed: str, expected: str) -> tuple[Signal, ...]:
    done = let_in(event)
    severity: Severity = ("high" if event.access in ("admin", "write") else "medium") if done else "low"
    return say(
        state, code, value=value if done else f"denied {value}", time=event.time, credential=event.credential, alert=done,
        points=None if done else 30, severity=severity, basis="declared", observed=observed if done else f"{observed}, and was denied",
        expected=expected, cited=[row(event, "use" if done else "attempt")],
    )  # fmt: skip


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


@lru_cache(65_536)
def is_for(operation: str, uses: tuple[str, ...]) -> bool:
    """Whether an operation is among these patterns: `service:operation`, with `*` at the end only."""
    return any(operation.startswith(each[:-1]) if each.endswith("*") else operation == each for each in uses)
