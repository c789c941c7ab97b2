"""Guarded sessions with a real MCP server in a process of its own, over stdio and HTTP, and what reached that server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from licet import GuardedTask
from licet.integrations.mcp import guard_session
from licet.testing import guard_for

pytest.importorskip("mcp")
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

try:
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    VERSION = 2
except ImportError:
    from mcp.client.streamable_http import streamablehttp_client as streamable_http_client

    VERSION = 1

SERVER = Path(__file__).with_name("mcp_server.py")
TRANSPORTS = ("stdio", "http")
ERAS = ("2025-11-25", "2026-07-28")  # of a session with a handshake, and without one
two = pytest.mark.skipif(VERSION < 2, reason="of version 2 of the SDK")

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  srv:read_file: {access: read, egress: false, arguments: {path: {}}}
  srv:append_file: {access: write, egress: false, arguments: {path: {origin: [intent]}, text: {content: true}}}
  srv:find_order: {access: read, egress: false, output: trusted, fields: {note: untrusted}, arguments: {number: {}}}
  srv:send_mail: {access: write, egress: true, arguments: {to: {origin: [trusted, intent]}}}
  srv:many: {access: read, egress: false, arguments: {values: {}}}
  srv:fail: {access: read, egress: false}
  srv:slow: {access: read, egress: false}
  srv:turn: {access: read, egress: false}
  srv:die: {access: read, egress: false}
  srv:nothing: {access: read, egress: false}
  srv:confirm: {access: write, egress: false, arguments: {what: {}}}
tasks:
  work:
    intent: Work
    ttl: 10m
    tools: {srv:read_file: {}, srv:append_file: {}, srv:find_order: {}, srv:send_mail: {}, srv:many: {}, srv:fail: {}, srv:slow: {},
      srv:turn: {}, srv:die: {}, srv:nothing: {}, srv:confirm: {at_most: 1}}
checks: {origin.unanchored: {then: flag}}
"""


class Lab:
    """A guard, a server that notes what reaches it, and the spans of both the guard and the SDK."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, manifest: str = MANIFEST, **options: Any) -> None:
        self.server: list[str] = [str(SERVER)]  # the program of `stdio`; LOG comes after it
        self.folder, self._log = folder, folder / "reached.jsonl"
        self._exporter = InMemorySpanExporter()
        resource = Resource({"service.name": "test", "service.version": "1", "deployment.environment.name": "dev"})
        self.provider = TracerProvider(resource=resource)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        if VERSION == 2:  # the SDK's own spans, as an application with one provider gets them
            monkeypatch.setattr("mcp.shared._otel._tracer", self.provider.get_tracer("mcp-python-sdk"))
        self.guard = guard_for(manifest, folder, tracer_provider=self.provider, **options)

    def task(self, intent: str = "Append hello to list.txt and write to ada@shop.example about order 7", **options: Any) -> GuardedTask:
        return self.guard.task("work", intent=intent, agent="bot", principal="user:grace", **options)

    @property
    def reached(self) -> list[dict[str, Any]]:
        """What the server was called with."""
        text = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def calls(self, task: GuardedTask) -> list[tuple[str, str]]:
        """Tool and status of each call, in order."""
        return [(call.tool, call.status) for call in self.guard._store.calls(task.id)]

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def spans_of(self, tool: str) -> list[ReadableSpan]:
        """Our spans of a tool's calls."""
        return [span for span in self.spans if span.name == f"execute_tool {tool}"]

    @property
    def stdio(self) -> StdioServerParameters:
        return StdioServerParameters(command=sys.executable, args=[*self.server, str(self._log)])

    @asynccontextmanager
    async def http(self) -> AsyncIterator[str]:
        """The URL of the server, in a process of its own."""
        process = subprocess.Popen([sys.executable, str(SERVER), str(self._log), "--http"], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - before there is anything to wait for
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()

    @asynccontextmanager
    async def session(
        self, transport: str = "stdio", era: str = ERAS[0], *, guarded: bool = True, options: Mapping[str, Any] | None = None, **client: Any
    ) -> AsyncIterator[Any]:
        """A session, or what has its `call_tool`: a `Client` where the SDK has one. `options` are those of `guard_session`."""
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(self.http()) if transport == "http" else ""
            if VERSION == 2:
                found: Any = await stack.enter_async_context(Client(url or self.stdio, mode="legacy" if era == ERAS[0] else era, **client))
                assert found.protocol_version == era
            else:
                opened = streamable_http_client(url) if url else stdio_client(self.stdio)
                read, write, *_ = await stack.enter_async_context(opened)
                found = await stack.enter_async_context(ClientSession(read, write, **client))
                await found.initialize()
            place = {"at": url or "stdio"} if VERSION == 1 else {}
            yield guard_session(self.guard, found, **{"server": "srv", **place, **(options or {})}) if guarded else found

    def close(self) -> None:
        self.guard.close()
        self.provider.shutdown()


def text(result: Any) -> str:
    """What a model is shown of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def is_error(result: Any) -> bool:
    return bool(getattr(result, "is_error", False) or getattr(result, "isError", False))
