"""What people said of findings: acknowledged, or suppressed for a time. Every word is kept; the last one counts, while it fits.

It fits as long as the finding gives no reason that it did not give then (a code, of a credential, on a value): who said that something is
known did not speak of that. A ends by itself, after a year at most.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final, Literal, NamedTuple

from licet.clock import iso
from licet.errors import UsageError
from licet.inventory.store import Inventory
from licet.monitor.world import DAY
from licet.records import Finding

Status = Literal["open", "acknowledged", "suppressed", "withdrawn"]
STATUSES: Final[tuple[Status, ...]] = ("open", "acknowledged", "suppressed", "withdrawn")

LONGEST: Final = 366 * DAY
"""For how long a finding can be suppressed."""


class Verdict(NamedTuple):
    """What somebody said of a finding.

    Attributes:
        time: when (seconds since the epoch).
        until: of `suppressed`, until when; else 0.
        reasons: those that the finding gave then, as `reasons_of` has them.
    """

    finding: str
    time: float
    verdict: Literal["acknowledged", "suppressed"]
    by: str
    reason: str
    until: float
    reasons: tuple[str, ...]


def reasons_of(finding: Finding) -> tuple[str, ...]:
    """What it rests on, each once: of the monitor's, code, credential and value; of the guard's, the check."""
    why = finding.explanation
    return (finding.check,) if why is None else tuple(dict.fromkeys(f"{each.code} {each.about}" for each in why.because))


def say(inventory: Inventory, verdict: Verdict) -> None:
    """Keep it.

    Raises:
        UsageError: nobody said it, or it is to hold for too long, or not at all, or without a reason.
        StoreError: it cannot be written.
    """
    if not verdict.by.strip():
        raise UsageError("who says so? `--by NAME`")
    if verdict.verdict == "suppressed":
        if not verdict.reason.strip():
            raise UsageError("why? `--reason TEXT`: whoever meets the silence later must know")
        if not verdict.time < verdict.until <= verdict.time + LONGEST:
            last = iso(verdict.time + LONGEST - DAY)[:10]
            raise UsageError(f"`--until` is {iso(verdict.until - 1)[:10]}: it must lie in the future, and be {last} at the latest")
    row = (*verdict[:6], json.dumps(verdict.reasons))
    with inventory.step() as db:
        db.execute("INSERT INTO verdicts VALUES (?,?,?,?,?,?,?)", row)


def verdicts(inventory: Inventory, finding: str | None = None) -> dict[str, list[Verdict]]:
    """By finding, what was said, in the order in which it was."""
    where, values = ("", ()) if finding is None else (" WHERE finding=?", (finding,))
    rows = inventory.rows(f"SELECT finding, time, verdict, by, reason, until, codes FROM verdicts{where} ORDER BY rowid", values)  # noqa: S608
    found: dict[str, list[Verdict]] = {}
    for row in rows:
        uid, time, verdict, by, reason, until, codes = row
        found.setdefault(uid, []).append(Verdict(uid, time, verdict, by, reason, until, tuple(json.loads(codes))))
    return found


def status_of(reasons: Collection[str], said: Collection[Verdict], now: float, *, withdrawn: bool = False) -> Status:
    """How a finding stands at `now` (seconds since the epoch).

    Args:
        reasons: those that it gives now, as `reasons_of` has them.
        said: of it, in order.
        withdrawn: it is not found any more.
    """
    if withdrawn:
        return "withdrawn"
    last = next(reversed(list(said)), None)
    if last is None or not set(reasons) <= set(last.reasons) or (last.verdict == "suppressed" and now >= last.until):
        return "open"
    return last.verdict
