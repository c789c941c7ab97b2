"""Session files: JSON Lines, plain or gzipped, one recorded session a line.

A line that is not a session is reported with its file, line and key, and reading goes on: a recording of a million lines is not worth
less for one that was cut off.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from licet.lines import lines_of, opened

LAST_SECOND = 253_402_300_799.0
"""Of the year 9999; no calendar goes further."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call as it was recorded. `executed` is false where the record has no output: the tool never ran.

    `label` is what the data says of the call (`goal`: it carries out an attacker's goal); `turn`: calls with the same number were issued
    in one turn of the model. `time`: when it began, in seconds since the epoch. `decided` is what a guard had said, as recorded (`allow`,
    `ask`: a person was asked, who said yes if it was executed, `deny`); empty: not recorded. `asked`: of which checks, as recorded, the
    person was asked.
    """

    tool: str
    arguments: Mapping[str, Any]
    output: Any
    error: str | None
    executed: bool
    label: str = ""
    turn: int | None = None
    time: float | None = None
    decided: str = ""
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One recorded session. `turns` are the user's own words, in order.

    Where the data says so: `attacked`, whether somebody attacked it; `reached`, whether the attacker's goal was; `solved`, whether the
    task was; `model`, which the agent ran on; `time`, when it began, in seconds since the epoch; `findings`, the checks of what a guard
    had found in it; `unseen`, whether it used model input that no guarded call had made.
    """

    id: str
    suite: str
    turns: tuple[str, ...]
    calls: tuple[RecordedCall, ...]
    place: str
    attacked: bool = False
    reached: bool | None = None
    solved: bool | None = None
    model: str = ""
    time: float | None = None
    findings: tuple[str, ...] = ()
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is not a session. `key` names what is wrong in it; empty: the whole line."""

    file: str
    line: int
    key: str
    why: str

    def __str__(self) -> str:
        key = f"`{self.key}`: " if self.key else ""
        return f"{self.file}:{self.line}: {key}{self.why}"


class _WrongError(Exception):
    """Carries the key and what is wrong with it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key
        self.why = why


def read(path: str | Path, progress: Callable[[int], object] | None = None) -> Iterator[Session | Bad]:
    """Every session of a file, and every line that is none. `progress` hears how many bytes of the file have been read.

    Raises:
        UsageError: the file cannot be opened.
    """
    name = str(path)
    with opened(path) as raw:
        for number, line in lines_of(raw, progress):
            yield Bad(name, number, "", line) if isinstance(line, str) else _session(line, name, number)


def _session(line: bytes, name: str, number: int) -> Session | Bad:
    try:
        # Some editors and shells put a mark of three bytes before the first line.
        text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode("utf-8")
        record = json.loads(text, parse_constant=_not_finite)
    except UnicodeDecodeError as error:
        return Bad(name, number, "", f"not UTF-8 at byte {error.start}")
    except (ValueError, RecursionError) as error:
        return Bad(name, number, "", f"not JSON: {'nested too deep' if isinstance(error, RecursionError) else error}")
    try:
        return _checked(record, f"{name}:{number}")
    except _WrongError as wrong:
        return Bad(name, number, wrong.key, wrong.why)


def _not_finite(word: str) -> Any:
    raise ValueError(f"`{word}` is not JSON")


def _checked(record: Any, place: str) -> Session:
    if not isinstance(record, dict):
        raise _WrongError("", f"a session is an object, not {_kind(record)}")
    calls = _get(record, "calls", list)
    meta = _get({"meta": None} | record, "meta", dict, type(None)) or {}
    labels = _each(meta, "call_labels", len(calls), str)
    numbers = _each(meta, "call_turn", len(calls), int)
    reached = _get({"attack_success": None} | record, "attack_success", bool, type(None))
    return Session(
        _get(record, "id", str),
        _get(record, "suite", str),
        _turns(record),
        tuple(_call(call, f"calls[{index}]", labels[index] or "", numbers[index]) for index, call in enumerate(calls)),
        place,
        record.get("attack") is not None or reached is not None,
        reached,
        _get({"utility": None} | record, "utility", bool, type(None)),
        _get({"model": None} | record, "model", str, type(None)) or "",
        _time(record.get("time"), "time"),
    )


def _time(given: Any, where: str) -> float | None:
    """Seconds since the epoch; a text is ISO 8601, and without an offset it is UTC."""
    if given is None:
        return None
    if isinstance(given, str):
        try:
            said = datetime.fromisoformat(given)
            seconds = (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError) as error:
            raise _WrongError(where, "is no time: give seconds since the epoch, or ISO 8601 as 2026-11-23T08:00:00Z") from error
    elif isinstance(given, (int, float)) and not isinstance(given, bool):
        seconds = given
    else:
        raise _WrongError(where, f"must be a number or a text, not {_kind(given)}")
    if not 0 <= seconds <= LAST_SECOND:
        raise _WrongError(where, "is not between the years 1970 and 9999: give seconds since the epoch, not milliseconds")
    return float(seconds)


def _each(meta: dict[str, Any], key: str, number: int, kind: type) -> list[Any]:
    """A list of `meta` with one item for each call, each of a type or null; a list of nulls where there is none."""
    found: list[Any] | None = _get({key: None} | meta, key, list, type(None), at="meta")
    if found is None:
        return [None] * number
    if len(found) != number:
        raise _WrongError(f"meta.{key}", f"has {len(found)} items for {number} calls")
    for index, item in enumerate(found):
        if item is not None and type(item) is not kind:
            raise _WrongError(f"meta.{key}[{index}]", f"must be {_KINDS[kind]} or null, not {_kind(item)}")
    return found


def _turns(record: dict[str, Any]) -> tuple[str, ...]:
    prompt = _get(record, "prompt", str, list, type(None))
    turns = prompt if isinstance(prompt, list) else [prompt or ""]
    for index, turn in enumerate(turns):
        if not isinstance(turn, str):
            raise _WrongError(f"prompt[{index}]", f"must be a text, not {_kind(turn)}")
    return tuple(turn for turn in turns if turn.strip())


def _call(call: Any, where: str, label: str, turn: int | None) -> RecordedCall:
    if not isinstance(call, dict):
        raise _WrongError(where, f"a call is an object, not {_kind(call)}")
    tool = _get(call, "name", str, at=where)
    arguments = _get(call, "args", dict, at=where)
    if "output" not in call:
        raise _WrongError(f"{where}.output", "is missing (null: never executed)")
    error = _get(call, "error", str, type(None), at=where)
    time = _time(call.get("time"), f"{where}.time")
    return RecordedCall(tool, arguments, call["output"], error, executed=call["output"] is not None, label=label, turn=turn, time=time)


_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null", int: "a number", float: "a number"}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _get(record: dict[str, Any], key: str, *types: type, at: str = "") -> Any:
    where = f"{at}.{key}" if at else key
    if key not in record:
        raise _WrongError(where, "is missing")
    if not isinstance(record[key], types):
        raise _WrongError(where, f"must be {' or '.join(_KINDS[kind] for kind in types)}, not {_kind(record[key])}")
    return record[key]
