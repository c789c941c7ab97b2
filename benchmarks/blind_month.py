"""A month of drills, of which a pipeline fails for six hours: are the seconds blind the true ones, and does the alarm come in time?

The schedule is the real one (drawn from a key, day by day), so are the scorecard and the watcher, which looks once a minute; only what came
of the drills is made up, as a real verdict would say it, under a clock that jumps. The truth is known: the six hours.

    python -m benchmarks.blind_month [--seeds 100] [--fails judge] [--json]

What fails: `judge` (nothing is judged), `sink` (nothing is delivered), `runner` (no drill is played). The exit code is 1 if one seed's
seconds blind are more than 5 % off, or an alarm comes later than the cadence and one look.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from licet.drill.alarm import Alarm
from licet.drill.audit import Audit, Audited
from licet.drill.book import Result, Row
from licet.drill.commitment import Announced
from licet.drill.keys import DrillKey
from licet.drill.looked import seen_of
from licet.drill.schedule import cells_in, cells_of, slots_of
from licet.drill.score import Reason, scorecard
from licet.drill.slots import CADENCE, DAY, Slot
from licet.drill.watch import Memory, told
from licet.monitor.deliveries import Reply

DAYS: Final = 30
HOURS: Final = 6.0
LOOK: Final = 60.0
"""Seconds between two looks of the watcher."""
FIRST: Final = 20_500 * DAY
_TOOK: Final = 2.0  # seconds from a drill's beginning to its verdict
_PARTS: Final = {"judge": ("hop evaluated",), "sink": ("hop delivered", "sink webhook"), "runner": ()}
"""Which parts a real verdict blames where that fails; tests/drill/test_blind_month.py holds it against one."""


class Month(NamedTuple):
    """What came of one seed.

    Attributes:
        truth, counted: seconds.
        alarm: seconds from the failure to the first alarm that was taken; `over`: from its end to the word that it is over.
        alarms: how many there were.
    """

    seed: int
    truth: float
    counted: float
    alarm: float
    over: float
    alarms: int

    @property
    def off(self) -> float:
        """By which share of the truth the count is off."""
        return abs(self.counted - self.truth) / self.truth

    @property
    def holds(self) -> bool:
        """Within 5 %, and in time."""
        return self.off <= 0.05 and self.alarm <= CADENCE + LOOK


class Ear:
    """A channel that takes all, and remembers when."""

    name = key = "ear"

    def __init__(self) -> None:
        self.heard: list[tuple[float, Alarm]] = []

    def send(self, alarm: Alarm, now: float) -> Reply:
        """It is taken."""
        self.heard.append((now, alarm))
        return Reply(taken=True)


def month(seed: int, fails: str, hours: float = HOURS, looks: float = LOOK) -> Month:
    """One month, drawn by a seed."""
    rng = random.Random(seed)
    key = DrillKey(Ed25519PrivateKey.from_private_bytes(rng.randbytes(32)))
    cells = cells_of()
    slots = [slot for day in range(DAYS) for slot in slots_of(key, FIRST + day * DAY, 0.0, cells)]
    begin = FIRST + rng.uniform(2, DAYS - 3) * DAY
    end = begin + hours * 3_600
    drills = [each for slot in slots for each in _played(slot, begin, end, fails)]
    span = (FIRST, FIRST + DAYS * DAY)
    whole = scorecard(Audit(tuple(drills), (), FIRST, (span,)), None, span[1], scenarios=(), within=DAYS * DAY)
    ear = _watched(drills, span, (begin, end), looks)
    first = next((when for when, alarm in ear.heard if alarm.kind == "blind"), float("inf"))
    over = next((when for when, alarm in ear.heard if alarm.kind == "over"), float("inf"))
    return Month(seed, end - begin, whole.metric("blind_seconds").numerator, first - begin, over - end, len(ear.heard))


def _watched(drills: list[Audited], span: tuple[float, float], failed: tuple[float, float], looks: float) -> Ear:
    """What is heard from an hour before the failure until it is over."""
    ear, now = Ear(), failed[0] - 3_600
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(Path(folder) / "watch.json")
        while now < span[1] and not (ear.heard and ear.heard[-1][1].kind == "over"):
            past = tuple(each for each in drills if now - DAY < each.row.committed and each.row.committed + _TOOK <= now)
            card = scorecard(Audit(past, (), span[0], (span,)), None, now, scenarios=(), within=DAY)
            # FAIL lasts until each kind that failed has passed again; here it is measured when the parts work, whatever is drawn next.
            parts = tuple(each for each in card.reasons if each.kind != "failed")
            parts += tuple(Reason("blind", each.part) for each in card.blind)
            told(seen_of(card._replace(reasons=parts), now), [ear], memory, "the month", lambda at=now: at)  # type: ignore[misc]
            now += looks
    return ear


def _played(slot: Slot, begin: float, end: float, fails: str) -> list[Audited]:
    """A drill and its shadow, as the audit has them; none where nobody played."""
    bad = begin <= slot.time < end
    if bad and fails == "runner":
        return []
    parts = _PARTS[fails] if bad else ()
    of = [slot._replace(scenario=scenario, source=source) for scenario, source in cells_in(slot)]
    return [_drill(each, parts, bad=bad, shadow=shadow) for each in of for shadow in (False, True)]


def _drill(slot: Slot, parts: tuple[str, ...], *, bad: bool, shadow: bool) -> Audited:
    uid = hashlib.sha256(f"{slot.leaf!r} {shadow}".encode()).hexdigest()[:16]
    bad = bad and not (shadow and parts and parts[-1].startswith("sink"))  # it has a sink of its own
    result = Result(
        drill=uid, scenario=slot.scenario, source=slot.source, twin=False, shadow=shadow, passed=not bad,
        hop="attributed" if bad else "delivered", failures=("it failed",) if bad else (), parts=parts if bad else (),
        seconds=-1.0 if bad else 0.5, finding="", began=slot.time, said=slot.time + _TOOK, owned=not bad, attributed=not bad,
        sinks=("webhook",),
    )  # fmt: skip
    announced = Announced(
        drill=uid, salt="", seed="", scenario=slot.scenario, source=slot.source, twin=False, shadow=shadow, identity="", credential="",
        identities=(), credentials=(), codes=(), events="", number=0, begins=slot.time, ends=slot.time + 90,
    )  # fmt: skip
    return Audited(Row(uid, "", slot.time, slot.time + 90, 1, announced, (), result, "", 1, slot.time + _TOOK))


def main() -> int:
    """Print what came of each way to fail."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--fails", choices=sorted(_PARTS), action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    out, well = {}, True
    for fails in options.fails or sorted(_PARTS):
        months = [month(seed, fails) for seed in range(options.seeds)]
        well = well and all(each.holds for each in months)
        out[fails] = {
            "seeds": len(months), "within 5 %": sum(each.off <= 0.05 for each in months), "worst": max(each.off for each in months),
            "median": median(each.off for each in months), "alarm, median s": median(each.alarm for each in months),
            "alarm, latest s": max(each.alarm for each in months), "over, latest s": max(each.over for each in months),
            "alarms": max(each.alarms for each in months),
        }  # fmt: skip
        if not options.json:
            told_of = out[fails]
            sys.stdout.write(
                f"{fails:7}{told_of['within 5 %']:4} of {told_of['seeds']} within 5 % (worst {told_of['worst']:.2%}, median"
                f" {told_of['median']:.2%}); alarm after {told_of['alarm, median s']:.0f} s, latest {told_of['alarm, latest s']:.0f} s;"
                f" over said after at most {told_of['over, latest s']:.0f} s; at most {told_of['alarms']} alarms\n"
            )
            sys.stdout.flush()
    if options.json:
        sys.stdout.write(json.dumps(out, indent=2) + "\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
