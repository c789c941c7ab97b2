"""Tools from a Python module, and from LangChain's tool objects: both by importing, both by what the objects say of themselves.

LangChain itself is not imported: an object with a `name` and a schema is a tool.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUserError

from licet.draft.model import DraftArgument, Drafted, DraftTool, select
from licet.draft.schemas import argument_of, arguments_of
from licet.errors import UsageError
from licet.escape import visible


def from_module(name: str) -> Drafted:
    """Tools from the functions of a module; see `functions_of`.

    Raises:
        UsageError: the module cannot be imported, or has no such functions.
    """
    return select(_function(function) for function in functions_of(name))


def functions_of(name: str) -> list[Callable[..., Any]]:
    """The public functions that a module defines (or lists in `__all__`). Imports it, which runs its top level.

    Raises:
        UsageError: the module cannot be imported, or has no such functions.
    """
    if ":" in name:
        module_name, _, attribute = name.partition(":")
        shown = visible(module_name, 80)
        either = f"`--module {shown}`, or `--langchain {shown}:{visible(attribute, 80)}` for LangChain tools"
        raise UsageError(f"a module is named without an attribute: {either}")
    module = _import(name)
    listed = getattr(module, "__all__", None)
    names = [item for item in listed if isinstance(item, str)] if isinstance(listed, (list, tuple)) else list(vars(module))
    functions = [getattr(module, item, None) for item in names if not item.startswith("_")]
    found: list[Callable[..., Any]] = [
        function
        for function in functions
        if inspect.isfunction(function) and (listed is not None or function.__module__ == module.__name__)
    ]
    if not found:
        raise UsageError(f"module `{visible(name, 80)}` defines no public function; name the module that defines the tools")
    return found


def from_langchain(reference: str) -> Drafted:
    """Tools from the LangChain tool, or list of tools, at `MODULE:ATTRIBUTE`; see `objects_at`.

    Raises:
        UsageError: the module cannot be imported, or holds no tool there.
    """
    left_out: list[str] = []
    drafted = select(_langchain_tools(objects_at(reference), left_out), left_out)
    if not drafted.tools and not drafted.left_out:
        raise UsageError(f"`{visible(reference, 160)}` holds no tools")
    return Drafted(drafted.tools, tuple(dict.fromkeys((*drafted.left_out, *left_out))))


def objects_at(reference: str) -> list[Any]:
    """What stands at `MODULE:ATTRIBUTE`, or is listed there. Imports the module, which runs its top level.

    Raises:
        UsageError: the module cannot be imported, or has no such attribute.
    """
    module_name, colon, attribute = reference.partition(":")
    if not (module_name and colon and attribute):
        raise UsageError("name the tools as MODULE:ATTRIBUTE, for example `my_agent.tools:TOOLS`")
    found: Any = _import(module_name)
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise UsageError(f"`{visible(module_name, 80)}` has no `{visible(attribute, 80)}`")
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _import(name: str) -> ModuleType:
    here = os.getcwd()  # noqa: PTH109 - sys.path holds text; a script's own directory is there, ours is not
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        # Our own standard output may be the draft.
        with contextlib.redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except (ImportError, SyntaxError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UsageError(f"module `{visible(name, 80)}` cannot be imported ({visible(why, 300)}); run this where its agent runs") from error
    except SystemExit as error:
        raise UsageError(f"module `{visible(name, 80)}` ends the process when it is imported; guard that with `__main__`") from error


def _function(function: Callable[..., Any]) -> DraftTool:
    arguments: dict[str, DraftArgument] = {}
    notes: list[str] = []
    hints = _hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            notes.append(f"it takes any number of positional arguments (`*{name}`); a call that gives some is refused")
        elif parameter.kind is parameter.VAR_KEYWORD:
            notes.append(f"it takes any keyword argument (`**{name}`); those not listed here are refused")
        else:
            schema = _schema(hints.get(name, Any))
            arguments[name] = argument_of(schema, schema, required=parameter.default is parameter.empty)
    return DraftTool(function.__name__, inspect.getdoc(function) or "", arguments=arguments, notes=tuple(notes))


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):  # a name that only a type checker sees
        return {}


def _schema(annotation: Any) -> Mapping[str, Any]:
    try:
        return TypeAdapter(annotation).json_schema()
    except (PydanticUserError, TypeError, ValueError, AttributeError):  # a class that JSON cannot describe
        return {}


def _langchain_tools(things: list[Any], left_out: list[str]) -> Iterator[DraftTool]:
    for thing in things:
        name = getattr(thing, "name", None)
        if isinstance(name, str):
            arguments, notes = arguments_of(_declared(thing))
            yield DraftTool(name, str(getattr(thing, "description", "")), arguments=arguments, notes=notes)
        elif inspect.isfunction(thing):  # LangChain takes plain functions for tools
            yield _function(thing)
        else:
            left_out.append(f"an object of type `{visible(type(thing).__qualname__, 80)}`: no tool that runs in this process")


def _declared(tool: Any) -> Mapping[str, Any]:
    # `tool_call_schema` is what the model fills in; `args_schema` also holds what LangChain injects.
    for attribute in ("tool_call_schema", "args_schema"):
        schema = getattr(tool, attribute, None)
        if isinstance(schema, Mapping):
            return schema
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            return _schema(schema)
    args = getattr(tool, "args", None)
    return {"type": "object", "properties": args} if isinstance(args, Mapping) else {}
