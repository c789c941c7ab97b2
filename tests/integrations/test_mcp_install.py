"""`guard.install("mcp")` reaches every session of the process; layers around one call are one call, and one span."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from licet.errors import UsageError

pytest.importorskip("mcp")
from mcp import types
from mcp.client.session import ClientSession

from mcp_lab import MANIFEST, VERSION, Lab, is_error, text

BARE = MANIFEST.replace("srv:", "")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    found = Lab(tmp_path, monkeypatch, BARE)
    yield found
    found.close()


@pytest.mark.parametrize("first", ["install", "session"])
async def test_every_session_is_guarded_until_it_is_taken_back(lab: Lab, first: str):
    undo = lab.guard.install("mcp") if first == "install" else None
    async with lab.session(guarded=False) as session:
        undo = undo or lab.guard.install("mcp")
        with lab.task() as task:
            await session.call_tool("read_file", {"path": "notes.txt"})
            assert is_error(await session.call_tool("append_file", {"path": "/srv/ledger.txt", "text": "hello"}))
            call = types.CallToolRequest(method="tools/call", params=types.CallToolRequestParams(name="turn", arguments={}))
            inner, sent = (session.session, call) if VERSION == 2 else (session, types.ClientRequest(call))
            with pytest.raises(UsageError, match="not judged"):
                await inner.send_request(sent, types.CallToolResult)
        undo()
        assert not is_error(await session.call_tool("append_file", {"path": "/srv/ledger.txt", "text": "hello"}))
    assert lab.calls(task) == [("read_file", "done"), ("append_file", "denied")]
    assert [each["tool"] for each in lab.reached] == ["read_file", "append_file"]
    assert ClientSession.call_tool.__module__ == "mcp.client.session"


@pytest.mark.parametrize("first", ["install", "session"])
async def test_a_session_with_a_guard_of_its_own_is_judged_once_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
):
    lab = Lab(tmp_path, monkeypatch)
    undo = lab.guard.install("mcp") if first == "install" else None
    async with lab.session() as session:
        undo = undo or lab.guard.install("mcp")
        try:
            with lab.task() as task:
                assert not is_error(await session.call_tool("read_file", {"path": "plain.txt"}))
        finally:
            undo()
    assert lab.calls(task) == [("srv:read_file", "done")]
    lab.close()


@pytest.mark.parametrize("first", ["install", "session"])
async def test_two_guards_both_judge_and_what_one_refuses_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = Lab(tmp_path / "one", monkeypatch, BARE)
    other = Lab(tmp_path / "two", monkeypatch, BARE.replace("  srv:", "  "))
    undo = other.guard.install("mcp") if first == "install" else None
    async with one.session(options={"server": None}) as session:
        undo = undo or other.guard.install("mcp")
        try:
            # Each guard has tasks of its own: what no task of the other's is around, the other refuses.
            with one.task() as task:
                assert "identity.no-task" in text(await session.call_tool("read_file", {"path": "plain.txt"}))
        finally:
            undo()
    assert one.calls(task) == [("read_file", "failed")]
    assert one.reached == []
    one.close()
    other.close()


async def test_a_guarded_function_that_calls_the_session_is_one_call_and_one_span(lab: Lab):
    async with lab.session(options={"server": None}) as session:

        async def read_file(path: str) -> str:
            return text(await session.call_tool("read_file", {"path": path}))

        guarded = lab.guard.wrap(read_file, name="read_file")
        with lab.task() as task:
            assert await guarded("plain.txt") == "nothing to see"
    assert lab.calls(task) == [("read_file", "done")]
    [span] = lab.spans_of("read_file")
    assert span.attributes["jsonrpc.request.id"] == lab.reached[0]["id"]


async def test_a_framework_with_a_span_of_its_own_for_the_tool_has_ours_in_it(lab: Lab):
    tracer = lab.provider.get_tracer("some-framework")
    async with lab.session(options={"server": None}) as session:
        with lab.task() as task:
            for path in ("notes.txt", "plain.txt"):
                with tracer.start_as_current_span(
                    "running tool", attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "read_file"}
                ) as native:
                    await session.call_tool("read_file", {"path": path})
                    assert native.is_recording()
            with tracer.start_as_current_span(
                "running tool", attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "append_file"}
            ):
                assert is_error(await session.call_tool("append_file", {"path": "/srv/ledger.txt", "text": "hello"}))
    executing = [span for span in lab.spans if "licet.call.id" in (span.attributes or {})]
    assert [(span.name, span.attributes["licet.decision.outcome"]) for span in executing] == [
        ("running tool", "allow"), ("running tool", "allow"), ("execute_tool append_file", "deny")
    ]  # fmt: skip
    assert [span.attributes.get("jsonrpc.request.id") for span in executing[:2]] == [each["id"] for each in lab.reached]
    assert executing[2].status.status_code.name == "ERROR"
    assert executing[2].attributes["error.type"] == "policy_denied"
    assert lab.calls(task) == [("read_file", "done"), ("read_file", "done"), ("append_file", "denied")]
