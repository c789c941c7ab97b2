"""The checker of exported spans: it finds nothing in what a guard exports, and each seeded mistake, alone and by its own name."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from exported import of_sdk, read
from licet import Denied
from licet.cli import main
from licet.manifest import loads
from licet.secretlike import secret_in
from licet.telemetry import semconv
from licet.telemetry.conventions import check
from licet.testing import guard_for

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [work], may_delegate_to: [helper]}
  helper: {owner: o, tasks: [work]}
tools:
  note: {access: read, egress: false}
  send: {access: write, egress: true, arguments: {to: {origin: [intent, trusted, nowhere]}}}
tasks:
  work: {intent: Work, ttl: 10m, tools: {note: {}, send: {arguments: {to: {pattern: '[a-z]+@acme\\.example'}}}}}
"""
RESOURCE = {"service.name": "shop", "service.version": "1", "deployment.environment.name": "dev"}
Data = dict[str, Any]


class Started(SpanProcessor):
    """Notes what each span has when it starts, which is all that a sampler sees."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.seen.append(dict(span.attributes))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Data, Started]:
    """Allowed, failed and denied calls, one in a sub-task and one outside any task."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    kept, started, provider = InMemorySpanExporter(), Started(), TracerProvider(resource=Resource(RESOURCE))
    provider.add_span_processor(started)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with guard_for(folder / "licet.yaml", folder, tracer_provider=provider) as guard:

        @guard.tool
        def note(text: str = "") -> str:
            with provider.get_tracer("other").start_as_current_span("inside"):
                if text == "fail":
                    raise ValueError(text)
            return "noted"

        @guard.tool
        def send(to: str) -> str:
            return to

        with guard.task("work", agent="bot", principal="user:grace", intent="x"):
            note()
            send("ada@acme.example")
            with pytest.raises(Denied):
                send("eve@evil.example")
            with pytest.raises(ValueError, match="fail"):
                note("fail")
            with guard.delegate("work", agent="helper", intent="y"):
                note()
        with pytest.raises(Denied):
            note()
    return of_sdk(kept.get_finished_spans()), started


