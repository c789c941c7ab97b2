"""What an MCP server's answer to `tools/call` shows a model, for the guard to look into.

A server may send one result twice: as structured content, and as text for models that read no structure. Nothing makes the two say the
same, and clients differ in which they show. So the structure counts alone only where the text is exactly that structure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from licet.canonical import canonical

_WRAPPED = "result"  # SDKs put what is no object under this name, and write the text of what is within


def is_error(result: object) -> bool:
    """Whether the tool says that it failed. The field is `is_error` from version 2 of the SDK on."""
    return bool(getattr(result, "is_error", False) or getattr(result, "isError", False))


def output_of(result: object) -> object:
    """The structured content, if all else is the text of it; otherwise the contents, and the structure beside them."""
    structured = getattr(result, "structured_content", None)
    if structured is None:
        structured = getattr(result, "structuredContent", None)
    blocks = list(getattr(result, "content", None) or ())
    if structured is not None and _shows(blocks, structured):
        return structured
    shown = [output for block in blocks for output in _shown(block)]
    if structured is not None:
        # Apart from the texts, so that no path of `fields:` reaches into either: the two differ, and the model may have seen both.
        return [structured, *shown]
    return shown[0] if len(shown) == 1 else shown or ""


def _shows(blocks: Iterable[object], structured: Any) -> bool:
    texts = []
    for block in blocks:
        if getattr(block, "type", None) != "text":
            return False
        texts.append(str(getattr(block, "text", "")))
    values = [structured]
    if isinstance(structured, dict) and structured.keys() == {_WRAPPED}:
        values.append(structured[_WRAPPED])
    return not texts or any(_are(texts, value) for value in values)


def _are(texts: list[str], value: Any) -> bool:
    if len(texts) == 1 and _is(texts[0], value):
        return True
    return isinstance(value, list) and len(texts) == len(value) and all(map(_is, texts, value))


def _is(text: str, value: Any) -> bool:
    """Whether the text is the value, or one JSON document that says exactly that."""
    if isinstance(value, str) and text == value:
        return True
    try:
        read = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        return canonical(read) == canonical(value)
    except (ValueError, RecursionError):
        return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two members with one name a parser keeps the last, and a model reads both."""
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name stands there twice")
    return read


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _shown(block: object) -> Iterator[object]:
    """One block: a text is itself, a link is what it says; of an image or a sound bytes stand for what the guard cannot read."""
    kind = getattr(block, "type", None)
    if kind == "text":
        yield str(getattr(block, "text", ""))
    elif kind == "resource":
        inside = getattr(block, "resource", None)
        text = getattr(inside, "text", None)
        yield text if isinstance(text, str) else kind.encode()
        yield str(getattr(inside, "uri", ""))
    elif kind == "resource_link":
        yield {name: str(getattr(block, name, None) or "") for name in ("uri", "name", "title", "description")}
    else:
        yield str(kind).encode()
