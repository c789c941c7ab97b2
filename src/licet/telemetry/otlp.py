"""The parts of OTLP's JSON form that spans, metrics and log records have in common. What is not as it should be raises `WrongError`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

MAX_DEPTH = 20  # of a value within values
MAX_PARTS = 4_000_000  # of one line: an empty object is two bytes of a file, and a hundred of memory
TOO_MANY = f"has more than {MAX_PARTS:,} parts"

Value: TypeAlias = str | bool | int | float | list[Any] | dict[str, Any] | None
T = TypeVar("T")

_TRACE, _SPAN = re.compile(r"(?!0{32})[0-9a-fA-F]{32}", re.ASCII), re.compile(r"(?!0{16})[0-9a-fA-F]{16}", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BadSpan:
    """A line, or a part of it, that cannot be read. `key` names the part; empty: the whole line."""

    place: str
    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {f'`{self.key}`: ' if self.key else ''}{self.why}"


class WrongError(Exception):
    """A part is not what OTLP says that it is."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key, self.why = key, why


Read: TypeAlias = Callable[[dict[str, Any], str, str, Mapping[str, Value], str], T]
"""What makes one thing of an object: from the object, where it stands, the place, the resource, and the scope's name."""


def too_many(text: bytes) -> bool:
    """Whether JSON has more parts than are taken up, by what begins or divides them; those within texts count as well."""
    return sum(text.count(mark) for mark in (b"{", b"[", b",")) > MAX_PARTS


def objects(data: Any, place: str) -> dict[str, Any] | BadSpan:
    """The object of a line."""
    if isinstance(data, bytes) and too_many(data):
        return BadSpan(place, "", f"{TOO_MANY}; write more lines: one for each batch, as the Collector's file exporter does")
    try:
        found = json.loads(data.decode("utf-8"), parse_constant=_not_finite) if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        return BadSpan(place, "", f"not UTF-8 at byte {error.start}")
    except RecursionError:
        return BadSpan(place, "", "nested too deep")
    except ValueError as error:
        return BadSpan(place, "", f"not JSON: {error}")
    return found if isinstance(found, dict) else BadSpan(place, "", "is no object")


def things(data: dict[str, Any], keys: tuple[str, str, str], place: str, read: Read[T]) -> Iterator[T | BadSpan]:
    """All spans, metrics or log records of a line. `keys`: `resourceSpans`, `scopeSpans`, `spans`, and so on."""
    outer, middle, inner = keys
    for at, found in listed(data, outer, "", place):
        if isinstance(found, BadSpan):
            yield found
            continue
        try:
            resource = attributes(object_of(found, "resource", at), f"{at}.resource")[0]
        except WrongError as wrong:
            yield BadSpan(place, wrong.key, wrong.why)
            continue
        for scope_at, scoped in listed(found, middle, at, place):
            if isinstance(scoped, BadSpan):
                yield scoped
                continue
            for thing_at, thing in listed(scoped, inner, scope_at, place):
                if isinstance(thing, BadSpan):
                    yield thing
                    continue
                try:
                    scope = text(object_of(scoped, "scope", scope_at), "name", f"{scope_at}.scope")
                    yield read(thing, thing_at, place, resource, scope)
                except WrongError as wrong:
                    yield BadSpan(place, wrong.key, wrong.why)


def ids(owner: dict[str, Any], at: str, optional: tuple[str, ...] = ()) -> dict[str, str]:
    """`traceId`, `spanId` and `parentSpanId` in lower case. Those that are `optional` may be missing or zeros, and are empty then."""
    found: dict[str, str] = {}
    for key, form in (("traceId", _TRACE), ("spanId", _SPAN), ("parentSpanId", _SPAN)):
        given = text(owner, key, at)
        if not form.fullmatch(given) and (key not in optional or given.strip("0")):
            raise WrongError(f"{at}.{key}", "is not an id in hex")
        found[key] = given.lower() if given.strip("0") else ""
    return found


def attributes(owner: dict[str, Any], at: str, key: str = "attributes") -> tuple[dict[str, Value], tuple[str, ...]]:
    """The attributes, and the keys that came twice."""
    found: dict[str, Value] = {}
    twice: list[str] = []
    for where, pair in listed(owner, key, at, ""):
        if isinstance(pair, BadSpan):
            raise WrongError(pair.key, pair.why)
        name = text(pair, "key", where)
        if name in found:
            twice.append(name)
        found[name] = value_of(pair.get("value"), where)
    return found, tuple(twice)


def value_of(given: Any, at: str, depth: int = 0) -> Value:
    """What an AnyValue of OTLP holds."""
    if given is None or given == {}:
        return None
    if not isinstance(given, dict) or len(given) != 1 or depth > MAX_DEPTH:
        raise WrongError(at, "nested too deep" if depth > MAX_DEPTH else "is no OTLP value")
    ((kind, value),) = given.items()
    match kind:
        case "stringValue" | "bytesValue" if isinstance(value, str):
            return value
        case "boolValue" if isinstance(value, bool):
            return value
        case "intValue":
            return number(given, kind, at)
        case "doubleValue" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value) if abs(value) < 1e308 else str(value)  # a whole number of any length is JSON
        case "doubleValue" if value in ("NaN", "Infinity", "-Infinity"):
            return cast("str", value)
        case "arrayValue" if isinstance(value, dict):
            values = value.get("values") or []
            if isinstance(values, list):
                return [value_of(each, at, depth + 1) for each in values]
        case "kvlistValue" if isinstance(value, dict):
            values = value.get("values") or []
            if isinstance(values, list) and all(isinstance(each, dict) for each in values):
                return {text(each, "key", at): value_of(each.get("value"), at, depth + 1) for each in values}
    raise WrongError(at, f"is no OTLP value of kind `{kind[:40]}`")


def listed(owner: dict[str, Any], key: str, at: str, place: str) -> Iterator[tuple[str, Any]]:
    """The objects of a list, each with where it stands; what is no object as a `BadSpan`."""
    where = f"{at}.{key}" if at else key
    items = owner.get(key)
    if items is None:
        return
    if not isinstance(items, list):
        yield where, BadSpan(place, where, "is no list")
        return
    for index, item in enumerate(items):
        inner = f"{where}[{index}]"
        yield inner, item if isinstance(item, dict) else BadSpan(place, inner, "is no object")


def object_of(owner: dict[str, Any], key: str, at: str) -> dict[str, Any]:
    """An object; empty where there is none."""
    value = owner.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongError(f"{at}.{key}", "is no object")
    return value


def text(owner: dict[str, Any], key: str, at: str) -> str:
    """A text; empty where there is none."""
    value = owner.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise WrongError(f"{at}.{key}", "is no text")
    return value


def number(owner: dict[str, Any], key: str, at: str) -> int:
    """A whole number; OTLP writes those of 64 bits as text, and leaves out a zero."""
    value = owner.get(key)
    if value is None:
        return 0
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**64:
        raise WrongError(f"{at}.{key}", "is no whole number of 64 bits")
    return value


def real(owner: dict[str, Any], key: str, at: str) -> float:
    """A number; 0 where there is none. What is too large for one is infinite."""
    value = owner.get(key)
    if value is None:
        return 0.0
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise WrongError(f"{at}.{key}", "is no number")
    return float(value) if abs(value) < 1e308 else math.inf


def _not_finite(word: str) -> Any:
    raise ValueError(f"`{word}` is not JSON")
