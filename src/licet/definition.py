"""What a tool shows of itself (name, description, parameters) as one digest, which `licet pin` writes and the guard compares.

There is one function for each kind of tool, and both sides call it. The form must be the same in every process: addresses in memory,
the order of sets and unions, the module that a script happens to be (`__main__`) and the indentation of a docstring do not count.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from licet.canonical import Plain, canonical, digest

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_UNORDERED = frozenset({"anyOf", "oneOf", "allOf", "enum", "required", "type"})  # keywords of JSON Schema whose lists are sets
_HINTS = ("title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")  # of an MCP tool's `annotations`
_MAX_DEPTH = 20
_CUT = "nested too deep"


def definition_digest(name: str, description: str, parameters: Plain) -> str:
    """The digest of a definition. `parameters` is what `parameters_of` or `schema_of` made."""
    return digest({"name": _text(name), "description": _text(inspect.cleandoc(description)), "parameters": parameters})


def parameters_of(signature: inspect.Signature, hints: Mapping[str, Any], left_out: frozenset[str] = frozenset()) -> Plain:
    """The parameters of a Python callable: name, kind, annotation and default of each, in order.

    `hints` are its annotations, resolved. `left_out` are parameters that are not the agent's (`self`, what a framework fills in).
    """
    return [
        {
            "name": name,
            "kind": parameter.kind.name,
            "annotation": _annotation(hints.get(name, parameter.annotation), ()),
            "default": _default(parameter.default),
        }
        for name, parameter in signature.parameters.items()
        if name not in left_out
    ]


def object_definition(tool: object) -> str:
    """The digest for a tool that is an object with `name`, `description` and a schema, such as LangChain's; empty if it has no schema.

    The schema is what the model fills in: `licet_own_schema` where the guard shows another one, else `tool_call_schema`, `args_schema`.
    """
    for attribute in ("licet_own_schema", "tool_call_schema", "args_schema"):
        found = getattr(tool, attribute, None)
        schema = found if isinstance(found, Mapping) else _model_schema(found)
        if schema is not None:
            return definition_digest(str(getattr(tool, "name", "")), str(getattr(tool, "description", "") or ""), schema_of(schema))
    return ""


def mcp_definition(tool: Mapping[str, Any]) -> str:
    """The digest for a tool of an MCP server, as it stands in the server's answer to `tools/list`; empty if it has no name or schema.

    All that a model or a client goes by: name, title, description, both schemas, and the hints of `annotations`. Not `icons` and `_meta`.
    """
    name, taken, returned, hints = tool.get("name"), tool.get("inputSchema"), tool.get("outputSchema"), tool.get("annotations")
    if not isinstance(name, str) or not isinstance(taken, Mapping):
        return ""
    shown: dict[str, Plain] = {"takes": schema_of(taken), "title": _text(str(tool.get("title") or ""))}
    if isinstance(returned, Mapping):
        shown["returns"] = schema_of(returned)
    if isinstance(hints, Mapping):
        shown["hints"] = {hint: _value(hints[hint]) for hint in _HINTS if hints.get(hint) is not None}
    return definition_digest(name, str(tool.get("description") or ""), shown)


def schema_of(schema: Mapping[str, Any]) -> Plain:
    """A JSON Schema in a form of its own: lists that stand for sets are sorted."""
    return _json(schema, 0)


def _model_schema(model: Any) -> Mapping[str, Any] | None:
    for method in ("model_json_schema", "schema"):  # pydantic 2, pydantic 1
        describe = getattr(model, method, None)
        if isinstance(model, type) and callable(describe):
            try:
                found = describe()
            # What cannot be described has no definition, and a pinned tool without one is refused; a schema hook may raise anything.
            except Exception:  # noqa: BLE001 - see above
                return None
            return found if isinstance(found, Mapping) else None
    return None


def _json(value: Any, depth: int) -> Plain:
    if depth > _MAX_DEPTH * 3:
        return _CUT
    if isinstance(value, Mapping):
        return {
            _text(str(key)): _sorted([_json(each, depth + 1) for each in item])
            if key in _UNORDERED and isinstance(item, list)
            else _json(item, depth + 1)
            for key, item in value.items()
        }
    return [_json(item, depth + 1) for item in value] if isinstance(value, (list, tuple)) else _value(value)


def _default(default: Any) -> Plain:
    return [] if default is inspect.Parameter.empty else [_value(default)]


def _annotation(annotation: Any, within: tuple[object, ...]) -> Plain:
    """An annotation as plain data. `within` are the classes around it, so that one that holds itself comes to an end."""
    if annotation is inspect.Parameter.empty:
        return None
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, str):  # it could not be resolved
        return {"unresolved": _text(annotation)}
    if len(within) > _MAX_DEPTH:
        return _CUT
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return {"of": _annotation(inner[0], within), "with": [_value(mark) for mark in annotation.__metadata__]}
    if origin is typing.Literal:
        return {"literal": _sorted([_value(each) for each in inner])}
    if origin is typing.Union or origin is types.UnionType:
        # Python keeps `list[int | str]` for `list[str | int]` if it met the one before the other.
        return {"any": _sorted([_annotation(each, within) for each in inner])}
    if origin is not None:
        return {"of": _annotation(origin, within), "items": [_arguments(each, within) for each in inner]}
    return _class(annotation, within) if isinstance(annotation, type) else _shown(annotation)


def _arguments(inner: Any, within: tuple[object, ...]) -> Plain:
    return [_annotation(each, within) for each in inner] if isinstance(inner, list) else _annotation(inner, within)  # Callable[[int], str]


def _class(cls: type, within: tuple[object, ...]) -> Plain:
    """A class by its name, and by its fields where it stands for structured data: those are what a caller fills in."""
    name = _text(cls.__qualname__)
    if cls in within:
        return name
    if issubclass(cls, enum.Enum):
        return {"enum": name, "members": {_text(key): _value(each.value) for key, each in cls.__members__.items()}}
    if issubclass(cls, BaseModel):
        fields: dict[str, Plain] = {
            _text(key): {
                "annotation": _annotation(each.annotation, (*within, cls)),
                "default": [] if each.is_required() else [_value(each.default)],
                "description": _text(each.description or ""),
                "alias": _text(each.alias or ""),
                "with": [_value(mark) for mark in each.metadata],
            }
            for key, each in cls.model_fields.items()
        }
        return {"model": name, "fields": fields}
    if dataclasses.is_dataclass(cls) or typing.is_typeddict(cls) or (issubclass(cls, tuple) and hasattr(cls, "_fields")):
        described: Plain = {_text(key): _annotation(hint, (*within, cls)) for key, hint in _hints_of(cls).items()}
        optional: list[Plain] = [_text(key) for key in sorted(getattr(cls, "__optional_keys__", ()))]
        return {"model": name, "fields": described, "optional": optional}
    return name


def _hints_of(cls: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except (NameError, TypeError, AttributeError):  # a name that only a type checker sees
        return dict(getattr(cls, "__annotations__", {}))


def _value(value: Any, depth: int = 0) -> Plain:
    """A default, or a mark within `Annotated`, as plain data; 1, 1.0 and True are three values."""
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return typing.cast(Plain, value)
    if kind is str:
        return _text(value)
    if depth > _MAX_DEPTH:
        return _CUT
    if isinstance(value, enum.Enum):
        return {"member": f"{_text(type(value).__qualname__)}.{_text(value.name)}"}
    if kind is list or kind is tuple:
        return {kind.__name__: [_value(item, depth + 1) for item in value]}
    if kind is set or kind is frozenset:
        return {"set": _sorted([_value(item, depth + 1) for item in value])}
    if isinstance(value, Mapping):
        return {"mapping": _sorted([[_value(key, depth + 1), _value(item, depth + 1)] for key, item in value.items()])}
    if isinstance(value, type):
        return {"class": _text(value.__qualname__)}
    if dataclasses.is_dataclass(value):
        return {
            "object": _text(kind.__qualname__),
            "fields": {f.name: _value(getattr(value, f.name, None), depth + 1) for f in dataclasses.fields(value)},
        }
    return _shown(value)


def _shown(value: Any) -> Plain:
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):  # a function: its address says nothing
        return {"object": _text(name)}
    if getattr(type(value), "__repr__", None) is object.__repr__:  # it shows its module, which may be `__main__`
        return {"object": _text(type(value).__qualname__)}
    try:
        shown = _ADDRESS.sub("", repr(value))
    # Code of the value itself; its type is known all the same.
    except Exception:  # noqa: BLE001 - see above
        shown = ""
    return {"object": _text(type(value).__qualname__), "shows": _text(shown)}


def _sorted(items: list[Plain]) -> list[Plain]:
    return sorted(items, key=canonical)


def _text(text: str) -> str:
    """Text that can stand in canonical JSON."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
