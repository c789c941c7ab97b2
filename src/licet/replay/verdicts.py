"""What each of two manifests says to a recorded call, and in which way they differ. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from licet.records import Decision, Reason

Change = Literal["newly denied", "newly asked", "newly allowed", "other reason"]
CHANGES: tuple[Change, ...] = ("newly denied", "newly asked", "newly allowed", "other reason")
Outcome = Literal["allow", "ask", "deny", "unjudged"]
OUTCOMES: tuple[Outcome, ...] = ("allow", "ask", "deny", "unjudged")

_FREE = {"deny": 0, "ask": 1, "allow": 2}
_CHANGE: dict[str, Change] = {"deny": "newly denied", "ask": "newly asked", "allow": "newly allowed"}
# What differs between two runs that decide the same: digests that are keyed anew for each task, and the beginnings of tasks' ids.
_OF_THIS_RUN = re.compile(r" #[0-9a-f]{8}(?![0-9a-f])|(?<=\btask) [0-9a-f]{8}(?![0-9a-f])")


def stable(text: str) -> str:
    """A sentence, or a step of a path, without what is another one in each run."""
    return _OF_THIS_RUN.sub("", text) if "#" in text or "task " in text else text


@dataclass(frozen=True, slots=True)
class Verdict:
    """One side's first word on one call; `why` says why there is none, or none that counts. `ran`: this side let the call run."""

    decision: Decision | None
    why: str = ""
    ran: bool = False

    @property
    def outcome(self) -> Outcome:
        """What is enforced; `unjudged` where the side cannot judge the call, so that nobody takes it for allowed."""
        return "unjudged" if self.decision is None or self.why else self.decision.outcome

    @property
    def passes(self) -> Outcome:
        """As `outcome`; but a call that this side lets run, although it knows nothing of it, passes for certain."""
        return "allow" if self.ran and self.outcome == "unjudged" else self.outcome

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why; of an unjudged call too, as far as there is anything."""
        return self.decision.reasons if self.decision is not None else ()


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """A recorded call, by its number in its session from 1, and what both sides say to it."""

    number: int
    tool: str
    old: Verdict
    new: Verdict

    @property
    def judged(self) -> bool:
        """Whether both sides judged it."""
        return self.old.outcome != "unjudged" and self.new.outcome != "unjudged"

    @property
    def change(self) -> Change | None:
        """In which way the new side differs; None where it does not, or where one of the two could not judge, and did not let it run."""
        old, new = self.old.passes, self.new.passes
        if old == "unjudged" or new == "unjudged":
            return None
        if old != new:
            return _CHANGE[new]
        if not self.judged:
            return None
        if not self.old.reasons and not self.new.reasons:
            return None
        return "other reason" if told(self.old.reasons) != told(self.new.reasons) else None

    @property
    def widened(self) -> bool:
        """Whether the new side lets more pass: what was denied it allows or asks about, what was asked about it allows."""
        old, new = self.old.passes, self.new.passes
        return "unjudged" not in (old, new) and _FREE[new] > _FREE[old]


def told(reasons: tuple[Reason, ...]) -> tuple[tuple[str, str, bool, str, tuple[str, ...]], ...]:
    """Reasons as they can be compared between two runs."""
    return tuple((found.check, found.effect, found.observed, stable(found.sentence), tuple(map(stable, found.path))) for found in reasons)


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """What both sides say to one session. `old_kind`, `new_kind`: the task kind on each side, empty where none could be told."""

    id: str
    place: str
    old_kind: str
    new_kind: str
    calls: tuple[CallOutcome, ...]

    @property
    def kind(self) -> str:
        """The new side's kind, else the old one's."""
        return self.new_kind or self.old_kind

    @property
    def judged(self) -> bool:
        """Whether both sides could begin a task for it."""
        return bool(self.old_kind and self.new_kind)
