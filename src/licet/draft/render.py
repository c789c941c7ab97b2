"""One YAML text from drafted tools. Whatever came from outside stands in a comment or in quotes, and cannot leave them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from licet.draft.model import DraftArgument, Drafted, DraftTool, is_argument_name
from licet.draft.suggest import suggest
from licet.draft.words import returns_content
from licet.errors import UsageError
from licet.escape import visible

TASK = "describe-the-work"
AGENT = "describe-the-agent"

_COMMENT_LIMIT = 160  # characters
_LINE = 140  # characters; a longer list goes on in the next line
_FIELDS = 6  # of an output, how many a hint names
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_READ_AS_SOMETHING_ELSE = frozenset({"true", "false", "null"})
_HEAD = f"""\
# Drafted by `licet init` from {{source}}.
# Whatever is marked `guess:` is a guess, from names and schemas alone. Read each one, correct it, and take the mark out.
# All that tools return is untrusted until `fields:` or `output:` says that nobody outside can choose it: see docs/manifest.md, "Labels".
# Then name owners, split the work below into the task kinds that there really are, and run `licet check`.
licet: 1
environment: prod  # guess: the strictest reading

owners: {{{{}}}}  # who answers for agents and credentials: {{{{support: {{{{name: Support, contact: support@acme.example}}}}}}}}

agents:
  {AGENT}:  # guess: nobody owns it yet; add `owner:`
    tasks: [{TASK}]
"""


def render(drafted: Drafted, source: str) -> str:
    """A manifest that loads, and for which `licet check` finds no error.

    Raises:
        UsageError: no tool is left to draft.
    """
    if not drafted.tools:
        raise UsageError("no tool is left that a manifest can name: " + "; ".join(drafted.left_out[:5]))
    lines = [*_HEAD.format(source=_cut(source)).splitlines(), "", "tools:"]
    lines += [f"  # left out: {_cut(reason)}" for reason in drafted.left_out]
    tools = suggest(drafted.tools)
    for tool in tools:
        lines += _tool(tool)
    lines += ["", "tasks:", *_task(tools)]
    return "\n".join(lines) + "\n"


def _tool(tool: DraftTool) -> Iterator[str]:
    yield f"  {_key(tool.name)}:"
    if tool.says.strip():
        yield f"    # says of itself: {_cut(tool.says)}"
    for note in tool.notes:
        yield f"    # {_cut(note)}"
    yield f"    access: {tool.access}  # guess: {_cut(tool.guess)}"
    yield "    egress: true  # guess: true, because nothing proves that what goes in stays with us"
    yield from _output(tool)
    arguments = {name: argument for name, argument in tool.arguments.items() if is_argument_name(name)}
    if arguments:
        yield "    arguments:"
    for name, argument in arguments.items():
        yield from _argument(name, argument)


def _output(tool: DraftTool) -> Iterator[str]:
    if tool.returns:
        yield "    format: json  # guess: what it returns as text is one JSON document, as its output schema says"
    if tool.access != "read":
        return
    if returns_content(tool.bare):
        yield "    # output: untrusted  # what others write stays so; label single fields only, such as an id that your own system makes"
    fields = ", ".join(f"{flow(path)}: trusted" for path in tool.returns[:_FIELDS]) or "id: trusted"
    yield f"    # fields: {{{fields}}}  # which of these does your own system make, and no stranger choose? keep those"
    if not tool.returns:
        yield "    # format: json  # if what it returns is text, and always one JSON document; else text has no fields"


def _argument(name: str, argument: DraftArgument) -> Iterator[str]:
    for note in argument.notes:
        yield f"      # {_cut(note)}"
    line = f"      {_key(name)}: {flow(argument.rule)}"
    if len(line) <= _LINE or "origin" not in argument.rule:
        yield line
        return
    yield f"      {_key(name)}:"
    for word, value in argument.rule.items():
        if word == "origin":
            yield "        origin:"
            for key, terms in (value if isinstance(value, Mapping) else {"from": value}).items():
                yield from _wrapped(f"          {key}: [", list(map(flow, terms)))
        else:
            yield f"        {_key(word)}: {flow(value)}"


def _wrapped(line: str, items: list[str]) -> Iterator[str]:
    """A list over as many lines as it needs."""
    indent = " " * len(line)
    for item in (*(f"{item}," for item in items[:-1]), f"{items[-1]}]"):
        if len(line) + len(item) + 1 > _LINE and line.strip():
            yield line.rstrip()
            line = indent
        line += item if line.endswith("[") or not line.strip() else f" {item}"
    yield line


def _task(tools: tuple[DraftTool, ...]) -> Iterator[str]:
    """One task kind that is safe as it stands: a person confirms each call, and what may change something is not granted.

    A scope must not be empty, so that the first tool stands in where none reads.
    """
    granted = [tool.name for tool in tools if tool.access == "read"] or [tools[0].name]
    yield f"  {TASK}:"
    yield "    intent: Describe the work in one sentence"
    yield "    ttl: 10m  # guess"
    yield "    tools:  # guess: a person confirms each call: give Guard an approver, or take `ask` out"
    for tool in tools:
        if tool.name in granted:
            why = "  # guess: it may change something; it stands here because a scope must not be empty" if tool.access == "write" else ""
            yield f"      {_key(tool.name)}: {{ask: true}}{why}"
        else:
            yield f"      # {_key(tool.name)}: {{ask: true, at_most: 1}}  # guess: not granted, because it may change something"


def flow(value: Any) -> str:
    """A plain value as YAML in one line."""
    if isinstance(value, str):
        return _key(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(name))}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value, allow_nan=False)


def _key(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _READ_AS_SOMETHING_ELSE else _quoted(text)


def _quoted(text: str) -> str:
    """YAML 1.2.2 section 5.7: a double-quoted text in which everything that does not show is an escape."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if visible(character) == character:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(text: str) -> str:
    """Text from outside for a comment: one line, every character shown, not long."""
    return visible(" ".join(text.split()), _COMMENT_LIMIT)
