"""Asking for a reason: a tool as the model is shown it, with one more parameter. What is parsed and what runs stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import BaseModel

from licet.guard.stated import DESCRIPTION, reason_parameter, take
from licet.integrations._langchain_arguments import AgentArguments


def asks_in(tool: BaseTool | None) -> str:
    """The parameter in which this tool, guarded by `guard_tool`, asks for a reason; empty if it does not."""
    found = getattr(tool, "licet_reason_in", "")
    return found if isinstance(found, str) else ""


def asked_in(tool: BaseTool, arguments: AgentArguments) -> str:
    """The parameter in which a tool is to ask for a reason: one that it does not have.

    Raises:
        UsageError: it has all that we know.
    """
    return asks_in(tool) or reason_parameter(tool.name, {*(arguments.names or ()), *arguments.injected})


def split(given: Any, parameter: str) -> tuple[Any, str | None]:
    """What is the tool's, and the reason."""
    return take(given, parameter) if parameter and isinstance(given, Mapping) else (given, None)


def asking(tool: BaseTool, parameter: str) -> BaseTool:
    """A copy of `tool` that is only to be shown to a model."""
    if asks_in(tool):
        return tool
    shown = tool.model_copy()
    ask_in(shown, type(tool), parameter, {})
    return shown


def ask_in(twin: BaseTool, base: type[BaseTool], parameter: str, body: Mapping[str, Any]) -> None:
    """Make `twin`, of class `base`, one whose schema for the model has the parameter. `body` is what else its class gets."""

    def own(self: BaseTool) -> Any:
        return base.tool_call_schema.__get__(self)

    def with_reason(self: BaseTool) -> Any:
        return _extended(own(self), parameter)

    names = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    schemas = {
        "tool_call_schema": property(with_reason),
        "licet_own_schema": property(own),
        "licet_reason_in": property(lambda _self: parameter),
    }
    object.__setattr__(twin, "__class__", type(base.__name__, (base,), {**names, **schemas, **body}))


def _extended(schema: Any, parameter: str) -> dict[str, Any]:
    """The JSON Schema with the parameter, as the last one and required: models fill in what is required."""
    if not isinstance(schema, Mapping):
        schema = schema.model_json_schema() if issubclass(schema, BaseModel) else schema.schema()  # pydantic 2, pydantic 1
    properties = {**schema.get("properties", {}), parameter: {"type": "string", "description": DESCRIPTION}}
    required: Sequence[str] = schema.get("required", ())
    return {**schema, "properties": properties, "required": [*required, parameter]}
