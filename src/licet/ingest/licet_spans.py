"""Licet's own spans, as OTLP JSON lines: calls of guarded tools, and the tasks around them. `own` reads the same from a state folder.

A line holds many spans; those of others are none of our affair. Which credential of the manifest a tool uses stands in no span.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from licet.events import LifecycleEvent, UseEvent
from licet.ingest.calls import NAME, Around, agent_named, events_of, is_over
from licet.ingest.fields import clean
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable
from licet.records import CallRecord
from licet.telemetry import conventions, semconv
from licet.telemetry.otlp import BadSpan
from licet.telemetry.reader import ReadSpan, spans_of
from licet.telemetry.record import BadRecord, call_of
from licet.traces import readable

_LAG: Final = 300.0
_JTI: Final = re.compile(r"[0-9a-f]{32}")


def read(record: Record, place: Place) -> Recognised:
    """The spans of one line, or of one of its `resourceSpans`. A span that is not what it should be is refused, and the others are taken.

    Raises:
        Unreadable: it is no OTLP trace data, or all of it is refused.
    """
    data = {"resourceSpans": [record]} if "scopeSpans" in record else record
    uses: list[UseEvent] = []
    lifecycle: list[LifecycleEvent] = []
    refused: list[tuple[str, str]] = []
    good = 0
    for span in spans_of(data, ""):
        if isinstance(span, BadSpan):
            refused.append((_cause(span), clean(span.key)[:200]))
            continue
        good += 1
        if conventions.ours(span):
            found = _span(span, place)
            uses += found.uses
            lifecycle += found.lifecycle
    if refused and not good:
        raise Unreadable(*refused[0])
    passed = "" if uses or lifecycle else "no finished call or task of Licet"
    return Recognised(tuple(uses), tuple(lifecycle), passed, tuple(refused))


def _span(span: ReadSpan, place: Place) -> Recognised:
    operation = span.attributes.get(semconv.OPERATION_NAME)
    if operation == semconv.EXECUTE_TOOL:
        call = _call(span)
        return events_of(call, _around(span, place), place.fingerprint) if is_over(call) else Recognised()
    return Recognised(lifecycle=_task(span, place)) if operation == semconv.INVOKE_AGENT else Recognised()


def _call(span: ReadSpan) -> CallRecord:
    """By its record; where a backend has cut or masked that, by the attributes that people read."""
    told = span.attributes.get(semconv.RECORD)
    try:
        call = call_of(told, trace_id=span.trace_id, span_id=span.span_id).call if isinstance(told, str) else readable.call_from(span)
    except BadRecord:
        call = readable.call_from(span)
    # Anybody can send spans. What is no id of a token of ours is not looked up among the credentials of others.
    jti = call.jti if _JTI.fullmatch(call.jti) else ""
    return replace(call, attributes=readable.attributes_of(span), jti=jti)


def _around(span: ReadSpan, place: Place) -> Around:
    chain = span.attributes.get(semconv.ACTOR_CHAIN)
    agent = readable.said(span, semconv.ACTOR_ID) or readable.said(span, semconv.AGENT_NAME)
    others = tuple(each for each in chain if isinstance(each, str) and each != agent) if isinstance(chain, list) else ()
    return Around(agent, others[:8], readable.said(span, semconv.TASK_KIND), _environment(span, place))


def _task(span: ReadSpan, place: Place) -> tuple[LifecycleEvent, ...]:
    """A task is the workload of its calls."""
    task = readable.id_of(span, semconv.TASK_ID)
    if not task:
        return ()
    identity = agent_named(readable.said(span, semconv.AGENT_NAME), place.fingerprint)
    begun, ended = readable.seconds(span.start), readable.seconds(span.end)
    started = LifecycleEvent(NAME, task, begun, "job_started", identity, workload=task, account=_environment(span, place))
    return (started, started._replace(time=ended, kind="job_ended")) if ended >= begun > 0 else (started,)


def _environment(span: ReadSpan, place: Place) -> str:
    found = span.resource.get("deployment.environment.name")
    return clean(found)[:200] if isinstance(found, str) and found else place.account


def _cause(span: BadSpan) -> str:
    """One of few words, without what comes from the record."""
    return "is no field of an OTLP span" if span.key else "is no OTLP trace data"


SOURCE: Final = Source(NAME, "Licet's own calls", read, _LAG, ("resourceSpans",))
"""Spans of guards; without a path, the state folder's own store."""
