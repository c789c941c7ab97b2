"""Recorded sessions out of spans: any agent's whose spans hold what its tools were given and returned (opt-in contents).

GenAI conventions: `execute_tool` spans with `gen_ai.tool.call.arguments` and `.result`, and the user's words of `gen_ai.input.messages`;
OpenInference: spans of the kind TOOL with `input.value` and `output.value`. A session is a conversation (`gen_ai.conversation.id`), else a
trace; its calls stand in order of time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from licet.escape import visible
from licet.guard.shown import MORE
from licet.replay.sessions import LAST_SECOND, Bad, RecordedCall, Session
from licet.telemetry import semconv
from licet.telemetry.otlp import BadSpan
from licet.telemetry.reader import ReadSpan
from licet.telemetry.record import BadRecord, call_of, task_of
from licet.traces import spans_from

MESSAGES = "gen_ai.input.messages"
KIND, INPUT, OUTPUT, TOOL = "openinference.span.kind", "input.value", "output.value", "tool.name"
_MAX_ABOVE = 100  # spans between a call and the one that names the conversation
_NAMES = 50  # tools that are counted apart

Place = tuple[str, str]  # trace and span


@dataclass
class SpanSessions:
    """What a source holds. In no session are calls without arguments (`without`, by tool), and those of ours of which only some arguments
    are on the span (`partly`), as the others would be judged as missing. `unanswered`: calls without a result.
    """

    sessions: list[Session] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    without: Counter[str] = field(default_factory=Counter)
    partly: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0


@dataclass(slots=True)
class _Group:
    place: str
    suites: list[tuple[int, str]] = field(default_factory=list)
    calls: list[tuple[int, str, RecordedCall]] = field(default_factory=list)
    words: list[tuple[int, str]] = field(default_factory=list)
    first: int = 0
    models: Counter[str] = field(default_factory=Counter)
    findings: set[str] = field(default_factory=set)


def sessions_from(source: str) -> SpanSessions:
    """All sessions of a source: a file, `-`, or a Jaeger.

    Raises:
        UsageError: it cannot be opened.
    """
    return sessions_in(spans_from(source), source)


def sessions_in(items: Iterable[ReadSpan | BadSpan], source: str) -> SpanSessions:
    """The sessions of spans, in order of time."""
    found = SpanSessions()
    above: dict[Place, tuple[str, str]] = {}  # by span, its parent and the conversation that it names
    tools: dict[Place, tuple[str, str, int, RecordedCall]] = {}
    words: list[tuple[Place, int, str]] = []
    told: list[tuple[Place, int, str, tuple[str, ...]]] = []  # of each span, when it began, and what it says of model and findings
    for item in items:
        if isinstance(item, BadSpan):
            found.bad.append(_bad(item, source))
            continue
        place = (item.trace_id, item.span_id)
        if place in above:
            continue  # delivered at least once
        above[place] = (item.parent_id, _text(item, semconv.CONVERSATION_ID))
        words += [(place, item.start, said) for said in _words(item)]
        told.append((place, item.start, _model(item), _findings(item)))
        if _is_tool(item) and (call := _call(item, found)) is not None:
            tools[place] = (item.place, _suite(item), item.start, call)
    groups: dict[str, _Group] = {}
    for place, (where, suite, start, call) in tools.items():
        group = groups.setdefault(_session_of(place, above), _Group(where))
        group.suites.append((start, suite))
        group.calls.append((start, place[1], call))
    for place, start, said in words:
        if (group_of := groups.get(_session_of(place, above))) is not None:
            group_of.words.append((start, said))
    for place, start, model, findings in told:
        if (group_of := groups.get(_session_of(place, above))) is not None:
            group_of.first = min(filter(None, (group_of.first, start)), default=0)
            group_of.models.update({model} - {""})
            group_of.findings.update(findings)
    ordered = sorted(groups.items(), key=lambda each: (min(start for start, *_ in each[1].calls), each[0]))
    found.sessions += [_session(name, group) for name, group in ordered]
    return found


def _session(name: str, group: _Group) -> Session:
    calls = tuple(call for *_, call in sorted(group.calls, key=lambda each: each[:2]))
    turns = tuple(dict.fromkeys(said for _, said in sorted(group.words)))
    model = min(group.models, key=lambda name: (-group.models[name], name), default="")  # the one that most of its spans name
    return Session(
        name, min(group.suites)[1], turns, calls, group.place, model=model, time=_seconds(group.first),
        findings=tuple(sorted(group.findings)),
    )  # fmt: skip


def _session_of(place: Place, above: dict[Place, tuple[str, str]]) -> str:
    trace, span = place
    for _ in range(_MAX_ABOVE):
        parent, conversation = above.get((trace, span), ("", ""))
        if conversation:
            return conversation
        if not parent:
            break
        span = parent
    return trace


def _is_tool(span: ReadSpan) -> bool:
    return _text(span, semconv.OPERATION_NAME) == semconv.EXECUTE_TOOL or _text(span, KIND) == "TOOL"


def _call(span: ReadSpan, found: SpanSessions) -> RecordedCall | None:
    tool = _text(span, semconv.TOOL_NAME) or _text(span, TOOL) or span.name.removeprefix(f"{semconv.EXECUTE_TOOL} ")
    arguments = _plain(span.attributes.get(semconv.TOOL_ARGUMENTS, span.attributes.get(INPUT)))
    if not isinstance(arguments, dict):
        _count(found.without, tool)
        return None
    if MORE in arguments and semconv.DECISION_OUTCOME in span.attributes:
        _count(found.partly, tool)
        return None
    result = span.attributes.get(semconv.TOOL_RESULT, span.attributes.get(OUTPUT))
    error = (_text(span, semconv.ERROR_TYPE) or "an error") if span.status == 2 else None
    outcome = _text(span, semconv.DECISION_OUTCOME)
    ran = outcome in ("", "allow")
    if ran and result is None and error is None:
        found.unanswered += 1
    output = _plain(result) if result is not None else error or ""
    asked = outcome == "allow" and semconv.APPROVAL_ANSWER in span.attributes
    return RecordedCall(
        tool, arguments, ("" if output is None else output) if ran else None, error if ran else None, executed=ran,
        time=_seconds(span.start), decided="ask" if asked else outcome if outcome in ("", "allow", "ask") else "deny",
    )  # fmt: skip


def _seconds(nanoseconds: int) -> float | None:
    return min(nanoseconds / 1e9, LAST_SECOND) if nanoseconds > 0 else None


def _model(span: ReadSpan) -> str:
    """The model that was asked for, as an agent declares it; what answered can have a longer name."""
    return _text(span, "gen_ai.request.model") or _text(span, "gen_ai.response.model")


def _findings(span: ReadSpan) -> tuple[str, ...]:
    """The checks of what a guard of ours had found, by the record on its span."""
    record, operation = _text(span, semconv.RECORD), _text(span, semconv.OPERATION_NAME)
    try:
        read = (task_of if operation == semconv.INVOKE_AGENT else call_of)(record).findings if record else ()
    except BadRecord:
        return ()
    return tuple(found.check for found in read)


def _count(by_tool: Counter[str], tool: str) -> None:
    name = visible(tool, 80)
    by_tool[name if name in by_tool or len(by_tool) < _NAMES else "others"] += 1


def _plain(value: Any) -> Any:
    """A value that may be JSON in a text, as the conventions write it where a backend takes no structures; what is no JSON is a text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return value


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _words(span: ReadSpan) -> Iterator[str]:
    """What the user said, as far as the span has it; a sub-task's intent is its agent's, and not the user's."""
    task = _text(span, semconv.TASK_ID)
    if (said := _text(span, semconv.INTENT_TEXT)) and task == _text(span, semconv.TXN):
        yield said
    if _text(span, KIND) in ("AGENT", "CHAIN") and not span.parent_id and (said := _text(span, INPUT)) and isinstance(_plain(said), str):
        yield said
    messages = _plain(span.attributes.get(MESSAGES))
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("role") == "user":
            parts = message.get("parts")
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("content"), str):
                    yield part["content"]


def _suite(span: ReadSpan) -> str:
    service = span.resource.get("service.name")
    return _text(span, semconv.TASK_KIND) or _text(span, semconv.AGENT_NAME) or (service if isinstance(service, str) else "")


def _text(span: ReadSpan, name: str) -> str:
    value = span.attributes.get(name)
    return value if isinstance(value, str) else ""


def _bad(item: BadSpan, source: str) -> Bad:
    place, _, number = item.place.rpartition(":")
    known = number.isascii() and number.isdigit() and len(number) < 10
    return Bad(place if known else source, int(number) if known else 0, item.key, item.why)
