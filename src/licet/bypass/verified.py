"""Tokens that were accepted at the tool's side, held against the calls that the guard let run. Pure but for the reading of records.

What a `Verifier` accepted stands in its store as used up, for some minutes; a service that writes down what it accepted has it for good.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from licet.bypass.ran import short
from licet.canonical import recordable
from licet.escape import counted
from licet.telemetry.otlp import BadSpan

_NAMES: Final = ("jti", "issuer", "tool", "task", "place")


class Accepted(NamedTuple):
    """A token that a tool's side accepted, once. `time` is in seconds since the epoch; 0 where it is not known."""

    jti: str
    issuer: str = ""
    tool: str = ""
    task: str = ""
    time: float = 0.0
    place: str = ""


class Call(NamedTuple):
    """The call that the guard gave a token to."""

    tool: str
    task: str
    ran: bool


class Wrong(NamedTuple):
    """A token that was accepted and is of no call that the guard let run, and why."""

    accepted: Accepted
    why: str


@dataclass(frozen=True, slots=True)
class Verified:
    """How many tokens were accepted, and which of them are of no call."""

    accepted: int
    wrong: tuple[Wrong, ...]

    @property
    def sentence(self) -> str:
        """In words."""
        if not self.accepted:
            return "nothing to compare: no token that a tool's side accepted is there"
        verb = "is" if len(self.wrong) == 1 else "are"
        return f"{len(self.wrong):,} of {counted(self.accepted, 'token')} that a tool's side accepted {verb} of no call of the guard's"


def verified(accepted: Iterable[Accepted], call_of: Callable[[str], Call | None]) -> Verified:
    """Hold them against the guard's calls. `call_of`: the call that a token's id was given to, if any."""
    number, wrong, seen = 0, list[Wrong](), dict[tuple[str, str], Accepted]()
    for each in accepted:
        number += 1
        if why := _why(each, call_of(each.jti), again=seen.setdefault((each.issuer, each.jti), each) is not each):
            wrong.append(Wrong(each, why))
    return Verified(number, tuple(wrong))


def _why(accepted: Accepted, call: Call | None, *, again: bool) -> str:
    if call is None:
        return "no guard of this state folder gave it to a call: another folder's guard, or somebody has the signing key"
    if accepted.task and accepted.task != call.task:
        return f"the guard gave it to a call of task {call.task or 'none'}"
    if accepted.tool and short(accepted.tool) != short(call.tool):
        return f"the guard gave it to a call of {call.tool}"
    if not call.ran:
        return "the guard denied the call that it names"
    return "it was accepted a second time, and a token is for one call" if again else ""


def spent(rows: Iterable[tuple[str, float]], place: str) -> Iterator[Accepted]:
    """Of what a store remembers as used up, what a `Verifier` accepted: by the issuer's name, which is a URI, and the token's id."""
    for name, _ in rows:
        issuer, _, jti = name.partition("\0")
        if ":" in issuer and jti:
            yield Accepted(recordable(jti), issuer, place=place)


def accepted_in(lines: Iterable[tuple[int, bytes | str]], name: str) -> Iterator[Accepted | BadSpan]:
    """What a service wrote down, a JSON object a line: `jti`, and where it has them `issuer`, `tool`, `task` and `time`."""
    for number, line in lines:
        place = f"{name}:{number}"
        if isinstance(line, str):
            yield BadSpan(place, "", line)
            continue
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            yield BadSpan(place, "", "is no JSON")
            continue
        jti = record.get("jti") if isinstance(record, dict) else None
        if not isinstance(jti, str) or not jti:
            yield BadSpan(place, "jti", 'is missing, or is no text; a line is what was accepted: {"jti": ..., "tool": ..., "time": ...}')
            continue
        told = {key: recordable(value) for key in _NAMES if isinstance(value := record.get(key), str)}
        yield Accepted(**(told | {"place": place}), time=_seconds(record.get("time")))


def _seconds(value: object) -> float:
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return 0.0
    return float(value) if type(value) in (int, float) and 0 <= value < 2**40 else 0.0  # type: ignore[operator,arg-type]
