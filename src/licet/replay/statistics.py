"""What a replay counts, per task kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from licet.records import Decision, Reason

Group = Literal["benign_solved", "benign", "attack_reached", "attack_not_reached"]
GROUPS: tuple[Group, ...] = ("benign_solved", "benign", "attack_reached", "attack_not_reached")
"""What the data says of a session: `benign` are those without an attack that did not solve their task, or of which this is not said."""

ALARMS = ("origin.", "flow.")


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
class CheckCounts:
    """How often one check spoke: `calls` by its effect (`deny`, `ask`, `flag`), `sessions` in which it did, by what the data says of them.

    An observed reason counts by the effect that it would have had, and once more in `observed`. `labels` counts the calls on which it
    denied or asked by what the data says of the call (`none`: nothing).
    """

    calls: Counter[str] = field(default_factory=Counter)
    observed: int = 0
    sessions: int = 0
    groups: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            **{effect: self.calls[effect] for effect in ("deny", "ask", "flag")},
            "observed": self.observed,
            "sessions": self.sessions,
            "sessions_by_group": {group: self.groups[group] for group in GROUPS},
            "calls_by_label": dict(self.labels.most_common()),
        }


@dataclass(slots=True)
class SessionCounts:
    """The sessions of one group: how many there are, how many had a denial, and how many an alarm (see `KindStatistics`)."""

    sessions: int = 0
    touched: int = 0
    alarms: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        rate = round(self.alarms / self.sessions, 4) if self.sessions else None
        return {"sessions": self.sessions, "with_denial": self.touched, "alarms": self.alarms, "alarm_rate": rate}


@dataclass(slots=True)
class KindStatistics:
    """The counts of one task kind. `unexecuted` are calls that the recording never ran; `touched` sessions had a denial.

    `alarms` are sessions in which an origin or flow check denied or asked, or would have. `writes` are calls of tools that write, and
    `ruled` those of them of which some argument is under an origin rule. `undeclared` counts, by `tool(argument)`, what was denied only
    because the manifest does not name the argument; `unlabelled`, by tool, text outputs of tools whose `fields:` need structure.
    """

    sessions: int = 0
    touched: int = 0
    alarms: int = 0
    writes: int = 0
    ruled: int = 0
    executed: CallCounts = field(default_factory=CallCounts)
    unexecuted: CallCounts = field(default_factory=CallCounts)
    checks: dict[str, CheckCounts] = field(default_factory=dict)
    groups: dict[Group, SessionCounts] = field(default_factory=dict)
    undeclared: Counter[str] = field(default_factory=Counter)
    unlabelled: Counter[str] = field(default_factory=Counter)

    def end(self, session: SessionTrace, group: Group) -> None:
        """Count a session that is over."""
        counts = self.groups.setdefault(group, SessionCounts())
        for each in (self, counts):
            each.sessions += 1
            each.touched += session.denied
            each.alarms += session.alarmed
        for check, reasons in session.fired.items():
            mine = self.checks.setdefault(check, CheckCounts())
            mine.sessions += 1
            mine.groups[group] += 1
            for effect, observed, label in reasons:
                mine.calls[effect] += 1
                mine.observed += observed
                if effect != "flag":
                    mine.labels[label or "none"] += 1

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "sessions": self.sessions,
            "sessions_with_denial": self.touched,
            "alarms": self.alarms,
            "alarm_rate": round(self.alarms / self.sessions, 4) if self.sessions else None,
            "write_calls": self.writes,
            "write_calls_with_origin_rule": self.ruled,
            **self.executed.as_dict(),
            "checks": {check: counts.as_dict() for check, counts in sorted(self.checks.items())},
            "groups": {group: self.groups[group].as_dict() for group in GROUPS if group in self.groups},
            "unexecuted": self.unexecuted.as_dict(),
        }


@dataclass(slots=True)
class SessionTrace:
    """What was said to one session: for each check, on each call on which it spoke, its strictest effect, whether only observed, and the
    call's label."""

    denied: bool = False
    alarmed: bool = False
    fired: dict[str, list[tuple[str, bool, str]]] = field(default_factory=dict)

    def add(self, first: Decision, label: str) -> None:
        """Take in the guard's first word on one call."""
        self.denied = self.denied or first.outcome == "deny"
        strictest: dict[str, Reason] = {}
        for found in first.reasons:
            known = strictest.get(found.check)
            if known is None or _STRICTNESS[found.effect] > _STRICTNESS[known.effect]:
                strictest[found.check] = found
        for check, found in strictest.items():
            self.fired.setdefault(check, []).append((found.effect, found.observed, label))
            self.alarmed = self.alarmed or (found.effect != "flag" and check.startswith(ALARMS))


_STRICTNESS = {"flag": 0, "ask": 1, "deny": 2}


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
    def alarms(self) -> int:
        """Sessions with an alarm, over all kinds."""
        return sum(kind.alarms for kind in self.kinds.values())

    @property
    def calls(self) -> int:
        """Over all kinds, calls that were never executed included."""
        return sum(kind.executed.calls + kind.unexecuted.calls for kind in self.kinds.values())
