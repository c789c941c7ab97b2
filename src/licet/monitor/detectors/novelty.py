"""What an identity never did before: a network, a region, a program, an operation, a tool. Points only, and only once it is well known.

Of each value is known on how many days it was seen. How surprising a new one is follows from how often this identity has new ones: by
Good-Turing, the chance of a new value is N1 / N, where N1 counts the days of values seen on one day only and N these and all days of the
other values; identities that change by nature (hosted runners) silence themselves, and however much is new on one day, that is one day of
it. What is forgotten first was seen on the fewest days. Successes are learned from; what was denied is told too, with half of the points,
and not learned. Another version of an agent's program is another agent: what it does is learned anew, where it comes from is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from licet.events import UseEvent
from licet.monitor import codes
from licet.monitor.baseline import Bodies, cited_baseline
from licet.monitor.detector import Called, Detector, State
from licet.monitor.detectors.holders import product
from licet.monitor.detectors.purpose import is_for
from licet.monitor.networks import within
from licet.monitor.saying import keep, row, say
from licet.monitor.signal import Signal
from licet.monitor.world import DAY, Settings, World

_DIMENSIONS: Final = ("network", "region", "agent", "operation", "tool")
CODES: Final = ("NEW_NETWORK", "NEW_REGION", "NEW_AGENT", "NEW_API", "NEW_TOOL")
"""By dimension, as what is kept of them."""
_WHAT: Final = ("networks", "regions", "programs", "operations", "tools")
_BOUNDS: Final = (128, 32, 32, 512, 256)  # values of each that are known
_TODAY: Final = 2_048
_TRIED: Final = 256  # new values that were denied
_LEAST, _SCALE, _MOST = 1.5, 6.0, 1.2  # bits below which nothing is said, that have a code's own points, and the most of these
_DONE_BY: Final = 3  # dimensions from here on are of what it does, and not of where it comes from
_FIRST, _LAST, _DAYS = range(3)
_NAMED: Final = 16  # values that a baseline names, the most usual first
_FOREIGN: Final = ("human", "service")  # people move, and a platform's own services are not ours


class Novelty(Detector):
    """NEW_NETWORK, NEW_REGION, NEW_AGENT, NEW_API, NEW_TOOL: points only."""

    name = "novelty"
    version = 2
    codes = CODES
    uses: Called = "always"
    by_cluster = True

    def start(self) -> State:
        """`seen`: by dimension and value, first time, last day, on how many days; `since`: when the first three and the last two began to
        be learned; `events`, `days`, `day`: how many uses and active days there were by then, and the last one; `today`: what was seen
        since its beginning, as it comes, so that the same again costs little; `tried`: what was denied and told; `version`: of an
        agent's program.
        """
        return {"seen": [{}, {}, {}, {}, {}], "since": [0.0, 0.0], "events": [0, 0], "days": [0, 0], "day": -1, "until": -1.0, "today": {},
                "tried": {}, "version": ""}  # fmt: skip

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """Whether anything of it is new."""
        key = (event.operation, event.agent, event.network, event.region)
        done = event.outcome == "success"
        if done:
            events = state["events"]
            events[0] += 1
            events[1] += 1
        if event.time < state["until"] and key in state["today"]:
            return ()
        if event.outcome == "failed":
            return ()
        if event.identity_kind in _FOREIGN or world.identity(event.identity).kind in _FOREIGN:
            return ()
        found: tuple[Signal, ...] = ()
        seen = state["seen"]
        values = _values(event)
        for which, value in values:
            if value not in seen[which] and not _declared(event, which, world):
                found += _new(state, event, which, value, world)
        if done:
            _learned(state, event, key, values)
        return found

    def settle(self, state: State) -> None:
        """What was seen today is known by the day that stands at each value."""
        state["today"] = {}

    def recall(self, bodies: Bodies) -> State:
        """As it was when it learned what is cited: of the dimensions that are cited, at least."""
        state = self.start()
        for body in bodies:
            which = _DIMENSIONS.index(body["dimension"])
            half = which >= _DONE_BY
            state["seen"][which] = _pretended(body)
            state["since"][half], state["events"][half], state["days"][half] = body["since"], body["events"], body["days"]
        return state


def _values(event: UseEvent) -> tuple[tuple[int, str], ...]:
    """What there is of it, with the number of its dimension."""
    network, region, program = event.network, event.region, product(event.agent)
    done = (4 if event.source == "licet" else 3), event.operation
    if network and region and program:
        return (0, network), (1, region), (2, program), done
    return (*(each for each in ((0, network), (1, region), (2, program)) if each[1]), done)


def _declared(event: UseEvent, which: int, world: World) -> bool:
    """Whether it was said before that it may be so: a failover goes where nobody was for a year."""
    of = world.identity(event.identity).declared
    own = world.credential(event.credential).declared if event.credential else of
    if which == 0:
        networks = own.networks or of.networks
        return bool(networks) and within(event.ip, networks)
    if which == 1:
        return event.region in (own.regions or of.regions)
    return which >= _DONE_BY and is_for(event.operation, own.uses or of.uses)


def _learned(state: State, event: UseEvent, key: tuple[str, ...], of: Iterable[tuple[int, str]]) -> None:
    day = int(event.time // DAY)
    if event.time >= state["until"]:
        state["until"], state["today"] = (day + 1) * DAY, {}
        if day != state["day"]:
            state["day"] = day
            state["days"][0] += 1
            state["days"][1] += 1
        if not state["since"][0]:
            state["since"][0] = event.time
        if not state["since"][1]:
            state["since"][1] = event.time
    if event.identity_kind == "ai_agent" and event.agent != state["version"]:
        if state["version"] and product(state["version"]) == product(event.agent):
            state["seen"][3], state["seen"][4] = {}, {}
            state["since"][1], state["events"][1], state["days"][1] = event.time, 1, 1
        state["version"] = event.agent
    seen = state["seen"]
    for which, value in of:
        values = seen[which]
        known = values.get(value)
        if known is None:
            if len(values) >= _BOUNDS[which]:
                # Many names of one day must not drive out what it has used for months.
                del values[min(values, key=lambda each: (values[each][_DAYS], values[each][_LAST], values[each][_FIRST], each))]
            values[value] = [event.time, day, 1]
        elif known[_LAST] != day:
            known[_LAST] = day
            known[_DAYS] += 1
    today = state["today"]
    if len(today) >= _TODAY:
        today.clear()
    today[key] = 1


def _new(state: State, event: UseEvent, which: int, value: str, world: World) -> tuple[Signal, ...]:
    half = which >= _DONE_BY
    since, events, days = state["since"][half], state["events"][half], state["days"][half]
    done = event.outcome == "success"
    events -= done  # this one is counted already, and is none that was before
    if not _mature(since, events, days, event.time, world.settings):
        return ()
    values = state["seen"][which]
    once = len({each[_LAST] for each in values.values() if each[_DAYS] == 1})
    number = once + sum(each[_DAYS] for each in values.values() if each[_DAYS] > 1)
    if not number:
        return ()  # of this nothing was known of it ever
    bits = -math.log2(max(once, 0.5) / number)
    if bits < _LEAST:
        return ()
    code = CODES[which]
    usual = sorted(values, key=lambda each: (-values[each][_DAYS], each))[:_NAMED]
    body = {
        "dimension": _DIMENSIONS[which], "values": {each: values[each][_DAYS] for each in usual}, "kinds": len(values), "n": number,
        "n1": once, "since": since, "events": events, "days": days,
    }  # fmt: skip
    points = codes.CODES[code].points * min(_MOST, bits / _SCALE) * (1.0 if done else 0.5)
    if not done:
        thing = f"{which} {value}"
        if thing in state["tried"]:
            return ()
        keep(state["tried"], thing, 1, _TRIED)
    more = f" and {len(values) - len(usual)} more" if len(values) > len(usual) else ""
    return say(
        {}, code, value=value, time=event.time, credential=event.credential, alert=False, points=round(points, 1), basis="baseline",
        since=since, sample=events, observed=f"{event.operation} {_how(which, value)}{'' if done else ', and was denied'}",
        expected=f"{_WHAT[which]} that it used on {days} days: {', '.join(usual)}{more}",
        cited=[cited_baseline(Novelty.name, body, since), row(event, "use")],
    )  # fmt: skip


def _how(which: int, value: str) -> str:
    return ("from {}", "in {}", "with {}", "for the first time", "for the first time")[which].format(value)


def _mature(since: float, events: int, days: int, time: float, settings: Settings) -> bool:
    return time - since >= settings.mature_age and days >= settings.mature_days and events >= settings.mature_events and since > 0


def _pretended(body: dict[str, Any] | Any) -> dict[str, list[Any]]:
    """Values as a baseline says of them: those that it does not name are as many, and as often seen, as it says."""
    named, n1 = body["values"], body["n1"]
    values: dict[str, list[Any]] = {}
    days_of_once = 0
    for name, days in named.items():
        if days == 1:
            days_of_once = min(days_of_once + 1, max(1, n1))
        values[name] = [0.0, days_of_once if days == 1 else 0, days]
    rest, left = body["kinds"] - len(named), body["n"] - n1 - sum(days for days in named.values() if days > 1)
    while rest > 0 and days_of_once < n1:
        days_of_once += 1
        values[f"another {rest}"] = [0.0, days_of_once, 1]
        rest -= 1
    while rest > 0 and left > 1:
        days = left if rest == 1 or left <= 3 else 2
        values[f"another {rest}"] = [0.0, 0, days]
        left, rest = left - days, rest - 1
    if left > 0:  # there is one that was seen more often than those that nothing was left for
        last = next((each for each in reversed(values.values()) if each[_DAYS] > 1), None)
        if last is not None:
            last[_DAYS] += left
    for number in range(rest):
        values[f"another of a day {number}"] = [0.0, 1, 1]
    return values
