"""How much of the recorded traces both sides could judge, and why the rest not: numbers and shares, of bounded size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from licet.escape import visible

NAMES = 50  # tools that are counted apart
OTHERS = "others"

NOT_JUDGED = "not judged"
"""Counts calls; those of a session that cannot be judged are all among them."""
JUDGED_WITH_LESS = "judged with less"
"""Counts calls that both sides judged, and something was not known that a live guard knows."""
SESSIONS = "sessions not judged"
"""Counts sessions that were not judged."""
TAKEN = "taken as the only kind"
"""Counts sessions, each by its suite's name, that a side took for runs of its only task kind though they do not say so."""
_OF_SESSIONS = (SESSIONS, TAKEN)


@dataclass(slots=True)
class Coverage:
    """`calls` are all that were recorded, `judged` those that both sides judged; the same for sessions.

    `why` counts by group, reason and tool (or nothing): a call may stand there more than once. `bad` are lines that were no session.
    """

    calls: int = 0
    judged: int = 0
    sessions: int = 0
    judged_sessions: int = 0
    bad: int = 0
    why: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def note(self, group: str, why: str, tool: str = "", number: int = 1) -> None:
        """Count something that was not judged, or with less than a live guard has. `tool` may be any text."""
        counts = self.why.setdefault((group, why), Counter())
        name = visible(tool, 80)
        counts[name if name in counts or len(counts) < NAMES else OTHERS] += number

    def lost(self, why: str, by_tool: Mapping[str, int]) -> None:
        """Calls that are in no session, and could not be judged."""
        for tool, number in by_tool.items():
            self.calls += number
            self.note(NOT_JUDGED, why, tool, number)

    @property
    def share(self) -> float:
        """The smaller of two shares: of calls that both sides judged, and of sessions, among which each line that is none counts as one.

        0 where no call was judged.
        """
        if not self.judged:
            return 0.0
        return min(self.judged / self.calls, self.judged_sessions / (self.sessions + self.bad))

    def whole(self, group: str) -> int:
        """Of how many calls or sessions the reasons of a group speak."""
        return self.sessions + self.bad if group in _OF_SESSIONS else self.calls

    def counts(self, group: str) -> list[tuple[str, int, Counter[str]]]:
        """The reasons of a group, the most frequent first: reason, number, and number by tool."""
        rows = [(why, by_tool.total(), by_tool) for (of, why), by_tool in self.why.items() if of == group]
        return sorted(rows, key=lambda row: (-row[1], row[0]))

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        groups = {group: self._group(group) for group in (NOT_JUDGED, SESSIONS, TAKEN, JUDGED_WITH_LESS)}
        return {
            "calls": self.calls,
            "judged": self.judged,
            "sessions": self.sessions,
            "judged_sessions": self.judged_sessions,
            "bad_lines": self.bad,
            "share": round(self.share, 4),
            **{group.replace(" ", "_"): rows for group, rows in groups.items()},
        }

    def _group(self, group: str) -> list[dict[str, Any]]:
        whole = self.whole(group)
        return [
            {"why": why, "number": number, "share": round(number / whole, 4) if whole else None, "tools": _named(by_tool)}
            for why, number, by_tool in self.counts(group)
        ]

    def kept(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return numbers | {"why": [[group, why, dict(by_tool)] for (group, why), by_tool in self.why.items()]}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Coverage:
        """What `kept` has written."""
        why = {(group, why): Counter(by_tool) for group, why, by_tool in kept["why"]}
        return cls(**{name: kept[name] for name in _NUMBERS}, why=why)


_NUMBERS = ("calls", "judged", "sessions", "judged_sessions", "bad")


def _named(by_tool: Counter[str]) -> dict[str, int]:
    ordered = sorted(by_tool.items(), key=lambda each: (-each[1], each[0]))
    return {tool: number for tool, number in ordered if tool}