def spans(data: Data) -> list[Data]:
    return [span for resource in data["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]


def has(span: Data, key: str, value: str = "") -> bool:
    return any(pair["key"] == key and value in ("", pair["value"].get("stringValue")) for pair in span["attributes"])


def is_denied(span: Data) -> bool:
    return has(span, "licet.decision.outcome", "deny") and has(span, "licet.task.id")


CHOICES: dict[str, Callable[[Data], bool]] = {
    "agent": lambda span: span["name"] == "invoke_agent helper",
    "call": lambda span: span["name"] == "execute_tool send" and not is_denied(span),
    "denied": is_denied,
    "failed": lambda span: has(span, "error.type", "ValueError"),
}


def chosen(data: Data, which: str) -> Data:
    (span,) = [span for span in spans(data) if "attributes" in span and CHOICES[which](span)]
    return span


def put(span: Data, key: str, value: Any) -> None:
    """Give an attribute another value; None takes it away."""
    span["attributes"] = [pair for pair in span["attributes"] if pair["key"] != key]
    if value is not None:
        span["attributes"].append({"key": key, "value": value if isinstance(value, dict) else {"stringValue": value}})


def attribute(key: str, value: Any = None) -> Callable[[Data, Data], None]:
    return lambda span, data: put(span, key, value)


def field(key: str, value: Any) -> Callable[[Data, Data], None]:
    return lambda span, data: span.update({key: value})


def resource(key: str) -> Callable[[Data, Data], None]:
    def change(span: Data, data: Data) -> None:
        for each in data["resourceSpans"]:
            each["resource"]["attributes"] = [pair for pair in each["resource"]["attributes"] if pair["key"] != key]

    return change


def below_denied(span: Data, data: Data) -> None:
    inside = next(each for each in spans(data) if each["name"] == "inside")
    inside["parentSpanId"] = span["spanId"]


def under_another_task(span: Data, data: Data) -> None:
    span["parentSpanId"] = chosen(data, "agent")["spanId"]


def itself(span: Data, data: Data) -> None:
    span["parentSpanId"] = span["spanId"]


def twice(span: Data, data: Data) -> None:
    span["attributes"].append({"key": "licet.mode", "value": {"stringValue": "enforce"}})


def same_id(span: Data, data: Data) -> None:
    data["resourceSpans"].append(copy.deepcopy(data["resourceSpans"][0]))
    for scope in data["resourceSpans"][-1]["scopeSpans"]:
        scope["spans"] = [each for each in scope["spans"] if each["spanId"] == span["spanId"]]


def mcp_without_its_method(span: Data, data: Data) -> None:
    put(span, "network.transport", "pipe")


def mcp_without_its_request(span: Data, data: Data) -> None:
    put(span, "mcp.method.name", "tools/call")


def both(*changes: Callable[[Data, Data], None]) -> Callable[[Data, Data], None]:
    return lambda span, data: [change(span, data) for change in changes] and None


JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c2VyOmdyYWNlIn0.c2lnbmF0dXJlc2lnbmF0dXJl"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQ"
# The mistake, on which span, and all that the checker says of it: code, key, part of the message.
MISTAKES: list[tuple[Callable[[Data, Data], None], str, str, str, str]] = [
    (field("name", "send"), "call", "span.name", "name", "is not `execute_tool send`"),
    (field("name", "invoke_agent"), "agent", "span.name", "name", "is not `invoke_agent helper`"),
    (field("kind", 3), "call", "span.kind", "kind", "is 3, not 1"),
    (field("endTimeUnixNano", "1"), "call", "span.times", "endTimeUnixNano", "before the start"),
    (field("events", [{"name": "exception"}]), "failed", "span.event", "events", "an exception"),
    (same_id, "call", "span.twice", "spanId", "the same id"),
    (attribute("licet.policy.version"), "call", "attribute.missing", "licet.policy.version", "is missing"),
    (attribute("gen_ai.provider.name"), "agent", "attribute.missing", "gen_ai.provider.name", "is missing"),
    (attribute("licet.intent.id"), "agent", "attribute.missing", "licet.intent.id", "is missing"),
    (attribute("licet.call.seq", "2"), "call", "attribute.type", "licet.call.seq", "is not of type int"),
    (attribute("licet.intent.scope", "note"), "agent", "attribute.type", "licet.intent.scope", "is not of type string[]"),
    (attribute("licet.call.seq", {"intValue": "-1"}), "call", "attribute.value", "licet.call.seq", "below zero"),
    (attribute("licet.color", "red"), "call", "attribute.unknown", "licet.color", "no attribute of the registry"),
    (attribute("gen_ai.guardrail.verdict", "deny"), "call", "attribute.unknown", "gen_ai.guardrail.verdict", "no attribute of the registry"),
    (attribute("licet.intent.scope", {"arrayValue": {"values": [{"stringValue": "note"}]}}), "call", "attribute.misplaced", "licet.intent.scope", "`execute_tool`"),
    (attribute("gen_ai.tool.type", "robot"), "call", "attribute.value", "gen_ai.tool.type", "none of datastore, extension, function"),
    (attribute("licet.args.digest", "1234"), "call", "attribute.value", "licet.args.digest", "does not match"),
    (attribute("licet.chain.previous_tool", ""), "call", "attribute.empty", "licet.chain.previous_tool", "leave it out"),
    (twice, "call", "attribute.twice", "licet.mode", "twice"),
    (attribute("licet.intent.declared", "x" * 2_001), "call", "attribute.long", "licet.intent.declared", "2000 characters"),
    (attribute("gen_ai.tool.call.arguments", "{}"), "call", "attribute.content", "gen_ai.tool.call.arguments", "nobody opted in"),
    (attribute("gen_ai.tool.call.result", "{}"), "call", "attribute.content", "gen_ai.tool.call.result", "nobody opted in"),
    (attribute("gen_ai.tool.description", "Sends"), "call", "attribute.content", "gen_ai.tool.description", "nobody opted in"),
    (attribute("licet.call.reason", "because"), "call", "attribute.misplaced", "licet.call.reason", "does not belong"),
    (attribute("gen_ai.tool.call.id", JWT), "call", "attribute.secret", "gen_ai.tool.call.id", "looks like a token"),
    (attribute("licet.intent.declared", PEM), "call", "attribute.secret", "licet.intent.declared", "looks like a private key"),
    (field("status", {"code": 2, "message": "password: hunter22"}), "failed", "attribute.secret", "status.message", "looks like a secret"),
    (field("status", {"code": 1}), "call", "status.ok", "status.code", "leaves it unset"),
    (field("status", {"code": 7}), "call", "status.value", "status.code", "is 7"),
    (field("status", {}), "failed", "status.error-type", "error.type", "the status is not ERROR"),
    (attribute("error.type"), "failed", "status.error-type", "error.type", "is missing, and the status is ERROR"),
    (attribute("error.type", "no such file: /home/ada"), "failed", "attribute.value", "error.type", "does not match"),
    (attribute("error.type", "ValueError"), "denied", "denied.error-type", "error.type", "policy_denied"),
    (attribute("licet.decision.reason"), "denied", "denied.unexplained", "licet.decision.reason", "was denied"),
    (attribute("licet.decision.sentence"), "denied", "denied.unexplained", "licet.decision.sentence", "was denied"),
    (attribute("licet.decision.reason", "to eve"), "denied", "attribute.value", "licet.decision.reason", "is none of"),
    (attribute("error.type", "policy_denied"), "failed", "denied.outcome", "licet.decision.outcome", "is not `deny`"),
    (both(attribute("error.type"), field("status", {})), "denied", "denied.status", "status.code", "is not ERROR"),
    (below_denied, "denied", "denied.child", "parentSpanId", "was denied"),
    (attribute("licet.decision.judged", "deny"), "call", "decision.mode", "licet.mode", "is not `observe`"),
    (attribute("licet.task.id"), "call", "task.missing", "licet.task.id", "was allowed"),
    (field("parentSpanId", ""), "call", "task.parent", "parentSpanId", "leads to no `invoke_agent`"),
    (field("parentSpanId", "1234567890abcdef"), "call", "task.parent", "parentSpanId", "1234567890abcdef, which is not here"),
    (under_another_task, "call", "task.parent", "licet.task.id", "is not that of"),
    (itself, "call", "task.parent", "parentSpanId", "round in a circle"),
    (mcp_without_its_method, "call", "mcp.method", "mcp.method.name", "`network.transport` is there"),
    (mcp_without_its_request, "call", "mcp.request", "jsonrpc.request.id", "is missing"),
    (attribute("server.port", {"intValue": "80"}), "call", "mcp.address", "server.address", "`server.port` is there"),
    (attribute("gen_ai.operation.name"), "call", "span.operation", "gen_ai.operation.name", "neither"),
]  # fmt: skip


def test_what_a_guard_exports_is_without_a_problem(run: tuple[Data, Started]) -> None:
    """And all kinds of spans are among it, so that the mistakes below are seeded into something."""
    assert check(read(run[0])) == []
    assert {which: chosen(run[0], which)["name"] for which in CHOICES} == {
        "agent": "invoke_agent helper", "call": "execute_tool send", "denied": "execute_tool send", "failed": "execute_tool note",
    }  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda row: f"{row[2]}:{row[3]}:{row[1]}")
def test_a_mistake_is_found_by_its_own_name(mistake: Any, run: tuple[Data, Started]) -> None:
    change, which, code, key, message = mistake
    data = copy.deepcopy(run[0])
    change(chosen(data, which), data)
    found = check(read(data))
    assert [problem for problem in found if (problem.code, problem.key) == (code, key) and message in problem.message]
    # Two spans of one id are two problems; a denial without an error lacks the error's type as well;
    # what was judged stands in the record too. All else is found once.
    assert len(found) == {"span.twice": 2, "denied.status": 2, "decision.mode": 2}.get(code, 1), [str(problem) for problem in found]


@pytest.mark.parametrize("key", semconv.RESOURCE)
def test_each_span_says_whose_it_is(key: str, run: tuple[Data, Started]) -> None:
    data = copy.deepcopy(run[0])
    resource(key)(chosen(data, "call"), data)
    assert {(problem.code, problem.key) for problem in check(read(data))} == {("resource.missing", key)}


def test_a_run_with_mcp_attributes_is_well(run: tuple[Data, Started]) -> None:
    """An error over MCP has its number as well, and a number without an error is a mistake."""
    data = copy.deepcopy(run[0])
    for which in ("call", "failed"):
        span = chosen(data, which)
        for key, value in (
            ("mcp.method.name", "tools/call"), ("mcp.protocol.version", "2026-07-28"), ("jsonrpc.request.id", "7"),
            ("network.transport", "tcp"), ("network.protocol.version", "1.1"), ("server.address", "tools.acme.example"),
            ("server.port", {"intValue": "443"}),
        ):  # fmt: skip
            put(span, key, value)
    put(chosen(data, "failed"), "rpc.response.status_code", "-32602")
    assert check(read(data)) == []
    put(chosen(data, "call"), "rpc.response.status_code", "-32602")
    put(chosen(data, "agent"), "mcp.method.name", "tools/call")
    assert {problem.code for problem in check(read(data))} == {"mcp.status", "attribute.misplaced"}


def test_a_request_over_mcp_that_failed_may_never_have_been_sent(run: tuple[Data, Started]) -> None:
    """The connection was closed, or the caller was cancelled: then no request has an id."""
    data = copy.deepcopy(run[0])
    put(chosen(data, "failed"), "mcp.method.name", "tools/call")
    assert check(read(data)) == []


def annotated(data: Data) -> Data:
    """The span of an allowed call, as one that a framework began: its scope, name, kind, status, resource and links are not ours."""
    span = chosen(data, "call")
    for each in data["resourceSpans"]:
        for scope in each["scopeSpans"]:
            scope["spans"] = [other for other in scope["spans"] if other is not span]
    data["resourceSpans"].append({"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "framework"}, "spans": [span]}]})
    link = {"traceId": "1" * 32, "spanId": "2" * 16, "attributes": [{"key": "own", "value": {"stringValue": "x"}}]}
    span.update(name="running tool", kind=3, status={"code": 1}, links=[link])
    for key in ("gen_ai.own", "input.value", "gen_ai.tool.call.arguments", "rpc.response.status_code", "server.port"):
        put(span, key, "1")
    put(span, "mcp.method.name", "tools/call")
    return span


def test_of_a_frameworks_span_that_was_told_of_a_call_only_what_is_ours_is_judged(run: tuple[Data, Started]) -> None:
    data = copy.deepcopy(run[0])
    annotated(data)
    assert check(read(data)) == []


@pytest.mark.parametrize(
    "key, value, code",
    [
        ("licet.made.up", "x", "attribute.unknown"),
        ("licet.call.id", None, "attribute.missing"),
        ("licet.mode", "sometimes", "attribute.value"),
        ("licet.task.id", "0" * 32, "task.parent"),
    ],
)
def test_what_is_ours_on_a_frameworks_span_is_judged_as_on_our_own(key: str, value: Any, code: str, run: tuple[Data, Started]) -> None:
    data = copy.deepcopy(run[0])
    put(annotated(data), key, value)
    assert code in {problem.code for problem in check(read(data))}


RECORDING = """
licet: 1
environment: dev
owners: {shop: {name: Shop, contact: shop@acme.example}}
agents: {bot: {owner: shop, tasks: [work]}}
tools:
  send: {access: write, egress: true, arguments: {to: {}, text: {}}, record: {arguments: [text], output: true}}
tasks: {work: {intent: Work, ttl: 10m, record: [intent], tools: {send: {}}}}
"""


def told(side: str, **attributes: str) -> Any:
    operation = {"tool": "execute_tool", "agent": "invoke_agent"}[side]
    values = {"gen_ai.operation.name": operation} | {name.replace("__", "."): value for name, value in attributes.items()}
    listed = [{"key": name, "value": {"stringValue": value}} for name, value in values.items()]
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": operation, "attributes": listed}
    return read({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "licet"}, "spans": [span]}]}]})


