"""What two manifests decide differently over many sessions: counts, and the first calls of each kind of change. Of bounded size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from licet.escape import visible
from licet.records import Reason
from licet.replay.coverage import NAMES, OTHERS
from licet.replay.verdicts import CHANGES, CallOutcome, Change, SessionOutcome, Verdict, stable

_LONGEST = 300  # characters that are kept of a name, a place or a sentence
_MAX_REASONS = 5  # of one side of one call
_NONE = "(none)"


@dataclass(frozen=True, slots=True)
class Said:
    """One side's word on a kept call: each reason is a check, what it asks for (`observed` if it is only recorded) and a sentence."""

    outcome: str
    reasons: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class ChangedCall:
    """A changed call that is shown: where it stands, and what both sides say."""

    change: Change
    kind: str
    session: str
    place: str
    number: int
    tool: str
    old: Said
    new: Said


@dataclass(slots=True)
class Changes:
    """Sums over sessions. At most `most` calls of each kind of change are kept; `left_out` counts the others.

    `outcomes` counts calls by task kind and by both outcomes; `tools` changed calls by kind, tool and change; `checks` by change and
    check: those that now deny or ask, and, of what is newly allowed, those that did. `widened` are the calls that the new side lets pass
    further than the old one.
    """

    most: int = 10
    sessions: int = 0
    changed_sessions: int = 0
    calls: int = 0
    widened: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    tools: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    checks: Counter[tuple[str, str]] = field(default_factory=Counter)
    shown: list[ChangedCall] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    _names: set[tuple[str, str]] = field(default_factory=set)

    def add(self, session: SessionOutcome) -> None:
        """Take in one session."""
        kind, changed = session.kind, False
        self.sessions += 1
        self.calls += len(session.calls)
        for call in session.calls:
            self.outcomes[kind, call.old.outcome, call.new.outcome] += 1
            change = call.change
            if change is not None:
                changed = True
                self._changed(session, call, change)
        self.changed_sessions += changed

    def _changed(self, session: SessionOutcome, call: CallOutcome, change: Change) -> None:
        self.changes[change] += 1
        self.widened += call.widened
        self.tools[session.kind, self._name(session.kind, call.tool), change] += 1
        for check in _responsible(call, change):
            self.checks[change, check] += 1
        if self.changes[change] > self.most:
            self.left_out[change] += 1
            return
        place, tool = _cut(session.place), _cut(call.tool)
        old, new = _said(call.old, call.old.reasons), _said(call.new, _new_first(call))
        kept = ChangedCall(change, session.kind, _cut(session.id), place, call.number, tool, old, new)
        self.shown.append(kept)

    def _name(self, kind: str, tool: str) -> str:
        """The tool's name as it is counted: a recording can hold any number of names."""
        name = _cut(tool)
        if (kind, name) in self._names:
            return name
        if sum(each == kind for each, _ in self._names) >= NAMES:
            return OTHERS
        self._names.add((kind, name))
        return name

    @property
    def decided(self) -> int:
        """How many calls are decided differently: all changed ones but those that only have another reason."""
        return self.changes.total() - self.changes["other reason"]

    def found(self, fail_on: str) -> bool:
        """Whether there is what a run is to fail on: `widened`, `denied` (newly denied), `any` (decided differently), `reasons` (that, or
        for other reasons), or `never`.
        """
        changes = self.changes
        numbers = {"widened": self.widened, "denied": changes["newly denied"], "any": self.decided, "reasons": changes.total(), "never": 0}
        return numbers[fail_on] > 0

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "sessions": self.sessions,
            "changed_sessions": self.changed_sessions,
            "calls": self.calls,
            "changed_calls": self.changes.total(),
            "decided_differently": self.decided,
            "widened_calls": self.widened,
            "changes": {change: self.changes[change] for change in CHANGES},
            "outcomes": [
                {"kind": kind, "old": old, "new": new, "calls": number} for (kind, old, new), number in sorted(self.outcomes.items())
            ],
            "tools": [
                {"kind": kind, "tool": tool, "change": change, "calls": number}
                for (kind, tool, change), number in sorted(self.tools.items())
            ],
            "checks": [{"change": change, "check": check, "calls": number} for (change, check), number in sorted(self.checks.items())],
            "shown": [_plain(each) for each in self.shown],
            "left_out": {change: self.left_out[change] for change in CHANGES if self.left_out[change]},
        }

    def kept(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        counters = {name: [[*key, number] for key, number in getattr(self, name).items()] for name in ("outcomes", "tools", "checks")}
        simple = {"changes": dict(self.changes), "left_out": dict(self.left_out)}
        return numbers | counters | simple | {"shown": [asdict(each) for each in self.shown], "names": sorted(map(list, self._names))}

    @classmethod
    def resumed(cls, kept: Mapping[str, Any]) -> Changes:
        """What `kept` has written."""
        made = cls(**{name: kept[name] for name in _NUMBERS})
        for name in ("outcomes", "tools", "checks"):
            getattr(made, name).update({tuple(key): number for *key, number in kept[name]})
        made.changes.update(kept["changes"])
        made.left_out.update(kept["left_out"])
        made.shown = [ChangedCall(**(each | {side: _said_again(each[side]) for side in ("old", "new")})) for each in kept["shown"]]
        made._names = {(kind, name) for kind, name in kept["names"]}
        return made


_NUMBERS = ("most", "sessions", "changed_sessions", "calls", "widened")


def _responsible(call: CallOutcome, change: Change) -> list[str]:
    """The checks to which a change is owed: of what is newly allowed those that stopped it before, else those that speak now."""
    if change == "other reason":
        old, new = _texts(call.old), _texts(call.new)
        return sorted({check for check, _ in old ^ new}) or [_NONE]
    side, effect = (call.old, call.old.outcome) if change == "newly allowed" else (call.new, call.new.outcome)
    found = {each.check for each in side.reasons if each.effect == effect and not each.observed}
    return sorted(found) or [_NONE]


def _texts(verdict: Verdict) -> set[tuple[str, str]]:
    return {(each.check, f"{each.effect} {each.observed} {stable(each.sentence)}") for each in verdict.reasons}


def _said(verdict: Verdict, reasons: Sequence[Reason]) -> Said:
    outcome = "not judged, and runs" if verdict.passes != verdict.outcome else verdict.outcome
    return Said(outcome, tuple(map(_reason, reasons[:_MAX_REASONS])))


def _new_first(call: CallOutcome) -> list[Reason]:
    """The new side's reasons; where not all are kept, those that the old side does not have."""
    reasons = call.new.reasons
    if len(reasons) <= _MAX_REASONS:
        return list(reasons)
    known = set(map(_reason, call.old.reasons))
    return sorted(reasons, key=lambda found: _reason(found) in known)


def _reason(found: Reason) -> tuple[str, str, str]:
    return found.check, "observed" if found.observed else found.effect, _cut(stable(found.sentence))


def _said_again(kept: Mapping[str, Any]) -> Said:
    return Said(kept["outcome"], tuple((check, effect, sentence) for check, effect, sentence in kept["reasons"]))


def _cut(text: str) -> str:
    return visible(text, _LONGEST)


def _plain(call: ChangedCall) -> dict[str, Any]:
    sides = {
        name: {
            "outcome": side.outcome,
            "reasons": [{"check": check, "effect": effect, "sentence": sentence} for check, effect, sentence in side.reasons],
        }
        for name, side in (("old", call.old), ("new", call.new))
    }
    return asdict(call) | sides
