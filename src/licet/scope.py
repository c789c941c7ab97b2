"""What a task may do: a stack of layers, each of which must agree. Narrowing adds a layer, so that a scope can never widen.

The bottom layer is what the manifest says of each tool, then come the task kind's grants, then what this run, and each
delegation, took away. The same shape as a macaroon's caveats (Birgisson et al., NDSS 2014).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from licet.canonical import Plain, digest
from licet.manifest import Argument, Grant, Manifest
from licet.manifest.arguments import validator
from licet.manifest.labels import ITEM, LeafPath, OriginRule, OutputLabels

NOT_AS_GRANTED = "is not as granted"


class ArgumentRule:
    """One compiled rule for one argument."""

    def __init__(self, name: str, rule: Argument) -> None:
        self.name = name
        self.rule = rule
        self._of_lists = rule.speaks_of_lists()
        schema = rule.schema_for_value()
        self._validator = validator(schema) if schema else None

    def refusal(self, value: Plain, *, absent: bool, null_is_default: bool) -> str | None:
        """Why the value is refused, in words that do not repeat it; None if it may pass.

        `null_is_default`: the tool's own signature has None there, so that None is what leaving it out means.
        """
        if absent or (value is None and null_is_default):
            return "is required and missing" if self.rule.required else None
        if self.rule.required and _is_empty(value):
            return "is required and empty"
        if self._validator is None:
            return None
        return None if self._passes(value) else NOT_AS_GRANTED

    def _passes(self, value: Plain) -> bool:
        if isinstance(value, list) and not self._of_lists:
            return all(self._passes(item) for item in value)
        return self._validator is None or bool(self._validator.is_valid(value))

    def describe(self) -> str:
        """The rule in words, for people and for the model."""
        words: list[str] = []
        rule = self.rule
        if rule.enum is not None:
            words.append("one of " + ", ".join(map(_shown, rule.enum[:8])) + (" …" if len(rule.enum) > 8 else ""))
        if "const" in rule.model_fields_set:
            words.append(f"exactly {_shown(rule.const)}")
        if rule.type is not None:
            words.append("of type " + (rule.type if isinstance(rule.type, str) else " or ".join(rule.type)))
        for word, text in _IN_WORDS.items():
            value = getattr(rule, word)
            if value is not None and value is not False:
                words.append(text.format(value))
        if rule.items is not None:
            words.append(f"each item {ArgumentRule(self.name, rule.items).describe()}")
        if rule.properties is not None:
            words.append("an object of " + ", ".join(rule.properties))
        return "; ".join(words) or "any value"


_IN_WORDS = {
    "pattern": "matching {}",
    "format": "a valid {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "uniqueItems": "no item twice",
}


@dataclass(frozen=True, slots=True)
class Sourced:
    """What one layer says of where the leaves of an argument come from. `path` is where in the argument it holds; empty: everywhere."""

    argument: str
    path: LeafPath
    rule: OriginRule

    def governs(self, path: LeafPath) -> bool:
        """Whether it speaks of the leaf at `path`."""
        return path[: len(self.path)] == self.path


@dataclass(frozen=True, slots=True)
class CompiledGrant:
    """One tool in one layer."""

    rules: tuple[ArgumentRule, ...] = ()
    at_most: int | None = None
    ask: bool = False

    sourced: tuple[Sourced, ...] = ()
    content: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()
    keys: frozenset[tuple[str, LeafPath]] = frozenset()
    limited: frozenset[str] = field(init=False)
    """The arguments of which this layer speaks."""
    endorses: bool = field(init=False)
    """Whether some rule names a source."""

    def __post_init__(self) -> None:
        # Every call asks for both.
        object.__setattr__(self, "limited", frozenset(rule.name for rule in self.rules))
        object.__setattr__(self, "endorses", any(sourced.rule.endorsements for sourced in self.sourced))

    @classmethod
    def of(cls, arguments: Mapping[str, Argument], at_most: int | None = None, *, ask: bool = False) -> CompiledGrant:
        """From what the manifest says of a tool, or of a grant."""
        return cls(
            tuple(ArgumentRule(name, rule) for name, rule in arguments.items()), at_most, ask,
            tuple(found for name, rule in arguments.items() for found in _sourced(name, rule, ())),
            frozenset(name for name, rule in arguments.items() if rule.content),
            frozenset(name for name, rule in arguments.items() if rule.destination),
            frozenset((name, path) for name, rule in arguments.items() for path in _declared_keys(rule, ())),
        )  # fmt: skip

    def plain(self) -> dict[str, Plain]:
        """The grant as JSON."""
        rules: dict[str, Plain] = {rule.name: rule.rule.model_dump(mode="json", exclude_unset=True) for rule in self.rules}
        return {"arguments": rules, "at_most": self.at_most, "ask": self.ask}

    def refusals(self, plain: Mapping[str, Plain], defaults_to_null: frozenset[str]) -> Iterator[tuple[str, str, str]]:
        """Each argument that this layer refuses, why, and what would pass."""
        for rule in self.rules:
            absent = rule.name not in plain
            why = rule.refusal(plain.get(rule.name), absent=absent, null_is_default=rule.name in defaults_to_null)
            if why is not None:
                yield rule.name, why, rule.describe() if why == NOT_AS_GRANTED else ""


@dataclass(frozen=True)
class Layer:
    """Which tools one source grants. `source` says whose word it is, for messages."""

    source: str
    grants: Mapping[str, CompiledGrant]

    @cached_property
    def digest(self) -> str:
        """`sha256:` of what the layer grants: by it two layers are compared where only tokens are at hand."""
        return digest({tool: grant.plain() for tool, grant in self.grants.items()})


DECLARED = 2
"""Layers that a manifest declares: the tool's, and the task kind's of the first task. What comes later only narrows."""


@dataclass(frozen=True)
class Scope:
    """All layers of one task. A tool is granted if every layer grants it; a call passes if every layer lets it pass."""

    layers: tuple[Layer, ...]

    @cached_property
    def tools(self) -> frozenset[str]:
        """The tools that every layer grants."""
        granted = [frozenset(layer.grants) for layer in self.layers]
        return frozenset.intersection(*granted) if granted else frozenset()

    def narrow(self, layer: Layer) -> Scope:
        """This scope, with one more layer that must agree."""
        return Scope((*self.layers, layer))

    def covers(self, other: Scope) -> bool:
        """Whether everything that `other` lets pass, this scope lets pass too, because it stands on the same layers."""
        return other.layers[: len(self.layers)] == self.layers

    @cached_property
    def _granted(self) -> Mapping[str, tuple[CompiledGrant, ...]]:
        return {tool: tuple(layer.grants[tool] for layer in self.layers) for tool in self.tools}

    def grants_of(self, tool: str) -> tuple[CompiledGrant, ...]:
        """What each layer says of `tool`; empty unless all grant it."""
        return self._granted.get(tool, ())

    @cached_property
    def free_text(self) -> Mapping[str, frozenset[str]]:
        """The arguments of each tool that are declared free text, by the tool or by the task kind of the first task."""
        none: frozenset[str] = frozenset()
        return {tool: none.union(*(grant.content for grant in grants[:DECLARED])) for tool, grants in self._granted.items()}

    def asks(self, tool: str) -> bool:
        """Whether some layer wants a person to confirm each call."""
        return tool in self._asked

    @cached_property
    def _asked(self) -> frozenset[str]:
        return frozenset(tool for tool, grants in self._granted.items() if any(grant.ask for grant in grants))


def compile_grants(source: str, grants: Mapping[str, Grant]) -> Layer:
    """A layer from grants of the manifest's form."""
    return Layer(
        source,
        {tool: CompiledGrant.of(grant.arguments, grant.at_most, ask=grant.ask) for tool, grant in grants.items()},
    )


