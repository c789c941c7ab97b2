"""Laundering: what anybody chose is written into a place, and comes back from there in a field that is labelled trusted.

Where both tools name the same `store`, the guard remembers what was written without being trusted, and the field is not trusted for it.
Where they name different ones, the owner says that they are different places. Where one of the two names none, nobody knows; evidence
that they share a place is the same credential, the same audience, or a noun in both names (`create_note`, `get_notes`): docs/reach.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from licet.manifest.choices import Choice, World, trusted_paths, types_of
from licet.manifest.models import Manifest, Tool

State = Literal["open", "remembered", "unknown"]

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_VERBS = frozenset({
    "add", "append", "archive", "ask", "assign", "book", "browse", "cancel", "change", "check", "clear", "close", "commit", "complete",
    "copy", "count", "create", "delete", "describe", "download", "draft", "drop", "edit", "export", "fetch", "find", "get", "give",
    "import", "insert", "invite", "list", "load", "log", "look", "lookup", "make", "mark", "merge", "modify", "move", "open", "patch",
    "pay", "ping", "post", "publish", "push", "put", "query", "read", "register", "remove", "rename", "reply", "reschedule", "reserve",
    "retrieve", "run", "save", "schedule", "search", "see", "select", "send", "set", "share", "show", "store", "submit", "sync",
    "update", "upload", "upsert", "view", "write"
})  # fmt: skip
_SMALL = frozenset({
    "a", "all", "an", "and", "current", "data", "day", "detail", "details", "id", "info", "information", "last", "latest", "many",
    "most", "my", "new", "next", "of", "one", "or", "recent", "the"
})  # fmt: skip
_TURNS = frozenset({"as", "at", "by", "for", "from", "in", "into", "on", "to", "using", "via", "with"})

_NO_TEXT = frozenset({"integer", "number", "boolean"})


@dataclass(frozen=True, slots=True)
class Laundering:
    """What a `writer` takes as `argument`, whoever chose it, may come back from `reader` in `paths`, which are labelled trusted, and
    `taker` takes what is trusted as `taken`.

    `open`: `why` says what shows that they share a place, and one of them names no store. `remembered`: both name the store `why`.
    `unknown`: nothing speaks for it or against it.
    """

    writer: str
    argument: str
    reader: str
    paths: tuple[str, ...]
    taker: str
    taken: str
    state: State
    why: str

    def __str__(self) -> str:
        return f"{self.writer}({self.argument}) -> {self.reader}:{', '.join(self.paths)} -> {self.taker}({self.taken})"


def launderings(
    manifest: Manifest, kind: str | None = None, states: Container[str] = ("open", "remembered", "unknown")
) -> list[Laundering]:
    """Every way for an untrusted value to come back trusted, in one task kind or in all; who wrote may be any tool, in any task."""
    worlds = {name: World(manifest, name, math.inf) for name in manifest.tasks}  # what `observe` lets run today is a path tomorrow
    writers = dict(_writers(manifest, worlds))
    nouns = {name: nouns_of(name) for name in manifest.tools}
    found: dict[tuple[str, str], Laundering] = {}
    for world in (worlds[kind],) if kind is not None else worlds.values():
        taken = _taken(world)
        for reader in world.grants:
            paths = tuple(trusted_paths(manifest.tools[reader]))
            if not paths or taken is None:
                continue
            for writer, argument in writers.items():
                if writer != reader and (writer, reader) not in found:
                    state, why = _place(manifest, writer, reader, nouns)
                    if state is not None and state in states:
                        found[writer, reader] = Laundering(writer, argument, reader, paths, *taken, state, why)
    return list(found.values())


def _writers(manifest: Manifest, worlds: Mapping[str, World]) -> Iterator[tuple[str, str]]:
    """Each tool that writes, with an argument that takes what anybody chose."""
    for name, tool in manifest.tools.items():
        if not tool.writes:
            continue
        granting = [world for world in worlds.values() if name in world.grants] or list(worlds.values())[:1]  # others may call it
        choices = [choice for world in granting for choice in world.choices(name)]
        if not choices and not tool.arguments:
            yield name, "its arguments"
        rules = (tool.arguments, *(world.grants[name].arguments for world in granting if name in world.grants))
        content = {argument for found in rules for argument, rule in found.items() if rule.content}
        # What must be a number or a yes or no carries no address back.
        numbers = {argument for found in rules for argument, rule in found.items() if types_of(rule) and types_of(rule) <= _NO_TEXT}
        taking = [
            choice
            for choice in choices
            if not choice.closed and choice.level in ("free", "counterpart", "endorsed", "declared") and choice.argument not in numbers
        ]
        if taking:
            yield name, min(taking, key=lambda choice: choice.argument not in content).argument


def _taken(world: World) -> tuple[str, str] | None:
    """An argument that takes what is trusted, those that say so first."""
    found: list[tuple[bool, str, Choice]] = []
    for name in world.grants:
        tool = world.manifest.tools[name]
        if tool.writes or tool.leaves:
            found += [(choice.level == "trusted", name, choice) for choice in world.choices(name) if takes_trusted(choice)]
    best = next((each for each in found if each[0]), found[0] if found else None)
    return (best[1], best[2].argument) if best is not None else None


def takes_trusted(choice: Choice) -> bool:
    """Whether a trusted value passes where another does not: freely chosen text gains nothing by being trusted."""
    levels = {way.level for way in choice.ways}
    return "trusted" in levels and (choice.receives or "free" not in levels or bool(choice.why))


def _place(manifest: Manifest, writer: str, reader: str, nouns: Mapping[str, frozenset[str]]) -> tuple[State | None, str]:
    """Whether two tools share a place, and what shows it; None if the manifest says that they do not."""
    one, other = manifest.tools[writer], manifest.tools[reader]
    if manifest.environment_of(one) != manifest.environment_of(other):
        return None, ""
    if one.store is not None and other.store is not None:
        return ("remembered", one.store) if one.store == other.store else (None, "")
    evidence = _evidence(one, other, nouns[writer] & nouns[reader])
    return ("open", evidence) if evidence else ("unknown", "")


def _evidence(one: Tool, other: Tool, shared: frozenset[str]) -> str:
    if one.credential is not None and one.credential == other.credential:
        return f"both use the credential `{one.credential}`"
    if one.audience is not None and one.audience == other.audience:
        return f"both are of `{one.audience}`"
    return f"both are about `{min(shared)}`" if shared else ""


def nouns_of(name: str) -> frozenset[str]:
    """What a tool's name is about: `get_notes_by_tag` is about `note`. Verbs, small words and what follows a `by` or `from` say nothing."""
    words = [part.lower() for part in _PART.findall(re.split(r"[.:/]", name)[-1])]
    end = next((at for at, word in enumerate(words) if at and word in _TURNS), len(words))
    return frozenset(_singular(word) for word in words[:end] if word not in _VERBS | _SMALL | _TURNS and not word.isdigit())


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word
