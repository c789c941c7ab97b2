"""What real frameworks say that they ran, held against what the guard saw: LangChain by a tracer of GenAI spans, and the MCP SDK's own spans."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tools import tool
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from exported import of_sdk
from integrations.scripted import ScriptedModel, calls
from licet import Guard
from licet.cli import main
from licet.integrations.langchain import GuardMiddleware, guard_tool
from licet.testing import guard_for

pytest.importorskip("mcp")
from mcp_lab import Lab, two

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  read: {access: read, egress: false}
  send: {access: write, egress: true, arguments: {to: {origin: [intent]}}}
tasks: {work: {intent: Work, ttl: 10m, tools: {read: {}, send: {}}}}
checks: {origin.unanchored: {then: flag}}
"""
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "none"))


class Tracer(BaseCallbackHandler):
    """Makes an `execute_tool` span for each call of a tool, as instrumentation of LangChain does: beside the context, in a trace of its own."""

    run_inline = True

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("instrumentation.langchain")
        self._open: dict[UUID, Any] = {}

    def on_tool_start(self, serialized: dict[str, Any], input_str: str, *, run_id: UUID, inputs: Any = None, **told: Any) -> None:
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": serialized["name"]}
        self._open[run_id] = self._tracer.start_span(f"execute_tool {serialized['name']}", attributes=attributes)

    def on_tool_end(self, output: Any, *, run_id: UUID, **told: Any) -> None:
        span = self._open.pop(run_id)
        span.set_attribute("gen_ai.tool.call.id", output.tool_call_id)
        span.end()

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        span = self._open.pop(run_id)
        span.set_status(StatusCode.ERROR)
        span.end()


class Desk:
    """A guard, a provider that takes all spans, and two tools."""

    def __init__(self, folder: Path) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(resource=Resource({"service.name": "desk"}))
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.guard: Guard = guard_for(MANIFEST, folder, tracer_provider=self.provider)

        @tool
        def read(number: int) -> str:
            """Read a ticket."""
            return f"ticket {number}"

        @tool
        def send(to: str) -> str:
            """Send a message."""
            return "sent"

        self.read, self.send = read, send

    def run(self, tools: list[Any], *script: Any, middleware: tuple[Any, ...] = (), task: bool = True) -> None:
        agent = create_agent(ScriptedModel(script=list(script)), tools, middleware=middleware)
        with self.guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace") if task else nullcontext():
            agent.invoke({"messages": [("user", "go")]}, config={"callbacks": [Tracer(self.provider)]})

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "desk")
    yield made
    made.guard.close()
    made.provider.shutdown()


def bypass(spans: list[ReadableSpan], state: Path, capsys: Captured) -> tuple[int, dict[str, Any]]:
    Path("spans.jsonl").write_text(json.dumps(of_sdk(spans)) + "\n", encoding="utf-8")
    code = main(["bypass", "--from", "spans.jsonl", "--state", str(state), "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["calls"]
    return code, found


def lost(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["tool"], each["cause"]) for run in found["runs"] for each in run["unseen"]]


def test_langchain_with_one_tool_left_without_the_guard(desk: Desk, capsys: Captured):
    desk.run(
        [guard_tool(desk.guard, desk.read), desk.send],
        calls(("read", {"number": 1}), ("read", {"number": 2})), calls(("send", {"to": "eve@evil.example"}), first=3),
    )  # fmt: skip
    code, found = bypass(desk.spans, desk.guard.state, capsys)
    assert (code, found["sentence"]) == (1, "1 of 3 calls not seen by the guard")
    assert lost(found) == [("send", "not-wrapped")]
    assert found["matched_by"]["parentage"] == 2  # the guard stands around the tool, and its span around the framework's


def test_langchain_with_all_tools_guarded(desk: Desk, capsys: Captured):
    script = calls(("read", {"number": 1}), ("send", {"to": "ada@acme.example"})), calls(("send", {"to": "eve@evil.example"}), first=3)
    desk.run([desk.read, desk.send], *script, middleware=(GuardMiddleware(desk.guard),))
    code, found = bypass(desk.spans, desk.guard.state, capsys)
    assert (code, found["sentence"]) == (0, "0 of 2 calls not seen by the guard")  # the third was denied, and never came to the tool


def test_langchain_without_a_task_and_without_the_guard(desk: Desk, capsys: Captured):
    desk.run([desk.read], calls(("read", {"number": 1})), middleware=(GuardMiddleware(desk.guard),))
    desk.run([desk.send], calls(("send", {"to": "eve@evil.example"})), task=False)
    code, found = bypass(desk.spans, desk.guard.state, capsys)
    assert (code, found["sentence"], lost(found)) == (1, "1 of 2 calls not seen by the guard", [("send", "outside-task")])


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    found = Lab(tmp_path / "lab", monkeypatch)
    yield found
    found.close()


@two
async def test_mcp_with_a_second_session_that_nobody_guarded(lab: Lab, capsys: Captured):
    async with lab.session() as guarded, lab.session(guarded=False) as bare:
        with lab.task():
            await guarded.call_tool("read_file", {"path": "notes.txt"})
            await bare.call_tool("find_order", {"number": "7"})
            await guarded.call_tool("read_file", {"path": "plain.txt"})
    code, found = bypass(lab.spans, lab.guard.state, capsys)
    assert (code, found["sentence"]) == (1, "1 of 3 calls not seen by the guard")
    assert lost(found) == [("find_order", "not-wrapped")]
    assert found["matched_by"]["parentage"] == 2
    assert len(lab.reached) == 3
