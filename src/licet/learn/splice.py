"""Changing task kinds in a manifest's text: comments, order and layout of all the rest stay as they are, to the byte.

Only the lines of a kind are read and written anew (ruamel's round trip, which keeps comments). Evidence is put behind a line, or above
it where something else stands on the line. Afterwards the text is read again: what was meant must be all that has changed.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from licet.errors import UsageError
from licet.manifest.yaml_reader import Path, read

Notes = dict[Path, str]
"""What is said of a place in the kind, by the path to it: `("tools", "send_email")`."""

HEAD = "# Learned by `licet learn`; these lines are written anew each time."
_OURS = re.compile(r"[ \t]*# (?:(?:NEW|rare|never used)[:,] )?\d[\d,]* of \d[\d,]* sessions?(?:[,;:] .*)?$")
_WIDTH = 1_000_000  # no line is broken that was not broken before
_BY_HAND = "write the kind in block form, over several lines"


def change_kinds(text: str, changes: Mapping[str, Callable[[CommentedMap, Notes], None]]) -> str:
    """The manifest's text with each of these task kinds changed.

    Raises:
        UsageError: the text is of a form in which this cannot be done without changing more.
    """
    lines = text.split("\n")
    blocks, tasks = _blocks(text, lines), read(text).data["tasks"]
    for kind in sorted(changes, key=lambda kind: blocks.get(kind, (0, 0, 0)), reverse=True):  # so that the lines above stay where they are
        if kind not in blocks:
            raise UsageError(f"task kind {kind!r} cannot be found in the text of the manifest; {_BY_HAND}")
        first, end, column = blocks[kind]
        own = [line[column:] if not line[:column].strip() else line.lstrip() for line in lines[first:end]]
        snippet = _without_ours("\n".join(own) + "\n")
        if read(snippet).data != {kind: tasks[kind]}:
            raise UsageError(f"task kind {kind!r} reads otherwise by itself; {_BY_HAND}")
        written = _rewritten(snippet, kind, changes[kind])
        lines[first:end] = [" " * column + line if line.strip() else "" for line in written.rstrip("\n").split("\n")]
    out = "\n".join(lines)
    others = _others(text, changes)
    if others is None or others != _others(out, changes):
        raise UsageError(f"task kinds cannot be changed without changing more of this text; {_BY_HAND}")
    return out


def in_blocks(text: str) -> str:
    """The text with the manifest, its `tasks:` and each task kind in block form; as it is where they are already."""
    root = _composed(text)
    tasks = _value(root, "tasks")
    if isinstance(root, MappingNode) and isinstance(tasks, MappingNode) and not (root.flow_style or tasks.flow_style):
        return text
    yaml = _yaml()
    data = yaml.load(text)
    data.fa.set_block_style()
    data["tasks"].fa.set_block_style()
    written = _dumped(yaml, data)
    if read(written).data != read(text).data:
        raise UsageError(f"`tasks:` cannot be brought into block form; {_BY_HAND}")
    return written


def without_tail(text: str) -> str:
    """The text without what `with_tail` has put at its end."""
    lines = text.split("\n")
    if HEAD not in lines:
        return text
    at = len(lines) - 1 - lines[::-1].index(HEAD)
    if any(line.strip() and not line.startswith("#") for line in lines[at:]):
        return text
    return "\n".join(lines[:at]).rstrip("\n") + "\n"


def with_tail(text: str, said: list[str]) -> str:
    """The text with sentences at its end, as comments."""
    return "\n".join([text.rstrip("\n"), "", HEAD, *(f"# {' '.join(line.split())}" if line.strip() else "#" for line in said)]) + "\n"


def plain(value: Any) -> Any:
    """What ruamel has read, as data of Python's own types; days as text, as `licet.manifest.yaml_reader` reads them."""
    return read(_dumped(_yaml(), {"value": value})).data["value"]


# Places -------------------------------------------------------------------------------------------------------------------


def _blocks(text: str, lines: list[str]) -> dict[str, tuple[int, int, int]]:
    """Of each kind the first line, the line behind its last, and the column of its key."""
    root = _composed(text)
    tasks = _value(root, "tasks")
    if not isinstance(root, MappingNode) or not isinstance(tasks, MappingNode) or tasks.flow_style:
        return {}
    starts = sorted({key.start_mark.line for node in (root, tasks) for key, _ in node.value})
    marks = [n for n, line in enumerate(lines) if line.startswith(("---", "..."))]
    out = {}
    for key, _ in tasks.value:
        first, column = key.start_mark.line, key.start_mark.column
        end = min([*(at for at in (*starts, *marks) if at > first), len(lines)])
        while end > first + 1 and _stands_outside(lines[end - 1], column):
            end -= 1
        if not lines[first][:column].strip():
            out[str(key.value)] = (first, end, column)
    return out


