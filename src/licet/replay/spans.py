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
from typing import Any, Literal

from licet.escape import visible
from licet.guard.shown import MORE
from licet.replay.grouping import CACHE, Grouping, Told
from licet.replay.sessions import LAST_SECOND, Bad, RecordedCall, Session
from licet.telemetry import semconv
from licet.telemetry.otlp import BadSpan
from licet.telemetry.reader import ReadSpan
from licet.telemetry.record import BadRecord, ReadCall, ReadTask, call_of, task_of
from licet.traces import spans_from

MESSAGES = "gen_ai.input.messages"
KIND, INPUT, OUTPUT, TOOL = "openinference.span.kind", "input.value", "output.value", "tool.name"
APPROVED = "approved"  # what `licet.approval.answer` says where a person said yes
_NAMES = 50  # tools that are counted apart

_Lacks = Literal["", "without", "partly", "unanswered"]
# Tool, arguments and result as they stand there, error, whether it ran, the decision, and the checks of which a person was asked.
_Call = tuple[str, Any, Any, str | None, bool, str, list[str]]


@dataclass
class SpanSessions:
    """What a source holds; its sessions one after the other, once.

    In no session are calls without arguments (`without`, by tool), and those of ours of which only some arguments are on the span
    (`partly`), as the others would be judged as missing. `unanswered`: calls without a result.
    """

    sessions: Iterable[Session] = ()
    bad: list[Bad] = field(default_factory=list)
    without: Counter[str] = field(default_factory=Counter)
    partly: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0


def sessions_from(source: str) -> SpanSessions:
    """All sessions of a source: a file, `-`, or a Jaeger.

    Raises:
        UsageError: it cannot be opened.
    """
    return sessions_in(spans_from(source), source)


def sessions_in(items: Iterable[ReadSpan | BadSpan], source: str, *, cache: int = CACHE) -> SpanSessions:
    """The sessions of spans, in order of time. All spans are read at once, and lie outside memory where they need more than `cache` KiB."""
    found, grouping = SpanSessions(), Grouping(cache)
    for item in items:
        if isinstance(item, BadSpan):
            found.bad.append(_bad(item, source))
            continue
        call, lacks = _call(item) if _is_tool(item) else (None, "")
        findings, unseen = _guards(item)
        said = (item.place, _suite(item), call, [*_words(item)], _model(item), findings, unseen)
        span = Told(item.trace_id, item.span_id, item.parent_id, _text(item, semconv.CONVERSATION_ID), item.start, call is not None, said)
        if grouping.add(span) and lacks:
            _count(found, lacks, _tool(item))
    found.sessions = (_session(name, spans) for name, spans in grouping.sessions())
    return found


def _session(name: str, spans: list[Told]) -> Session:
    """One session: its spans as they came."""
    suites: list[tuple[int, str]] = []
    words: list[tuple[int, str]] = []
    calls: list[tuple[int, str, RecordedCall]] = []
    models: Counter[str] = Counter()
    findings: set[str] = set()
    place, unseen = "", False
    for span in spans:
        where, suite, call, said, model, found, saw = span.what
        words += [(span.start, each) for each in said]
        models.update({model} - {""})
        findings.update(found)
        unseen = unseen or saw
        if call is not None:
            place = place or where
            suites.append((span.start, suite))
            calls.append((span.start, span.span, _recorded(call, span.start)))
    return Session(
        name, min(suites)[1], tuple(dict.fromkeys(each for _, each in sorted(words))),
        tuple(call for *_, call in sorted(calls, key=lambda each: each[:2])), place,
        model=min(models, key=lambda model: (-models[model], model), default=""),  # the one that most of its spans name
        time=_seconds(min((span.start for span in spans if span.start > 0), default=0)),
        findings=tuple(sorted(findings)), unseen=unseen,
    )  # fmt: skip


def _is_tool(span: ReadSpan) -> bool:
    return _text(span, semconv.OPERATION_NAME) == semconv.EXECUTE_TOOL or _text(span, KIND) == "TOOL"


