"""From a tool's output to its leaves, each with path and label. Text is parsed only where its form is declared, as one strict document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from licet.canonical import Plain
from licet.manifest.labels import ITEM, KEY, WHOLE, Label, LeafPath, OutputLabels
from licet.manifest.yaml_reader import read
from licet.snapshot import BYTES

Form = Literal["object", "json", "yaml", "text"]
_SHORT_KEY = re.compile(r"(?=.{1,24}$)[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]*){0,2}")
MAX_YAML = 1_000_000  # characters
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of an output. `record` is the number of the list item that it stands in (the first list on the way), or -1."""

    path: LeafPath
    value: str | int | float
    label: Label
    record: int


def leaves(output: Plain, labels: OutputLabels, form: Form = "object") -> list[Leaf]:
    """Every value in an output that can be somebody's: no null, no boolean, no empty text; keys only where they can be content."""
    out: list[Leaf] = []
    if form in ("json", "yaml"):
        parsed = _document(output, form)
        if parsed is _NO_DOCUMENT:  # what does not parse is, all of it, of the tool's own label
            labels = OutputLabels(labels.default, ())
        else:
            output = parsed
    elif form == "text":
        labels = OutputLabels(labels.default, tuple((path, label) for path, label in labels.paths if path.parts is None))
    _walk(output, (), -1, labels, out)
    return out


_NO_DOCUMENT: Any = object()


def _document(output: Plain, form: Form) -> Any:
    if not isinstance(output, str):
        return output
    try:
        if form == "json":
            return json.loads(output, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _NO_DOCUMENT
    if len(output) > MAX_YAML:
        return _NO_DOCUMENT
    document = read(output)
    return _NO_DOCUMENT if document.refused else document.data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key stands twice")
    return out


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _walk(value: Plain, path: LeafPath, record: int, labels: OutputLabels, out: list[Leaf]) -> None:
    if isinstance(value, str):
        if value and not value.isspace():
            out.append(Leaf(path, value, labels.label(path), record))
    elif isinstance(value, list):
        inner = (*path, ITEM)
        for number, item in enumerate(value):
            _walk(item, inner, number if record < 0 else record, labels, out)
    elif isinstance(value, dict):
        if len(value) == 1 and BYTES in value:
            # Base64 of bytes; what the model is shown of them nobody knows.
            out.append(Leaf(path, str(value[BYTES]), "untrusted", record))
            return
        for key, item in value.items():
            here = (*path, key)
            named = (*here, KEY)
            label = labels.label(named)
            if not _PLAIN_KEY.fullmatch(key) or label not in ("untrusted", labels.default):
                out.append(Leaf(named, key, label, record))
            _walk(item, here, record, labels, out)
    elif value is not None and not isinstance(value, bool):
        out.append(Leaf(path, value, labels.label(path), record))


def shown_path(path: LeafPath) -> str:
    """A leaf's path for a sentence that a model may read: a key that could be a sentence of its own shows as `*`."""
    out = ""
    for part in path:
        name = part if part in (ITEM, KEY) or _SHORT_KEY.fullmatch(part) else "*"
        out += name if name in (ITEM, KEY) else f".{name}" if out else name
    return out or WHOLE


def argument_leaves(value: Plain, shown: str, path: LeafPath = ()) -> Iterator[tuple[str, LeafPath, Plain]]:
    """Every leaf of an argument: its place in words (`to[1]`, `payee.iban`) and as a path, and its value.

    Keys that can be content count too.
    """
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from argument_leaves(item, f"{shown}[{number}]", (*path, ITEM))
    elif isinstance(value, dict):
        for key, item in value.items():
            plain = _PLAIN_KEY.fullmatch(key)
            if not plain or item in (None, "", [], {}) or isinstance(item, bool):  # then the key is all that is said
                yield f"{shown}.*~", (*path, key, KEY), key
            yield from argument_leaves(item, f"{shown}.{key}" if plain else f"{shown}.*", (*path, key))
    else:
        yield shown, path, value
