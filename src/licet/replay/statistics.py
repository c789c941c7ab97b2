"""What a replay counts, per task kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from licet.records import Decision


@dataclass(slots=True)
class CallCounts:
    """Each call is counted once, by the guard's first word: `calls` is the sum of `allowed`, `asked` and `denied`.

    `approved` are the asked calls that ran after a yes. `checks` counts, for each check id, the calls that it denied: a call that two
    checks deny stands in both. `observed` is the same for calls that ran only because of observe mode.
    """

    calls: int = 0
    allowed: int = 0
    asked: int = 0
    approved: int = 0
    denied: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    observed: Counter[str] = field(default_factory=Counter)

    def add(self, first: Decision, last: Decision) -> None:
        """Count one call: what the guard said at first, and what held after a person was asked."""
        self.calls += 1
        if first.outcome == "allow":
            self.allowed += 1
        elif first.outcome == "ask":
            self.asked += 1
            self.approved += last.outcome == "allow"
        else:
            self.denied += 1
            self.checks.update({found.check for found in first.reasons if found.effect == "deny" and not found.observed})
        if first.outcome == "allow" and first.judged != "allow":
            self.observed.update({found.check for found in first.reasons if found.observed and found.effect != "flag"})

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "calls": self.calls,
            "allowed": self.allowed,
            "asked": self.asked,
            "approved": self.approved,
            "denied": self.denied,
            "denied_by_check": dict(self.checks.most_common()),
            "observed_by_check": dict(self.observed.most_common()),
        }


@dataclass(slots=True)
class KindStatistics:
    """The counts of one task kind. `unexecuted` are calls that the recording never ran; `touched` sessions had a denial.

    `undeclared` counts, by `tool(argument)`, what was denied only because the manifest does not name the argument.
    """

    sessions: int = 0
    touched: int = 0
    executed: CallCounts = field(default_factory=CallCounts)
    unexecuted: CallCounts = field(default_factory=CallCounts)
    undeclared: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        unexecuted = self.unexecuted.as_dict()
        return {"sessions": self.sessions, "sessions_with_denial": self.touched, **self.executed.as_dict(), "unexecuted": unexecuted}


@dataclass(slots=True)
class Statistics:
    """All task kinds of one replay."""

    kinds: dict[str, KindStatistics] = field(default_factory=dict)

    def of(self, kind: str) -> KindStatistics:
        """The counts of a kind."""
        return self.kinds.setdefault(kind, KindStatistics())

    @property
    def sessions(self) -> int:
        """Over all kinds."""
        return sum(kind.sessions for kind in self.kinds.values())

    @property
    def calls(self) -> int:
        """Over all kinds, calls that were never executed included."""
        return sum(kind.executed.calls + kind.unexecuted.calls for kind in self.kinds.values())
