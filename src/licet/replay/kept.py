"""The calls of a replay that are shown: the first few that each check stopped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from licet.guard import Ticket
from licet.records import Decision
from licet.replay.sessions import Session


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A call that `check` denied or asked about, or would have: in which recorded session, and where the store has it."""

    check: str
    session: str
    place: str
    task_id: str
    call_id: str


@dataclass(slots=True)
class Kept:
    """At most `most` calls for each check, in the order in which they came; `left_out` counts the others."""

    most: int
    calls: list[KeptCall] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    _shown: Counter[str] = field(default_factory=Counter)

    def add(self, session: Session, ticket: Ticket, first: Decision) -> None:
        """Take note of a call, if it was not simply allowed."""
        for check in dict.fromkeys(found.check for found in first.reasons if found.effect != "flag"):
            if ticket.task is None or self._shown[check] >= self.most:
                self.left_out[check] += 1
            else:
                self._shown[check] += 1
                self.calls.append(KeptCall(check, session.id, session.place, ticket.task.id, ticket.id))
