"""YAML 1.2, read strictly: every value keeps its place in the file; what could surprise is refused.

Refused: duplicate keys, keys that are not text, anchors, aliases and merge keys (one value in two places), directives, foreign tags,
several documents, numbers that are not finite, text that is not Unicode.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

Path = tuple[str | int, ...]
MAX_CHARACTERS = 4_000_000
MAX_DEPTH = 60
MAX_DIGITS = 100  # of one number; Python itself stops converting at 4,300

_TAG = "tag:yaml.org,2002:"

# YAML 1.2.2 section 10.3.2, the core schema. The reader below also takes `1_000` and `0b11` for numbers; there they are text.
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTAINER_TAGS = frozenset({_TAG + "map", _TAG + "seq"})
_TEXT_TAGS = frozenset(_TAG + name for name in ("str", "timestamp", "value", "merge"))


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
    directive = _directive(text)
    if directive:
        document.refused.append(((), directive, 1, "a directive (`%...`) changes how the file is read", "take it out"))
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
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        document.refused.append(((), line, column, f"the character U+{error.character:04X} may not stand in YAML", "take it out"))
    except RecursionError:
        document.refused.append(((), 1, 1, f"nested more than {MAX_DEPTH} deep", "make it flatter"))
    except (YAMLError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        document.refused.append(((), 1, 1, f"this is not YAML: {why}", "mend the syntax"))
    return document


def _directive(text: str) -> int:
    """The line of a directive before the document, or 0. `%YAML 1.1` would bring `on`, `no` and `1:20` back."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if line.startswith("%"):
            return number
        if line.strip() and not line.lstrip().startswith("#"):
            return 0
    return 0


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
        if not isinstance(node, ScalarNode) and str(node.tag) not in _CONTAINER_TAGS:
            self._refuse(node, path, f"the tag `{node.tag}`", "write plain text, numbers, lists and mappings only")
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._refuse(key_node, path, "a list or a mapping as a key", "keys are text")
                continue
            key = str(key_node.value)
            if str(key_node.tag) != f"{_TAG}str" and key != "<<":
                self._refuse(key_node, path, f"the key `{key[:40]}` is not text", "put it into quotes")
                continue
            if not _is_unicode(key):
                self._refuse(key_node, path, "half of a surrogate pair, which is not text", "write the character itself")
                continue
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
        if not _is_unicode(text):
            self._refuse(node, path, "half of a surrogate pair, which is not text", "write the character itself")
            return None
        if tag == f"{_TAG}null" and _NULL.fullmatch(text):
            return None
        if tag == f"{_TAG}bool" and _BOOL.fullmatch(text):
            return text.lower() == "true"
        if tag == f"{_TAG}int" and _INTEGER.fullmatch(text):
            return self._number(node, path, text)
        if tag == f"{_TAG}float" and _FLOAT.fullmatch(text):
            return self._number(node, path, text)
        if tag in _TEXT_TAGS or tag in (f"{_TAG}int", f"{_TAG}float"):
            return text
        self._refuse(node, path, f"the tag `{tag}`", "write plain text, numbers, lists and mappings only")
        return None

    def _number(self, node: Node, path: Path, text: str) -> int | float | None:
        if len(text) > MAX_DIGITS:
            self._refuse(node, path, f"a number of more than {MAX_DIGITS} digits", "put it into quotes, or write a smaller one")
            return None
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        number = math.nan if text.lower().endswith(("inf", "nan")) else float(text)
        if not math.isfinite(number):
            self._refuse(node, path, f"`{text}` is not a finite number", "write a number")
            return None
        return number

    def _refuse(self, node: Node, path: Path, message: str, fix: str) -> None:
        mark = node.start_mark
        self.document.refused.append((path, mark.line + 1, mark.column + 1, message, fix))


def _is_unicode(text: str) -> bool:
    return _SURROGATE.search(text) is None
