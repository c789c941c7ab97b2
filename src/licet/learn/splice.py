"""Changing task kinds in a manifest's text: comments, order and layout of all the rest stay as they are, to the byte.

Only the lines of a kind are read and written anew (ruamel's round trip, which keeps comments). Evidence is put behind a line, or above
it where something else stands on the line. Afterwards the text is read again: what was meant must be all that has changed.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scalarstring import ScalarString

from licet.errors import UsageError
from licet.manifest.yaml_reader import Path, read

Notes = dict[Path, str]
"""What is said of a place in the kind, by the path to it: `("tools", "send_email")`."""

HEAD = "# Learned by `licet learn`; these lines are written anew each time."
NEW = "NEW"
_OURS = re.compile(r"[ \t]*# ((?:(?:NEW|rare|never used)[:,] )*\d[\d,]* of \d[\d,]* sessions?(?:[,;:] .*)?)$")
_KEPT = "; kept: "
_WIDTH = 1_000_000  # no line is broken that was not broken before
_BY_HAND = "write the kind in block form, over several lines"


def change_kinds(text: str, changes: Mapping[str, Callable[[CommentedMap, Notes], None]], *, ratified: bool = False) -> str:
    """The manifest's text with each of these task kinds changed. What an earlier time said of a line that stays as it was is kept.

    `ratified`: a person has taken over what was new.

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
        given = "\n".join(own) + "\n"
        snippet = _without_ours(given)
        if read(snippet).data != {kind: tasks[kind]}:
            raise UsageError(f"task kind {kind!r} reads otherwise by itself; {_BY_HAND}")
        written = _rewritten(snippet, kind, changes[kind], {} if snippet == given else _ours_in(given, kind), ratified=ratified)
        lines[first:end] = [" " * column + line if line.strip() else "" for line in written.rstrip("\n").split("\n")]
    out = "\n".join(lines)
    others = _others(text, changes)
    if others is None or others != _others(out, changes):
        raise UsageError(f"task kinds cannot be changed without changing more of this text; {_BY_HAND}")
    return out


def still_new(text: str, kind: str) -> list[str]:
    """The tools of which a changed kind says that they are new."""
    lines = text.split("\n")
    first, end, column = _blocks(text, lines).get(kind, (0, 0, 0))
    said = _ours_in("\n".join(line[column:] for line in lines[first:end]), kind)
    return [str(path[1]) for path, note in said.items() if len(path) == 2 and path[0] == "tools" and note.startswith(NEW)]


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
    try:
        return _simple(value)
    except _NotSimpleError:
        return read(_dumped(_yaml(), {"value": value})).data["value"]


class _NotSimpleError(Exception):
    """How a value is written says more than its type."""


