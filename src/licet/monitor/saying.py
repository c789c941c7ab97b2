"""How a detector says something: the same thing again is the same signal, which then cites one event more, up to a bound."""

from __future__ import annotations

from typing import Any, Final

from licet.events import LifecycleEvent, UseEvent
from licet.monitor.codes import CODES
from licet.monitor.detector import State
from licet.monitor.signal import Basis, Cited, Signal
from licet.records import Severity

MOST_CITED: Final = 64
"""Events that one signal cites; what comes after them is the same again."""

_MOST_SAID = 256  # different things of which one detector remembers, for one identity, that it said them


def row(event: UseEvent | LifecycleEvent, role: str) -> list[Any]:
    """An event, as it is kept in a state to be cited later: uid, role, time, and of a use, whose it is."""
    return [event.uid, role, event.time, event.identity] if isinstance(event, UseEvent) else [event.uid, role, event.time]


def keep(into: dict[str, Any], key: str, value: Any, most: int) -> None:
    """Put it in, and let the oldest go where there are too many."""
    into.pop(key, None)
    into[key] = value
    if len(into) > most:
        del into[next(iter(into))]


def say(
    state: State, code: str, *, value: str, time: float, observed: str, expected: str, basis: Basis, cited: list[list[Any]],
    credential: str = "", alert: bool = True, points: float | None = None, severity: Severity | None = None, since: float = 0.0,
    sample: int = 0, counter: tuple[str, ...] = (),
) -> tuple[Signal, ...]:  # fmt: skip
    """The signal, with all that it cited before; nothing where it says nothing new.

    Args:
        state: the detector's; what was said is kept in it under `said`.
        code: of `CODES`, which has what is not given here.
        value: what it is about. With code and credential it tells what is the same thing again; time and words are of the first.
        time: when what is said began to be so.
        cited: as `row` makes them.
        since, sample, counter, alert, points, severity: see `Signal`.
    """
    said = state.setdefault("said", {})
    key = f"{code} {credential} {value}"
    known = said.get(key)
    if known is None:
        known = [time, observed, expected, [list(each) for each in cited]]
        keep(said, key, known, _MOST_SAID)
    else:
        rows = known[3]
        new = [each for each in cited if all(each[0] != old[0] for old in rows)]
        if not new or len(rows) >= MOST_CITED:
            return ()
        rows.extend(list(each) for each in new[: MOST_CITED - len(rows)])
    about = CODES[code]
    evidence = tuple(
        Cited(uid, role, more[0] if more else "", when, more[1] if len(more) > 1 else "") for uid, role, when, *more in known[3]
    )
    return (Signal(
        code, alert, about.points if points is None else points, about.severity if severity is None else severity, known[0], "", credential,
        value, known[1], known[2], basis, evidence, since, sample, counter, about.action,
    ),)  # fmt: skip