@pytest.mark.parametrize(
    "side, attributes, well",
    [
        ("tool", {"gen_ai__tool__name": "send", "gen_ai__tool__call__arguments": '{"text": "hello", "…": 1}'}, True),
        ("tool", {"gen_ai__tool__name": "send", "gen_ai__tool__call__arguments": '{"text": "hello", "to": "ada"}'}, False),
        ("tool", {"gen_ai__tool__name": "send", "gen_ai__tool__call__arguments": "hello"}, False),
        ("tool", {"gen_ai__tool__name": "other", "gen_ai__tool__call__arguments": '{"text": "hello"}'}, False),
        ("tool", {"gen_ai__tool__name": "send", "gen_ai__tool__call__result": '"sent"'}, True),
        ("tool", {"gen_ai__tool__name": "other", "gen_ai__tool__call__result": '"sent"'}, False),
        ("agent", {"licet__task__kind": "work", "licet__intent__text": "Write to ada"}, True),
        ("agent", {"licet__task__kind": "play", "licet__intent__text": "Write to ada"}, False),
    ],
    ids=[
        "an argument",
        "another argument",
        "no arguments",
        "another tool's",
        "the output",
        "another output",
        "the intent",
        "another intent",
    ],
)
def test_contents_that_the_manifest_lets_out_are_well_and_no_others(side: str, attributes: dict[str, str], well: bool) -> None:
    spans = told(side, **attributes)
    assert "attribute.content" in {problem.code for problem in check(spans)}
    found = [problem.message for problem in check(spans, manifest=loads(RECORDING)) if problem.code == "attribute.content"]
    assert bool(found) is not well
    assert all(message.endswith("opted in to by the manifest") for message in found)


