"""What holds for attributes wherever they stand, on spans, metrics and log events: known, of their type, one of their values, no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from licet.escape import visible
from licet.secretlike import secret_in
from licet.telemetry import semconv
from licet.telemetry.otlp import Value
from licet.telemetry.semconv import Level

SCOPE = "licet"
_LOOKED_AT = 2 * max(row.cap for row in semconv.ATTRIBUTES.values())  # a longer text is a problem already
_PATTERNS = {name: re.compile(row.pattern) for name, row in semconv.ATTRIBUTES.items() if row.pattern}

Told: TypeAlias = Iterator[tuple[str, str, str]]
"""Each problem's code, the key that it is about, and the message."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing in which a span, metric or log event differs from the conventions. `key`: the attribute or field that it is about."""

    place: str
    signal: Literal["span", "metric", "event"]
    name: str
    trace_id: str
    span_id: str
    code: str
    key: str
    message: str

    def __str__(self) -> str:
        which = f"{self.signal} {self.span_id}".strip()
        return visible(f"{self.place}: {which} `{self.name[:100]}`: `{self.key}` {self.message} [{self.code}]", 1_000)


def right(name: str, value: Value) -> Told:
    """An attribute of the registry is of its type, and one of its values."""
    row = semconv.ATTRIBUTES[name]
    if not _is(value, row.type):
        yield "attribute.type", name, f"is not of type {row.type}"
    elif value in ("", []):
        yield "attribute.empty", name, "is empty: leave it out"
    elif isinstance(value, str) and (row.values and value not in row.values):
        yield "attribute.value", name, f"is none of {', '.join(sorted(row.values)[:6])}{', …' if len(row.values) > 6 else ''}"
    elif isinstance(value, str) and name in _PATTERNS and not _PATTERNS[name].fullmatch(value):
        yield "attribute.value", name, f"does not match {row.pattern}"
    elif isinstance(value, (int, float)) and not value >= 0:
        yield "attribute.value", name, "is below zero"


def once(twice: tuple[str, ...]) -> Told:
    """No key comes twice."""
    for key in twice:
        yield "attribute.twice", key, "is there twice"


def belonging(attributes: Mapping[str, Value], levels: Mapping[str, Level], where: str) -> Told:
    """Each attribute is one of those that belong there, each is right, and what is required is there."""
    for name, value in attributes.items():
        if name not in semconv.ATTRIBUTES:
            yield "attribute.unknown", name, "is no attribute of the registry"
            continue
        if name not in levels:
            yield "attribute.misplaced", name, f"does not belong on {where}"
        yield from right(name, value)
    for name, level in levels.items():
        if level == "required" and name not in attributes:
            yield "attribute.missing", name, "is missing"


def sourced(resource: Mapping[str, Value]) -> Told:
    """The resource says what it must."""
    for name in semconv.RESOURCE:
        if not isinstance(value := resource.get(name), str) or not value:
            yield "resource.missing", name, "is missing from the resource"


def texts(*holders: Mapping[str, Value], cleaned: frozenset[str] = frozenset()) -> Told:
    """No text is too long, and none holds what looks like a secret; the message does not quote it.

    `cleaned`: names of texts that are made of parts that were cleaned one by one, and in which names look like secrets.
    """
    for holder in holders:
        for name, value in holder.items():
            cap = semconv.ATTRIBUTES[name].cap if name in semconv.ATTRIBUTES else semconv.LONGEST
            entries = value if isinstance(value, list) else [value]
            if len(entries) > cap or any(isinstance(entry, str) and len(entry) > cap for entry in entries):
                yield "attribute.long", name, f"is longer than {cap} characters or entries"
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if name in cleaned:
                continue
            if what := secret_in(text[:_LOOKED_AT]) or secret_in(name[:_LOOKED_AT]):
                yield "attribute.secret", name, f"holds what looks like {what}"


def text_of(attributes: Mapping[str, Value], name: str) -> str:
    """The attribute if it is a text, else an empty one."""
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def _is(value: Value, kind: str) -> bool:
    match kind:
        case "string[]":
            return isinstance(value, list) and all(isinstance(each, str) for each in value)
        case "double":
            return isinstance(value, float)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)
