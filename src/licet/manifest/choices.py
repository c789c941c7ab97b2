"""What a fully hijacked agent may put into an argument, by what the manifest says alone: freely, among trusted values, by a person's yes.

The agent knows the manifest and owns every untrusted field. Checks that speak only of what entered (`origin.unanchored`,
`origin.content`) do not bind it: it needs no untrusted content to know its owner's address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from licet.catalogue import CHECKS
from licet.manifest.arguments import Argument
from licet.manifest.labels import (
    DEFAULT,
    ITEM,
    RECEIVERS,
    Endorsement,
    FieldPath,
    Label,
    LeafPath,
    OriginRule,
    OriginTerm,
    OutputLabels,
    field_path,
)
from licet.manifest.models import CheckSettings, Grant, Manifest, Moded, Tool
from licet.manifest.rules import origins
from licet.records import Effect

Level = Literal["free", "counterpart", "endorsed", "declared", "trusted", "person", "intent", "never"]

LEVELS: tuple[Level, ...] = ("free", "counterpart", "endorsed", "declared", "trusted", "person", "intent", "never")
"""From what an attacker likes best to what he cannot have."""

IN_WORDS: Mapping[Level, str] = {
    "free": "freely",
    "counterpart": "a stranger's own address",
    "endorsed": "from what the intent names",
    "declared": "within declared values",
    "trusted": "among trusted values",
    "person": "with a person's yes",
    "intent": "what the user named",
    "never": "not at all",
}


MODEL, USER = "the model", "the user"
_NO_TEXT = frozenset({"number", "integer", "boolean"})
_PARTIES = frozenset({"email", "uri"})  # formats of which every value names a party
AS_LEVEL: Mapping[Effect, Level] = {"flag": "free", "ask": "person", "deny": "never"}
_LEVEL: Mapping[Label, Level] = {"untrusted": "free", "counterpart": "counterpart", "trusted": "trusted"}


@dataclass(frozen=True, slots=True)
class Source:
    """A field of a tool's output, with its label: where a value can be read."""

    tool: str
    path: str
    label: Label

    def __str__(self) -> str:
        return f"{self.tool}:{self.path}"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to fill an argument. `source` is MODEL, USER or a field in words; `tool` is what must be called first, if anything.

    `kind` is the origin that such a value has; `endorsed`: a rule names its source.
    """

    level: Level
    source: str
    kind: Literal["intent", "nowhere"] | Label
    tool: str = ""
    endorsed: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be put into an argument, or into a part of one (`payee.iban`). `closed`: only declared values
    can stand there; `why` says what limits it, or what more there is to know."""

    argument: str
    ways: tuple[Way, ...]
    required: bool
    receives: bool
    closed: bool = False
    why: str = ""

    @property
    def level(self) -> Level:
        """The worst of its ways."""
        return worst(way.level for way in self.ways)


def worst(levels: Iterator[Level] | Sequence[Level]) -> Level:
    """What an attacker likes best among these."""
    return min(levels, key=LEVELS.index, default="never")


def stricter(one: Level, other: Level) -> Level:
    """What an attacker likes least of the two."""
    return max(one, other, key=LEVELS.index)


