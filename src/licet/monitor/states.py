"""The state of a fold as the text that it is kept as: JSON, written five times as fast as by the standard library."""

from __future__ import annotations

import json

from pydantic_core import PydanticSerializationError, from_json, to_json

from licet.monitor.detector import State


def state_text(state: State) -> str:
    """The column for it."""
    try:
        return to_json(state, inf_nan_mode="constants").decode()
    except PydanticSerializationError:  # half a character, which only ASCII can hold
        return json.dumps(state, ensure_ascii=True, separators=(",", ":"))


def state_of(text: str) -> State:
    """The state that was kept as this."""
    try:
        found: State = from_json(text, cache_strings="keys")
    except ValueError:
        found = json.loads(text)
    return found