def _tool(span: ReadSpan) -> str:
    return _text(span, semconv.TOOL_NAME) or _text(span, TOOL) or span.name.removeprefix(f"{semconv.EXECUTE_TOOL} ")


def _call(span: ReadSpan) -> tuple[_Call | None, _Lacks]:
    """What a tool's span says of its call, and what it lacks."""
    arguments = span.attributes.get(semconv.TOOL_ARGUMENTS, span.attributes.get(INPUT))
    known = _plain(arguments)
    if not isinstance(known, dict):
        return None, "without"
    outcome = _text(span, semconv.DECISION_OUTCOME)
    if MORE in known and semconv.DECISION_OUTCOME in span.attributes:
        return None, "partly"
    result = span.attributes.get(semconv.TOOL_RESULT, span.attributes.get(OUTPUT))
    error = (_text(span, semconv.ERROR_TYPE) or "an error") if span.status == 2 else None
    decided, asked = outcome if outcome in ("", "allow", "ask") else "deny", list[str]()
    if semconv.APPROVAL_ANSWER in span.attributes and outcome in ("", "allow"):
        # Spans are anybody's words: only the word itself is a yes, and only to what this span says was asked.
        yes = span.attributes[semconv.APPROVAL_ANSWER] == APPROVED and outcome == "allow"
        decided, asked = ("ask", _asked(span)) if yes else ("deny", [])
    lacks: _Lacks = "unanswered" if outcome in ("", "allow") and result is None and error is None else ""
    return (_tool(span), arguments, result, error, outcome in ("", "allow"), decided, asked), lacks


def _asked(span: ReadSpan) -> list[str]:
    """The checks of which a person was asked: those by which the record's reasons ask, else the one that led."""
    read = _read(span)
    if isinstance(read, ReadCall):
        return sorted({found.check for found in read.call.decision.reasons if found.effect == "ask" and not found.observed})
    return [check] if (check := _text(span, semconv.DECISION_REASON)) else []


def _recorded(call: _Call, start: int) -> RecordedCall:
    tool, arguments, result, error, ran, decided, asked = call
    output = _plain(result) if result is not None else error or ""
    return RecordedCall(
        tool, _plain(arguments), ("" if output is None else output) if ran else None, error if ran else None, executed=ran,
        time=_seconds(start), decided=decided, asked=tuple(asked),
    )  # fmt: skip


def _seconds(nanoseconds: int) -> float | None:
    return min(nanoseconds / 1e9, LAST_SECOND) if nanoseconds > 0 else None


def _model(span: ReadSpan) -> str:
    """The model that was asked for, as an agent declares it; what answered can have a longer name."""
    return _text(span, "gen_ai.request.model") or _text(span, "gen_ai.response.model")


def _guards(span: ReadSpan) -> tuple[list[str], bool]:
    """What a guard of ours tells by the record on its span: the checks of what it had found, and whether a value came in unseen."""
    read = _read(span)
    if read is None:
        return [], False
    return [found.check for found in read.findings], isinstance(read, ReadCall) and any(used.kind == "unseen" for used in read.call.used)


def _read(span: ReadSpan) -> ReadCall | ReadTask | None:
    """The record on a span; None where there is none that can be read."""
    record, operation = _text(span, semconv.RECORD), _text(span, semconv.OPERATION_NAME)
    try:
        return (task_of if operation == semconv.INVOKE_AGENT else call_of)(record) if record else None
    except BadRecord:
        return None


def _count(found: SpanSessions, lacks: _Lacks, tool: str) -> None:
    if lacks == "unanswered":
        found.unanswered += 1
        return
    by_tool, name = found.without if lacks == "without" else found.partly, visible(tool, 80)
    by_tool[name if name in by_tool or len(by_tool) < _NAMES else "others"] += 1


def _plain(value: Any) -> Any:
    """A value that may be JSON in a text, as the conventions write it where a backend takes no structures; what is no JSON is a text."""
    if not isinstance(value, str):
        return value
    try:
        return _JSON.decode(value)
    except (ValueError, RecursionError):
        return value


def _no_number(word: str) -> Any:
    raise ValueError(word)


_JSON = json.JSONDecoder(parse_constant=_no_number)


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
