"""One call that several spans tell of: which of them counts. Pure.

A call that its tool suspended, or that waited for a person when its task was left, has a span more when it is taken up again. Nothing else
has two: whoever can send spans could else turn a denial into a call that was allowed, by one span that ends a nanosecond later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from licet.records import CallRecord, Used

_GOES_ON = frozenset({"running", "asked", "suspended"})


@dataclass(frozen=True, slots=True)
class Told:
    """What one span tells of a call. `end`: when it ended, in nanoseconds; `guessed`: by a framework's span without a record."""

    call: CallRecord
    end: int
    guessed: bool = False

    @property
    def denied(self) -> bool:
        """Whether it says that the call was refused."""
        return self.call.status == "denied" or self.call.decision.outcome == "deny"

    @property
    def final(self) -> bool:
        """Whether nothing can come after it."""
        return self.denied or self.call.status not in _GOES_ON


def both(one: Told, other: Told) -> tuple[Told, str]:
    """What two spans of one call tell together, in whichever order they are read, and how they contradict each other; empty: not at all.

    A denial counts whatever is said beside it; then what is final before what goes on; of two that go on the one that ended later.
    """
    if identity(one.call) != identity(other.call):
        counts = other if other.denied and not one.denied else one
        return counts, f"call {one.call.id} is another call elsewhere; {'the denial' if counts.denied else 'the first'} counts"
    counts, rest = (one, other) if _rank(one) >= _rank(other) else (other, one)
    why = ""
    if counts.final and rest.final and not (rest.guessed and not rest.denied) and _said(counts.call) != _said(rest.call):
        which = "the denial" if counts.denied > rest.denied else "what ended first"
        return counts, f"call {one.call.id} is `{_how(counts)}` in one span and `{_how(rest)}` in another, and ends once; {which} counts"
    used = _used(counts.call.used, rest.call.used)
    if used is None:
        why = f"call {one.call.id} has its values from elsewhere in another span; those of the span that counts are shown"
    call = replace(counts.call, started=min(counts.call.started, rest.call.started), used=counts.call.used if used is None else used)
    return Told(call, max(one.end, other.end), counts.guessed), why


def identity(call: CallRecord) -> tuple[str, str, int]:
    """What is the same in all spans of one call."""
    return call.task_id, call.tool, call.seq


def _rank(told: Told) -> tuple[bool, bool, bool, int]:
    """Of two that are final, the one that ended first: nothing comes after it."""
    final = told.final
    return told.denied, final and not told.guessed, final, -told.end if final else told.end


def _said(call: CallRecord) -> CallRecord:
    return replace(call, trace_id="", span_id="", attributes={})


def _how(told: Told) -> str:
    return "denied" if told.denied else told.call.status


def _used(one: tuple[Used, ...], other: tuple[Used, ...]) -> tuple[Used, ...] | None:
    """The longer of both, of which the shorter, whose record had less room, is the beginning; None: they differ."""
    short, long = sorted((one, other), key=len)
    return long if long[: len(short)] == short else None
