"""Where a framework has a span of its own for a tool's call, that span is told what the guard knows; there is no second one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from licet import Denied, Guard
from licet.telemetry.native import added, native_tool_span
from licet.testing import guard_for

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  read: {access: read, egress: false}
  outer: {access: read, egress: false}
  send: {access: write, egress: true, arguments: {to: {origin: [intent]}}}
tasks:
  work: {intent: Work, ttl: 10m, tools: {read: {}, outer: {}, send: {}}}
"""
GENAI = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "read"}
KINDS = [
    # name, attributes of the current span, tool, is it that tool's
    ("the conventions", GENAI, "read", True),
    ("the conventions, another tool", GENAI, "write", False),
    ("the conventions, no tool", {"gen_ai.operation.name": "execute_tool"}, "read", False),
    ("an MCP server's tool", GENAI, "files:read", True),
    ("an agent", {"gen_ai.operation.name": "invoke_agent", "gen_ai.tool.name": "read"}, "read", False),
    ("OpenInference", {"openinference.span.kind": "TOOL", "tool.name": "read"}, "read", True),
    ("OpenInference, another tool", {"openinference.span.kind": "TOOL", "tool.name": "write"}, "read", False),
    ("OpenInference, no name", {"openinference.span.kind": "TOOL"}, "read", True),
    ("OpenInference, a chain", {"openinference.span.kind": "CHAIN", "tool.name": "read"}, "read", False),
    ("OpenLLMetry", {"traceloop.span.kind": "tool", "traceloop.entity.name": "read"}, "read", True),
    ("OpenLLMetry, another tool", {"traceloop.span.kind": "tool", "traceloop.entity.name": "write"}, "read", False),
    ("OpenLLMetry, a task", {"traceloop.span.kind": "task", "traceloop.entity.name": "read"}, "read", False),
    ("told before", {**GENAI, "licet.call.id": "0" * 32}, "read", False),
    ("the transport of MCP", {"mcp.method.name": "tools/call", "jsonrpc.request.id": "1"}, "read", False),
    ("anything", {}, "read", False),
]


class Traced:
    """A provider with its spans."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("some-framework")

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if not span.name.startswith("invoke_agent")]


@pytest.fixture
def traced() -> Iterator[Traced]:
    found = Traced()
    yield found
    found.provider.shutdown()


@pytest.fixture
def guard(tmp_path: Path, traced: Traced) -> Iterator[Guard]:
    with guard_for(MANIFEST, tmp_path, tracer_provider=traced.provider) as found:
        yield found


def task(guard: Guard) -> Any:
    return guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace")


@pytest.mark.parametrize("attributes, tool, known", [case[1:] for case in KINDS], ids=[case[0] for case in KINDS])
def test_a_span_is_known_by_what_each_convention_says(traced: Traced, attributes: dict[str, Any], tool: str, known: bool):
    with traced.tracer.start_as_current_span("x", attributes=attributes) as span:
        assert native_tool_span(tool) is (span if known else None)
    assert native_tool_span(tool) is None


def test_a_span_of_another_trace_than_the_tasks_is_not_taken(traced: Traced):
    with traced.tracer.start_as_current_span("x", attributes=GENAI) as span:
        trace_id = format(span.get_span_context().trace_id, "032x")
        assert native_tool_span("read", trace_id) is span
        assert native_tool_span("read", "0" * 31 + "1") is None


def test_a_span_that_is_not_recorded_is_not_taken():
    with TracerProvider(sampler=ALWAYS_OFF).get_tracer("x").start_as_current_span("x", attributes=GENAI):
        assert native_tool_span("read") is None


def test_a_span_that_raises_is_none():
    class Broken(trace.NonRecordingSpan):
        def is_recording(self) -> bool:
            raise RuntimeError("no")

    with trace.use_span(Broken(trace.INVALID_SPAN_CONTEXT)):
        assert native_tool_span("read") is None


def test_what_the_framework_says_already_stays(traced: Traced):
    with traced.tracer.start_as_current_span("x", attributes={**GENAI, "gen_ai.tool.type": "extension"}) as span:
        told = added(span, {"gen_ai.tool.type": "function", "gen_ai.agent.name": "bot", "licet.mode": "enforce"})
    assert told == {"gen_ai.agent.name": "bot", "licet.mode": "enforce"}


def test_a_call_within_a_frameworks_span_is_that_span(guard: Guard, traced: Traced):
    read = guard.wrap(lambda: "ok", name="read")
    with task(guard) as current, traced.tracer.start_as_current_span("framework's tool", attributes=GENAI) as native:
        read()
        assert native.is_recording()  # who started it ends it
        native.set_attribute("after", 1)
    [span] = traced.spans
    assert (span.name, span.attributes["licet.task.id"], span.attributes["after"]) == ("framework's tool", current.id, 1)
    assert span.attributes["licet.decision.outcome"] == "allow"
    [call] = guard._store.calls(current.id)
    assert call.span_id == format(span.context.span_id, "016x")


def test_a_denial_has_a_red_span_below_the_frameworks(guard: Guard, traced: Traced):
    """The framework says of its own that all went well where nothing was raised."""
    send = guard.wrap(lambda to: "ok", name="send")
    with task(guard), traced.tracer.start_as_current_span("t", attributes={**GENAI, "gen_ai.tool.name": "send"}), pytest.raises(Denied):
        send(to="eve@evil.example")
    ours, theirs = traced.spans
    assert (ours.status.status_code.name, ours.attributes["error.type"]) == ("ERROR", "policy_denied")
    assert ours.attributes["licet.decision.reason"] == "origin.argument"
    assert ours.parent.span_id == theirs.context.span_id
    assert not any(name.startswith("licet.") for name in theirs.attributes)


def test_how_a_tool_failed_is_for_the_framework_to_say(guard: Guard, traced: Traced):
    def read() -> str:
        raise ValueError("no")

    guarded = guard.wrap(read, name="read")
    quiet = {"attributes": GENAI, "record_exception": False, "set_status_on_exception": False}
    with task(guard), traced.tracer.start_as_current_span("t", **quiet), pytest.raises(ValueError, match="no"):
        guarded()
    [span] = traced.spans
    assert span.status.status_code.name == "UNSET"
    assert "error.type" not in span.attributes


def test_a_tool_that_calls_another_tool_has_its_span_and_the_other_has_one_of_its_own(guard: Guard, traced: Traced):
    read = guard.wrap(lambda: "ok", name="read")
    outer = guard.wrap(lambda: read() + read(), name="outer")
    with task(guard), traced.tracer.start_as_current_span("t", attributes={**GENAI, "gen_ai.tool.name": "outer"}):
        outer()
    assert sorted(span.name for span in traced.spans) == ["execute_tool read", "execute_tool read", "t"]


def test_the_same_span_is_not_told_of_two_calls(guard: Guard, traced: Traced):
    read = guard.wrap(lambda: "ok", name="read")
    with task(guard), traced.tracer.start_as_current_span("t", attributes=GENAI):
        read()
        read()
    assert sorted(span.name for span in traced.spans) == ["execute_tool read", "t"]