class World:
    """One task kind as it is enforced. `now` (seconds since the epoch) ends `observe`; without it, what may be observed is not enforced."""

    def __init__(self, manifest: Manifest, kind: str, now: float | None = None) -> None:
        self.manifest, self.kind, self._now = manifest, kind, now
        task = manifest.tasks[kind]
        # Where even `scope.tool` is only observed, whatever is declared runs.
        self.grants: Mapping[str, Grant] = (
            task.tools if self.enforces("scope.tool") else {**dict.fromkeys(manifest.tools, Grant()), **task.tools}
        )
        self.sources = tuple(_sources(manifest, self.grants))
        self._known: dict[tuple[tuple[OriginRule, ...], bool], tuple[Way, ...]] = {}

    def enforces(self, check: str) -> bool:
        """Whether a denial of this check stops a call."""
        return self.effect(check) == "deny"

    def effect(self, check: str, found: Effect | None = None) -> Effect:
        """What a reason of this check comes to; `found`: the effect that a rule of the manifest chose for it."""
        task = self.manifest.tasks[self.kind]
        settings: tuple[CheckSettings | None, ...] = (task.checks.get(check), self.manifest.checks.get(check))
        if self._observed((*settings, task)):
            return "flag"
        own = CHECKS[check].effect
        if found is not None and found != own:
            return found
        return next((each.then for each in settings if each is not None and each.then is not None), own)

    def _observed(self, parts: Sequence[Moded | None]) -> bool:
        for part in (*parts, self.manifest):
            if part is not None and part.mode is not None:
                return part.mode == "observe" if self._now is None else part.observes(self._now)
        return False

    def choices(self, tool: str) -> tuple[Choice, ...]:
        """What can be put into each declared argument of a tool, as it is granted here; if it is not granted, by its own rules."""
        declared, granted = self.manifest.tools[tool], self.grants.get(tool, Grant())
        names = dict.fromkeys((*declared.arguments, *granted.arguments))
        return tuple(choice for name in names for choice in self._parts(declared, granted, name))

    def _parts(self, tool: Tool, grant: Grant, name: str) -> Iterator[Choice]:
        rules = [rules[name] for rules in (tool.arguments, grant.arguments) if name in rules]
        content = any(rule.content for rule in rules)
        sourced = any(True for rule in rules for _ in origins_in(rule))
        for path in dict.fromkeys(path for rule in rules for path in _leaf_paths(rule)) if sourced else [()]:
            along = [each for rule in rules for each in _along(rule, path)]
            found = tuple(each.origin for each in along if each.origin is not None)
            limits = [limit for limit in map(limit_of, along) if limit] if self.enforces("scope.argument") else []
            notes = dict.fromkeys(limits)
            closed = any(limit != _pattern(each) for each in along if (limit := limit_of(each)))
            if not sourced and not content and not closed and (tool.writes or tool.leaves):
                if any(each.format in _PARTIES for each in along):
                    found = (DEFAULT,)
                elif not any(types_of(each) and types_of(each) <= _NO_TEXT for each in along):
                    notes["addresses, accounts, links and paths only from the intent or a trusted field"] = None
            ways = self._ways(found, limited=bool(limits))
            if found and any(types_of(each) == {"boolean"} for each in along):
                ways = tuple(way for way in ways if way.source == MODEL)
                notes["true and false have no origin"] = None
            needed = self.enforces("scope.argument") and any(_is_required(rule, path) for rule in rules)
            yield Choice(_shown(name, path), ways, needed, is_receiver(name, rules), closed, "; ".join(notes))

    def anything(self, tool: str) -> Choice:
        """What can be put into an argument that the manifest does not declare."""
        why = f"the manifest declares no argument of {tool}"
        return Choice("its arguments", self._ways((), limited=False), required=False, receives=True, why=why)

    def _ways(self, rules: tuple[OriginRule, ...], *, limited: bool) -> tuple[Way, ...]:
        known = self._known.get((rules, limited))
        if known is None:
            known = self._known[rules, limited] = tuple(dict.fromkeys(self._make_ways(rules, "declared" if limited else "free")))
        return known

    def _make_ways(self, rules: tuple[OriginRule, ...], at_least: Level) -> Iterator[Way]:
        model = self._level([_word(rule, "nowhere") for rule in rules], "free")
        user = self._level([_word(rule, "intent") for rule in rules], "intent")
        if model != "never":
            yield Way(stricter(model, at_least), MODEL, "nowhere")
        if user != "never":
            yield Way(user, USER, "intent")
        for source in self.sources:
            level = self._level([_field(rule, source) for rule in rules], _LEVEL[source.label])
            if level != "never":
                endorsed = any(_names(rule.terms, source) for rule in rules)
                yield Way(stricter(level, at_least), str(source), source.label, source.tool, endorsed)

    def _level(self, judged: Sequence[tuple[Effect, bool]], reached: Level) -> Level:
        """What several rules come to for one source: each lets it pass, asks or denies; some only where the intent names the call."""
        level = reached
        for found, conditional in judged:
            effect = found if found == "flag" else self.effect("origin.argument", found)
            level = stricter(level, AS_LEVEL[effect])
            if conditional and found == "flag":
                level = stricter(level, "endorsed")
        return level


def _sources(manifest: Manifest, granted: Iterable[str]) -> Iterator[Source]:
    """The fields of the outputs of granted tools that are told apart: by their own labels, or by an endorsement."""
    endorsed: dict[str, dict[str, FieldPath]] = {}
    for _, _, rule in origins(manifest):
        for term in rule.endorsements:
            endorsed.setdefault(term.tool, {})[term.path.text] = term.path
    for name in granted:
        labels = labels_of(manifest.tools[name])
        out = {"$": Source(name, "$", labels.default)}
        out |= {path.text: Source(name, path.text, label) for path, label in labels.paths}
        for text, path in endorsed.get(name, {}).items():
            if path.parts is not None:
                out.setdefault(text, Source(name, text, labels.label(path.parts)))
        yield from out.values()


