"""The reason that an agent states for a call: which parameter asks for it, and how it is taken out before anything else sees the call.

It is the model's own text: cut here, escaped wherever it is shown, by digest wherever it is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from licet.canonical import digest_text, recordable
from licet.errors import UsageError
from licet.records import ToolCall

DESCRIPTION = "In one sentence: why this call is needed for the task. It is recorded, and no part of what the tool does."
MAX_REASON = 2_000  # characters; what is longer is cut, with a digest
_NAMES = ("reason", "licet_reason")
_RECORDED = ("call_id", "framework", "agent", "run", "session", "definition")


def reason_parameter(tool: str, taken: Collection[str]) -> str:
    """What the extra parameter is called: `reason`, or `licet_reason` where the tool has a `reason` of its own.

    Raises:
        UsageError: the tool has both.
    """
    for name in _NAMES:
        if name not in taken:
            return name
    raise UsageError(f"`{tool}` has parameters {' and '.join(_NAMES)} of its own, so that it cannot be asked for a reason")


def stated(said: object) -> str | None:
    """A stated reason as it is kept: text, without what looks like a secret, cut; or None where nothing was said."""
    if not isinstance(said, str):
        return None
    text = recordable("".join(str.__iter__(said)).strip(), MAX_REASON)
    return text or None


def without_reason(call: ToolCall, parameter: str) -> ToolCall:
    """The call with its reason taken out of the arguments."""
    if not parameter:
        return call
    rest, said = take(call.arguments, parameter)
    return call if len(rest) == len(call.arguments) else replace(call, arguments=rest, reason=call.reason or said)


def take(arguments: Mapping[str, Any], parameter: str) -> tuple[dict[str, Any], str | None]:
    """The arguments that are the tool's, and the reason."""
    rest: dict[str, Any] = {}
    said: object = None
    for name, value in arguments.items():
        if type(name) is str and name == parameter:  # a name of a class of its own could be equal to whatever it is compared with
            said = value
        else:
            rest[name] = value
    return rest, stated(said)


def reason_digest(call: ToolCall) -> str:
    """The digest of the stated reason; empty where none was stated."""
    said: object = call.reason  # a call that could not be judged may hold anything
    return digest_text(said) if isinstance(said, str) and said else ""


def recordable_call(call: ToolCall, declared: Collection[str]) -> ToolCall:
    """The call with names that can stand in a record: a model chooses tool names and call ids, and can choose any text.

    Only the name of a declared tool stays as it is, whatever it looks like.
    """
    cleaned: dict[str, Any] = {}
    if type(call.tool) is not str or call.tool not in declared:
        cleaned["tool"] = recordable(call.tool)
    for name in _RECORDED:
        text = getattr(call, name)
        if text is None or (type(text) is str and not text):
            continue
        clean = recordable(text)
        if type(text) is not str or clean != text:
            cleaned[name] = clean
    return replace(call, **cleaned) if cleaned else call
