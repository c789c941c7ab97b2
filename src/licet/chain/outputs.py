"""From a tool's output to its leaves, each with path and label. Text is parsed only where its form is declared, as one strict document."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from licet.canonical import Plain
from licet.chain.documents import NO_DOCUMENT, Documents
from licet.chain.party import party, text_of
from licet.manifest.labels import ITEM, KEY, WHOLE, Label, LeafPath, OutputLabels
from licet.snapshot import BYTES

Form = Literal["object", "json", "yaml", "text"]
_DIGIT = re.compile(r"\d")
_COMMON_KEYS = frozenset(
    """address amount attachments author bcc body cc channel comment comments content customer data date description email error file
    filename files from id id_ items link links message messages name note notes number owner participants recipient recipients result
    results sender status subject summary text time title to type url user value""".split()  # noqa: SIM905
)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class Leaf(NamedTuple):
    """One value of an output. `record` is the number of the list item that it stands in (the first list on the way), or -1.

    `alone`: no other item stood beside those on its way, so that what the output shows is of this one record.
    """

    path: LeafPath
    value: str | int | float
    label: Label
    record: int
    alone: bool = True


def leaves(output: Plain, labels: OutputLabels, form: Form = "object") -> list[Leaf]:
    """Every value in an output that can be somebody's: no null, no boolean, no empty text; keys only where they can be content."""
    if form in ("json", "yaml"):
        parsed = _document(output, form)
        if parsed is NO_DOCUMENT:  # what does not parse is, all of it, of the least trusted label that it may hold
            labels = OutputLabels(labels.lowest, ())
        else:
            output = parsed
    elif isinstance(output, str) and any(path.parts is not None for path, _ in labels.paths):
        labels = OutputLabels(labels.lowest, ())  # fields are declared, and this is one text
    walk = _Walk(labels)
    walk.visit(output, (), -1, frozenset())
    return walk.out


_documents = Documents()


def _document(output: Plain, form: Form) -> Any:
    if not isinstance(output, str):
        return output
    if form == "yaml":
        return _documents.read(output)
    try:
        return json.loads(output, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NO_DOCUMENT


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key stands twice")
    return out


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


class _Walk:
    """One walk through an output."""

    def __init__(self, labels: OutputLabels) -> None:
        self.labels = labels
        self.out: list[Leaf] = []
        self.keys: set[str] = set()  # of this output, each told once

    def visit(self, value: Plain, path: LeafPath, record: int, crowds: frozenset[int]) -> None:
        """`crowds` are the places on the way at which other items stood beside this one."""
        if isinstance(value, str):
            if value and not value.isspace():
                self._leaf(path, value, record, crowds)
        elif isinstance(value, list):
            inner = (*path, ITEM)
            here = crowds | {len(path)} if len(value) > 1 else crowds
            for number, item in enumerate(value):
                self.visit(item, inner, number if record < 0 else record, here)
        elif isinstance(value, dict):
            self._dict(value, path, record, crowds)
        elif value is not None and not isinstance(value, bool):
            self._leaf(path, value, record, crowds)

    def _leaf(self, path: LeafPath, value: str | int | float, record: int, crowds: frozenset[int]) -> None:
        label = self.labels.label(path)
        alone = label == "untrusted" or not crowds or self._alone(path, crowds)
        self.out.append(Leaf(path, value, label, record, alone))

    def _alone(self, path: LeafPath, crowds: frozenset[int]) -> bool:
        wild = self.labels.wild(path)
        return not any(path[at] == ITEM or at in wild for at in crowds)

    def _dict(self, value: dict[str, Plain], path: LeafPath, record: int, crowds: frozenset[int]) -> None:
        if len(value) == 1 and BYTES in value:
            # What the model is shown of bytes nobody knows; whoever made them chose them.
            self.out.append(Leaf(path, str(text_of(value)), "untrusted", record))
            return
        here = crowds | {len(path)} if len(value) > 1 else crowds
        for key, item in value.items():
            # A stranger's key that looks like our sign for an item or a key is neither.
            inner = (*path, f"\\{key}" if key in (ITEM, KEY) else key)
            named = (*inner, KEY)
            label = self.labels.label(named)
            if label not in ("untrusted", self.labels.default):
                self.out.append(Leaf(named, key, label, record))
            elif key not in self.keys and _tells(key):
                self.keys.add(key)
                self.out.append(Leaf(named, key, label, record))
            self.visit(item, inner, record, here)


@functools.lru_cache(maxsize=4_096)
def _tells(key: str) -> bool:
    """Whether a key can be a value: it is not just a name."""
    return not _PLAIN_KEY.fullmatch(key) or _DIGIT.search(key) is not None or bool(party(key))


@functools.lru_cache(maxsize=4_096)
def shown_path(path: LeafPath, declared: frozenset[str] = frozenset()) -> str:
    """A leaf's path for a sentence that a model may read: only keys that the manifest names, or that say nothing; any other is `*`."""
    out = ""
    for part in path:
        name = part if part in (ITEM, KEY) or part in declared or part in _COMMON_KEYS else "*"
        out += name if name in (ITEM, KEY) else f".{name}" if out else name
    return out or WHOLE


def argument_leaves(value: Plain, shown: str, path: LeafPath = ()) -> Iterator[tuple[str, LeafPath, Plain]]:
    """Every leaf of an argument: its place in words (`to[1]`, `payee.iban`) and as a path, and its value. Keys are leaves too."""
    value = text_of(value)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from argument_leaves(item, f"{shown}[{number}]", (*path, ITEM))
    elif isinstance(value, dict):
        for key, item in value.items():
            name = key if _PLAIN_KEY.fullmatch(key) else "*"
            yield f"{shown}.{name}{KEY}", (*path, key, KEY), key
            yield from argument_leaves(item, f"{shown}.{name}", (*path, key))
    else:
        yield shown, path, value
