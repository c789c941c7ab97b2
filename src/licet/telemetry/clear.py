"""The door out of spans and log events: what can be any text is scrubbed, as names and ids come from models and frameworks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from licet.secretlike import scrub
from licet.telemetry import semconv

# Made of parts that were scrubbed one by one: as a whole they would be JSON no more.
_OF_PARTS = frozenset({semconv.RECORD, semconv.TOOL_ARGUMENTS, semconv.TOOL_RESULT})
# Of few values, or of a form of our own.
_MADE = _OF_PARTS | {name for name, row in semconv.ATTRIBUTES.items() if row.values or (row.pattern and name.startswith("licet."))}


# Where names of the manifest stand. Whoever wrote it may call a tool `secrets:list`; a name that it does not declare is a model's.
_NAMES = frozenset({
    semconv.TOOL_NAME, semconv.AGENT_NAME, semconv.TASK_KIND, semconv.ACTOR_ID, semconv.ACTOR_CHAIN, semconv.INTENT_SCOPE,
    semconv.CHAIN_PREVIOUS_TOOL, semconv.OWNER,
})  # fmt: skip


class Door:
    """What goes out passes here. `declared`: the names that the manifest declares."""

    def __init__(self, declared: Iterable[str] = ()) -> None:
        self._declared = frozenset(declared)

    def clear(self, name: str, value: Any) -> Any:
        """The value of an attribute, without what looks like a secret."""
        return value if name in _MADE else self._clear(value, names=name in _NAMES)

    def _clear(self, value: Any, *, names: bool) -> Any:
        if isinstance(value, str):
            return value if names and value in self._declared else scrub(value)
        return [self._clear(each, names=names) for each in value] if isinstance(value, (list, tuple)) else value
