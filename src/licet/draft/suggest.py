"""What a draft guesses beyond what a source says: access, where arguments must come from, and what is free text.

Every guess is made from names and schemas, and carries a note that says so. A rule that is guessed must let honest work pass with
labels as they are drafted, when all that tools return is untrusted: it names the tools of this very draft whose output may be relied on
for such a value, and leaves out those whose name says that they return what others have written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from licet.draft.model import WRITE_GUESS, DraftArgument, DraftTool
from licet.draft.words import Role, is_person, reads, returns_content, role, things, words

_IMPLIED = frozenset({"to", "recipient", "recipients", "cc", "bcc", "url", "channel", "email"})  # destinations without being called so
_CAN_NAME = frozenset({"string", "integer", "array"})
_WHY: Mapping[Role, str] = {
    "address": "guess: it names who or what receives: from the user, or looked up by what the user names; looked up otherwise, it asks",
    "person": "guess: it names a person or a group: from the user, or from what these tools return; take out those that strangers can fill",
    "record": "guess: it names a record; `nowhere` is the model's own idea; tools that return what others write are left out",
    "place": "guess: it names a place for data; `nowhere` is the model's own idea; tools that return what others write are left out",
    "text": "guess: free text, of which the origin is tracked and not required",
}


def suggest(tools: tuple[DraftTool, ...]) -> tuple[DraftTool, ...]:
    """The same tools with guesses by name."""
    tools = tuple(map(_with_access, tools))
    sources = tuple(tool for tool in tools if not (returns_content(tool.bare) or _searches_the_world(tool, tools)))
    return tuple(_with_origins(tool, sources) for tool in tools)


def _with_access(tool: DraftTool) -> DraftTool:
    word = reads(tool.bare) if tool.guess == WRITE_GUESS else ""
    if not word:
        return tool
    return replace(tool, access="read", guess=f"read, by the word `{word}` in its name and nothing else; say write if it changes anything")


def _with_origins(tool: DraftTool, sources: tuple[DraftTool, ...]) -> DraftTool:
    return replace(tool, arguments={name: _argument(tool, name, argument, sources) for name, argument in tool.arguments.items()})


def _argument(tool: DraftTool, name: str, argument: DraftArgument, sources: tuple[DraftTool, ...]) -> DraftArgument:
    kind = role(name, argument.rule.get("format"))
    types = argument.rule.get("type", ())
    if not kind or (types and not _CAN_NAME & ({types} if isinstance(types, str) else set(types))):
        return argument
    if tool.access == "read" and kind not in ("text", "place"):
        return argument  # what parses as an address or an account has a rule by default, wherever data can leave
    said: dict[str, Any] = {"content": True}
    if kind != "text":
        said = {"origin": _origin(kind, list(_sources(name, kind, sources)))}
    if kind == "address" and name not in _IMPLIED:
        said["destination"] = True
    return DraftArgument({**argument.rule, **said}, (*argument.notes, _WHY[kind]))


def _origin(kind: Role, sources: list[DraftTool]) -> Any:
    every = [f"{source.name}:$" for source in sources]
    if kind == "address":
        named = [f"{source.name}({argument} in intent):$" for source in sources for argument in source.arguments]
        return {"from": ["intent", "trusted", *named], "ask": every} if every else ["intent", "trusted"]
    return ["intent", "trusted", *([] if kind == "person" else ["nowhere"]), *every]


def _sources(name: str, kind: Role, sources: tuple[DraftTool, ...]) -> Iterator[DraftTool]:
    about = things(name)
    for source in sources:
        if kind != "address" or (source.access == "read" and (things(source.bare) & about or is_person(things(source.bare)))):
            yield source


def _searches_the_world(tool: DraftTool, tools: tuple[DraftTool, ...]) -> bool:
    """A search for what no other tool here knows is not one in a system of records."""
    found = things(tool.bare)
    if "search" not in words(tool.bare):
        return False
    return not any(found & (things(other.bare).union(*map(things, other.arguments))) for other in tools if other is not tool)