def _simple(value: Any) -> Any:
    if isinstance(value, dict) and all(type(key) is str or isinstance(key, ScalarString) for key in value):
        return {str(key): _simple(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_simple(item) for item in value]
    if isinstance(value, ScalarString):
        return str(value)
    if value is None or type(value) in (str, int, bool):
        return value
    raise _NotSimpleError


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


@lru_cache(maxsize=4)
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


def _rewritten(snippet: str, kind: str, change: Callable[[CommentedMap, Notes], None], earlier: Notes, *, ratified: bool) -> str:
    yaml = _yaml()
    notes: Notes = {}
    try:
        document = yaml.load(snippet)
        found = document[kind]
        found.fa.set_block_style()
        before = plain(found) if earlier else {}
        change(found, notes)
        written = _dumped(yaml, document)
        wanted = plain(found)
    except (YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"task kind {kind!r} cannot be written anew: {' '.join(str(error).split())[:200]}; {_BY_HAND}") from error
    for path, said in earlier.items():
        _say_again(notes, path, said, same=_at(before, path) == _at(wanted, path), ratified=ratified)
    written = _with_comments_of(snippet, written, kind)
    noted = _noted(written, kind, notes)
    if read(noted).data != {kind: wanted}:
        raise UsageError(f"task kind {kind!r} cannot be written anew without changing its meaning; {_BY_HAND}")
    return noted


def _without_ours(snippet: str) -> str:
    """Without the evidence of an earlier time."""
    lines = [_OURS.sub("", line) for line in snippet.split("\n")]
    kept = "\n".join(line for line, before in zip(lines, snippet.split("\n"), strict=True) if line.strip() or not before.strip())
    return kept if read(kept).data == read(snippet).data else snippet


def _with_comments_of(before: str, after: str, kind: str) -> str:
    """Comments that had no place in the new form stand above what they were said of, else above the kind; those of what was taken out
    say of what they were.
    """
    was, now = _owned(before, kind), _owned(after, kind)
    places = _places(_value(_composed(after), kind))
    lines = after.split("\n")
    lost = list((Counter(said for said, *_ in was) - Counter(said for said, *_ in now)).elements())
    once = {said: owner for said, owner, _ in was if sum(each[0] == said for each in was) == 1}
    for said, _, line in now:
        if (owner := once.get(said, ())) and owner not in places and lines[line].strip() == said:
            lines[line] = lines[line].replace(said, _taken_out(owner, said))
    above: dict[int, list[str]] = {0: []}
    for said in lost:
        if (owner := once.get(said, ())) in places:
            line = places[owner][0]
            above.setdefault(line, []).append(" " * (len(lines[line]) - len(lines[line].lstrip())) + said)
        else:
            above[0].append(_taken_out(owner, said) if owner else said)
    return "\n".join(each for line, text in enumerate(lines) for each in (*above.get(line, ()), text))


def _taken_out(owner: Path, said: str) -> str:
    return f"# {owner[-1]} (taken out): {said.lstrip('# ')}"


def _owned(text: str, kind: str) -> list[tuple[str, Path, int]]:
    """The comments of a text, each with the place of which it is said: that on its line, else the next below; and its line."""
    at: dict[int, Path] = {}
    for path, (line, _) in _places(_value(_composed(text), kind)).items():
        at.setdefault(line, path)
    lines, out = text.split("\n"), []
    for said, line in _comments(text):
        below = next((n for n in range(line + 1, len(lines)) if lines[n].strip() and not lines[n].lstrip().startswith("#")), -1)
        out.append((said, at.get(line if lines[line].strip() != said else below, ()), line))
    return out


def _comments(text: str) -> list[tuple[str, int]]:
    """The comments of a text, whatever stands behind a `#` that no value holds, and their lines."""
    values = [(node.start_mark.index, node.end_mark.index) for node in _scalars(_composed(text))]
    out = []
    at = 0
    for start, end in [*sorted(values), (len(text), len(text))]:
        between = text[at:start]
        out += [(found[1].rstrip(), text.count("\n", 0, at + found.start(1))) for found in re.finditer(r"(?:^|(?<=\s))(#[^\n]*)", between)]
        at = max(at, end)
    return out


def _scalars(node: Node | None) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, (MappingNode, SequenceNode)):
        for item in node.value:
            for inner in item if isinstance(item, tuple) else (item,):
                yield from _scalars(inner)


def _ours_in(text: str, kind: str) -> Notes:
    """What an earlier time has said of the places of a kind."""
    lines = text.split("\n")
    out: Notes = {}
    for path, (line, _) in _places(_value(_composed(text), kind)).items():
        if found := _OURS.search(lines[line]) or (line and _OURS.fullmatch(lines[line - 1])) or None:
            out[path] = found[1]
    return out


def _say_again(notes: Notes, path: Path, earlier: str, *, same: bool, ratified: bool) -> None:
    """What stands for reasons of an earlier time goes on saying so, and what is new is so until a person has taken it over."""
    said = notes.get(path)
    if said is None:
        if same:
            notes[path] = earlier.removeprefix(f"{NEW}: ") if ratified else earlier
        return
    if same and "; " not in said and "; " in earlier and len(path) > 1:
        said += _KEPT + earlier.partition("; ")[2].removeprefix(_KEPT.removeprefix("; "))
    elif path == ("budgets",) and not same:
        said = f"{said}; {earlier}"
    if earlier.startswith(NEW) and not said.startswith(NEW) and not ratified:
        said = f"{NEW}{': ' if said[:1].isdigit() else ', '}{said}"
    notes[path] = said


def _at(found: Any, path: Path) -> Any:
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _noted(text: str, kind: str, notes: Notes) -> str:
    lines = text.split("\n")
    above: list[tuple[int, str]] = []
    places = _places(_value(_composed(text), kind))
    for path, said in notes.items():
        place = places.get(path)
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


def _places(node: Node | None) -> dict[Path, tuple[int, bool]]:
    """Of each key in block form, by the path to it, its line, and whether a comment can stand behind it."""
    out: dict[Path, tuple[int, bool]] = {}
    open_: list[tuple[Path, Node | None]] = [((), node)]
    while open_:
        path, node = open_.pop()
        if not isinstance(node, MappingNode) or node.flow_style:
            continue
        for key, value in node.value:
            line = key.start_mark.line
            block = not isinstance(value, ScalarNode) and not value.flow_style
            out.setdefault((*path, key.value), (line, value.start_mark.line > line if block else value.end_mark.line == line))
            open_.append(((*path, key.value), value))
    return out


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
