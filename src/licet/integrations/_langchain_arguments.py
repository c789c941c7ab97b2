"""What a LangChain tool takes from the agent: the names, and the values as the tool itself will read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ValidationError, create_model

from licet.definition import object_definition

_SYNTHETIC = frozenset({"args", "kwargs"})  # fields that stand for `*args` and `**kwargs`
_CACHED = 1_000  # tools
_UNFIT = "the arguments do not fit the tool"


@dataclass(frozen=True)
class AgentArguments:
    """The arguments of one tool that are the agent's to choose.

    `names` is None where nobody knows them. `injected` are those that LangChain or LangGraph fills in. `model` parses the agent's
    arguments, and is None where LangChain does not parse them. `problem` says why what would run cannot be known before the call.

    A field is known by its own name, which is the one that LangChain shows to the model. An alias is another name, and is refused.
    """

    names: frozenset[str] | None
    injected: frozenset[str] = frozenset()
    model: Any = None  # a class of pydantic's, or of its version 1
    problem: str = ""

    def read(self, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """The arguments as the tool will get them, and why they do not fit it.

        LangChain parses arguments after the guard has seen them: `"5"` becomes 5, and defaults are filled in. Here the same is done
        before, so that what is judged is what runs. It is parsed again on the way to the tool; where that is not the same, or a
        validator fails, nobody can say what would run, and nothing does.
        """
        if self.problem or self.model is None or self.names is None:
            return given, self.problem
        try:
            parsed = self._parse({name: value for name, value in given.items() if name in self.names}, self.names)
        # A validator of the tool's own may raise anything.
        except Exception as error:  # noqa: BLE001 - see above
            return given, _why(error)
        try:
            again = self._parse(parsed, self.names)
            changed = sorted(name for name in parsed if not _same(parsed[name], again[name]))
        except Exception as error:  # noqa: BLE001 - as above
            return given, f"{_why(error)} (read a second time)"
        if changed:
            return given, f"{_UNFIT}: `{'`, `'.join(changed)}`: not the same when read a second time"
        # What the tool does not take stays, and is refused.
        return {**given, **parsed}, ""

    def _parse(self, given: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
        """What LangChain makes of it (`BaseTool._parse_input`)."""
        read = self.model.model_validate if issubclass(self.model, BaseModel) else self.model.parse_obj
        parsed = read(dict(given))
        return {name: getattr(parsed, name) for name in names if name in given or name not in _SYNTHETIC}


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way: to Python, 1 equals True."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    return bool(one == other) and (not isinstance(one, BaseModel) or _same(one.__dict__, other.__dict__))


class ToolReader:
    """Reads tools once: LangChain builds the schema anew each time it is asked."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[BaseTool, AgentArguments]] = {}
        self._defined: dict[int, tuple[tuple[BaseTool, str, str, Any], str]] = {}

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

    def definition(self, tool: BaseTool | None) -> str:
        """The digest of what the tool shows of itself now; empty where nobody knows. A tool object may be given another description."""
        if tool is None:
            return ""
        if isinstance(tool.args_schema, dict):  # it can change in its place
            return object_definition(tool)
        shows = (tool, tool.name, tool.description, tool.args_schema)
        kept = self._defined.get(id(tool))
        if kept is None or any(one is not other for one, other in zip(kept[0], shows, strict=True)):
            if len(self._defined) >= _CACHED:
                self._defined.clear()
            kept = self._defined[id(tool)] = (shows, object_definition(tool))
        return kept[1]


def _read(tool: BaseTool) -> AgentArguments:
    schema: Any = getattr(tool, "licet_own_schema", None) or tool.tool_call_schema  # without the question for a reason
    if isinstance(schema, dict):  # LangChain hands on what it is given
        return AgentArguments(frozenset(schema.get("properties", {})))
    whole: Any = tool.args_schema
    complete = isinstance(whole, type)  # else LangChain parses nothing, and what is parsed here is what runs
    if not issubclass(schema, BaseModel):  # pydantic 1
        names = frozenset(schema.__fields__)
        injected = frozenset(whole.__fields__) - names if complete else frozenset()
        problem = f"{_UNFIT}: they cannot be read before the call, as its schema is of pydantic 1" if injected else ""
        return AgentArguments(names, injected, whole if complete else schema, problem)
    names = frozenset(schema.model_fields)
    injected = frozenset(whole.model_fields) - names if complete else frozenset()
    if injected:
        # The reduced schema has lost the validators of the tool's own model.
        left_out: dict[str, Any] = dict.fromkeys(injected, (Any, None))
        schema = create_model(whole.__name__, __base__=whole, **left_out)
    return AgentArguments(names, injected, whole if complete and not injected else schema)


def _why(error: Exception) -> str:
    """What does not fit, without any value: the text goes to the model."""
    if not isinstance(error, ValidationError):
        return f"{_UNFIT}: reading them failed ({type(error).__name__})"
    found = {f"`{item['loc'][0]}`: {item['type']}" if item["loc"] else item["type"]: None for item in error.errors(include_url=False)}
    return f"{_UNFIT}: {', '.join(found)}"
