"""What a message shows to a model, text by text; and of the model's own messages, what its provider put into them.

Nothing here is rendered: each text is the one that stands in the message, so that its hash is computed once, and a history that was
looked at before costs its number of texts and not their length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

MAX_DEPTH = 32
MAX_TEXTS = 50_000  # of one message

# What the model itself writes; every other block in its message is something that its provider showed it.
_OWN_WORDS = frozenset({"text", "output_text"})
_OWN = frozenset(
    (
        *("reasoning", "reasoning_content", "thinking", "redacted_thinking", "refusal", "executable_code", "input_json_delta"),
        *("tool_use", "tool_call", "tool_call_chunk", "function_call", "custom_tool_call", "invalid_tool_call"),
        *("server_tool_use", "server_tool_call", "server_tool_call_chunk"),
    )
)
_PROVIDERS = ("tool_output", "search", "grounding", "citation", "annotation", "retriev", "source")
_MEDIA = ("image", "audio", "video", "file", "document", "media", "pdf", "screenshot")
_DATA = frozenset({"data", "base64", "file_data", "encrypted_content", "encrypted_index", "image_data", "audio_data"})
_LABEL_ONLY = frozenset({"type", "index", "cache_control", "mime_type", "media_type", "detail"})  # say how, and not what


class Shown(NamedTuple):
    """One text, or one thing that nobody here can read: `text` is then a marker, and `key` tells it from other things."""

    key: str
    text: str
    readable: bool = True


def shown(message: object) -> list[Shown]:
    """All that a message shows to a model.

    Raises:
        ValueError: it is no message, or is too deep or too large to be read.
    """
    if not isinstance(message, BaseMessage):
        raise ValueError("not a message")
    walk = _Walk()
    found = list(walk.content(message.content))
    if not isinstance(message, ToolMessage) and message.name:
        found.append(Shown(message.name, message.name))
    if isinstance(message, AIMessage):
        for call in (*message.tool_calls, *message.invalid_tool_calls):
            found += walk.value(call.get("name"), 1)
            found += walk.value(call.get("args"), 1)
        # What LangChain has read out of it stands above, once.
        rest = {name: value for name, value in message.additional_kwargs.items() if name not in ("tool_calls", "function_call")}
        found += walk.value(rest, 1)
    return found


def from_the_provider(message: object) -> list[Shown]:
    """What stands in a model's own message without being its words: results of the provider's tools, citations, search sources.

    Raises:
        ValueError: as for `shown`.
    """
    if not isinstance(message, AIMessage):
        return []
    walk = _Walk()
    found: list[Shown] = []
    for block in message.content if isinstance(message.content, list) else ():
        kind = block.get("type") if isinstance(block, Mapping) else "text"
        if kind in _OWN_WORDS and isinstance(block, Mapping):
            found += walk.value(_of_providers(block), 1)
            found += walk.value(_of_providers(block.get("extras")), 1)
        elif kind not in _OWN and kind not in _OWN_WORDS:
            found += walk.block(block)
    for extra in (message.additional_kwargs, message.response_metadata):
        found += walk.value(_of_providers(extra), 1)
    return found


def _of_providers(extra: object) -> dict[object, object]:
    """What a provider says of its own tools beside a model's text."""
    items = extra.items() if isinstance(extra, Mapping) else ()
    return {name: value for name, value in items if any(part in str(name).lower() for part in _PROVIDERS)}


class _Walk:
    """Reads one message, within bounds."""

    def __init__(self) -> None:
        self._left = MAX_TEXTS

    def content(self, content: object) -> Iterator[Shown]:
        if isinstance(content, str):
            yield from self.value(content, 0)
        elif isinstance(content, Sequence):
            for block in content:
                yield from self.block(block)
        else:
            raise ValueError("content of no known form")

    def block(self, block: object) -> Iterator[Shown]:
        """One block of content; of images and files a marker, and what can be read beside it."""
        if not isinstance(block, Mapping):
            yield from self.value(block, 1)
            return
        kind = str(block.get("type", ""))
        hidden: list[str] = []
        readable = list(self.value(block, 1, hidden))
        if hidden or (any(word in kind for word in _MEDIA) and not any(isinstance(block.get(name), str) for name in ("text", "content"))):
            # Where nothing is hidden it is named by a link or an id, and what stands there is not known either.
            key = "\0".join((kind, *hidden, *(item.text for item in readable if not hidden)))
            yield Shown(f"\0{key}", f"({_kind(kind)} that the guard cannot read)", readable=False)
        yield from readable

    def value(self, value: object, depth: int, hidden: list[str] | None = None) -> Iterator[Shown]:
        """Every text and number in a value. Data that is no text goes to `hidden`."""
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise ValueError("too deep or too large")
        if isinstance(value, str):
            if value.startswith("data:") and hidden is not None:
                hidden.append(value)
            elif value and not value.isspace():
                yield Shown(value, value)
        elif isinstance(value, Mapping):
            yield from self._mapping(value, depth + 1, hidden)
        elif isinstance(value, (bytes, bytearray)):
            yield Shown(f"\0{bytes(value)!r}", "(data that the guard cannot read)", readable=False)
        elif isinstance(value, Sequence):
            for item in value:
                yield from self.value(item, depth + 1, hidden)
        elif value is not None and not isinstance(value, bool):
            text = str(value)
            yield Shown(text, text)

    def _mapping(self, value: Mapping[Any, object], depth: int, hidden: list[str] | None) -> Iterator[Shown]:
        text = value.get("type") == "text"  # of a document: its data is readable
        for name, item in value.items():
            if name in _LABEL_ONLY:
                continue
            if name in _DATA and not text and isinstance(item, (str, bytes)):
                if hidden is None:
                    yield Shown(f"\0{item!r}", "(data that the guard cannot read)", readable=False)
                else:
                    hidden.append(item if isinstance(item, str) else repr(item))
                continue
            if not (isinstance(name, str) and name.isidentifier()):
                yield from self.value(str(name), depth)
            yield from self.value(item, depth, hidden)


def _kind(kind: str) -> str:
    """A block's kind in words, for a marker: only letters of our own choice, as the kind may be anybody's."""
    return next((f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in _MEDIA if word in kind), "something")
