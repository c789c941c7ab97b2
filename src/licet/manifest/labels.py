"""Who can choose a value: paths into outputs, labels of outputs, and where an argument may come from (design §§ 3 and 5).

A path names leaves: `a.b` a key, `[]` a list item, `*` any key, `*~` the keys themselves, `$` the whole output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

Label = Literal["trusted", "counterpart", "untrusted"]
OriginWord = Literal["intent", "trusted", "counterpart", "nowhere"]

WORDS: tuple[OriginWord, ...] = ("intent", "trusted", "counterpart", "nowhere")
ITEM, KEY = "[]", "~"
WHOLE = "$"
_RANK: Mapping[Label, int] = {"untrusted": 0, "counterpart": 1, "trusted": 2}
_MOST = 10_000  # paths of which the answer is kept: a tool's own output can have any number of keys
_PART = re.compile(r"[^.\[\]~$()\s]+")
_SOURCE = re.compile(r"(?P<tool>[A-Za-z_][A-Za-z0-9_.:/-]*?)(?:\((?P<argument>[A-Za-z_][\w.-]*) in intent\))?:(?P<path>[^:()]+)")

LeafPath = tuple[str, ...]
"""Where a leaf stands in an output: keys, `[]` for an item of a list, and `~` at the end for the key itself."""


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A declared path. `parts` are as in a `LeafPath`, with `*` for any key; None is the whole output (`$`)."""

    text: str
    parts: LeafPath | None

    def matches(self, leaf: LeafPath) -> bool:
        """Whether the path names this leaf."""
        if self.parts is None:
            return True
        return len(self.parts) == len(leaf) and all(
            part == at or (part == "*" and at not in (ITEM, KEY)) for part, at in zip(self.parts, leaf, strict=True)
        )

    @property
    def exactness(self) -> int:
        """How many of its parts are written out: the path that says most decides."""
        return -1 if self.parts is None else sum(part != "*" for part in self.parts)


def field_path(value: object) -> FieldPath:
    """A path as it is written: `id`, `customer.email`, `comments[].id`, `[].participants[]`, `shared_with.*~`, `$`.

    Raises:
        ValueError: it is not one.
    """
    if isinstance(value, FieldPath):
        return value
    if not isinstance(value, str):
        raise ValueError("a path is text, such as `customer.email`, `items[].id` or `$`")
    if value == WHOLE:
        return FieldPath(value, None)
    rest, parts = value, []
    while rest:
        if rest.startswith(ITEM):
            parts.append(ITEM)
            rest = rest[2:]
        elif rest == KEY and parts and parts[-1] not in (ITEM, KEY):
            parts.append(KEY)
            rest = ""
        elif (match := _PART.match(rest)) and ("*" not in match[0] or match[0] == "*"):
            parts.append(match[0])
            rest = rest[match.end() :]
        else:
            parts = []
            break
        if rest.startswith("."):
            rest = rest[1:] or "."
    if not parts:
        raise ValueError("a path is keys joined by `.`, with `[]` for list items: `customer.email`, `items[].id`, `shared_with.*~`, or `$`")
    return FieldPath(value, tuple(parts))


@dataclass(frozen=True, slots=True)
class Endorsement:
    """One source, endorsed by name: a field of a tool's output; with `argument`, only of calls whose argument the intent names."""

    tool: str
    path: FieldPath
    argument: str | None = None

    def __str__(self) -> str:
        condition = f"({self.argument} in intent)" if self.argument else ""
        return f"{self.tool}{condition}:{self.path.text}"


OriginTerm = OriginWord | Endorsement


