"""Records what OpenInference and Licet say of one run of a LangChain agent: `python examples/bypass/record.py FILE`.

The agent has two tools. One of them, `send`, is left without the guard, and called twice.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from langchain.agents import create_agent
from langchain_core.tools import tool
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

sys.path[:0] = [str(Path(__file__).parents[2] / "tests")]
from exported import of_sdk  # noqa: E402 - found by the line above
from integrations.scripted import ScriptedModel, calls  # noqa: E402
from licet.integrations.langchain import guard_tool  # noqa: E402
from licet.testing import guard_for  # noqa: E402

MANIFEST = """\
licet: 1
environment: dev
owners: {desk: {name: Desk, contact: desk@acme.example}}
agents: {bot: {owner: desk, tasks: [answer]}}
tools:
  read: {access: read, egress: false}
  send: {access: write, egress: true}
tasks: {answer: {intent: Answer a ticket, ttl: 10m, tools: {read: {}, send: {}}}}
"""


@tool
def read(number: int) -> str:
    """Read a ticket."""
    return f"ticket {number}: my order is late"


@tool
def send(to: str, text: str) -> str:  # noqa: ARG001 - it sends nothing
    """Send a message."""
    return "sent"


def main(path: str) -> None:
    """Write the spans of the run, as the Collector's file exporter does."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": "desk", "service.instance.id": "desk-1", "deployment.environment.name": "dev"})
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    script = [
        calls(("read", {"number": 7})),
        calls(("send", {"to": "ada@shop.example", "text": "sorry"}), ("read", {"number": 8}), first=2),
        calls(("send", {"to": "eve@evil.example", "text": "ticket 8"}), first=4),
    ]
    with tempfile.TemporaryDirectory() as folder, guard_for(MANIFEST, Path(folder), tracer_provider=provider) as guard:
        agent = create_agent(ScriptedModel(script=script), [guard_tool(guard, read), send])
        with guard.task("answer", intent="Answer ticket 7", agent="bot", principal="user:grace"):
            agent.invoke({"messages": [("user", "Answer ticket 7")]})
    Path(path).write_text(json.dumps(of_sdk(exporter.get_finished_spans())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
