"""From a JSON Schema that someone else wrote to rules of ours.

A keyword is kept if `licet.manifest.Argument` accepts it beside the others; else it is noted. Nothing is ever made wider than what
the source says, except where a note says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from licet.draft.model import DraftArgument, is_argument_name
from licet.manifest.arguments import Argument

MAX_DEPTH = 2  # of nested objects and lists; deeper, only the type is kept
MAX_PROPERTIES = 100  # of one tool
MAX_KEYS = 20  # of one nested object
MAX_VALUES = 200  # of an enum
_MAX_REFERENCES = 20
_MAX_PATH = 5  # of what an output schema nests, how deep its paths are named
_MAX_BITS = 256  # of a whole number

_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_KEYWORDS = (
    *("format", "minLength", "maxLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems"),
)


def arguments_of(schema: Any, root: Any = None) -> tuple[dict[str, DraftArgument], tuple[str, ...]]:
    """The arguments of an object schema, and notes on what it says beyond them. `root` is where `$ref` points into."""
    root = schema if root is None else root
    notes: list[str] = []
    schema = _flatten(schema, root, notes)
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}, tuple(notes)
    required = _names(schema.get("required"))
    out: dict[str, DraftArgument] = {}
    for name, inner in properties.items():
        if len(out) == MAX_PROPERTIES:
            notes.append(f"more than {MAX_PROPERTIES} arguments; the rest is left out, and so refused")
            break
        out[str(name)] = argument_of(inner, root, required=name in required)
    if schema.get("additionalProperties") is True:
        notes.append("it takes any further argument; those not listed are refused")
    return out, tuple(notes)


def argument_of(schema: Any, root: Any, *, required: bool = False, depth: int = 0) -> DraftArgument:
    """One schema as one rule."""
    notes: list[str] = []
    schema = _flatten(schema, root, notes)
    rule: dict[str, Any] = {}
    kind = _type(schema)
    if kind:
        rule["type"] = kind
    _values(schema, rule, notes)
    for word, value in _numbers(schema).items():
        _try(rule, word, value, notes)
    if "pattern" in rule:
        notes.append("guess: the pattern must match the whole text here")
    types = {kind} if isinstance(kind, str) else set(kind or ())
    if "array" in types and isinstance(schema.get("items"), Mapping):
        _items(schema["items"], root, rule, notes, depth)
    if "object" in types and isinstance(schema.get("properties"), Mapping):
        _properties(schema, root, rule, notes, depth)
    if not rule:
        notes.append("guess: the source says nothing that could limit it")
    if required:
        rule["required"] = True
    return DraftArgument(rule, tuple(dict.fromkeys(notes)))


def paths_of(schema: Any) -> tuple[str, ...]:
    """The paths of the single values that an output schema describes, as a manifest's `fields:` writes them."""
    return tuple(path for path in _paths(schema, schema, "", 0) if path)[:MAX_PROPERTIES]


def _paths(schema: Any, root: Any, path: str, depth: int) -> Iterator[str]:
    schema = _flatten(schema, root, [])
    if depth > _MAX_PATH:
        return
    if isinstance(schema.get("properties"), Mapping):
        for name, inner in schema["properties"].items():
            if _PLAIN_KEY.fullmatch(str(name)):
                yield from _paths(inner, root, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(schema.get("items"), Mapping):
        yield from _paths(schema["items"], root, f"{path}[]", depth + 1)
    else:
        yield path


def resolve(schema: Any, root: Any) -> Mapping[str, Any]:
    """The schema behind local references; an empty one where there is none."""
    for _ in range(_MAX_REFERENCES):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = _at(root, reference)
    return {}


def _at(root: Any, reference: str) -> Any:
    """RFC 6901 within this document; what lies elsewhere is not fetched."""
    if not reference.startswith("#"):
        return None
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        root = root.get(key) if isinstance(root, Mapping) else None
    return root


def _flatten(schema: Any, root: Any, notes: list[str]) -> dict[str, Any]:
    """`allOf`, `anyOf`, `oneOf` and `nullable` in terms of one schema."""
    if isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str) and not resolve(schema, root):
        notes.append(f"guess: `{schema['$ref']}` cannot be followed")
    flat = dict(resolve(schema, root))
    for part in _schemas(flat.pop("allOf", None), root):
        flat = _merge(part, flat)
    for word in ("anyOf", "oneOf"):
        choices = _schemas(flat.pop(word, None), root)
        real = [choice for choice in choices if choice.get("type") != "null"]
        if len(real) == 1:
            flat = _merge(real[0], flat)
        elif real:
            types = [kind for choice in real for kind in _as_list(_type(choice))]
            if types and all(_type(choice) for choice in real):
                flat["type"] = list(dict.fromkeys(types))
            notes.append(f"guess: of {len(real)} alternatives only the types are kept")
        if len(real) < len(choices) and _type(flat):
            flat["nullable"] = True
    if flat.get("nullable") is True and _type(flat):
        flat["type"] = [*_as_list(_type(flat)), "null"]
        if isinstance(flat.get("enum"), list) and None not in flat["enum"]:
            flat["enum"] = [*flat["enum"], None]
    return flat