def origin_term(value: object) -> OriginTerm:
    """`intent`, `trusted`, `counterpart`, `nowhere`, `TOOL:PATH` or `TOOL(ARG in intent):PATH`.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, Endorsement):
        return value
    for word in WORDS:
        if value == word:
            return word
    match = _SOURCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"an origin is one of {', '.join(WORDS)}, `TOOL:PATH`, or `TOOL(ARG in intent):PATH`")
    return Endorsement(match["tool"], field_path(match["path"]), match["argument"])


@dataclass(frozen=True, slots=True)
class OriginRule:
    """Where an argument's values must come from: `allowed` freely, `ask` with a person's yes, else `otherwise`."""

    allowed: tuple[OriginTerm, ...]
    ask: tuple[OriginTerm, ...] = ()
    otherwise: Literal["deny", "ask"] = "deny"

    @property
    def terms(self) -> tuple[OriginTerm, ...]:
        """All of them."""
        return (*self.allowed, *self.ask)

    @property
    def endorsements(self) -> tuple[Endorsement, ...]:
        """The sources that are named."""
        return tuple(term for term in self.terms if isinstance(term, Endorsement))

    def __str__(self) -> str:
        return " or ".join(str(term) for term in self.allowed) or "nothing without a person"


DEFAULT = OriginRule(("intent", "trusted"))
"""For whatever names a party or a place outside, in a tool that writes or through which data leaves, if the manifest is silent."""

RECEIVERS = frozenset({"to", "recipient", "recipients", "cc", "bcc", "url", "channel", "email"})
"""Arguments that name who receives, unless the manifest says `destination: false`."""


def origin_rule(value: object) -> OriginRule:
    """A list (short for `from`), or `{from: [...], ask: [...], else: deny|ask}`.

    Raises:
        ValueError: it is neither, or allows nothing.
    """
    if isinstance(value, OriginRule):
        return value
    if isinstance(value, list):
        value = {"from": value}
    if not isinstance(value, dict):
        raise ValueError("an origin is a list, or `{from: [...], ask: [...], else: deny}`")
    unknown = sorted(set(value) - {"from", "ask", "else"})
    if unknown:
        raise ValueError(f"unknown key `{unknown[0]}` in an origin; known here: from, ask, else")
    otherwise = value.get("else", "deny")
    if otherwise not in ("deny", "ask"):
        raise ValueError("`else` is `deny` or `ask`")
    lists = []
    for key in ("from", "ask"):
        terms = value.get(key, [])
        if not isinstance(terms, list):
            raise ValueError(f"`{key}` is a list")
        lists.append(tuple(map(origin_term, terms)))
    if not (lists[0] or lists[1] or otherwise == "ask"):
        raise ValueError("an origin that allows nothing refuses every call; name a source, or take the argument out")
    return OriginRule(lists[0], lists[1], otherwise)


def _as_written(rule: OriginRule) -> dict[str, object]:
    return {"from": list(map(str, rule.allowed)), "ask": list(map(str, rule.ask)), "else": rule.otherwise}


_TERM = {
    "type": "string",
    "pattern": r"^(intent|trusted|counterpart|nowhere|[A-Za-z_][A-Za-z0-9_.:/-]*(\([A-Za-z_][\w.-]* in intent\))?:[^:()]+)$",
}
_TERMS = {"type": "array", "items": _TERM}
Origin = Annotated[
    OriginRule,
    BeforeValidator(origin_rule),
    PlainSerializer(_as_written),
    WithJsonSchema(
        {
            "anyOf": [
                {**_TERMS, "minItems": 1},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"from": _TERMS, "ask": _TERMS, "else": {"enum": ["deny", "ask"]}},
                },
            ]
        }
    ),
]


def _fields(value: object) -> object:
    if isinstance(value, dict):
        for path in value:
            field_path(path)
    return value


Fields = Annotated[Mapping[str, Label], BeforeValidator(_fields)]


@dataclass(slots=True)
class OutputLabels:
    """The label of every leaf of one tool's output. Of several paths the one that says most decides, then the less trusted label."""

    default: Label
    paths: tuple[tuple[FieldPath, Label], ...]
    names: frozenset[str] = field(init=False)
    """The keys that the manifest writes out."""
    _known: dict[LeafPath, Label] = field(default_factory=dict)
    _wild: dict[LeafPath, frozenset[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = frozenset(part for path, _ in self.paths for part in path.parts or ())

    @classmethod
    def of(cls, output: Label, fields: Mapping[str, Label]) -> OutputLabels:
        """From what the manifest says of a tool."""
        return cls(output, tuple((field_path(path), label) for path, label in fields.items()))

    def label(self, leaf: LeafPath) -> Label:
        """The label of a leaf."""
        known = self._known.get(leaf)
        if known is None:
            found = [(-path.exactness, _RANK[label], label) for path, label in self.paths if path.matches(leaf)]
            known = min(found)[2] if found else self.default
            if len(self._known) < _MOST:
                self._known[leaf] = known
        return known

    @property
    def lowest(self) -> Label:
        """What counts where fields cannot be told apart: the least trusted of all that the tool's output may hold."""
        return min((self.default, *(label for _, label in self.paths)), key=_RANK.__getitem__)

    def wild(self, leaf: LeafPath) -> frozenset[int]:
        """At which places of the leaf's path the path that labels it says `*`."""
        known = self._wild.get(leaf)
        if known is None:
            found = [path for path, label in self.paths if path.parts is not None and path.matches(leaf) and label == self.label(leaf)]
            known = frozenset(at for path in found for at, part in enumerate(path.parts or ()) if part == "*")
            if len(self._wild) < _MOST:
                self._wild[leaf] = known
        return known
