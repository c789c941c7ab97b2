"""The door out of spans and log events: what can be any text is scrubbed, as names and ids come from models and frameworks."""

from __future__ import annotations

from typing import Any

from licet.secretlike import scrub
from licet.telemetry import semconv

# Made of parts that were scrubbed one by one: as a whole they would be JSON no more.
_OF_PARTS = frozenset({semconv.RECORD, semconv.TOOL_ARGUMENTS, semconv.TOOL_RESULT})
# Of few values, or of a form of our own.
_MADE = _OF_PARTS | {name for name, row in semconv.ATTRIBUTES.items() if row.values or (row.pattern and name.startswith("licet."))}


def clear(name: str, value: Any) -> Any:
    """The value of an attribute, without what looks like a secret."""
    return value if name in _MADE else _clear(value)


def _clear(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    return [_clear(each) for each in value] if isinstance(value, (list, tuple)) else value