def test_the_command_takes_the_manifest_and_knows_which_attributes_are_opted_in_to(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "licet.yaml").write_text(RECORDING, encoding="utf-8")
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "send", "gen_ai.tool.call.result": '"sent"'}
    listed = [{"key": name, "value": {"stringValue": value}} for name, value in attributes.items()]
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "execute_tool send", "attributes": listed}
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "licet"}, "spans": [span]}]}]})
    (tmp_path / "traces.jsonl").write_text(line + "\n", encoding="utf-8")
    file = str(tmp_path / "traces.jsonl")
    main(["spans", "check", file])
    assert "nobody opted in to as far as is known here: name the manifest (`-m`)" in capsys.readouterr().out
    main(["spans", "check", file, "-m", str(tmp_path / "licet.yaml")])
    assert "opted in" not in capsys.readouterr().out
    assert main(["spans", "check", file, "--opted-in", "subject"]) == 2
    assert "no attribute that is opted in to. There are: gen_ai.tool.description, gen_ai.tool.call.arguments" in capsys.readouterr().err


def test_contents_are_well_where_somebody_opted_in(run: tuple[Data, Started]) -> None:
    data = copy.deepcopy(run[0])
    put(chosen(data, "call"), "gen_ai.tool.call.arguments", '{"to": "ada@acme.example"}')
    assert check(read(data), opted_in=["gen_ai.tool.call.arguments"]) == []


