"""Bringing a ticket that asks to an answer: by the guard's approver, or by a framework's own means."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from licet.approval import Answer, ApprovalRequest, aask, ask
from licet.clock import Clock
from licet.guard.gate import Gate
from licet.guard.tasks import Tasks
from licet.guard.ticket import Ticket

_LOOK_AGAIN = 0.01  # seconds; while another thread asks about the same ticket


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
        with ticket.asking:  # whoever else has this ticket waits, and finds it answered
            question = self._question(ticket)
            if question is not None:
                begun = self._clock.monotonic()
                answer = ask(self._approver, question, self._seconds)
                self._answered(ticket, answer, self._clock.monotonic() - begun)

    async def asettle(self, ticket: Ticket) -> None:
        """`settle`, without blocking the event loop."""
        while not ticket.asking.acquire(blocking=False):  # noqa: ASYNC110 - the other may be a thread
            await asyncio.sleep(_LOOK_AGAIN)
        try:
            question = self._question(ticket)
            if question is not None:
                begun = self._clock.monotonic()
                answer = await aask(self._approver, question, self._seconds)
                self._answered(ticket, answer, self._clock.monotonic() - begun)
        finally:
            ticket.asking.release()

    def framework_answered(self, ticket: Ticket, approved: object) -> None:
        """Take the answer that a framework brought, possibly long after the question."""
        waited = min(self._clock.now(), ticket.asked_until) - ticket.started
        self._tasks.pause(ticket.task, max(0.0, waited))
        self._gate.resolve(ticket, approved, how="asked by the framework")

    def _question(self, ticket: Ticket) -> ApprovalRequest | None:
        if ticket.action == "ask" and ticket.approved_before:
            self._gate.resolve(ticket, approved=True, how="approved before the tool was suspended")
        return self._gate.question(ticket) if ticket.action == "ask" else None

    def _answered(self, ticket: Ticket, answer: Answer, waited: float) -> None:
        self._tasks.pause(ticket.task, waited)
        self._gate.resolve(ticket, answer.approved, answer.by, answer.how, answer.failure)
