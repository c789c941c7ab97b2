"""What a checkpoint holds, as it must stand there: anything else is not taken up. Counts that do not fit each other are none of ours."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from licet.replay.verdicts import Change, Outcome

Number = Annotated[int, Field(strict=True, ge=0)]
_Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)  # not strict: JSON has lists where tuples are meant


class _Said(_Closed):
    outcome: str
    reasons: tuple[tuple[str, str, str], ...]


class _ChangedCall(_Closed):
    change: Change
    kind: str
    session: str
    place: str
    number: Number
    tool: str
    old: _Said
    new: _Said


class _Changes(_Closed):
    most: Number
    sessions: Number
    changed_sessions: Number
    calls: Number
    widened: Number
    changes: dict[Change, Number]
    outcomes: tuple[tuple[str, Outcome, Outcome, Number], ...]
    tools: tuple[tuple[str, str, Change, Number], ...]
    checks: tuple[tuple[Change, str, Number], ...]
    left_out: dict[Change, Number]
    shown: tuple[_ChangedCall, ...]
    names: tuple[tuple[str, str], ...]


class _Coverage(_Closed):
    calls: Number
    judged: Number
    sessions: Number
    judged_sessions: Number
    bad: Number
    why: tuple[tuple[str, str, dict[str, Number]], ...]


class _Affected(_Closed):
    calls: Number
    counts: tuple[tuple[dict[Change, Number], Number, list[dict[str, object]]], ...]


class KeptState(_Closed):
    """`at`: how many items of the input are done; `base`, `since`: moments in seconds since the epoch; the rest is what was counted."""

    at: Number
    base: _Seconds
    since: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None
    seconds: _Seconds
    changes: _Changes
    coverage: _Coverage
    affected: _Affected

    @model_validator(mode="after")
    def _fits(self) -> KeptState:
        changes, coverage = self.changes, self.coverage
        decided = sum(number for *_, number in changes.outcomes)
        judged = sum(number for _, old, new, number in changes.outcomes if "unjudged" not in (old, new))
        fits = (
            changes.sessions == coverage.sessions <= self.at
            and coverage.judged_sessions <= coverage.sessions
            and changes.calls == coverage.calls == decided
            and coverage.judged == judged
            and changes.widened <= sum(changes.changes.values()) <= decided
        )
        if not fits:
            raise ValueError("the counts do not fit each other")
        return self