def test_what_others_export_is_not_judged(run: tuple[Data, Started]) -> None:
    data = copy.deepcopy(run[0])
    inside = next(span for span in spans(data) if span["name"] == "inside")
    inside.update(kind=3, status={"code": 1}, attributes=[{"key": "gen_ai.own", "value": {"stringValue": JWT}}])
    assert check(read(data)) == []


def recorded(**fields: Any) -> Callable[[Data, Data], None]:
    def change(span: Data, data: Data) -> None:
        text = next(pair["value"]["stringValue"] for pair in span["attributes"] if pair["key"] == "licet.record")
        put(span, "licet.record", json.dumps(json.loads(text) | fields))

    return change


def of_origin(check: str) -> Callable[[Data, Data], None]:
    """A denial by this check, without its path."""
    reasons = [[check, "deny", "no", [], [], False]]
    return both(attribute("licet.decision.reason", check), attribute("licet.decision.path"), recorded(reasons=reasons))


# The mistake, on which span, and all that is found: codes and keys.
OF_RECORDS: list[tuple[Callable[[Data, Data], None], str, set[tuple[str, str]]]] = [
    (attribute("licet.record"), "denied", {("record.missing", "licet.record")}),
    (attribute("licet.record"), "agent", {("record.missing", "licet.record")}),
    (recorded(outcome="allow", status="done"), "denied", {("record.says", "licet.decision.outcome")}),
    (recorded(judged="ask"), "denied", {("record.says", "licet.decision.judged")}),
    (recorded(status="done"), "denied", {("record.status", "licet.record")}),
    (recorded(status="denied"), "call", {("record.status", "licet.record")}),
    (recorded(status="asked"), "call", {("record.status", "licet.record")}),
    (recorded(reasons=[]), "denied", {("record.says", "licet.decision.reason")}),
    (recorded(reasons=[["scope.tool", "deny", "no", [], [], False]]), "denied", {("record.says", "licet.decision.reason")}),
    (of_origin("origin.argument"), "denied", {("denied.unexplained", "licet.decision.path")}),
    (of_origin("flow.egress"), "denied", {("denied.unexplained", "licet.decision.path")}),
    (of_origin("scope.tool"), "denied", set()),
    (recorded(seq=7), "call", {("record.says", "licet.call.seq")}),
    (recorded(id="f" * 32), "call", {("record.other", "licet.record")}),
    (recorded(task="f" * 32), "call", {("record.other", "licet.record")}),
    (recorded(root="f" * 32), "agent", {("record.says", "licet.txn")}),
    (both(attribute("licet.decision.judged", "allow"), recorded(judged="allow")), "denied", {("decision.judged", "licet.decision.judged")}),
    (both(attribute("licet.call.seq", {"intValue": "0"}), recorded(seq=0)), "call", {("call.seq", "licet.call.seq")}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(OF_RECORDS)))