def layer_of_names(source: str, tools: frozenset[str]) -> Layer:
    """A layer that only names tools."""
    return Layer(source, dict.fromkeys(tools, CompiledGrant()))


class CompiledManifest:
    """What can be made once per manifest and is then only looked up: a later change of the models changes nothing."""

    def __init__(self, manifest: Manifest) -> None:
        tools = {name: CompiledGrant.of(tool.arguments) for name, tool in manifest.tools.items()}
        base = Layer("the manifest's tools", tools)
        self.scopes: Mapping[str, Scope] = {
            kind: Scope((base, compile_grants(f"task kind `{kind}`", task.tools))) for kind, task in manifest.tasks.items()
        }
        self.opaque: Mapping[str, frozenset[str]] = {
            name: frozenset(arg for arg, rule in tool.arguments.items() if rule.opaque) for name, tool in manifest.tools.items()
        }
        self.labels: Mapping[str, OutputLabels] = {name: OutputLabels.of(tool.output, tool.fields) for name, tool in manifest.tools.items()}
        self.urls: Mapping[str, frozenset[str]] = {
            name: frozenset(arg for arg, rule in tool.arguments.items() if rule.format == "uri") for name, tool in manifest.tools.items()
        }
        self.not_destinations: Mapping[str, frozenset[str]] = {
            name: frozenset(arg for arg, rule in tool.arguments.items() if rule.destination is False)
            for name, tool in manifest.tools.items()
        }
        rules = [rule for tool in manifest.tools.values() for rule in tool.arguments.values()]
        rules += [rule for task in manifest.tasks.values() for grant in task.tools.values() for rule in grant.arguments.values()]
        self.endorsed_tools: frozenset[str] = frozenset(
            term.tool for rule in rules for found in _sourced("", rule, ()) for term in found.rule.endorsements
        )
        self.drops: frozenset[str] = frozenset(name for name, tool in manifest.tools.items() if tool.unknown_arguments == "drop")
        self.declared_arguments: Mapping[str, frozenset[str]] = {
            name: frozenset(tool.arguments).union(
                *(frozenset(task.tools[name].arguments) for task in manifest.tasks.values() if name in task.tools)
            )
            for name, tool in manifest.tools.items()
        }


def _sourced(argument: str, rule: Argument, path: LeafPath) -> Iterator[Sourced]:
    if rule.origin is not None:
        yield Sourced(argument, path, rule.origin)
    for name, inner in (rule.properties or {}).items():
        yield from _sourced(argument, inner, (*path, name))
    if rule.items is not None:
        yield from _sourced(argument, rule.items, (*path, ITEM))


def _declared_keys(rule: Argument, path: LeafPath) -> Iterator[LeafPath]:
    for name, inner in (rule.properties or {}).items():
        yield (*path, name)
        yield from _declared_keys(inner, (*path, name))
    if rule.items is not None:
        yield from _declared_keys(rule.items, (*path, ITEM))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_empty(value: Plain) -> bool:
    return all(map(_is_empty, value)) if isinstance(value, list) else value in (None, "", {})


def leaves(value: Any) -> Iterator[Plain]:
    """Every value inside a plain value that is not a container, keys of objects left out."""
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    else:
        yield value
