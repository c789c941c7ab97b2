"""Calls that ran, out of spans of frameworks: GenAI `execute_tool`, MCP `tools/call`, OpenInference, OpenLLMetry.

One call can have several spans: the framework's, the MCP client's, the MCP server's. Spans of one tool within each other are one call, as
long as each layer (who instrumented it, and on which side) stands there once. What the model's provider ran by itself has no span; it is
read out of the model's answer, where contents are on the spans (`server_tool_call` of `gen_ai.output.messages`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from licet.canonical import digest, recordable
from licet.telemetry import semconv
from licet.telemetry.otlp import BadSpan
from licet.telemetry.reader import ReadSpan
from licet.telemetry.rules import SCOPE

SERVER: Final = 2  # OTLP's SpanKind
_ERROR: Final = 2  # OTLP's StatusCode
_MESSAGES: Final = "gen_ai.output.messages"
_PROVIDER_PART: Final = "server_tool_call"
_KINDS: Final = (  # (what says that it is a tool's span, the name under which it has the tool's, and who writes so)
    (semconv.OPERATION_NAME, semconv.EXECUTE_TOOL, semconv.TOOL_NAME),
    (semconv.MCP_METHOD, "tools/call", semconv.TOOL_NAME),
    ("openinference.span.kind", "TOOL", "tool.name"),
    ("traceloop.span.kind", "tool", "traceloop.entity.name"),
)
_CALL_IDS: Final = (semconv.TOOL_CALL_ID, "tool_call.id", "tool.id")
_SESSIONS: Final = (semconv.CONVERSATION_ID, "session.id")
_ARGUMENTS: Final = (semconv.TOOL_ARGUMENTS, "input.value", "traceloop.entity.input")
_PROCESS: Final = ("service.name", "service.instance.id", "host.name", "process.pid")
_DEEP: Final = 1_000  # spans above one that are looked at
_NAME: Final = 256  # characters of one name

Place = tuple[str, str]
"""A span: trace id and span id."""


class Layer(NamedTuple):
    """Who says of a call that it ran: the instrumentation, and on which side of it (OTLP's span kind)."""

    scope: str
    kind: int


class Process(NamedTuple):
    """Where a span was made, as far as its resource says it."""

    service: str
    instance: str
    host: str
    pid: str


_NOWHERE: Final = Process("", "", "", "")


@dataclass(slots=True)
class Ran:
    """One call that ran. Times are seconds since the epoch, by the clock of whoever made the span.

    Attributes:
        place: its outermost span; `spans` all of them, with their layers.
        args: the plain digest of the arguments, where a span has them.
        side: where it ran, by the kind of its tool (`function`, `extension`, `datastore`); `provider` where it was read out of an answer.
        served: a span of the tool's own side is among them.
    """

    place: Place
    tool: str
    started: float
    ended: float
    call_id: str = ""
    session: str = ""
    args: str = ""
    side: str = ""
    failed: bool = False
    process: Process = _NOWHERE
    where: str = ""
    spans: dict[Place, Layer] = field(default_factory=dict)

    @property
    def trace(self) -> str:
        """Its trace."""
        return self.place[0]

    @property
    def run(self) -> str:
        """What keys its run: the conversation where one is named, else the trace."""
        return self.session or self.trace

    @property
    def layers(self) -> set[Layer]:
        """The layers of its spans."""
        return set(self.spans.values())


@dataclass
class Running:
    """All that spans tell: the calls that ran, every span's parent, and what could not be read."""

    calls: list[Ran] = field(default_factory=list)
    above: dict[Place, str] = field(default_factory=dict)
    bad: list[BadSpan] = field(default_factory=list)
    spans: int = 0

    def line(self, place: Place) -> Iterator[Place]:
        """The spans above one, the nearest first, as far as that is of use; a circle ends."""
        seen = {place}
        while len(seen) < _DEEP and (parent := self.above.get(place)) and (place := (place[0], parent)) not in seen:
            seen.add(place)
            yield place


def short(tool: str) -> str:
    """A tool's name as frameworks have it: `tool` of the `server:tool` of a manifest."""
    return tool.rpartition(":")[2]


def ran_in(items: Iterable[ReadSpan | BadSpan]) -> Running:
    """The calls that ran. Our own spans are no witness of that, but a framework's span that says what the guard knows is one."""
    found, tools = Running(), dict[Place, tuple[Ran, Layer]]()
    for item in items:
        if isinstance(item, BadSpan):
            found.bad.append(item)
            continue
        place = (item.trace_id, item.span_id)
        if place not in found.above:
            found.spans += 1
            found.above[place] = item.parent_id
            if item.scope != SCOPE:
                if (tool := _tool(item)) is not None:
                    tools[place] = (_ran(item, tool), Layer(item.scope, item.kind))
                for each in _by_provider(item):
                    tools[each.place] = (each, Layer("", -1))
    for each in _one_each(found, tools):
        each.session = each.session or _session_above(each, found, tools)
        found.calls.append(each)
    found.calls.sort(key=lambda each: (each.started, each.place))
    return found


def _tool(span: ReadSpan) -> str | None:
    for kind, value, named in _KINDS:
        if span.attributes.get(kind) == value:
            told = _text(span.attributes, named, semconv.TOOL_NAME)
            # The MCP SDK's client says the tool in the span's name only: `MCP send tools/call read_file`.
            return told or recordable(span.name.rpartition("tools/call ")[2].removeprefix(f"{semconv.EXECUTE_TOOL} "), _NAME)
    return None


def _ran(span: ReadSpan, tool: str) -> Ran:
    place = (span.trace_id, span.span_id)
    return Ran(
        place, tool, span.start / 1e9, span.end / 1e9, _call_id(span), _text(span.attributes, *_SESSIONS),
        _digest(span), _text(span.attributes, semconv.TOOL_TYPE), span.status == _ERROR, process_of(span), span.place,
    )  # fmt: skip


def _call_id(span: ReadSpan) -> str:
    """The framework's id of the call. OpenInference has it for LangChain in the tool's answer only."""
    if told := _text(span.attributes, *_CALL_IDS):
        return told
    answer = _plain(span.attributes.get("output.value"))
    within = answer.get("data", answer) if isinstance(answer, dict) else None
    return _text(within, "tool_call_id") if isinstance(within, dict) else ""


def process_of(span: ReadSpan) -> Process:
    """Where a span was made."""
    told = (span.resource.get(name) for name in _PROCESS)
    return Process(*("" if each is None else recordable(str(each), _NAME) for each in told))


def _by_provider(span: ReadSpan) -> Iterator[Ran]:
    messages = _plain(span.attributes.get(_MESSAGES))
    number = 0
    for message in messages if isinstance(messages, list) else ():
        parts = message.get("parts") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and part.get("type") == _PROVIDER_PART:
                number += 1
                name, call_id = part.get("name"), part.get("id")
                yield Ran(
                    (span.trace_id, f"{span.span_id}#{number}"), recordable(name, _NAME) if isinstance(name, str) else "",
                    span.start / 1e9, span.end / 1e9, recordable(call_id, _NAME) if isinstance(call_id, str) else "",
                    _text(span.attributes, *_SESSIONS), side="provider", process=process_of(span), where=span.place,
                )  # fmt: skip


def _one_each(found: Running, tools: Mapping[Place, tuple[Ran, Layer]]) -> list[Ran]:
    """Calls, each with all of its spans."""
    of: dict[Place, Ran] = {}
    by_id: dict[tuple[str, str, str], list[Ran]] = {}
    calls: list[Ran] = []
    depth = {place: sum(1 for _ in found.line(place)) for place in tools}
    for place, (ran, layer) in sorted(tools.items(), key=lambda row: (depth[row[0]], row[1][0].started, row[0])):
        over = next((of[each] for each in found.line(place) if each in of), None)
        key = (ran.trace, short(ran.tool), ran.call_id)
        same = [over] if over is not None and short(over.tool) == short(ran.tool) else []
        same += by_id.get(key, ()) if ran.call_id else ()
        call = next((each for each in same if layer not in each.layers and (each is over or _overlap(each, ran))), None)
        if call is None:
            call = ran
            calls.append(call)
            if call.call_id:
                by_id.setdefault(key, []).append(call)
        else:
            call.call_id = call.call_id or ran.call_id
            call.args = call.args or ran.args
            call.side = call.side or ran.side
        call.spans[place] = layer
        of[place] = call
    return calls


def _overlap(one: Ran, other: Ran) -> bool:
    return one.started <= other.ended and other.started <= one.ended


def _session_above(ran: Ran, found: Running, tools: Mapping[Place, tuple[Ran, Layer]]) -> str:
    return next((tools[each][0].session for each in found.line(ran.place) if each in tools and tools[each][0].session), "")


def _text(attributes: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return recordable(value, _NAME)
    return ""


def _digest(span: ReadSpan) -> str:
    """Of the arguments, where they are an object by name."""
    for name in _ARGUMENTS:
        value = _plain(span.attributes.get(name))
        if isinstance(value, dict):
            try:
                return digest(value)
            except (ValueError, RecursionError):
                return ""
    return ""


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
