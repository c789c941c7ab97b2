"""The checker on metrics, log events, links, MCP, approvals and records: nothing in what a guard exports, and each seeded mistake by its name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exported_run import Data, items, run
from licet.cli import main
from licet.telemetry import semconv
from licet.telemetry.conventions import check
from licet.telemetry.instruments import EVENTS, INSTRUMENTS, METRICS, MOST
from licet.telemetry.reader import ReadLog, ReadMetric

Change = Callable[[Any], None]
DURATION, DECIDED = "gen_ai.execute_tool.duration", "licet.decision.count"
KEY = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c2VyOmdyYWNlIn0.c2lnbmF0dXJlc2lnbmF0dXJl"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return run(tmp_path_factory.mktemp("run"))


def all_of(data: Data, *keys: str) -> list[Any]:
    return [thing for outer in data[keys[0]] for scope in outer[keys[1]] for thing in scope[keys[2]]]


def metric(data: Data, name: str) -> Any:
    return next(each for each in all_of(data, "resourceMetrics", "scopeMetrics", "metrics") if each["name"] == name)


def points(data: Data, name: str) -> Any:
    found = metric(data, name)
    return next(found[kind] for kind in ("sum", "gauge", "histogram") if kind in found)["dataPoints"]


def logs(data: Data) -> list[Any]:
    return all_of(data, "resourceLogs", "scopeLogs", "logRecords")


def spans(data: Data) -> list[Any]:
    return all_of(data, "resourceSpans", "scopeSpans", "spans")


def has(thing: Any, *wanted: tuple[str, str]) -> bool:
    pairs = [(pair["key"], pair["value"].get("stringValue")) for pair in thing["attributes"]]
    return all(each in pairs for each in wanted)


def name_of(log: Any) -> str:
    return next((pair["value"]["stringValue"] for pair in log["attributes"] if pair["key"] == "event.name"), log.get("eventName", ""))


DENIED = ("licet.decision.outcome", "deny")
LOGS: dict[str, Callable[[Any], bool]] = {
    "allowed": lambda log: name_of(log) == "licet.decision" and has(log, ("licet.decision.outcome", "allow"), ("gen_ai.tool.name", "send")),
    "denied": lambda log: name_of(log) == "licet.decision" and has(log, DENIED, ("licet.decision.reason", "scope.argument")),
    "finding": lambda log: name_of(log) == "licet.finding" and has(log, ("licet.finding.check", "scope.argument")),
}  # fmt: skip
SPANS: dict[str, Callable[[Any], bool]] = {
    "agent": lambda span: span["name"] == "invoke_agent bot",
    "call": lambda span: span["name"] == "execute_tool note" and has(span, ("licet.decision.outcome", "allow")) and "status" not in error_in(span),
    "failed": lambda span: has(span, ("error.type", "ValueError")),
    "denied": lambda span: has(span, DENIED, ("licet.decision.reason", "scope.argument")),
    "approved": lambda span: has(span, ("licet.approval.answer", "approved")),
    "refused": lambda span: has(span, ("licet.approval.answer", "refused")),
    "unknown": lambda span: span["name"] == "execute_tool _OTHER",
}  # fmt: skip


def error_in(span: Any) -> Any:
    return {"status"} if span.get("status", {}).get("code") else set()


def put(key: str, value: Any = None) -> Change:
    """Give an attribute another value; None takes it away."""

    def change(thing: Any) -> None:
        thing["attributes"] = [pair for pair in thing.get("attributes", []) if pair["key"] != key]
        if value is not None:
            thing["attributes"].append({"key": key, "value": value if isinstance(value, dict) else {"stringValue": value}})

    return change


def field(key: str, value: Any) -> Change:
    return lambda thing: thing.update({key: value})


def all_in(*changes: Change) -> Change:
    return lambda thing: [change(thing) for change in changes] and None


def twice(key: str) -> Change:
    return lambda thing: thing["attributes"].append({"key": key, "value": {"stringValue": "x"}})


def link(**fields: Any) -> Change:
    return field("links", [{"traceId": "a" * 32, "spanId": "b" * 16, **fields}])


MCP = (
    ("mcp.method.name", "tools/call"), ("mcp.protocol.version", "2026-07-28"), ("jsonrpc.request.id", "7"), ("network.transport", "tcp"),
    ("network.protocol.version", "1.1"), ("server.address", "tools.acme.example"), ("server.port", {"intValue": "443"}),
)  # fmt: skip
mcp = all_in(*(put(key, value) for key, value in MCP))


def data_of(change: Change) -> Change:
    """On the data of a metric: its sum, gauge or histogram."""
    return lambda found: change(next(found[kind] for kind in ("sum", "gauge", "histogram") if kind in found))


def point(change: Change) -> Change:
    return data_of(lambda data: change(data["dataPoints"][0]))


def as_gauge(found: Any) -> None:
    found["gauge"] = {"dataPoints": found.pop("sum")["dataPoints"]}


def same_point(data: Any) -> None:
    data["dataPoints"].append(copy.deepcopy(data["dataPoints"][0]))


def many_tools(data: Any) -> None:
    first = data["dataPoints"][0]
    data["dataPoints"] = [copy.deepcopy(first) for _ in range(MOST + 1)]
    for number, each in enumerate(data["dataPoints"]):
        put("gen_ai.tool.name", f"invented_{number}")(each)


METRIC_MISTAKES: list[tuple[Change, str, str, str, str]] = [
    (field("name", "licet.decisions"), DECIDED, "metric.unknown", "name", "no metric of the registry"),
    (field("unit", "1"), DECIDED, "metric.unit", "unit", "is not `{decision}`"),
    (field("unit", "ms"), DURATION, "metric.unit", "unit", "is not `s`"),
    (as_gauge, DECIDED, "metric.kind", "data", "is a gauge, and the metric is a counter"),
    (data_of(field("isMonotonic", False)), DECIDED, "metric.monotonic", "isMonotonic", "is false"),
    (data_of(field("isMonotonic", True)), "licet.approval.waiting", "metric.monotonic", "isMonotonic", "is true"),
    (data_of(field("aggregationTemporality", 0)), DECIDED, "metric.temporality", "aggregationTemporality", "neither DELTA"),
    (data_of(same_point), DECIDED, "metric.twice", "dataPoints", "the same attributes"),
    (data_of(many_tools), DECIDED, "metric.cardinality", "gen_ai.tool.name", "more than 1,000 values"),
    (point(put("gen_ai.tool.name")), DECIDED, "attribute.missing", "gen_ai.tool.name", "is missing"),
    (point(put("gen_ai.tool.name")), DURATION, "attribute.missing", "gen_ai.tool.name", "is missing"),
    (point(put("licet.decision.outcome", "maybe")), DECIDED, "attribute.value", "licet.decision.outcome", "none of allow, ask, deny"),
    (point(put("licet.decision.reason", "token.odd")), "licet.token.refused", "attribute.value", "licet.decision.reason", "is none of"),
    (point(put("licet.token.envelope", "session")), "licet.token.minted", "attribute.value", "licet.token.envelope", "none of call, task"),
    (point(put("licet.telemetry.signal", {"intValue": "1"})), "licet.telemetry.dropped", "attribute.type", "licet.telemetry.signal", "type string"),
    (point(put("licet.task.id", "a" * 32)), DECIDED, "attribute.misplaced", "licet.task.id", "does not belong on `licet.decision.count`"),
    (point(put("user.name", "grace")), DECIDED, "attribute.unknown", "user.name", "no attribute of the registry"),
    (point(twice("gen_ai.tool.name")), DECIDED, "attribute.twice", "gen_ai.tool.name", "twice"),
    (point(put("gen_ai.agent.name", JWT)), DECIDED, "attribute.secret", "gen_ai.agent.name", "looks like a token"),
    (point(put("gen_ai.agent.name", "x" * 2_001)), DECIDED, "attribute.long", "gen_ai.agent.name", "2000 characters"),
    (point(field("asInt", "-1")), DECIDED, "metric.value", "value", "below zero"),
    (lambda found: found["gauge"].update(dataPoints=[{"asDouble": "NaN", "timeUnixNano": "9"}]), "licet.ledger.lag", "metric.value", "value", "no number"),
    (point(field("explicitBounds", [float(n) for n in range(1, 15)])), DURATION, "metric.buckets", "explicitBounds", "0.01 to 81.92"),
    (point(field("count", "77")), DURATION, "metric.count", "bucketCounts", "do not add up"),
    (point(field("timeUnixNano", "1")), DURATION, "metric.times", "timeUnixNano", "before the start"),
    (point(field("exemplars", [{"filteredAttributes": [{"key": "k", "value": {"stringValue": JWT}}]}])), DURATION, "attribute.secret", "exemplars[0].k", "a token"),
]  # fmt: skip

LOG_MISTAKES: list[tuple[Change, str, str, str, str]] = [
    (all_in(put("event.name"), field("eventName", "licet.decided")), "denied", "event.unknown", "eventName", "no event of the registry"),
    (all_in(put("event.name"), field("eventName", "")), "denied", "event.unknown", "eventName", "is missing"),
    (field("severityNumber", 9), "denied", "event.severity", "severityNumber", "is 9, not 13"),
    (field("severityNumber", 13), "allowed", "event.severity", "severityNumber", "is 13, not 9"),
    (field("severityNumber", 17), "finding", "event.severity", "severityNumber", "is 17, not 13"),
    (field("body", {}), "denied", "event.body", "body", "no sentence"),
    (field("body", {"stringValue": "x" * 2_001}), "denied", "attribute.long", "body", "2000 characters"),
    (field("body", {"stringValue": f"Bearer {KEY}"}), "denied", "attribute.secret", "body", "a secret"),
    (field("timeUnixNano", "0"), "denied", "event.time", "timeUnixNano", "is missing"),
    (all_in(field("traceId", ""), field("spanId", "")), "denied", "event.trace", "traceId", "belongs to its call's span"),
    (field("spanId", ""), "denied", "event.trace", "spanId", "come together"),
    (field("spanId", "1234567890abcdef"), "denied", "event.trace", "spanId", "which is not here, and its trace is"),
    (put("licet.call.id", "a" * 32), "denied", "event.trace", "licet.call.id", "is not that of its span"),
    (put("licet.decision.outcome"), "allowed", "attribute.missing", "licet.decision.outcome", "is missing"),
    (put("licet.finding.check"), "finding", "attribute.missing", "licet.finding.check", "is missing"),
    (put("licet.finding.check", "no.such"), "finding", "attribute.value", "licet.finding.check", "does not match"),
    (put("licet.decision.sentence"), "denied", "denied.unexplained", "licet.decision.sentence", "was denied"),
    (put("gen_ai.tool.call.arguments", "{}"), "denied", "attribute.content", "gen_ai.tool.call.arguments", "no log event"),
    (put("licet.record", "{}"), "denied", "attribute.misplaced", "licet.record", "does not belong on `licet.decision`"),
    (put("licet.colour", "red"), "denied", "attribute.unknown", "licet.colour", "no attribute of the registry"),
    (put("licet.finding.references", "ASI01"), "finding", "attribute.type", "licet.finding.references", "type string[]"),
    (twice("licet.owner"), "finding", "attribute.twice", "licet.owner", "twice"),
]  # fmt: skip

SPAN_MISTAKES: list[tuple[Change, str, str, str, str]] = [
    (link(traceId="0" * 32), "call", "link.ids", "links[0]", "leads nowhere"),
    (link(spanId="xyz"), "call", "link.ids", "links[0]", "leads nowhere"),
    (lambda span: link(traceId=span["traceId"], spanId=span["spanId"])(span), "agent", "link.itself", "links[0]", "to the span itself"),
    (link(attributes=[{"key": "queue", "value": {"stringValue": "q"}}]), "agent", "link.attribute", "links[0].queue", "no attribute"),
    (link(attributes=[{"key": "licet.task.id", "value": {"stringValue": "q"}}]), "agent", "attribute.value", "licet.task.id", "does not match"),
    (link(traceState=f"v=sk-ant-api03-{KEY}"), "call", "attribute.secret", "links[0].traceState", "a secret"),
    (field("name", "execute_tool delete_all"), "unknown", "span.name", "name", "is not `execute_tool _OTHER`"),
    (field("name", "execute_tool _OTHER"), "denied", "span.name", "name", "is not `execute_tool send`"),
    (field("name", "execute_tool _OTHER"), "call", "span.name", "name", "is not `execute_tool note`"),
    (put("licet.approval.answer"), "approved", "approval.answer", "licet.approval.answer", "is missing"),
    (put("licet.approval.answer", "yes"), "approved", "attribute.value", "licet.approval.answer", "none of approved"),
    (put("licet.approval.answer", "refused"), "approved", "approval.outcome", "licet.decision.outcome", "the answer was `refused`"),
    (put("licet.approval.waited", {"intValue": "3"}), "approved", "attribute.type", "licet.approval.waited", "type double"),
    (put("licet.approval.waited", {"doubleValue": -1.0}), "approved", "attribute.value", "licet.approval.waited", "below zero"),
    (all_in(put("licet.approval.by"), put("licet.approval.how"), put("licet.approval.waited")), "approved", "approval.by", "licet.approval.by", "is missing"),
    (put("licet.call.id", "xyz"), "call", "attribute.value", "licet.call.id", "does not match"),
    (put("licet.args.digest", f"sha256:{'a1' * 32}"), "call", "attribute.value", "licet.args.digest", "does not match hmac-sha256:"),
    (put("licet.call.id"), "denied", "attribute.missing", "licet.call.id", "is missing"),
    (put("licet.principal.id", "user:grace"), "call", "attribute.value", "licet.principal.id", "does not match"),
    (put("licet.decision.path", "one"), "denied", "attribute.type", "licet.decision.path", "type string[]"),
    (put("licet.record", "{"), "call", "record.form", "licet.record", "cannot be read"),
    (lambda span: put("licet.record", record_of(span).replace('"tool":"note"', '"tool":1'))(span), "call", "record.form", "licet.record", "`tool`"),
    (put("licet.record", "x" * 60_001), "call", "attribute.long", "licet.record", "60000 characters"),
    (all_in(mcp, put("mcp.method.name")), "call", "mcp.method", "mcp.method.name", "is missing"),
    (all_in(mcp, put("mcp.method.name", "tools/list")), "call", "attribute.value", "mcp.method.name", "none of tools/call"),
    (all_in(mcp, put("jsonrpc.request.id")), "call", "mcp.request", "jsonrpc.request.id", "is missing"),
    (all_in(mcp, put("jsonrpc.request.id", {"intValue": "7"})), "call", "attribute.type", "jsonrpc.request.id", "type string"),
    (all_in(mcp, put("rpc.response.status_code", "-32602")), "call", "mcp.status", "rpc.response.status_code", "is not ERROR"),
    (all_in(mcp, put("rpc.response.status_code", "-32602")), "denied", "mcp.answer", "rpc.response.status_code", "was not made"),
    (all_in(mcp, put("rpc.response.status_code", "broken")), "failed", "attribute.value", "rpc.response.status_code", "does not match"),
    (all_in(mcp, put("server.address")), "call", "mcp.address", "server.address", "is missing"),
    (all_in(mcp, put("network.protocol.version"), put("server.port"), put("network.transport", "pipe")), "call", "mcp.pipe", "server.address", "a pipe has none"),
    (all_in(mcp, put("jsonrpc.protocol.version", "2.0")), "call", "mcp.jsonrpc", "jsonrpc.protocol.version", "goes without saying"),
    (all_in(mcp, put("mcp.session.id", "1868a90c")), "call", "mcp.session", "mcp.session.id", "no sessions since 2026-07-28"),
    (all_in(mcp, put("network.transport", "carrier-pigeon")), "call", "attribute.value", "network.transport", "none of pipe, quic, tcp"),
]  # fmt: skip


def record_of(span: Any) -> str:
    return str(next(pair["value"]["stringValue"] for pair in span["attributes"] if pair["key"] == "licet.record"))


def found_one(data: Data, mistake: tuple[Change, str, str, str, str]) -> None:
    _, _, code, key, message = mistake
    found = check(items(data))
    assert [problem for problem in found if (problem.code, problem.key) == (code, key) and message in problem.message], found
    assert len(found) == 1, [str(problem) for problem in found]


def test_what_a_guard_exports_is_without_a_problem(exported: Data) -> None:
    """And every metric and event of the registry is among it, so that the mistakes below are seeded into something."""
    assert check(items(exported)) == []
    assert {each.name for each in items(exported) if isinstance(each, ReadMetric)} == set(INSTRUMENTS)
    assert {each.event for each in items(exported) if isinstance(each, ReadLog)} == set(EVENTS)
    assert {which: sum(map(choice, logs(exported))) for which, choice in LOGS.items()} == dict.fromkeys(LOGS, 1)
    assert {which: sum(map(choice, spans(exported))) for which, choice in SPANS.items()} == dict.fromkeys(SPANS, 1)


@pytest.mark.parametrize("mistake", METRIC_MISTAKES, ids=lambda row: f"{row[2]}:{row[3]}:{row[1]}")
def test_a_mistake_in_a_metric_is_found_by_its_own_name(mistake: Any, exported: Data) -> None:
    data = copy.deepcopy(exported)
    mistake[0](metric(data, mistake[1]))
    found_one(data, mistake)


@pytest.mark.parametrize("mistake", LOG_MISTAKES, ids=lambda row: f"{row[2]}:{row[3]}:{row[1]}")
def test_a_mistake_in_a_log_event_is_found_by_its_own_name(mistake: Any, exported: Data) -> None:
    data = copy.deepcopy(exported)
    mistake[0](next(filter(LOGS[mistake[1]], logs(data))))
    found_one(data, mistake)


@pytest.mark.parametrize("mistake", SPAN_MISTAKES, ids=lambda row: f"{row[2]}:{row[3]}:{row[1]}")
def test_a_mistake_in_links_approvals_records_and_mcp_is_found_by_its_own_name(mistake: Any, exported: Data) -> None:
    data = {"resourceSpans": copy.deepcopy(exported["resourceSpans"])}
    mistake[0](next(filter(SPANS[mistake[1]], spans(data))))
    found_one(data, mistake)


@pytest.mark.parametrize("which", ["call", "failed", "denied"])
def test_a_call_over_mcp_is_well(which: str, exported: Data) -> None:
    """By HTTP and by pipe; one that was denied has no request; a framework's error has its number."""
    data = {"resourceSpans": copy.deepcopy(exported["resourceSpans"])}
    span = next(filter(SPANS[which], spans(data)))
    mcp(span)
    if which == "failed":
        put("rpc.response.status_code", "-32602")(span)
    if which == "denied":
        for key in ("jsonrpc.request.id", "network.protocol.version", "server.address", "server.port"):
            put(key)(span)
        put("network.transport", "pipe")(span)
    assert check(items(data)) == []


