"""Bringing a ticket that asks to an answer: by the guard's approver, or by a framework's own means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from licet.approval import Answer, aask, ask
from licet.clock import Clock
from licet.guard.gate import Gate
from licet.guard.tasks import Tasks
from licet.guard.ticket import Ticket


class Asking:
    """Asks, waits at most `seconds`, and hands the answer to the gate. The time that a person takes does not count for the task."""

    def __init__(
        self, gate: Gate, tasks: Tasks, clock: Clock, *, approver: Callable[..., bool | Awaitable[bool]] | None, seconds: float
    ) -> None:
        self._gate, self._tasks, self._clock = gate, tasks, clock
        self._approver, self._seconds = approver, seconds

    @property
    def has_approver(self) -> bool:
        """Whether there is anybody to ask."""
        return self._approver is not None

    def settle(self, ticket: Ticket) -> None:
        """Bring a ticket whose action is `ask` to an answer; leave every other as it is."""
        if not self._open(ticket):
            return
        begun = self._clock.monotonic()
        answer = ask(self._approver, self._gate.question(ticket), self._seconds)
        self._answered(ticket, answer, self._clock.monotonic() - begun)

    async def asettle(self, ticket: Ticket) -> None:
        """`settle`, without blocking the event loop."""
        if not self._open(ticket):
            return
        begun = self._clock.monotonic()
        answer = await aask(self._approver, self._gate.question(ticket), self._seconds)
        self._answered(ticket, answer, self._clock.monotonic() - begun)

    def framework_answered(self, ticket: Ticket, approved: object) -> None:
        """Take the answer that a framework brought, possibly long after the question."""
        waited = min(self._clock.now(), ticket.asked_until) - ticket.started
        self._tasks.pause(ticket.task, max(0.0, waited))
        self._gate.resolve(ticket, approved, how="asked by the framework")

    def _open(self, ticket: Ticket) -> bool:
        if ticket.action == "ask" and ticket.approved_before:
            self._gate.resolve(ticket, approved=True, how="approved before the tool was suspended")
            return False
        return ticket.action == "ask"

    def _answered(self, ticket: Ticket, answer: Answer, waited: float) -> None:
        self._tasks.pause(ticket.task, waited)
        self._gate.resolve(ticket, answer.approved, answer.by, answer.how, answer.failure)
