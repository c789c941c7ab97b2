"""The guard: the only place that wires the floors below into one flow."""

from typing import TYPE_CHECKING, Any

from licet.lazy import exports

if TYPE_CHECKING:
    from licet.guard.facade import Guard
    from licet.guard.task import GuardedTask
    from licet.guard.ticket import CurrentCall, Ticket, current_call

# Imported when first asked for: who only wants to know where the state is needs no guard.
_HOME = {"licet.guard.facade": "Guard", "licet.guard.task": "GuardedTask", "licet.guard.ticket": "CurrentCall Ticket current_call"}


def __getattr__(name: str) -> Any:
    return exports(__name__, _HOME, name)


__all__ = ["CurrentCall", "Guard", "GuardedTask", "Ticket", "current_call"]
