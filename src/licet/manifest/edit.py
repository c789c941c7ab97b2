"""Writing pinned definitions into a manifest's text: digests are put in or exchanged, and every other character stays as it is.

The text is not written anew from what was read; that would lose comments and layout. After each edit it is read again, and what was
asked for must be all that has changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from licet.errors import UsageError
from licet.manifest.yaml_reader import read

KEY = "definition"


@dataclass(frozen=True, slots=True)
class _Edit:
    """Put `text` in place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str

    def on(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


def with_definitions(text: str, definitions: Mapping[str, str]) -> str:
    """The manifest's text with `definition:` set to a digest for each tool named.

    Raises:
        UsageError: the manifest has no such tool, or its text is of a form in which this cannot be done.
    """
    wanted = copy.deepcopy(read(text).data)
    tools = wanted.get("tools") if isinstance(wanted, dict) else None
    for tool, digest in definitions.items():
        if not isinstance(tools, dict) or not isinstance(tools.get(tool), dict):
            raise UsageError(f"the manifest does not declare `{tool}` under `tools:`")
        tools[tool][KEY] = digest
    if not definitions:
        return text
    nodes = _value(YAML(typ="safe", pure=True).compose(text), "tools")
    found = {tool: _value(nodes, tool) for tool in definitions}
    edits = [_edit(text, node, definitions[tool]) for tool, node in found.items() if isinstance(node, MappingNode)]
    changed = text
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):  # from the end, so that the places before it still hold
        changed = edit.on(changed)
    if not _reads_as(changed, wanted):
        raise UsageError("definitions cannot be put into this text without changing more; write `definition:` there by hand")
    return changed


def _edit(text: str, node: MappingNode, digest: str) -> _Edit:
    edit = _exchange(node, digest) or _put_last(text, node, digest)
    return edit or _put_first(text, node, digest)


def _reads_as(text: str, wanted: Any) -> bool:
    document = read(text)
    return not document.refused and bool(document.data == wanted)


def _value(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if isinstance(name, ScalarNode) and name.value == key), None)


def _exchange(node: MappingNode, digest: str) -> _Edit | None:
    """In place of the digest that stands there."""
    old = _value(node, KEY)
    return _Edit(old.start_mark.index, old.end_mark.index, digest) if old is not None else None


def _put_last(text: str, node: MappingNode, digest: str) -> _Edit | None:
    """Behind the last key: in `{...}` before the bracket, else on a line of its own."""
    if node.flow_style:
        at = _end(node.value[-1][1]) if node.value else node.start_mark.index + 1
        return None if at is None else _Edit(at, at, f"{', ' if node.value else ''}{KEY}: {digest}")
    first, (_, last) = node.value[0][0], node.value[-1]
    if (end := _end(last)) is None:
        return None
    line_end = min((at for at in (text.find("\n", end), text.find("\r", end)) if at >= 0), default=len(text))
    return _Edit(line_end, line_end, f"{_line_break(text)}{' ' * first.start_mark.column}{KEY}: {digest}")


def _put_first(text: str, node: MappingNode, digest: str) -> _Edit:
    """Before the first key: where the end of the last value is hard to tell (a text over several lines, nothing at all)."""
    start = node.value[0][0].start_mark
    between = ", " if node.flow_style else _line_break(text) + " " * start.column
    return _Edit(start.index, start.index, f"{KEY}: {digest}{between}")


def _end(node: Node) -> int | None:
    """Where the text of a value ends. That of a block (`|`, `>`, or one that ends with one) is not told exactly by the reader."""
    while isinstance(node, CollectionNode) and not node.flow_style:
        if not node.value:
            return None
        node = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
    if isinstance(node, ScalarNode) and (node.style in ("|", ">") or node.start_mark.index == node.end_mark.index):
        return None
    return int(node.end_mark.index)


def _line_break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
