"""YAML 1.2, read strictly: every value keeps its place in the file; what could surprise is refused.

Refused: duplicate keys, keys that are not text, anchors, aliases and merge keys (one value in two places), tags, several documents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
MAX_CHARACTERS = 4_000_000
MAX_DEPTH = 60

_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """Plain data, the place of every key and item (line and column from 1), and what was refused while reading."""

    data: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    refused: list[tuple[Path, int, int, str, str]] = field(default_factory=list)  # path, line, column, message, fix

    def place(self, path: Path) -> tuple[int, int]:
        """Where `path` stands, or the nearest thing around it."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def read(text: str) -> Document:
    """Read one YAML document. Never raises for bad input: what is wrong is in `refused`."""
    document = Document()
    if len(text) > MAX_CHARACTERS:
        document.refused.append(((), 1, 1, f"the file is longer than {MAX_CHARACTERS} characters", "split it"))
        return document
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        if node is None:
            document.refused.append(((), 1, 1, "the file is empty", "see `licet init --help` for a draft to start from"))
            return document
        document.data = _Reader(document).value(node, (), 0)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        why = " ".join((error.problem or error.context or "not YAML").split())
        document.refused.append(((), line, column, f"this is not YAML: {why}", "mend the syntax at this place"))
    except (YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        document.refused.append(((), 1, 1, f"this is not YAML: {why}", "mend the syntax"))
    return document


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.seen: set[int] = set()

    def value(self, node: Node, path: Path, depth: int) -> Any:
        if id(node) in self.seen:
            self._refuse(node, path, "an alias repeats a value from elsewhere", "write the value out here")
            return None
        self.seen.add(id(node))
        self.document.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if depth > MAX_DEPTH:
            self._refuse(node, path, f"nested more than {MAX_DEPTH} deep", "make it flatter")
            return None
        if getattr(node, "anchor", None):
            self._refuse(node, path, f"an anchor (`&{node.anchor}`)", "write the value out where it is needed")
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or str(key_node.tag) != f"{_TAG}str":
                shown = str(getattr(key_node, "value", "?"))[:40]
                self._refuse(key_node, path, f"the key `{shown}` is not text", "put it into quotes")
                continue
            key = str(key_node.value)
            if key == "<<":
                self._refuse(key_node, path, "a merge key", "write the keys out")
                continue
            if key in out:
                self._refuse(key_node, (*path, key), "this key stands here twice", "keep one of the two")
                continue
            self.document.places[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            out[key] = self.value(value_node, (*path, key), depth + 1)
        return out

    def _scalar(self, node: Node, path: Path) -> Any:
        tag, text = str(node.tag), str(node.value)
        if tag in (f"{_TAG}str", f"{_TAG}timestamp"):
            return text
        if tag == f"{_TAG}null":
            return None
        if tag == f"{_TAG}bool":
            return text.lower() == "true"
        if tag == f"{_TAG}int":
            return _integer(text)
        if tag == f"{_TAG}float":
            return self._float(node, path, text)
        self._refuse(node, path, f"the tag `{tag}`", "write plain text, numbers, lists and mappings only")
        return None

    def _float(self, node: Node, path: Path, text: str) -> float | None:
        try:
            return float(text.replace("_", ""))
        except ValueError:  # .inf and .nan
            self._refuse(node, path, f"`{text}` is not a finite number", "write a number")
            return None

    def _refuse(self, node: Node, path: Path, message: str, fix: str) -> None:
        mark = node.start_mark
        self.document.refused.append((path, mark.line + 1, mark.column + 1, message, fix))


def _integer(text: str) -> int:
    bare = text.replace("_", "").lstrip("+")
    if bare.startswith(("0o", "0x", "-0o", "-0x")):
        return int(bare, 0)
    return int(bare, 10)
