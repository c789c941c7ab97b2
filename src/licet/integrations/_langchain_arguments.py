"""What a LangChain tool takes from the agent: the names, and the values as the tool itself will read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ValidationError

_SYNTHETIC = frozenset({"args", "kwargs"})  # fields that stand for `*args` and `**kwargs`
_CACHED = 1_000  # tools


@dataclass(frozen=True)
class AgentArguments:
    """The arguments of one tool that are the agent's to choose.

    `names` is None where nobody knows them. `injected` are those that LangChain or LangGraph fills in. `model` parses the agent's
    arguments, and is None where that cannot be done before the call.
    """

    names: frozenset[str] | None
    injected: frozenset[str] = frozenset()
    model: type[BaseModel] | None = None

    def read(self, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """The arguments as the tool will get them, and why they do not fit it.

        LangChain parses arguments after the guard has seen them: `"5"` becomes 5, and defaults are filled in. Here the same is done
        before, so that what is judged is what runs. Where parsing twice is not parsing once, the arguments stay as they are.
        """
        if self.model is None or self.names is None:
            return given, ""
        known = {name: given[name] for name in given if name in self.names}
        try:
            parsed = self._parse(known)
            again = self._parse(parsed)
        except ValidationError as error:
            return given, _why(error)
        # A validator of the tool's own may raise anything; LangChain meets the same, and says it in its own way.
        except Exception:  # noqa: BLE001
            return given, ""
        if any(type(again[name]) is not type(value) or again[name] != value for name, value in parsed.items()):
            return given, ""
        # What the tool does not take stays, and is refused.
        return {**given, **parsed}, ""

    def _parse(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if self.model is None:
            return dict(given)
        parsed = self.model.model_validate(dict(given))
        return {name: getattr(parsed, name) for name in self.model.model_fields if name in given or name not in _SYNTHETIC}


class ToolReader:
    """Reads tools once: LangChain builds the schema anew each time it is asked."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[BaseTool, AgentArguments]] = {}

    def __call__(self, tool: BaseTool | None) -> AgentArguments:
        """The arguments of `tool`; None is a tool that the agent made up, or that is registered elsewhere."""
        if tool is None:
            return AgentArguments(None)
        kept = self._known.get(id(tool))
        if kept is None or kept[0] is not tool:
            if len(self._known) >= _CACHED:
                self._known.clear()
            kept = self._known[id(tool)] = (tool, _read(tool))
        return kept[1]


def _read(tool: BaseTool) -> AgentArguments:
    schema: Any = tool.tool_call_schema
    if isinstance(schema, dict):
        return AgentArguments(frozenset(schema.get("properties", {})))
    if not issubclass(schema, BaseModel):  # pydantic 1
        return AgentArguments(frozenset(schema.__fields__))
    fields = schema.model_fields
    names = frozenset(field.alias or name for name, field in fields.items())
    whole: Any = tool.args_schema
    complete = isinstance(whole, type) and issubclass(whole, BaseModel)
    injected = frozenset(whole.model_fields) - frozenset(fields) if complete else frozenset()
    if names != frozenset(fields) or any(field.validation_alias for field in fields.values()):
        return AgentArguments(names, injected)
    # The tool's own model has its validators; the reduced one is for tools with parameters that are filled in later.
    return AgentArguments(names, injected, whole if complete and not injected else schema)


def _why(error: ValidationError) -> str:
    """What does not fit, without any value: the text goes to the model."""
    found = {f"`{item['loc'][0]}`: {item['type']}" if item["loc"] else item["type"]: None for item in error.errors(include_url=False)}
    return f"the arguments do not fit the tool: {', '.join(found)}"
