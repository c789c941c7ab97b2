"""The watcher of absence: it runs elsewhere, and says when nobody can rely on the monitoring. Pure, of what was seen and a clock.

An alarm goes out once for each blindness, again each hour while it lasts, and once when it is over. What a channel did not take stands
until it does, whatever is restarted in between: what is owed is written down before it is sent, and that it was taken after it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from licet.drill.alarm import Alarm, Channel
from licet.errors import StateError
from licet.ledger.signer import replace
from licet.machine import open_own

AGAIN: Final = 3_600.0
"""Seconds after which an alarm that was taken is said again."""

_LONGEST_FILE: Final = 1_000_000


class Seen(NamedTuple):
    """One look.

    Attributes:
        time: when (seconds since the epoch).
        why: what is blind, a sentence each; none: all is well.
        since: from when on, as far as that can be told; 0: from this look on.
    """

    time: float
    why: tuple[str, ...] = ()
    since: float = 0.0


class Owed(NamedTuple):
    """What a channel is to be told, and was.

    Attributes:
        since: from when on it is blind; 0: it is not, and nothing is owed.
        told: when it took the last alarm of this blindness; 0: none.
        number: how many it took.
        over: when it ended, and the channel has not been told yet; 0: it has not ended.
        why: of the last look that was blind.
    """

    since: float = 0.0
    told: float = 0.0
    number: int = 0
    over: float = 0.0
    why: tuple[str, ...] = ()


NOTHING: Final = Owed()


def after(owed: Owed, seen: Seen) -> Owed:
    """What is owed once this was seen."""
    if seen.why:
        since = owed.since or min(seen.since or seen.time, seen.time)
        return owed._replace(since=since, over=0.0, why=seen.why)
    return owed._replace(over=owed.over or seen.time) if owed.since else NOTHING


def alarm_of(owed: Owed, now: float, watched: str) -> Alarm | None:
    """What is to be said now; None: nothing."""
    if not owed.since or (not owed.over and owed.number and now < owed.told + AGAIN):
        return None
    kind = "over" if owed.over else "still" if owed.number else "blind"
    name = hashlib.sha256(f"{watched} {owed.since:.3f}".encode()).hexdigest()[:16]
    return Alarm(f"blind_{name}_{'over' if owed.over else owed.number}", kind, owed.since, owed.over or now, owed.why, watched)


def taken(owed: Owed, alarm: Alarm, now: float) -> Owed:
    """What is owed once a channel took an alarm."""
    return NOTHING if alarm.kind == "over" else owed._replace(told=now, number=owed.number + 1)


def key_of(channel: Channel, watched: str) -> str:
    """What is remembered of a channel is of one thing that is watched: what is seen of another says nothing of it."""
    return f"{channel.key} of {hashlib.sha256(watched.encode()).hexdigest()}"


class Memory:
    """What each channel is owed of each thing that is watched, in a small file of ours, by `key_of`.

    Raises:
        StateError: the file cannot be read, or is not ours alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = _read(path)

    def of(self, key: str) -> Owed:
        """What a channel is owed."""
        return self._rows.get(key, NOTHING)

    def keep(self, rows: Mapping[str, Owed]) -> None:
        """Write down what some are owed.

        Raises:
            StateError: it cannot be written.
        """
        if all(self.of(name) == owed for name, owed in rows.items()):
            return
        self._rows |= rows
        text = json.dumps({name: list(owed) for name, owed in self._rows.items() if owed != NOTHING})
        try:
            replace(self._path, text.encode(), durable=True, by=self._path.with_name(f".{self._path.name}"))
        except OSError as error:
            raise StateError(f"{self._path}: cannot be written: {error.strerror}; check rights and room") from error


class Told(NamedTuple):
    """What became of an alarm on a channel: taken, or why not."""

    channel: str
    alarm: Alarm
    why: str


def told(seen: Seen, channels: Iterable[Channel], memory: Memory, watched: str, now: Callable[[], float]) -> list[Told]:
    """Say what is owed of `watched`, on each channel by itself.

    Raises:
        StateError: it cannot be written down; then nothing more is sent.
    """
    out = []
    keys = {key_of(each, watched): each for each in channels}
    memory.keep({key: after(memory.of(key), seen) for key in keys})
    for key, channel in keys.items():
        owed = memory.of(key)
        alarm = alarm_of(owed, seen.time, watched)
        if alarm is None:
            continue
        reply = channel.send(alarm, now())
        if reply.taken:
            memory.keep({key: taken(owed, alarm, seen.time)})
        out.append(Told(channel.name, alarm, "" if reply.taken else reply.why))
    return out


def _read(path: Path) -> dict[str, Owed]:
    if not os.path.lexists(path):
        return {}
    with os.fdopen(open_own(path, os.O_RDONLY, StateError), "rb") as file:
        text = file.read(_LONGEST_FILE)
    try:
        rows = json.loads(text)
        return {str(name): _owed(row) for name, row in rows.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(f"{path}: is not what it was written as; take it away, and what is blind is said anew") from error


def _owed(row: Sequence[Any]) -> Owed:
    since, told_at, number, over, why = row
    if not isinstance(why, list):
        raise TypeError("no list of sentences")
    return Owed(float(since), float(told_at), int(number), float(over), tuple(map(str, why)))
