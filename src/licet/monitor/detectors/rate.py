"""Far more in an hour than ever: a rate for each hour of the day, of working days and weekends apart, that forgets with time.

As Splunk does it with a normal density, but as counts: of 20 uses or more, five times the rate and twice the busiest hour so far. (With a
rate of less than four an hour 20 have a Poisson probability below 1e-7, and above it five times as many have; so that it is not computed.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from licet.clock import iso
from licet.events import UseEvent
from licet.monitor.baseline import Bodies, cited_baseline
from licet.monitor.detector import Called, Detector, State
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.world import DAY, World

_HOUR: Final = 3_600
_WEEK: Final = 168
_CLASSES: Final = 48  # hours of a working day, and of one of a weekend
_THURSDAY: Final = 72  # hours from Monday to the epoch
_FORGETS: Final = 0.1
_LEAST, _TIMES, _EVER = 20, 5.0, 2.0


class Rate(Detector):
    """RATE: points only."""

    name = "rate"
    codes = ("RATE",)
    uses: Called = "always"
    by_cluster = True

    def start(self) -> State:
        """`hour`: which one it is, `count` how many uses it has, `limit` which of them is too many (0: none); `rates` by class of hour;
        `most`: of the busiest hour; `first`: time of the first use; `day`, `days`, `events`: the last active day, how many, uses before
        this hour.
        """
        return {
            "hour": -1, "until": -1.0, "count": 0, "limit": 0, "rates": [0.0] * _CLASSES, "most": 0, "first": 0.0, "day": -1, "days": 0,
            "events": 0,
        }  # fmt: skip

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Count it, and tell the one that is too many."""
        if event.time >= state["until"]:
            _rolled(state, event.time, world)
        state["count"] = count = state["count"] + 1
        if count != state["limit"]:
            return ()
        if world.identity(event.identity).kind in ("human", "service") or event.identity_kind in ("human", "service"):
            return ()
        body = state | {"count": count - 1}
        rate = state["rates"][_class(state["hour"])]
        return say(
            {}, "RATE", value=f"hour {iso(state['hour'] * _HOUR)}", time=event.time, credential=event.credential, alert=False,
            basis="baseline", since=state["first"], sample=state["events"],
            observed=f"{count} uses in an hour, and it is not over",
            expected=f"about {rate:.1f} at this hour of the day; never more than {state['most']} in any",
            cited=[cited_baseline(self.name, body, state["first"]), row(event, "use")],
        )  # fmt: skip

    def recall(self, bodies: Bodies) -> State:
        """As it was when it learned what is cited."""
        return {**self.start(), **bodies[-1]}


def _rolled(state: State, time: float, world: World) -> None:
    """An hour is over; the hours without any use since then count too."""
    hour, before, rates = int(time // _HOUR), state["hour"], state["rates"]
    if before < 0:
        state["first"] = time
    else:
        state["events"] += state["count"]
        state["most"] = max(state["most"], state["count"])
        _learned(rates, _class(before), state["count"])
        _idle(rates, before + 1, hour)
    state["hour"], state["until"], state["count"] = hour, float((hour + 1) * _HOUR), 0
    day = int(time // DAY)
    if day != state["day"]:
        state["day"], state["days"] = day, state["days"] + 1
    settings = world.settings
    mature = (
        time - state["first"] >= settings.mature_age and state["days"] > settings.mature_days and state["events"] >= settings.mature_events
    )
    state["limit"] = int(max(_LEAST, _TIMES * rates[_class(hour)], _EVER * state["most"])) + 1 if mature else 0


def _learned(rates: list[Any], which: int, count: int) -> None:
    rates[which] += _FORGETS * (count - rates[which])


def _idle(rates: list[Any], first: int, end: int) -> None:
    """Hours without any use, up to `end`: whole weeks at once."""
    weeks = max(0, (end - first)) // _WEEK
    if weeks:
        for which in range(_CLASSES):
            rates[which] *= (1 - _FORGETS) ** (weeks * (5 if which < _CLASSES // 2 else 2))
    for hour in range(first + weeks * _WEEK, end):
        rates[_class(hour)] *= 1 - _FORGETS


def _class(hour: int) -> int:
    """Of the hours since the epoch: 0 to 23 of working days, 24 to 47 of weekends (UTC)."""
    day = (hour + _THURSDAY) % _WEEK // 24
    return hour % 24 + (24 if day > 4 else 0)