def test_the_record_of_another_call_is_a_mistake(exported: Data) -> None:
    data = {"resourceSpans": copy.deepcopy(exported["resourceSpans"])}
    call, other = (next(filter(SPANS[which], spans(data))) for which in ("call", "failed"))
    put("licet.record", record_of(other))(call)
    assert [(problem.code, problem.span_id) for problem in check(items(data))] == [("record.other", call["spanId"])]


def test_a_frameworks_span_that_was_told_of_its_call_keeps_its_own_form(exported: Data) -> None:
    """Its name, its kind, its status and its own attributes are its framework's; what is ours on it is judged."""
    data = {"resourceSpans": copy.deepcopy(exported["resourceSpans"])}
    outer, span = next(
        (outer, span) for outer in data["resourceSpans"] for scope in outer["scopeSpans"] for span in scope["spans"] if SPANS["call"](span)
    )
    outer["scopeSpans"][0]["scope"]["name"] = "openinference.instrumentation.langchain"
    span.update(name="note", kind=3, status={"code": 1})
    put("openinference.span.kind", "TOOL")(span)
    assert check(items(data)) == []
    put("licet.mode", "loud")(span)
    assert [(problem.code, problem.key) for problem in check(items(data))] == [("attribute.value", "licet.mode")]


def test_events_of_a_trace_that_is_not_here_are_well(exported: Data) -> None:
    """The Collector writes one signal per file: an event alone is judged by itself."""
    assert check(items({"resourceLogs": exported["resourceLogs"]})) == []


