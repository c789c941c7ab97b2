"""What a LangChain tool returned, before it is made into text for the model.

LangChain shows a model text: JSON of what a tool returns, or how Python prints it. Field labels speak of the structure, and text is
never sniffed for one. So the tool's own result is caught on its way out, and counts if the text is exactly what it makes.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import inspect
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, Tool
from pydantic import BaseModel

from licet.errors import SnapshotError
from licet.guard import Ticket
from licet.guard.binding import annotations_of
from licet.integrations._langchain_input import messages_in
from licet.integrations._langchain_texts import Shown, shown
from licet.snapshot import snapshot

_CACHED = 1_000  # tools
_NOTHING: Any = object()
_PRINTED = (str, int, float, bool, type(None), decimal.Decimal, uuid.UUID, datetime.date, datetime.datetime, datetime.time)


class Caught:
    """What one call's tool returned."""

    def __init__(self) -> None:
        self.raw: Any = _NOTHING

    @contextmanager
    def catching(self, ticket: Ticket) -> Iterator[None]:
        """Catch what the tool of this call returns; where the call is an outer layer's, that one catches it."""
        if ticket.joins is not None:
            yield
            return
        token = _catching.set(self)
        try:
            yield
        finally:
            _catching.reset(token)

    def output(self, result: object) -> object:
        """What the model is shown of a tool's answer, as the structure that the tool returned where it is that."""
        if not isinstance(result, BaseMessage) and not any(True for _ in messages_in(result)):
            return result
        outputs = [self._message(message) for message in messages_in(result)]
        return outputs[0] if len(outputs) == 1 else outputs

    def _message(self, message: object) -> object:
        if not isinstance(message, BaseMessage):
            return message
        raw = self.raw
        if isinstance(raw, tuple) and len(raw) == 2 and isinstance(message, ToolMessage) and message.artifact is not None:
            raw = raw[0]  # the other is not shown
        if raw is not _NOTHING and type(raw) is not str and (found := _structure(raw, message.content)) is not _NOTHING:
            return found
        if isinstance(message.content, str):
            return message.content
        blocks = [output for block in message.content for output in _block(block)]
        return blocks[0] if len(blocks) == 1 else blocks


_catching: ContextVar[Caught | None] = ContextVar("licet_langchain_output", default=None)


def note(raw: object) -> None:
    """A tool has returned this."""
    caught = _catching.get()
    if caught is not None:
        caught.raw = raw


class Catching:
    """Twins of tools that tell what they return. Only of LangChain's own two classes: another one may keep a state that a twin has not."""

    def __init__(self) -> None:
        self._twins: dict[int, tuple[BaseTool, BaseTool]] = {}

    def twin(self, tool: BaseTool) -> BaseTool:
        """The twin of `tool`, or the tool itself where it can have none."""
        kept = self._twins.get(id(tool))
        if kept is None or kept[0] is not tool:
            if len(self._twins) >= _CACHED:
                self._twins.clear()
            kept = self._twins[id(tool)] = (tool, _twin(tool))
        return kept[1]


def _twin(tool: BaseTool) -> BaseTool:
    if type(tool) not in (StructuredTool, Tool):
        return tool
    functions = {name: getattr(tool, name, None) for name in ("func", "coroutine")}
    try:
        return tool.model_copy(update={name: _noting(function) for name, function in functions.items() if callable(function)})
    except (TypeError, ValueError):  # a callable without a signature
        return tool


def _noting(body: Callable[..., Any]) -> Callable[..., Any]:
    def noting(*args: Any, **kwargs: Any) -> Any:
        raw = body(*args, **kwargs)
        note(raw)
        return raw

    async def anoting(*args: Any, **kwargs: Any) -> Any:
        raw = await body(*args, **kwargs)
        note(raw)
        return raw

    return shaped_like(body, anoting if inspect.iscoroutinefunction(body) else noting)


def shaped_like(body: Callable[..., Any], twin: Callable[..., Any]) -> Callable[..., Any]:
    """Give `twin` the name, text and signature of `body`, by which LangChain fills in arguments; no attribute leads to `body`."""
    twin.__name__, twin.__doc__ = getattr(body, "__name__", "tool"), body.__doc__
    hints = twin.__annotations__ = annotations_of(body)  # resolved: the twin's globals are ours
    signature = inspect.signature(body)
    parameters = [given.replace(annotation=hints.get(name, given.annotation)) for name, given in signature.parameters.items()]
    twin.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return twin


def _structure(raw: object, content: object) -> Any:
    """A frozen copy of `raw`, if `content` shows exactly that."""
    try:
        frozen = snapshot({"output": raw})
        value, plain = frozen.values["output"], frozen.plain["output"]
        if not isinstance(content, str):
            texts = isinstance(plain, list) and all(isinstance(item, str) for item in plain)
            return value if texts and content == plain else _NOTHING
        if content == json.dumps(plain, ensure_ascii=False) or content == _printed(value, outermost=True):
            return value
    except SnapshotError:
        pass
    # Printing a value runs code of its class.
    except Exception:  # noqa: BLE001 - then nothing is known of the structure, and the text counts as text
        return _NOTHING
    return _NOTHING


def _printed(value: Any, *, outermost: bool = False) -> str:
    """How Python prints plain data, models and dataclasses that print all their fields and nothing else.

    Raises:
        SnapshotError: anything else.
    """
    kind = type(value)
    if kind in _PRINTED:
        return str(value) if outermost else repr(value)
    if kind is list:
        return f"[{', '.join(map(_printed, value))}]"
    if kind is tuple:
        return f"({', '.join(map(_printed, value))}{',' if len(value) == 1 else ''})"
    if kind is dict:
        return f"{{{', '.join(f'{_printed(name)}: {_printed(item)}' for name, item in value.items())}}}"
    if issubclass(kind, BaseModel):
        fields = [f"{name}={_printed(item)}" for name, item in value.__dict__.items()]
        return " ".join(fields) if outermost else f"{kind.__name__}({', '.join(fields)})"
    if dataclasses.is_dataclass(kind):
        fields = [f"{field.name}={_printed(getattr(value, field.name))}" for field in dataclasses.fields(kind)]
        return f"{kind.__qualname__}({', '.join(fields)})"
    raise SnapshotError("output", "is printed by code of its own")


def _block(block: object) -> Iterator[object]:
    """One block of content: a text is itself; of an image or a file bytes stand for what the guard cannot read."""
    if isinstance(block, Mapping) and block.get("type") == "text" and isinstance(block.get("text"), str):
        yield block["text"]
    elif isinstance(block, Mapping):
        for item in shown(ToolMessage([dict(block)], tool_call_id="")):
            yield _readable(item)
    else:
        yield block


def _readable(item: Shown) -> object:
    return item.text if item.readable else item.text.encode()
