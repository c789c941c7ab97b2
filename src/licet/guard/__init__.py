"""The guard: the only place that wires the floors below into one flow."""

from licet.guard.facade import Guard
from licet.guard.task import GuardedTask
from licet.guard.ticket import CurrentCall, Ticket, current_call

__all__ = ["CurrentCall", "Guard", "GuardedTask", "Ticket", "current_call"]
