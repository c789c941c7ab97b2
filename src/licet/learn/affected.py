"""Which of the differences between two manifests can be why a recorded call is decided otherwise, or for another reason.

A reason names its check, and a check looks at certain keys of the manifest. Where several keys changed of which one check speaks, the call
counts for each of them; where none did, it follows from what became of an earlier call of the session.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from licet.learn.differences.found import Difference
from licet.records import Reason
from licet.replay.verdicts import CallOutcome, Change, SessionOutcome, Verdict, told

_LABELS = frozenset({"output", "fields", "format", "store"})
_WHERE = _LABELS | {"origin", "content", "access", "egress", "arguments"}
_KEYS: tuple[tuple[str, frozenset[str]], ...] = (
    ("scope.argument", frozenset({"arguments", "unknown_arguments"})),
    ("scope.budget", frozenset({"at_most", "budgets"})),
    ("scope.approval", frozenset({"ask"})),
    ("scope.expired", frozenset({"ttl"})),
    ("chain.order", frozenset({"chain"})),
    ("chain.novel", frozenset({"baseline", "model", "access", "egress"}) | _LABELS),
    ("chain.escalation", frozenset({"baseline", "model", "access"}) | _LABELS),
    ("origin.", _WHERE),
    ("flow.", _WHERE | {"flows", "reveals", "destination", "audience"}),
    ("environment.", frozenset({"environment", "edges", "credential"})),
    ("credential.", frozenset({"credential", "credentials"})),
    ("tool.", frozenset({"definition"})),
    ("identity.", frozenset({"agents", "access", "environment"})),
)
_MOST_KEPT = 10_000  # names of tools in recordings may be any
_OF_OTHERS = _LABELS | {"reveals"}  # keys of one tool that decide calls of another


@dataclass(slots=True)
class Count:
    """The calls that a difference can have decided: how many of each change, in how many sessions, and where the first ones stand."""

    changes: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    first: list[dict[str, object]] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """As plain data."""
        return {"calls": dict(self.changes), "sessions": self.sessions, "first": self.first}


class Affected:
    """Counts, for each of `differences`, the calls that both manifests judged, and that changed. `most`: how many are named.

    What changed is what `licet.replay.Changes` counts, a call that is decided alike for another reason among it.
    """

    def __init__(self, differences: Sequence[Difference], most: int = 3) -> None:
        self._differences = differences
        self._most = most
        self._near: dict[tuple[str, str], list[int]] = {}  # by kind and tool: the differences that can speak of such a call
        self.by_difference = [Count() for _ in differences]
        self.unexplained = Count()
        """Calls of which no difference speaks by itself."""
        self.calls = 0
        """How many calls changed, each counted once."""

    def add(self, session: SessionOutcome) -> None:
        """One session that was held against both."""
        seen: set[int] = set()
        for call in session.calls:
            if call.change is None:
                continue
            self.calls += 1
            reasons = _other_reasons(call, call.change)
            found = [index for index in self._of(session.kind, call.tool) if _speaks_of(self._differences[index], reasons)]
            for count in [self.by_difference[index] for index in found] or [self.unexplained]:
                count.changes[call.change] += 1
                count.sessions += id(count) not in seen
                seen.add(id(count))
                if len(count.first) < self._most:
                    count.first.append(
                        {"session": session.id, "place": session.place, "call": call.number, "tool": call.tool, **_why(call)}
                    )

    def _of(self, kind: str, tool: str) -> list[int]:
        found = self._near.get((kind, tool))
        if found is None:
            found = [index for index, each in enumerate(self._differences) if _is_near(each, kind, tool)]
            if len(self._near) < _MOST_KEPT:
                self._near[kind, tool] = found
        return found


def _why(call: CallOutcome) -> dict[str, object]:
    return {"change": call.change, "old": _side(call.old), "new": _side(call.new)}


def _side(verdict: Verdict) -> dict[str, object]:
    return {"outcome": verdict.outcome, "checks": list(dict.fromkeys(found.check for found in verdict.reasons if found.effect != "flag"))}


def _is_near(difference: Difference, kind: str, tool: str) -> bool:
    """Whether it is of this kind and tool, or of what every tool's calls depend on."""
    if not difference.decides or difference.kind not in ("", kind):
        return False
    path = difference.path
    return difference.tool in ("", tool) or (path[0] == "tools" and path[2:3] != () and path[2] in _OF_OTHERS)


def _speaks_of(difference: Difference, reasons: Sequence[Reason]) -> bool:
    """Whether it can be why a call was decided by these reasons. `difference` is near the call."""
    path = difference.path
    whole_kind, whole_grant = path[0] == "tasks" and len(path) == 2, path[0] == "tasks" and path[2:3] == ("tools",) and len(path) == 4
    if whole_kind or whole_grant:
        return True  # only one of both has it: every reason may be for want of it
    return any(_looks_at(found, path) for found in reasons)


_STOP: Mapping[str, frozenset[str]] = {
    "newly denied": frozenset({"deny"}), "newly asked": frozenset({"ask", "deny"}), "newly allowed": frozenset({"ask", "deny"}),
}  # fmt: skip
"""What a reason must ask for to be why. What only flags denies nothing."""


def _other_reasons(call: CallOutcome, change: Change) -> list[Reason]:
    """The reasons that only one side has; where both have the same, all of them: then what is done with them differs."""
    sides = [(call.old.reasons, told(call.new.reasons)), (call.new.reasons, told(call.old.reasons))]
    found = [each for reasons, others in sides for each in reasons if told((each,))[0] not in others]
    stop = [each for each in found if each.effect in _STOP.get(change, ()) and not each.observed]
    return stop or found or [*call.old.reasons, *call.new.reasons]


def _looks_at(reason: Reason, path: tuple[str, ...]) -> bool:
    if "checks" in path or path[-1] in ("mode", "until"):
        return reason.check in path or "checks" not in path
    keys = next((keys for check, keys in _KEYS if reason.check.startswith(check)), frozenset[str]())
    if not keys.intersection(path):
        return False
    if reason.check == "scope.argument" and "arguments" in path:  # the argument stands in both
        return path[path.index("arguments") + 1] in reason.path or not reason.path
    return True