def _stands_outside(line: str, column: int) -> bool:
    """Whether a line at the end is blank, or a comment on what comes next."""
    bare = line.lstrip()
    return not bare or (bare.startswith("#") and len(line) - len(bare) <= column)


def _composed(text: str) -> Node | None:
    return YAML(typ="safe", pure=True).compose(text)  # type: ignore[no-any-return]


def _value(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if isinstance(name, ScalarNode) and name.value == key), None)


def _others(text: str, kinds: Collection[str]) -> Any:
    document = read(text)
    data = document.data
    if document.refused or not isinstance(data, dict) or not isinstance(data.get("tasks"), dict):
        return None
    return {**data, "tasks": [(name, None if name in kinds else value) for name, value in data["tasks"].items()]}


# One kind -----------------------------------------------------------------------------------------------------------------


def _rewritten(snippet: str, kind: str, change: Callable[[CommentedMap, Notes], None]) -> str:
    yaml = _yaml()
    notes: Notes = {}
    try:
        document = yaml.load(snippet)
        found = document[kind]
        found.fa.set_block_style()
        change(found, notes)
        written = _dumped(yaml, document)
        wanted = plain(found)
    except (YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"task kind {kind!r} cannot be written anew: {' '.join(str(error).split())[:200]}; {_BY_HAND}") from error
    written = _with_comments_of(snippet, written)
    noted = _noted(written, kind, notes)
    if read(noted).data != {kind: wanted}:
        raise UsageError(f"task kind {kind!r} cannot be written anew without changing its meaning; {_BY_HAND}")
    return noted


def _without_ours(snippet: str) -> str:
    """Without the evidence of an earlier time."""
    lines = [_OURS.sub("", line) for line in snippet.split("\n")]
    kept = "\n".join(line for line, before in zip(lines, snippet.split("\n"), strict=True) if line.strip() or not before.strip())
    return kept if read(kept).data == read(snippet).data else snippet


def _with_comments_of(before: str, after: str) -> str:
    """Comments that had no place in the new form stand above the kind."""
    lost = list((Counter(_comments(before)) - Counter(_comments(after))).elements())
    return "\n".join([*lost, after]) if lost else after


def _comments(text: str) -> list[str]:
    """The comments of a text: whatever stands behind a `#` that no value holds."""
    values = [(node.start_mark.index, node.end_mark.index) for node in _scalars(_composed(text))]
    out = []
    at = 0
    for start, end in [*sorted(values), (len(text), len(text))]:
        between = text[at:start]
        out += [found[1].rstrip() for found in re.finditer(r"(?:^|(?<=\s))(#[^\n]*)", between)]
        at = max(at, end)
    return out


def _scalars(node: Node | None) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, (MappingNode, SequenceNode)):
        for item in node.value:
            for inner in item if isinstance(item, tuple) else (item,):
                yield from _scalars(inner)


def _noted(text: str, kind: str, notes: Notes) -> str:
    lines = text.split("\n")
    above: list[tuple[int, str]] = []
    root = _value(_composed(text), kind)
    for path, said in notes.items():
        place = _line_of(root, path)
        if place is None:
            continue
        line, free = place
        if free and " #" not in lines[line]:
            lines[line] += f"  # {said}"
        else:
            above.append((line, f"{lines[line][: len(lines[line]) - len(lines[line].lstrip())]}# {said}"))
    for line, comment in sorted(above, reverse=True):
        lines.insert(line, comment)
    return "\n".join(lines)


def _line_of(node: Node | None, path: Path) -> tuple[int, bool] | None:
    """The line of a key in block form, and whether a comment can stand behind it; None where it is in no block."""
    for depth, part in enumerate(path):
        if not isinstance(node, MappingNode):
            return None
        pair = next(((key, value) for key, value in node.value if key.value == part), None)
        if pair is None:
            return None
        key, value = pair
        if depth == len(path) - 1:
            if node.flow_style:
                return None
            line = key.start_mark.line
            block = not isinstance(value, ScalarNode) and not value.flow_style
            return line, value.start_mark.line > line if block else value.end_mark.line == line
        node = value
    return None


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dumped(yaml: YAML, data: Any) -> str:
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def flow_map(items: dict[str, Any]) -> CommentedMap:
    """A mapping on one line."""
    out = CommentedMap({key: _flow(value) for key, value in items.items()})
    out.fa.set_flow_style()
    return out


def _flow(value: Any) -> Any:
    if isinstance(value, dict):
        return flow_map(value)
    if isinstance(value, (list, tuple)):
        out = CommentedSeq([_flow(item) for item in value])
        out.fa.set_flow_style()
        return out
    return value
