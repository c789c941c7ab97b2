"""The words that models of a manifest are made of: names, texts, days, durations, edges. Closed (an unknown key is an error) and frozen."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema

from licet.manifest.arguments import listed

_DURATION = re.compile(r"([1-9][0-9]*)(s|m|h|d)", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$"
_EDGE = re.compile(r"\s*(\S+)\s*->\s*(\S+)\s*")


def duration(value: object) -> timedelta:
    """`30s`, `10m`, `8h` or `90d` as a time span.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a whole number and a unit: 30s, 10m, 8h or 90d")
    try:
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError as error:
        raise ValueError("this duration is longer than can be counted") from error


def edge(value: object) -> tuple[str, str]:
    """`a -> b` as a pair.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, tuple) and len(value) == 2:
        return value
    match = _EDGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("an edge is written `from -> to`")
    return match[1], match[2]


# Dates are text in YAML 1.2's core schema; strict mode would refuse them, so that they are parsed here.
def _date(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, (str, date)):
        raise ValueError("a date is written YYYY-MM-DD")
    if isinstance(value, date):
        return value
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII) is None:
        raise ValueError("a date is written YYYY-MM-DD")
    return date.fromisoformat(value)


Name = Annotated[str, StringConstraints(pattern=_NAME_PATTERN)]
Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, strip_whitespace=True),
    WithJsonSchema({"type": "string", "maxLength": 500, "pattern": r"\S"}),
]
Duration = Annotated[
    timedelta, BeforeValidator(duration), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]*[smhd]$", "examples": ["10m"]})
]
Edge = Annotated[tuple[str, str], BeforeValidator(edge), WithJsonSchema({"type": "string", "pattern": r"^\s*\S+\s*->\s*\S+\s*$"})]

Day = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Edges = Annotated[tuple[Edge, ...], BeforeValidator(listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(listed)]


class Closed(BaseModel):
    """The base of every model: frozen, and closed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
