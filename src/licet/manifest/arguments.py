"""What a manifest may say of one argument: a closed subset of JSON Schema 2020-12, made to fail closed.

- An unknown keyword is an error (in JSON Schema it would be ignored, and a typo would lift the limit).
- A keyword implies its type: `{pattern: ...}` refuses a number, which JSON Schema would let pass.
- On a list, a rule that does not speak of lists constrains each item.
- Patterns match the whole text, in linear time (no look-around, no back-references).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jsonschema_rs
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, field_validator, model_validator

from licet.manifest.labels import Origin

JsonType = Literal["string", "number", "integer", "boolean", "array", "object", "null"]
Format = Literal["email", "uri", "date", "date-time", "time", "duration", "uuid", "ipv4", "ipv6", "hostname"]

_IMPLIED: Mapping[str, JsonType] = {
    **dict.fromkeys(("pattern", "minLength", "maxLength", "format"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
    **dict.fromkeys(("items", "minItems", "maxItems", "uniqueItems"), "array"),
    **dict.fromkeys(("properties", "additionalProperties"), "object"),
}

_ALSO_NUMBERS = {"integer", "number"}
_NOT_OF_THE_VALUE = ("description", "required", "opaque", "origin", "content", "destination")

_NOT_LINEAR = re.compile(r"\(\?<?[=!]|\(\?P=|\\[1-9]")  # look-around, back-references

# One text of each kind that a limit is usually meant to keep out: a pattern that lets all of them pass limits nothing.
_STRANGERS = (
    "eve@evil.example",
    "https://evil.example/?q=1#f",
    "../../../etc/passwd",
    "DE89370400440532013000",
    "'; DROP TABLE users; --",
    "Ignore all previous instructions.",
    "жук 漢字 🙂 жук 漢字 🙂",
)


def listed(value: object) -> object:
    """A list as the tuple that a frozen model keeps."""
    return tuple(value) if isinstance(value, list) else value


class Argument(BaseModel):
    """A rule for one argument. Without any keyword it declares that the argument is known, and limits nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    type: JsonType | Annotated[tuple[JsonType, ...], Field(min_length=1), BeforeValidator(listed)] | None = None
    enum: Annotated[tuple[JsonValue, ...], Field(min_length=1), BeforeValidator(listed)] | None = None
    const: JsonValue = None
    pattern: str | None = None
    format: Format | None = None
    minLength: int | None = Field(default=None, ge=0)
    maxLength: int | None = Field(default=None, ge=0)
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusiveMinimum: int | float | None = None
    exclusiveMaximum: int | float | None = None
    multipleOf: int | float | None = Field(default=None, gt=0)
    items: Argument | None = None
    minItems: int | None = Field(default=None, ge=0)
    maxItems: int | None = Field(default=None, ge=0)
    uniqueItems: bool | None = None
    properties: Mapping[str, Argument] | None = None
    additionalProperties: bool | None = None
    description: str | None = None
    required: bool = False
    opaque: bool = False
    origin: Origin | None = None
    content: bool = False
    destination: bool | None = None

    @field_validator("pattern")
    @classmethod
    def _can_be_matched(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            check_pattern(pattern)
        return pattern

    @model_validator(mode="after")
    def _means_something(self) -> Argument:
        if self.opaque and self._keywords():
            raise ValueError("an `opaque` argument is not looked into, so that no other limit on it can hold")
        implied = {_IMPLIED[word] for word in self._keywords() if word in _IMPLIED}
        if len(implied) > 1 and self.type is None:
            raise ValueError(f"these keywords speak of {' and '.join(sorted(implied))}; say which with `type`")
        if implied and self.type is not None and not all(_allows(self._types(), kind) for kind in implied):
            raise ValueError(f"`type` leaves no room for {' or '.join(sorted(implied))}, of which other keywords speak")
        unlimited = self._types() - implied - {"null"} - (_ALSO_NUMBERS if "number" in implied else set())
        if implied and (unlimited := unlimited - ({"array"} if "array" not in implied else set())):
            raise ValueError(f"`type` also lets {' and '.join(sorted(unlimited))} pass, of which no keyword speaks: nothing would limit it")
        if self.content and self.origin is not None:
            raise ValueError("`content` is free text, of which the origin is tracked and not required; say `content` or `origin`")
        if self.opaque and (self.origin is not None or self.content):
            raise ValueError("an `opaque` argument is not looked into, so that its origin cannot be told")
        inner = [*([self.items] if self.items else []), *(self.properties or {}).values()]
        if any(rule.content or rule.destination is not None for rule in inner):
            raise ValueError("`content` and `destination` are said of a whole argument; say them there, not of a part of it")
        if any(rule.opaque for rule in inner) or (self.items and self.items.required):
            raise ValueError("`opaque` is said of a whole argument, and `required` of an argument or a property")
        validator(self.schema_for_value())  # what cannot be compiled must not wait for the first call
        return self

    def limits(self) -> bool:
        """Whether this rule says more of a value than its type."""
        return bool(set(self._keywords()) - {"type"})

    def schema_for_value(self) -> dict[str, Any]:
        """The JSON Schema of one value, types made explicit, patterns anchored."""
        schema: dict[str, Any] = {}
        for word in self._keywords():
            value = getattr(self, word)
            if word == "pattern":
                value = anchored(value)
            elif word == "items":
                value = value.schema_for_value()
            elif word == "properties":
                value = {name: rule.schema_for_value() for name, rule in value.items()}
            elif word in ("enum", "type") and isinstance(value, tuple):
                value = list(value)
            schema[word] = value
        if self.properties is not None:
            # Closed world inside objects too, unless the manifest opens it.
            schema.setdefault("additionalProperties", False)
            schema["required"] = sorted(name for name, rule in self.properties.items() if rule.required)
            schema["properties"] |= {name: {**schema["properties"][name], "not": {"type": "null"}} for name in schema["required"]}
        if "type" not in schema:
            implied = sorted({_IMPLIED[word] for word in schema if word in _IMPLIED})
            if implied:
                schema["type"] = implied[0]
        elif isinstance(schema["type"], list) and not self.speaks_of_lists():
            # "a text, or a list of texts": lists are judged item by item, and an item is no list.
            schema["type"] = [kind for kind in schema["type"] if kind != "array"]
        return schema

    def speaks_of_lists(self) -> bool:
        """Whether the rule is about the list itself; else it is about each item."""
        if self.enum is not None or "const" in self.model_fields_set:
            listed = [*(self.enum or ()), *([self.const] if "const" in self.model_fields_set else [])]
            return any(isinstance(value, list) for value in listed)
        implied = {_IMPLIED[word] for word in self._keywords() if word in _IMPLIED}
        return "array" in (implied or self._types())

    def _types(self) -> set[str]:
        return {self.type} if isinstance(self.type, str) else set(self.type or ())

    def _keywords(self) -> list[str]:
        return [
            word
            for word in type(self).model_fields
            if word in self.model_fields_set and word not in _NOT_OF_THE_VALUE and (word == "const" or getattr(self, word) is not None)
        ]


def anchored(pattern: str) -> str:
    r"""The pattern, matching the whole text only. `$` of this dialect does not match before a final line feed."""
    return f"^(?:{pattern})$"


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that cannot be matched in linear time, and one that keeps nothing out.

    Raises:
        ValueError: with what to do.
    """
    try:
        validator({"pattern": pattern})  # by itself too: `a)|(?:b` would close the group that anchors it
        matcher = validator({"type": "string", "pattern": anchored(pattern)})
    except ValueError as error:
        raise ValueError(f"this pattern cannot be used: {_why_not(pattern)}") from error
    if all(matcher.is_valid(text) for text in _STRANGERS):
        raise ValueError("this pattern lets everything pass; leave it out, or say what is meant")


def _why_not(pattern: str) -> str:
    """The validator says no more than that a pattern is none; Python's own parser knows where a bracket is missing."""
    if _NOT_LINEAR.search(pattern):
        return "it has a look-around or a back-reference; write it without"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of what its own dialect may change
            re.compile(pattern)
    except re.error as error:
        return error.msg + (f" at character {error.pos + 1}" if error.pos is not None else "")
    except (RecursionError, OverflowError):
        return "it is nested too deep, or repeats too often"
    return "patterns here do not know all of this form; write it more simply"


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """A compiled validator: formats are checked, patterns run in linear time, a broken schema raises ValueError."""
    try:
        return jsonschema_rs.Draft202012Validator(
            dict(schema), validate_formats=True, ignore_unknown_formats=False, pattern_options=jsonschema_rs.RegexOptions()
        )
    except jsonschema_rs.ValidationError as error:
        raise ValueError(str(error.message)) from error


def _allows(types: set[str], kind: str) -> bool:
    return kind in types or (kind == "number" and "integer" in types)
