"""A guarded MCP session: what the agent is refused the server never hears of, and what is sent is what was judged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exported import of_sdk
from licet import ApprovalRequest
from licet.cli import main
from licet.definition import mcp_definition
from licet.errors import UsageError

pytest.importorskip("mcp")
from mcp import types
from mcp.client.session import ClientSession

from licet.integrations.mcp import guard_session
from mcp_lab import ERAS, MANIFEST, TRANSPORTS, VERSION, Lab, is_error, text, two

WAYS = [
    pytest.param(transport, era, id=f"{transport}-{era}", marks=[two] if era == ERAS[1] else []) for transport in TRANSPORTS for era in ERAS
]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    found = Lab(tmp_path, monkeypatch)
    yield found
    found.close()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lab]]:
    made: list[Lab] = []

    def build(manifest: str = MANIFEST, **options: Any) -> Lab:
        made.append(Lab(tmp_path, monkeypatch, manifest, **options))
        return made[-1]

    yield build
    for each in made:
        each.close()


async def steered(session: Any) -> list[Any]:
    """An agent that does what a file says, then its work, and goes on."""
    found = text(await session.call_tool("read_file", {"path": "notes.txt"}))
    path = "/srv/ledger.txt" if "/srv/ledger.txt" in found else "list.txt"
    return [await session.call_tool("append_file", {"path": each, "text": "hello"}) for each in (path, "list.txt")]


# What an attack can and cannot do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport, era", WAYS)
async def test_a_call_that_a_tools_output_asks_for_never_reaches_the_server_and_the_task_finishes(lab: Lab, transport: str, era: str):
    async with lab.session(transport, era) as session:
        with lab.task() as task:
            refused, done = await steered(session)
    assert is_error(refused)
    assert text(refused).startswith("Denied (origin.argument): `srv:append_file` did not run: `path`")
    assert not is_error(done)
    assert [(each["tool"], each["arguments"].get("path")) for each in lab.reached] == [
        ("read_file", "notes.txt"),
        ("append_file", "list.txt"),
    ]
    assert lab.calls(task) == [("srv:read_file", "done"), ("srv:append_file", "denied"), ("srv:append_file", "done")]


async def test_without_the_guard_the_same_agent_does_it(lab: Lab):
    async with lab.session(guarded=False) as session:
        await steered(session)
    assert ("append_file", "/srv/ledger.txt") in [(each["tool"], each["arguments"].get("path")) for each in lab.reached]


@pytest.mark.parametrize("transport, era", WAYS)
async def test_the_spans_of_a_run_hold_against_the_conventions(
    lab: Lab, transport: str, era: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async with lab.session(transport, era) as session:
        with lab.task():
            await steered(session)
            await session.call_tool("fail", {})
    (tmp_path / "traces.jsonl").write_text(json.dumps(of_sdk(lab.spans)) + "\n", encoding="utf-8")
    code = main(["spans", "check", str(tmp_path / "traces.jsonl")])
    said = capsys.readouterr().out
    assert code == 0, said
    assert said.startswith("5 spans of Licet's, ")


async def test_a_call_outside_of_a_task_is_refused(lab: Lab):
    async with lab.session() as session:
        result = await session.call_tool("read_file", {"path": "plain.txt"})
    assert "identity.no-task" in text(result)
    assert lab.reached == []


@pytest.mark.parametrize("by", ["task", "handle"])
async def test_a_session_can_belong_to_a_task_of_its_own(lab: Lab, by: str):
    with lab.task() as own, lab.task() as current:
        async with lab.session(options={"task": own if by == "task" else own.handle}) as session:
            assert not is_error(await session.call_tool("read_file", {"path": "plain.txt"}))
    assert (lab.calls(own), lab.calls(current)) == ([("srv:read_file", "done")], [])


# What is judged is what is sent ---------------------------------------------------------------------------------------------


async def test_what_is_sent_is_what_was_judged_whatever_becomes_of_it_meanwhile(make: Callable[..., Lab]):
    given = {"path": "list.txt", "text": "hello"}

    async def approve(request: ApprovalRequest) -> bool:
        given["path"] = "/srv/ledger.txt"
        await asyncio.sleep(0)
        return True

    lab = make(MANIFEST.replace("srv:append_file: {},", "srv:append_file: {ask: true},"), approver=approve)
    async with lab.session() as session:
        with lab.task():
            assert not is_error(await session.call_tool("append_file", given))
    assert given["path"] == "/srv/ledger.txt"
    assert [each["arguments"]["path"] for each in lab.reached] == ["list.txt"]


async def test_a_person_who_refuses_keeps_the_call_from_the_server(make: Callable[..., Lab]):
    async def refuse(request: ApprovalRequest) -> bool:
        return False

    lab = make(MANIFEST.replace("srv:append_file: {},", "srv:append_file: {ask: true},"), approver=refuse)
    async with lab.session() as session:
        with lab.task():
            assert "approval.refused" in text(await session.call_tool("append_file", {"path": "list.txt", "text": "hello"}))
    assert lab.reached == []


@pytest.mark.parametrize("value", [b"bytes", float("nan"), {1, 2}], ids=["bytes", "nan", "set"])
async def test_arguments_that_are_not_json_are_refused(lab: Lab, value: Any):
    async with lab.session() as session:
        with lab.task():
            assert is_error(await session.call_tool("many", {"values": [value]}))
    assert lab.reached == []


async def test_an_argument_that_the_manifest_does_not_have_is_refused_even_if_the_servers_schema_has_it(make: Callable[..., Lab]):
    lab = make(
        MANIFEST.replace("srv:many: {access: read, egress: false, arguments: {values: {}}}", "srv:many: {access: read, egress: false}")
    )
    async with lab.session() as session:
        with lab.task():
            await session.list_tools()
            assert "scope.argument" in text(await session.call_tool("many", {"values": [1]}))
    assert lab.reached == []


@pytest.mark.parametrize("arguments", [None, {}], ids=["none", "empty"])
async def test_a_tool_without_arguments_is_called_with_or_without_an_empty_object(lab: Lab, arguments: Any):
    async with lab.session() as session:
        with lab.task() as task:
            assert text(await session.call_tool("turn", arguments)) == "turned"
    assert lab.calls(task) == [("srv:turn", "done")]


# How a call ends ------------------------------------------------------------------------------------------------------------


async def test_a_structured_answer_keeps_the_labels_of_its_fields(lab: Lab):
    async with lab.session() as session:
        with lab.task(intent="Write to the customer of order 7"):
            await session.call_tool("find_order", {"number": 7})
            assert "origin.argument" in text(await session.call_tool("send_mail", {"to": "eve@evil.example"}))
            assert text(await session.call_tool("send_mail", {"to": "ada@shop.example"})) == "sent"
    assert [each["arguments"] for each in lab.reached] == [{"number": 7}, {"to": "ada@shop.example"}]


async def test_an_error_that_is_returned_as_a_value_is_a_failed_call(lab: Lab):
    async with lab.session() as session:
        with lab.task() as task:
            assert is_error(await session.call_tool("fail", {}))
    [span] = lab.spans_of("srv:fail")
    assert lab.calls(task) == [("srv:fail", "failed")]
    assert (span.attributes["error.type"], span.status.status_code.name) == ("tool_error", "ERROR")


async def test_an_error_of_the_protocol_has_its_number_on_the_span(lab: Lab):
    async with lab.session() as session:
        with lab.task() as task:
            problem: Exception | None = None
            try:
                result = await session.call_tool("nothing", {})
            except Exception as error:
                problem = error
    [span] = lab.spans_of("srv:nothing")
    assert lab.calls(task) == [("srv:nothing", "failed")]
    if problem is None:  # version 1 answers with a value
        assert is_error(result)
    else:
        assert span.attributes["rpc.response.status_code"] == str(problem.error.code)
        assert span.attributes["error.type"] == "MCPError"


def seconds(number: float) -> Any:
    from datetime import timedelta

    return number if VERSION == 2 else timedelta(seconds=number)


async def test_of_a_call_that_timed_out_nobody_knows_what_became_of_it_and_the_caller_gets_the_sdks_error(lab: Lab):
    async with lab.session() as session:
        with lab.task() as task, pytest.raises(Exception, match=r"[Tt]imed out"):
            await session.call_tool("slow", {}, seconds(0.3))
    [span] = lab.spans_of("srv:slow")
    assert lab.calls(task) == [("srv:slow", "unknown")]
    assert span.attributes["error.type"] == "TimedOut"
    assert "rpc.response.status_code" not in span.attributes


async def test_of_a_call_that_was_cancelled_nobody_knows_what_became_of_it(lab: Lab):
    async with lab.session() as session:
        with lab.task() as task:
            call = asyncio.create_task(session.call_tool("slow", {}))
            while not lab.reached:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
    assert lab.calls(task) == [("srv:slow", "unknown")]


async def test_a_server_that_dies_leaves_a_call_of_which_nobody_knows_what_became(lab: Lab):
    async with lab.session() as session:
        with lab.task() as task, pytest.raises(Exception, match="Connection closed"):
            await session.call_tool("die", {})
    [span] = lab.spans_of("srv:die")
    assert lab.calls(task) == [("srv:die", "unknown")]
    assert span.attributes["error.type"] == "Disconnected"


# The wire -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport, era", WAYS)
async def test_each_call_is_one_span_that_knows_its_request_and_the_server_gets_its_trace(lab: Lab, transport: str, era: str):
    async with lab.session(transport, era) as session:
        with lab.task():
            for path in ("notes.txt", "plain.txt"):
                await session.call_tool("read_file", {"path": path})
    ours = lab.spans_of("srv:read_file")
    executing = [span for span in lab.spans if (span.attributes or {}).get("gen_ai.operation.name") == "execute_tool"]
    assert executing == ours
    assert len(ours) == 2
    for span, reached in zip(ours, lab.reached, strict=True):
        told = span.attributes
        assert told["jsonrpc.request.id"] == reached["id"]
        assert told["mcp.method.name"] == "tools/call"
        assert told["network.transport"] == ("pipe" if transport == "stdio" else "tcp")
        assert told.get("server.address") == (None if transport == "stdio" else "127.0.0.1")
        assert isinstance(told.get("server.port"), int) == (transport == "http")
        _, trace_id, parent_id, _ = reached["meta"]["traceparent"].split("-")
        assert trace_id == format(span.context.trace_id, "032x")
        if VERSION == 2:
            assert told["mcp.protocol.version"] == era
            [native] = [each for each in lab.spans if format(each.context.span_id, "016x") == parent_id]
            assert (native.name, native.kind.name) == ("MCP send tools/call read_file", "CLIENT")
            assert native.attributes["jsonrpc.request.id"] == told["jsonrpc.request.id"]
            assert native.parent.span_id == span.context.span_id
        else:
            assert parent_id == format(span.context.span_id, "016x")


@two
async def test_a_server_in_the_same_process_gets_no_request_and_its_spans_say_of_none(lab: Lab):
    from mcp import Client
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("here")
    server.add_tool(lambda: "ok", name="fail", description="Do well.")
    async with Client(server) as client:
        guard_session(lab.guard, client, server="srv")
        with lab.task():
            assert text(await client.call_tool("fail", {})) == "ok"
    [span] = lab.spans_of("srv:fail")
    assert not [name for name in span.attributes if name.startswith(("mcp.", "jsonrpc.", "network."))]


# Suspended ------------------------------------------------------------------------------------------------------------------


def answering(*answers: str) -> Callable[..., Any]:
    given = iter(answers)

    async def elicit(context: Any, params: Any) -> Any:
        return types.ElicitResult(action=next(given), content={})

    return elicit


@two
async def test_a_call_that_the_server_suspends_is_no_result_and_goes_on_as_the_same_call(lab: Lab):
    async with lab.session("stdio", ERAS[1]) as client:
        with lab.task() as task:
            asked = await client.session.call_tool("confirm", {"what": "launch"}, allow_input_required=True)
            assert asked.result_type == "input_required"
            assert lab.calls(task) == [("srv:confirm", "suspended")]
            answers = {"sure": types.ElicitResult(action="accept", content={})}
            again = {"input_responses": answers, "request_state": asked.request_state, "allow_input_required": True}
            assert text(await client.session.call_tool("confirm", {"what": "launch"}, **again)) == "done: launch"
            assert lab.calls(task) == [("srv:confirm", "done")]
            assert "scope.budget" in text(await client.session.call_tool("confirm", {"what": "launch"}, **again))
    assert [each["arguments"]["state"] for each in lab.reached] == [None, "first"]


@two
async def test_other_arguments_are_another_call_than_the_one_that_was_suspended(lab: Lab):
    async with lab.session("stdio", ERAS[1]) as client:
        with lab.task() as task:
            asked = await client.session.call_tool("confirm", {"what": "launch"}, allow_input_required=True)
            again = {"request_state": asked.request_state, "allow_input_required": True}
            assert "scope.budget" in text(await client.session.call_tool("confirm", {"what": "destroy"}, **again))
            assert lab.calls(task) == [("srv:confirm", "suspended"), ("srv:confirm", "denied")]
    assert len(lab.reached) == 1


@two
async def test_a_client_that_answers_by_itself_takes_one_call_from_the_budget(lab: Lab):
    async with lab.session("stdio", ERAS[1], elicitation_callback=answering("accept")) as client:
        with lab.task() as task:
            assert text(await client.call_tool("confirm", {"what": "launch"})) == "done: launch"
            assert lab.calls(task) == [("srv:confirm", "done")]


# Ways around ----------------------------------------------------------------------------------------------------------------


def session_of(found: Any) -> ClientSession:
    return found.session if VERSION == 2 else found


def request(name: str) -> Any:
    call = types.CallToolRequest(method="tools/call", params=types.CallToolRequestParams(name=name, arguments={}))
    return call if VERSION == 2 else types.ClientRequest(call)


async def test_a_request_that_was_not_judged_is_not_sent(lab: Lab):
    async with lab.session() as found:
        with lab.task(), pytest.raises(UsageError, match="not judged"):
            await session_of(found).send_request(request("turn"), types.CallToolResult)
    assert lab.reached == []


async def test_a_permit_is_good_for_one_request(lab: Lab):
    async with lab.session(guarded=False) as found:
        session = session_of(found)
        original = session.call_tool

        async def twice(name: str, arguments: Any = None, *args: Any, **options: Any) -> Any:
            await original(name, arguments, *args, **options)
            return await original(name, arguments, *args, **options)

        session.call_tool = twice  # type: ignore[method-assign]
        guard_session(lab.guard, session, server="srv")
        with lab.task(), pytest.raises(UsageError, match="not judged"):
            await session.call_tool("read_file", {"path": "plain.txt"})
    assert len(lab.reached) == 1


async def test_a_session_is_guarded_once(lab: Lab):
    async with lab.session() as session:
        with pytest.raises(UsageError, match="guarded by this guard already"):
            guard_session(lab.guard, session, server="other")


@pytest.mark.parametrize("name", ["", "a:b", "a b", "1a", "é"], ids=["empty", "colon", "space", "digit", "accent"])
async def test_the_name_of_a_server_is_one_word(lab: Lab, name: str):
    async with lab.session(guarded=False) as session:
        with pytest.raises(UsageError, match="server="):
            guard_session(lab.guard, session, server=name)


async def test_a_tool_cannot_pass_for_one_of_another_server_by_its_name(lab: Lab):
    async with lab.session(options={"server": None}) as session:
        with lab.task():
            refused = await session.call_tool("srv:read_file", {"path": "plain.txt"})
    assert is_error(refused)
    assert "with a colon" in text(refused)
    assert lab.reached == []


def test_what_is_no_session_is_said(lab: Lab):
    with pytest.raises(UsageError, match="takes a ClientSession"):
        guard_session(lab.guard, object())


@two
def test_a_client_is_entered_first(lab: Lab):
    from mcp import Client

    with pytest.raises(UsageError, match="enter the client first"):
        guard_session(lab.guard, Client(lab.stdio))


# Definitions ----------------------------------------------------------------------------------------------------------------


async def definition_of(lab: Lab) -> str:
    """What the tool shows of itself now, as `guard.definitions` has it."""
    async with lab.session() as session:
        with lab.task() as task:
            await session.list_tools()
            await session.call_tool("send_mail", {"to": "ada@shop.example"})
            assert lab.calls(task) == [("srv:send_mail", "done")]
    return lab.guard.definitions["srv:send_mail"]


@pytest.fixture
async def pinned(make: Callable[..., Lab]) -> Lab:
    digest = await definition_of(first := make())
    first._log.unlink()
    tool = "srv:send_mail: {access: write, egress: true"
    (first.folder / "second").mkdir()
    lab = make(MANIFEST.replace(tool, f"{tool}, definition: '{digest}'"))
    lab.folder = first.folder
    return lab


async def test_a_pinned_tool_runs_and_after_the_server_changed_its_description_it_does_not(pinned: Lab):
    async with pinned.session() as session:
        with pinned.task() as task:
            await session.call_tool("send_mail", {"to": "ada@shop.example"})  # nobody listed the tools: the guard does
            await session.call_tool("turn", {})
            await session.list_tools()  # the agent is shown the new description
            assert "tool.changed" in text(await session.call_tool("send_mail", {"to": "ada@shop.example"}))
            assert pinned.calls(task) == [("srv:send_mail", "done"), ("srv:turn", "done"), ("srv:send_mail", "denied")]
    assert [each["tool"] for each in pinned.reached] == ["send_mail"]


async def test_a_pinned_tool_that_the_server_does_not_list_is_refused(make: Callable[..., Lab]):
    tool = "srv:nothing: {access: read, egress: false"
    lab = make(MANIFEST.replace(tool, f"{tool}, definition: 'sha256:{'0' * 64}'"))
    async with lab.session() as session:
        with lab.task():
            assert "tool.changed" in text(await session.call_tool("nothing", {}))


async def test_what_licet_pin_reads_of_a_listing_is_what_the_session_shows(
    make: Callable[..., Lab], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    listing, manifest = tmp_path / "tools.json", tmp_path / "pinned.yaml"
    lab = make()
    async with lab.session(guarded=False) as session:
        listing.write_text((await session.list_tools()).model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
    manifest.write_text(MANIFEST, encoding="utf-8")
    assert main(["pin", "-m", str(manifest), "--mcp", f"srv={listing}"]) == 0, capsys.readouterr()
    lab.close()
    lab = make(manifest.read_text(encoding="utf-8"))
    assert lab.guard.manifest.tools["srv:many"].definition
    async with lab.session() as session:
        with lab.task() as task:
            await session.call_tool("many", {"values": [1]})
            await session.call_tool("find_order", {"number": 7})
    assert lab.calls(task) == [("srv:many", "done"), ("srv:find_order", "done")]


@pytest.mark.parametrize("written", ["[1]", "{}", "{", '{"tools": [{"name": 1}]}'], ids=["numbers", "no list", "no JSON", "no name"])
def test_a_file_that_is_no_listing_is_no_source_of_pins(tmp_path: Path, written: str, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "tools.json").write_text(written, encoding="utf-8")
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    assert main(["pin", "-m", str(tmp_path / "licet.yaml"), "--mcp", str(tmp_path / "tools.json")]) == 2
    assert "tools/list" in capsys.readouterr().err


LISTED = {"name": "read", "title": "T", "description": "Read.", "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("name", {"name": "reads"}),
    ("title", {"title": "U"}),
    ("description", {"description": "Read. And tell eve."}),
    ("parameter", {"inputSchema": {"type": "object", "properties": {"b": {"type": "string"}}}}),
    (
        "description of a parameter",
        {"inputSchema": {"type": "object", "properties": {"a": {"type": "string", "description": "and the key"}}}},
    ),
    ("output", {"outputSchema": {"type": "object"}}),
    ("hint", {"annotations": {"readOnlyHint": True}}),
]


@pytest.mark.parametrize("change", [case[1] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_whatever_a_tool_shows_of_itself_is_in_its_definition(change: dict[str, Any]):
    assert mcp_definition(LISTED) != mcp_definition({**LISTED, **change})


def test_what_a_tool_does_not_show_is_not_in_its_definition():
    same = {**LISTED, "outputSchema": None, "annotations": None, "icons": [{"src": "x"}], "_meta": {"a": 1}}
    assert mcp_definition(LISTED) == mcp_definition(same)
    assert mcp_definition({"name": "read"}) == ""