def labels_of(tool: Tool) -> OutputLabels:
    """The labels of a tool's output as they hold: text has no fields."""
    fields = {path: label for path, label in tool.fields.items() if tool.format != "text" or path == "$"}
    return OutputLabels.of(tool.output, fields)


def trusted_paths(tool: Tool) -> list[str]:
    """The paths of a tool's output that are labelled trusted."""
    labels = labels_of(tool)
    return [*(["$"] if labels.default == "trusted" else []), *(path.text for path, label in labels.paths if label == "trusted")]


def is_receiver(name: str, rules: Sequence[Argument]) -> bool:
    """Whether an argument names who or what receives: declared, or implied by its name."""
    return any(rule.destination for rule in rules) or (name in RECEIVERS and not any(rule.destination is False for rule in rules))


def limit_of(rule: Argument) -> str:
    """What keeps a value within declared ones; empty if nothing does."""
    if "const" in rule.model_fields_set:
        return "one value"
    if rule.enum is not None:
        return f"one of {len(rule.enum)} values"
    if types_of(rule) == {"boolean"}:
        return "true or false"
    return _pattern(rule) if rule.pattern is not None else ""


def types_of(rule: Argument) -> frozenset[str]:
    """The types that a rule names, null left out."""
    named = (rule.type,) if isinstance(rule.type, str) else rule.type or ()
    return frozenset(named) - {"null"}


def _pattern(rule: Argument) -> str:
    return f"matching {rule.pattern}"


def origins_in(rule: Argument) -> Iterator[OriginRule]:
    """The origins that a rule speaks of, inside it too."""
    if rule.origin is not None:
        yield rule.origin
    for inner in (*([rule.items] if rule.items else []), *(rule.properties or {}).values()):
        yield from origins_in(inner)


def _leaf_paths(rule: Argument, path: LeafPath = ()) -> Iterator[LeafPath]:
    if rule.items is not None:
        yield from _leaf_paths(rule.items, (*path, ITEM))
    for name, inner in (rule.properties or {}).items():
        yield from _leaf_paths(inner, (*path, name))
    if rule.items is None and not rule.properties:
        yield path


def _along(rule: Argument, path: LeafPath) -> Iterator[Argument]:
    """The rules that speak of the leaf at `path`, from the outside in."""
    yield rule
    if path:
        inner = rule.items if path[0] == ITEM else (rule.properties or {}).get(path[0])
        if inner is not None:
            yield from _along(inner, path[1:])


def _is_required(rule: Argument, path: LeafPath, *, item: bool = False) -> bool:
    """Whether there is always a value at `path`. Of items nothing can be required; a list that is required is not empty."""
    if not (rule.required or item):
        return False
    inner = (rule.items if path[0] == ITEM else (rule.properties or {}).get(path[0])) if path else None
    return inner is None or _is_required(inner, path[1:], item=path[0] == ITEM)


def _word(rule: OriginRule, word: Literal["nowhere", "intent"]) -> tuple[Effect, bool]:
    return ("flag" if word in rule.allowed else "ask" if word in rule.ask else rule.otherwise), False


def _field(rule: OriginRule, source: Source) -> tuple[Effect, bool]:
    """What a rule says to a value of a field, and whether the intent must name the call for it. `flag` stands for: it passes."""
    effects: tuple[Effect, Effect] = ("flag", "ask")
    for effect, terms in zip(effects, (rule.allowed, rule.ask), strict=True):
        if source.label in terms:
            return effect, False
        if found := _names(terms, source):
            return effect, all(term.argument is not None for term in found)
    return rule.otherwise, False


def _names(terms: Iterable[OriginTerm], source: Source) -> list[Endorsement]:
    return [term for term in terms if isinstance(term, Endorsement) and term.tool == source.tool and _covers(term.path, source.path)]


def _covers(endorsed: FieldPath, source: str) -> bool:
    parts = field_path(source).parts
    return endorsed.parts is None or (parts is not None and endorsed.matches(parts))


def _shown(name: str, path: LeafPath) -> str:
    out = name
    for part in path:
        out += part if part == ITEM else f".{part}"
    return out
