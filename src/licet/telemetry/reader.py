"""Reads spans back from OTLP JSON lines (the OpenTelemetry protocol's file form: one TracesData object a line), plain or gzipped.

A line, or a span within it, that is not what it should be is reported with its file, line and key, and reading goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

from licet.lines import lines_of, opened

MAX_DEPTH = 20  # of a value within values

Value: TypeAlias = str | bool | int | float | list[Any] | dict[str, Any] | None

_TRACE, _SPAN = re.compile(r"(?!0{32})[0-9a-fA-F]{32}", re.ASCII), re.compile(r"(?!0{16})[0-9a-fA-F]{16}", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ReadSpan:
    """One span as it was exported, its resource and scope beside it. `kind` and `status` are OTLP's numbers; times are nanoseconds.

    `texts` are all other texts that it carries (of its events, links and status), by where they stand. `twice`: keys that came twice.
    """

    place: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    status: int
    start: int
    end: int
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]
    scope: str
    texts: Mapping[str, str]
    twice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadSpan:
    """A line, or a part of it, that cannot be read. `key` names the part; empty: the whole line."""

    place: str
    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {f'`{self.key}`: ' if self.key else ''}{self.why}"


class _WrongError(Exception):
    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key, self.why = key, why


def read_spans(path: str | Path) -> Iterator[ReadSpan | BadSpan]:
    """Every span of a file, and everything in it that is none.

    Raises:
        UsageError: the file cannot be opened.
    """
    with opened(path) as raw:
        for number, line in lines_of(raw):
            place = f"{path}:{number}"
            if isinstance(line, str):
                yield BadSpan(place, "", line)
            else:
                yield from spans_of_line(line, place)


def spans_of_line(line: bytes, place: str) -> Iterator[ReadSpan | BadSpan]:
    """The spans of one line."""
    try:
        data = json.loads(line.decode("utf-8"), parse_constant=_not_finite)
    except UnicodeDecodeError as error:
        yield BadSpan(place, "", f"not UTF-8 at byte {error.start}")
    except RecursionError:
        yield BadSpan(place, "", "nested too deep")
    except ValueError as error:
        yield BadSpan(place, "", f"not JSON: {error}")
    else:
        yield from spans_of(data, place)


def spans_of(data: Any, place: str) -> Iterator[ReadSpan | BadSpan]:
    """The spans of one TracesData object. Fields that OTLP does not know are passed over, as it asks."""
    if not isinstance(data, dict) or "resourceSpans" not in data:
        other = next((key for key in ("resourceLogs", "resourceMetrics") if isinstance(data, dict) and key in data), "")
        yield BadSpan(place, "", f"holds `{other}`, not `resourceSpans`" if other else "is no object with `resourceSpans`")
        return
    for at, found in _each(data, "resourceSpans", "", place):
        if isinstance(found, BadSpan):
            yield found
            continue
        try:
            resource = _attributes(_object(found, "resource", at), f"{at}.resource")[0]
        except _WrongError as wrong:
            yield BadSpan(place, wrong.key, wrong.why)
            continue
        for scope_at, scoped in _each(found, "scopeSpans", at, place):
            if isinstance(scoped, BadSpan):
                yield scoped
                continue
            for span_at, span in _each(scoped, "spans", scope_at, place):
                if isinstance(span, BadSpan):
                    yield span
                    continue
                try:
                    scope = _text(_object(scoped, "scope", scope_at), "name", f"{scope_at}.scope")
                    yield _span(span, span_at, place, resource, scope)
                except _WrongError as wrong:
                    yield BadSpan(place, wrong.key, wrong.why)


def _span(span: dict[str, Any], at: str, place: str, resource: Mapping[str, Value], scope: str) -> ReadSpan:
    ids = {key: _text(span, key, at) for key in ("traceId", "spanId", "parentSpanId")}
    for key, form in (("traceId", _TRACE), ("spanId", _SPAN), ("parentSpanId", _SPAN)):
        if not form.fullmatch(ids[key]) and (key != "parentSpanId" or ids[key].strip("0")):
            raise _WrongError(f"{at}.{key}", "is not an id in hex")
    attributes, twice = _attributes(span, at)
    status = _object(span, "status", at)
    texts = {"status.message": _text(status, "message", f"{at}.status"), "traceState": _text(span, "traceState", at)}
    for part in ("events", "links"):
        for where, other in _each(span, part, "", ""):
            if isinstance(other, BadSpan):
                raise _WrongError(f"{at}.{other.key}", other.why)
            texts[f"{where}.name"] = _text(other, "name", f"{at}.{where}")
            for key, value in _attributes(other, f"{at}.{where}")[0].items():
                texts[f"{where}.{key}"] = value if isinstance(value, str) else json.dumps(value)
    parent = ids["parentSpanId"].lower()
    return ReadSpan(
        place, ids["traceId"].lower(), ids["spanId"].lower(), parent if parent.strip("0") else "", _text(span, "name", at),
        _number(span, "kind", at), _number(status, "code", f"{at}.status"), _number(span, "startTimeUnixNano", at),
        _number(span, "endTimeUnixNano", at), attributes, resource, scope, {key: text for key, text in texts.items() if text}, twice,
    )  # fmt: skip


def _attributes(owner: dict[str, Any], at: str) -> tuple[dict[str, Value], tuple[str, ...]]:
    found: dict[str, Value] = {}
    twice: list[str] = []
    for where, pair in _each(owner, "attributes", at, ""):
        if isinstance(pair, BadSpan):
            raise _WrongError(pair.key, pair.why)
        key = _text(pair, "key", where)
        if key in found:
            twice.append(key)
        found[key] = _value(pair.get("value"), where, 0)
    return found, tuple(twice)


def _value(given: Any, at: str, depth: int) -> Value:
    if given is None or given == {}:
        return None
    if not isinstance(given, dict) or len(given) != 1 or depth > MAX_DEPTH:
        raise _WrongError(at, "nested too deep" if depth > MAX_DEPTH else "is no OTLP value")
    ((kind, value),) = given.items()
    match kind:
        case "stringValue" | "bytesValue" if isinstance(value, str):
            return value
        case "boolValue" if isinstance(value, bool):
            return value
        case "intValue":
            return _number(given, kind, at)
        case "doubleValue" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value) if abs(value) < 1e308 else str(value)  # a whole number of any length is JSON
        case "doubleValue" if value in ("NaN", "Infinity", "-Infinity"):
            return cast("str", value)
        case "arrayValue" if isinstance(value, dict):
            values = value.get("values") or []
            if isinstance(values, list):
                return [_value(each, at, depth + 1) for each in values]
        case "kvlistValue" if isinstance(value, dict):
            values = value.get("values") or []
            if isinstance(values, list) and all(isinstance(each, dict) for each in values):
                return {_text(each, "key", at): _value(each.get("value"), at, depth + 1) for each in values}
    raise _WrongError(at, f"is no OTLP value of kind `{kind[:40]}`")


def _each(owner: dict[str, Any], key: str, at: str, place: str) -> Iterator[tuple[str, Any]]:
    """The objects of a list, each with where it stands; what is no object as a `BadSpan`."""
    where = f"{at}.{key}" if at else key
    listed = owner.get(key)
    if listed is None:
        return
    if not isinstance(listed, list):
        yield where, BadSpan(place, where, "is no list")
        return
    for index, item in enumerate(listed):
        inner = f"{where}[{index}]"
        yield inner, item if isinstance(item, dict) else BadSpan(place, inner, "is no object")


def _object(owner: dict[str, Any], key: str, at: str) -> dict[str, Any]:
    value = owner.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _WrongError(f"{at}.{key}", "is no object")
    return value


def _text(owner: dict[str, Any], key: str, at: str) -> str:
    value = owner.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _WrongError(f"{at}.{key}", "is no text")
    return value


def _number(owner: dict[str, Any], key: str, at: str) -> int:
    """A whole number; OTLP writes those of 64 bits as text, and leaves out a zero."""
    value = owner.get(key)
    if value is None:
        return 0
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**64:
        raise _WrongError(f"{at}.{key}", "is no whole number of 64 bits")
    return value


def _not_finite(word: str) -> Any:
    raise ValueError(f"`{word}` is not JSON")