def test_a_record_is_there_and_says_what_its_span_says(number: int, run: tuple[Data, Started]) -> None:
    change, which, wanted = OF_RECORDS[number]
    data = copy.deepcopy(run[0])
    change(chosen(data, which), data)
    assert {(problem.code, problem.key) for problem in check(read(data))} == wanted


def test_records_that_are_cut_or_taken_away_on_purpose_are_well(run: tuple[Data, Started]) -> None:
    """As are reasons that had no room in one, and a framework's span that had ended before its record was known."""
    data = copy.deepcopy(run[0])
    put(chosen(data, "denied"), "licet.record", None)
    put(chosen(data, "call"), "licet.record", '{"v":1,"id"')
    assert check(read(data), records=False) == []
    assert {problem.code for problem in check(read(data))} == {"record.missing", "record.form"}
    data = copy.deepcopy(run[0])
    recorded(reasons=[], cut=3)(chosen(data, "denied"), data)
    assert check(read(data)) == []
    span = chosen(data, "call")
    put(span, "licet.record", None)
    data["resourceSpans"].append({"scopeSpans": [{"scope": {"name": "framework"}, "spans": [span]}]})
    for resource in data["resourceSpans"][:-1]:
        for scope in resource["scopeSpans"]:
            scope["spans"] = [each for each in scope["spans"] if each is not span]
    assert check(read(data)) == []


def test_a_problem_does_not_repeat_the_secret(run: tuple[Data, Started]) -> None:
    data = copy.deepcopy(run[0])
    put(chosen(data, "call"), "gen_ai.tool.call.id", JWT)
    (problem,) = check(read(data))
    assert JWT[:12] not in str(problem)


def test_what_a_sampler_must_see_is_there_at_the_start(run: tuple[Data, Started]) -> None:
    ours = [seen for seen in run[1].seen if "licet.policy.version" in seen]
    assert len(ours) == 8
    for seen in ours:
        side = {"execute_tool": "tool", "invoke_agent": "agent"}[seen["gen_ai.operation.name"]]
        wanted = {name for name, row in semconv.ATTRIBUTES.items() if row.at_start and getattr(row, side) == "required"}
        assert wanted <= set(seen)
        if "licet.task.id" in seen and side == "tool":
            assert {"licet.txn", "licet.task.kind", "gen_ai.agent.name"} <= set(seen)


# The registry ----------------------------------------------------------------------------------------------------------


def test_every_name_of_the_module_has_its_row() -> None:
    names = {
        value for key, value in vars(semconv).items() if key[0].isalpha() and isinstance(value, str) and key.isupper() and "." in value
    }
    assert names <= set(semconv.ATTRIBUTES)
    assert len(semconv.ATTRIBUTES) == len(semconv._ROWS)


def test_names_follow_the_rules_of_naming() -> None:
    """Lowercase; ours under our own prefix; none is at the same time the namespace of another."""
    for name, row in semconv.ATTRIBUTES.items():
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*(\.[a-z][a-z0-9]*(_[a-z0-9]+)*)+", name)
        assert (row.source == "Licet") == name.startswith("licet.")
        if row.source == "Licet":
            assert not any(other.startswith(name + ".") for other in semconv.ATTRIBUTES)


@pytest.mark.parametrize(
    "text",
    [
        JWT, PEM, json.dumps({"kty": "OKP", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}), "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "AKIAIOSFODNN7EXAMPLE", "Authorization: Bearer abcdef0123456789abcdef", 'api_key="hunter2222"', "https://ada:hunter2@acme.example/",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_one(text: str) -> None:
    assert secret_in(f"before {text} after")


@pytest.mark.parametrize(
    "text", ["sha256:" + "a1" * 32, "Answer ticket 4312", "https://acme.example:443/a@b", "the secret of good bread", "basic rules"]
)
def test_what_is_none_is_none(text: str) -> None:
    assert secret_in(text) == ""