def test_metrics_and_logs_of_others_are_not_judged(exported: Data) -> None:
    data = copy.deepcopy(exported)
    for key, scopes, things in (("resourceMetrics", "scopeMetrics", "metrics"), ("resourceLogs", "scopeLogs", "logRecords")):
        data[key][0][scopes].append({"scope": {"name": "other"}, things: [{"name": "http.x", "sum": {}}]})
    assert check(items(data)) == []


@pytest.mark.parametrize("key", semconv.RESOURCE)
def test_metrics_and_log_events_say_whose_they_are(key: str, exported: Data) -> None:
    data = copy.deepcopy(exported)
    for outer in (*data["resourceMetrics"], *data["resourceLogs"]):
        put(key)(outer["resource"])
    found = check(items(data))
    assert {(problem.code, problem.key, problem.signal) for problem in found} == {
        ("resource.missing", key, "metric"), ("resource.missing", key, "event"),
    }  # fmt: skip


def test_the_command_reads_a_file_of_each_signal(exported: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for key, value in exported.items():
        files.append(str(tmp_path / f"{key}.jsonl"))
        Path(files[-1]).write_text(json.dumps({key: value}) + "\n", encoding="utf-8")
    assert main(["spans", "check", *files]) == 0
    assert capsys.readouterr().out == "8 spans, 7 metrics, 13 events of Licet's, 0 of others: 0 problems\n"
    assert main(["spans", "check", *files, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["spans"], told["metrics"], told["events"], told["others"], told["problems"]) == (8, 7, 13, 0, [])


# The registry ----------------------------------------------------------------------------------------------------------


def test_each_metric_and_event_names_attributes_of_the_registry() -> None:
    for row in (*METRICS.values(), *EVENTS.values()):
        assert set(row.attributes) <= set(semconv.ATTRIBUTES)
        assert set(row.attributes.values()) <= {"required", "when", "recommended"}


def test_metrics_are_named_as_the_conventions_ask() -> None:
    """Own names under our own prefix, no unit and no `total` in the name, and a unit that says what is counted."""
    for row in INSTRUMENTS.values():
        assert row.name.startswith("licet.") or row.name == DURATION
        assert not row.name.endswith(("_total", ".total", "_seconds", "s.count"))
        assert row.unit == "s" if row.kind in ("histogram", "gauge") else row.unit.startswith("{")
        assert bool(row.boundaries) == (row.kind == "histogram")
        assert "licet.task.id" not in row.attributes
        assert "licet.call.id" not in row.attributes


def test_every_attribute_belongs_somewhere() -> None:
    """On spans, metrics or log events; only what the agent says of itself stays in the embedded store."""
    used = {name for row in (*METRICS.values(), *EVENTS.values()) for name in row.attributes}
    alone = {name for name, row in semconv.ATTRIBUTES.items() if not row.agent and not row.tool and name not in used}
    assert alone == {semconv.CALL_REASON, semconv.EVENT_NAME}