def _merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**one, **other}
    if isinstance(one.get("properties"), Mapping) and isinstance(other.get("properties"), Mapping):
        merged["properties"] = {**one["properties"], **other["properties"]}
    merged["required"] = [*_names(one.get("required")), *_names(other.get("required"))]
    return merged


def _schemas(value: Any, root: Any) -> list[Mapping[str, Any]]:
    return [resolve(item, root) for item in value[:MAX_PROPERTIES]] if isinstance(value, list) else []


def _type(schema: Mapping[str, Any]) -> str | list[str] | None:
    kind = schema.get("type")
    kinds = list(dict.fromkeys(item for item in _as_list(kind) if isinstance(item, str) and item in _TYPES))
    if not kinds and isinstance(schema.get("properties"), Mapping):
        return "object"
    return kinds[0] if len(kinds) == 1 else kinds or None


def _values(schema: Mapping[str, Any], rule: dict[str, Any], notes: list[str]) -> None:
    values = schema.get("enum")
    if isinstance(values, list) and values:
        if len(values) <= MAX_VALUES and all(_scalar(value) for value in values):
            _try(rule, "enum", values, notes)
        else:
            notes.append("left out: an `enum` that is too long, or holds more than plain values")
    if "const" in schema:
        if _scalar(schema["const"]):
            _try(rule, "const", schema["const"], notes)
        else:
            notes.append("left out: a `const` that is no plain value")


def _numbers(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = {word: schema[word] for word in _KEYWORDS if schema.get(word) is not None}
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        # JSON Schema draft 4, and so OpenAPI 3.0, writes the exclusive bound as a flag.
        if isinstance(found.get(exclusive), bool) and found.pop(exclusive) and bound in found:
            found[exclusive] = found.pop(bound)
    return found


def _items(schema: Mapping[str, Any], root: Any, rule: dict[str, Any], notes: list[str], depth: int) -> None:
    if depth >= MAX_DEPTH:
        notes.append(f"guess: nested more than {MAX_DEPTH} deep, so that its items are not described")
        return
    inner = argument_of(schema, root, depth=depth + 1)
    notes.extend(inner.notes)
    if inner.rule:
        _try(rule, "items", dict(inner.rule), notes)


def _properties(schema: Mapping[str, Any], root: Any, rule: dict[str, Any], notes: list[str], depth: int) -> None:
    if depth >= MAX_DEPTH or len(schema["properties"]) > MAX_KEYS:
        notes.append("guess: an object too deep or too wide to describe")
        return
    required = _names(schema.get("required"))
    properties = {}
    for name, inner in schema["properties"].items():
        if not is_argument_name(str(name)):
            notes.append(f"left out: its key `{name}`")
            continue
        drafted = argument_of(inner, root, required=name in required, depth=depth + 1)
        properties[str(name)] = dict(drafted.rule)
        notes.extend(drafted.notes)
    if properties:
        _try(rule, "properties", properties, notes)
        notes.append("guess: keys that are not listed are refused")


def _try(rule: dict[str, Any], word: str, value: Any, notes: list[str]) -> None:
    if isinstance(value, (int, float)) and not _scalar(value):
        notes.append(f"left out: {word}: a number that is not finite, or too long")
        return
    try:
        Argument.model_validate({**rule, word: value})
    except ValidationError as error:
        why = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        notes.append(f"left out: {word} {value!r}: {why}")
    else:
        rule[word] = value


def _scalar(value: Any) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, int) and value.bit_length() < _MAX_BITS)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _names(value: Any) -> frozenset[str]:
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()
