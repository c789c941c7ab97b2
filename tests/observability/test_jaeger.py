"""`make jaeger`, with the real Jaeger and the real Collector: what the demo sends is found there, and secrets do not get through.

Where neither is on the PATH and `make jaeger` has not built them, these are skipped: building takes minutes, and Go.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode
from ruamel.yaml import YAML

TOOLS = Path(__file__).parents[2] / "tools" / "observability"
sys.path.insert(0, str(TOOLS))
import browser  # noqa: E402
import programs  # noqa: E402
import redaction  # noqa: E402
import stack as running  # noqa: E402
import view  # noqa: E402

from exported import Receiver  # noqa: E402
from licet.catalogue import CHECKS  # noqa: E402
from licet.cli import main  # noqa: E402
from licet.secretlike import collector_patterns  # noqa: E402
from licet.telemetry.semconv import ATTRIBUTES  # noqa: E402

JAEGER, COLLECTOR = programs.find_jaeger(), programs.find_collector()
NEEDED = "neither on the PATH nor built before; `make jaeger` builds it with Go"
missing = [name for name, found in (("jaeger", JAEGER), ("otelcol-contrib", COLLECTOR)) if found is None]
real = pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)}: {NEEDED}")

Span = dict[str, Any]


def attributes(span: Span) -> dict[str, Any]:
    """The attributes of an OTLP JSON span, lists as lists."""

    def plain(value: dict[str, Any]) -> Any:
        if "arrayValue" in value:
            return [plain(each) for each in value["arrayValue"].get("values", [])]
        return next(iter(value.values()))

    return {each["key"]: plain(each["value"]) for each in span.get("attributes", [])}


def eventually(true: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What `true` gives as soon as it is something; the last of what it gave when the time is over."""
    ends = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < ends:
        time.sleep(0.2)
    return found


def lines_of(path: Path) -> list[Span]:
    """The spans of a file of OTLP JSON lines."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [
        span
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def a_stack(directory: Path, **environment: str) -> running.Stack:
    assert JAEGER is not None
    assert COLLECTOR is not None
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return running.Stack(JAEGER, COLLECTOR, directory, standard_ports=False)


def sender(stack: running.Stack, service: str) -> TracerProvider:
    """An application that sends each span as it ends, in the order of their ends."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{stack.otlp}/v1/traces")))
    return provider


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Stack]:
    with a_stack(tmp_path_factory.mktemp("observability"), LICET_COLLECTOR_WAIT="2s") as both:
        yield both


@pytest.fixture(scope="module")
def trace(stack: running.Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of the trace of the demo's guarded task."""
    done = view.demo(stack.otlp, tmp_path_factory.mktemp("demo"))
    assert done.returncode == 0, done.stdout + done.stderr
    [found] = view.blocked(stack)
    return found


@real
def test_the_demos_trace_is_found_by_task_by_denied_outcome_and_by_tool(stack: running.Stack, trace: str) -> None:
    task = next(each["licet.task.id"] for span in stack.trace(trace) if "licet.task.id" in (each := attributes(span)))
    assert stack.find(view.SERVICE, {"licet.task.id": task}) == {trace}
    assert stack.find(view.SERVICE, {"licet.decision.outcome": "deny"}) == {trace}
    assert stack.find(view.SERVICE, {"gen_ai.tool.name": "send_email"}) == {trace}
    assert stack.find(view.SERVICE, {"licet.decision.outcome": "deny", "gen_ai.tool.name": "send_email"}) == {trace}
    assert stack.find(view.SERVICE, {"error.type": "policy_denied"}, operation="execute_tool send_email") == {trace}


@real
def test_the_tag_and_the_link_that_are_printed_find_the_task(stack: running.Stack, trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    task = view.task_of(stack.trace(trace))
    assert stack.find(view.SERVICE, {"licet.task.id": task}) == {trace}
    assert main(["task", task[:8], "--from", stack.link(trace)]) == 0
    shown = capsys.readouterr().out
    assert f"task {task}" in shown
    assert f"trace   {trace}" in shown


@real
def test_what_is_not_there_is_not_found(stack: running.Stack, trace: str) -> None:
    assert stack.find(view.SERVICE, {"licet.task.id": "another"}) == set()
    assert stack.find(view.SERVICE, {"licet.decision.outcome": "deny", "gen_ai.tool.name": "read_ticket"}) == set()
    assert stack.trace(trace[::-1]) == []


@real
def test_the_service_and_the_operations_stand_in_jaegers_lists(stack: running.Stack, trace: str) -> None:
    assert view.SERVICE in stack.ask("/api/v3/services")["services"]
    operations = {each["name"] for each in stack.ask("/api/v3/operations", service=view.SERVICE)["operations"]}
    assert {"invoke_agent support-bot", "execute_tool read_ticket", "execute_tool send_email"} <= operations


TREE = """\
invoke_agent support-bot
  execute_tool read_ticket: allow
  execute_tool find_customers: deny
  execute_tool send_email: deny
  execute_tool find_customers: allow
  execute_tool ask_research: allow
    invoke_agent research-bot
      execute_tool read_help: allow
  execute_tool send_email: allow
"""


def tree(spans: list[Span]) -> str:
    """The spans of one trace, each below its parent, in the order of their starts; outcomes of calls behind their names."""
    assert len({span["traceId"] for span in spans}) == 1
    assert len({span["spanId"] for span in spans}) == len(spans)
    lines: list[str] = []

    def below(parent: str, depth: int) -> None:
        children = [span for span in spans if span.get("parentSpanId", "") == parent]
        for span in sorted(children, key=lambda span: int(span["startTimeUnixNano"])):
            outcome = attributes(span).get("licet.decision.outcome", "")
            lines.append(f"{'  ' * depth}{span['name']}{outcome and ': '}{outcome}\n")
            below(span["spanId"], depth + 1)

    below("", 0)
    assert len(lines) == len(spans), "every span is below the one root"
    return "".join(lines)


def whole(spans: list[Span]) -> bool:
    """Every span has all attributes that the registry requires of it, and says in its name what it is of."""
    for span in spans:
        told = attributes(span)
        operation = told["gen_ai.operation.name"]
        level = "agent" if operation == "invoke_agent" else "tool"
        required = {name for name, row in ATTRIBUTES.items() if getattr(row, level) == "required"}
        assert len(required) >= 7
        assert required <= told.keys(), (span["name"], required - told.keys())
        assert span["name"] == f"{operation} {told['gen_ai.agent.name'] if level == 'agent' else told['gen_ai.tool.name']}"
        assert {"gen_ai.agent.name", "licet.task.id", "licet.txn"} <= told.keys()
    return True


@real
def test_the_tree_is_the_agent_its_tool_calls_and_below_one_the_agent_that_it_asks(stack: running.Stack, trace: str) -> None:
    spans = stack.trace(trace)
    assert tree(spans) == TREE
    assert whole(spans)


@real
def test_jaeger_has_nothing_to_remark(stack: running.Stack, trace: str) -> None:
    """No warning, such as a parent that is missing or a clock that differs; what is shown in red is what was denied."""
    [shown] = stack.ask(f"/api/traces/{trace}")["data"]
    assert [span["warnings"] for span in shown["spans"] if span["warnings"]] == []
    red = [span for span in shown["spans"] if {"key": "error", "type": "bool", "value": True} in span["tags"]]
    tags = [{tag["key"]: tag["value"] for tag in span["tags"]} for span in red]
    assert sorted(told["licet.decision.reason"] for told in tags) == ["origin.argument", "scope.argument"]
    assert {told["licet.decision.outcome"] for told in tags} == {"deny"}


APPROVED = """
from licet import Guard
def approver(request):
    return True
approver.identity = ("grace", "pass-key")
guard = Guard.from_file("licet.yaml", state="state", approver=approver)
@guard.tool
def pay(to: str) -> str:
    return "paid"
with guard, guard.task("work", intent="Pay ada", agent="bot", principal="user:grace"):
    pay(to="bob")
"""
APPROVING = """
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools: {pay: {access: write, egress: false, arguments: {to: {origin: {from: [intent], else: ask}}}}}
tasks: {work: {intent: Pay, ttl: 1m, tools: {pay: {}}}}
"""


@real
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the page asks with curl and jq")
def test_the_questions_of_the_page_are_answered_so(stack: running.Stack, trace: str, tmp_path: Path) -> None:
    (tmp_path / "licet.yaml").write_text(APPROVING, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    kept |= {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp, "OTEL_SERVICE_NAME": "my-agent"}
    done = subprocess.run([sys.executable, "-c", APPROVED], check=False, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert eventually(lambda: stack.find("my-agent", {"licet.approval.answer": "approved"}))
    page = (TOOLS.parents[1] / "docs" / "jaeger.md").read_text(encoding="utf-8")
    questions = re.findall(r"```console\n\$ (curl .*?')\n(?!    )(.*?)```", page, re.DOTALL)
    assert len(questions) == 3
    task = next(attributes(span)["licet.txn"] for span in stack.trace(trace))

    def steady(text: str) -> str:
        return re.sub(r"after [0-9.e-]+ s", "after N s", re.sub(r"#[0-9a-f]{8}", "#N", text))

    for command, shown in questions:
        asked = re.sub("[0-9a-f]{32}", task, command.replace("http://127.0.0.1:16686", stack.page))
        answer = subprocess.run(["bash", "-c", asked], check=False, capture_output=True, text=True, timeout=60)
        assert steady(answer.stdout) == steady(shown), answer.stderr


def test_the_tree_and_its_attributes_leave_the_process_so(tmp_path: Path) -> None:
    """The same without Jaeger, so that it is tested everywhere."""
    receiver = Receiver()
    try:
        done = view.demo(receiver.url, tmp_path)
    finally:
        receiver.close()
    assert done.returncode == 0, done.stdout + done.stderr
    spans = [
        span
        for data in receiver.received
        for resource in data.get("resourceSpans", [])
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert tree(spans) == TREE
    assert whole(spans)
    # One trace, two tasks: what the sub-agent did is found by its own task and by that of the whole.
    tasks = {attributes(span)["licet.task.id"]: attributes(span)["licet.txn"] for span in spans}
    assert len(tasks) == 2
    assert set(tasks.values()) < set(tasks)


@real
def test_a_denied_call_says_in_red_what_and_why(stack: running.Stack, trace: str) -> None:
    denied = [span for span in stack.trace(trace) if attributes(span).get("licet.decision.outcome") == "deny"]
    assert denied
    for span in denied:
        told = attributes(span)
        assert str(span["status"]["code"]) in ("2", "STATUS_CODE_ERROR")
        assert told["error.type"] == "policy_denied"
        assert told["licet.decision.reason"] in CHECKS
        assert told["licet.decision.sentence"] == span["status"]["message"]
    [attack] = [told for span in denied if (told := attributes(span))["licet.decision.reason"] == "origin.argument"]
    assert "`text` of `read_ticket`" in attack["licet.decision.sentence"]


@real
def test_the_collectors_file_has_the_spans_that_jaeger_has(stack: running.Stack, trace: str) -> None:
    there = {(span["spanId"], span["name"]) for span in stack.trace(trace)}

    def written() -> set[tuple[str, str]]:
        return {(span["spanId"], span["name"]) for span in lines_of(stack.spans) if span["traceId"] == trace}

    assert eventually(lambda: written() == there), (written(), there)


@real
def test_the_collector_says_how_many_spans_it_took(stack: running.Stack, trace: str) -> None:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(stack.metrics, timeout=10) as answer:
        told = answer.read().decode()
    taken = [float(line.rpartition(" ")[2]) for line in told.splitlines() if line.startswith("otelcol_receiver_accepted_spans")]
    assert sum(taken) >= len(stack.trace(trace))


SECRETS = {
    "a JWT": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJncmFjZSJ9.c2lnbmF0dXJlLW9mLW5vLXdvcnRo",
    "a private key": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPlanted\n-----END PRIVATE KEY-----",
    "a card": "4111 1111 1111 1111",
    "another card": "378282246310005",
}
FIELDS = {"db.password": "hunter2-hunter2", "http.request.header.authorization": "opaque-planted", "app.api_key": "k-0123456789-planted"}


@real
def test_what_another_instrumentation_lets_out_is_redacted_on_the_way(stack: running.Stack) -> None:
    resource = Resource.create({"service.name": "leaky", "deploy.note": SECRETS["a JWT"]})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{stack.otlp}/v1/traces")))
    for what, secret in SECRETS.items():
        with provider.get_tracer("leaky").start_as_current_span("call") as span:
            span.set_attributes({"what": what, "said": f"before {secret} after", "nested": json.dumps({"a": [secret]}), **FIELDS})
            span.add_event("said", {"text": secret})
            span.set_status(Status(StatusCode.ERROR, f"refused: {secret}"))
    provider.shutdown()
    ids = eventually(lambda: found if len(found := stack.find("leaky", {})) == len(SECRETS) else None)
    assert ids, "the spans arrived"
    shown = json.dumps([stack.ask(f"/api/v3/traces/{each}") for each in ids])
    assert all(what in shown for what in SECRETS)
    kept = eventually(lambda: text if (text := stack.spans.read_text(encoding="utf-8")).count('"leaky"') >= len(SECRETS) else None)
    assert kept, "the spans were written"
    for what, secret in (SECRETS | FIELDS).items():
        for text in (shown, kept):
            assert json.dumps(secret)[1:-1] not in text, what


@real
def test_names_log_events_and_metrics_are_redacted_too(stack: running.Stack) -> None:
    """A log event's body, name and attributes; a span's name and an event's; what a metric is told by."""
    resource = Resource.create({"service.name": "leaky-else"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{stack.otlp}/v1/traces")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{stack.otlp}/v1/metrics"))
    meters = MeterProvider([reader], resource=resource)
    records: list[dict[str, Any]] = []

    def text(value: str) -> dict[str, str]:
        return {"stringValue": value}

    for what, secret in SECRETS.items():
        with tracers.get_tracer("leaky").start_as_current_span(f"call {secret}") as span:
            span.add_event(f"said {secret}")
        deep = {"arrayValue": {"values": [text(f"it is {secret}")]}}
        for body in (text(f"before {secret} after"), {"kvlistValue": {"values": [{"key": "deep", "value": deep}]}}):
            told = [{"key": key, "value": text(value)} for key, value in ({"what": what, "said": secret} | FIELDS).items()]
            records.append({"body": body, "attributes": told, "eventName": f"named {secret}", "timeUnixNano": str(time.time_ns())})
        meters.get_meter("leaky").create_counter("calls").add(1, {"what": what, "said": secret, **FIELDS})
    tracers.shutdown()
    meters.shutdown()
    named = {"attributes": [{"key": "service.name", "value": text("leaky-else")}]}
    sent = {"resourceLogs": [{"resource": named, "scopeLogs": [{"scope": {"name": "leaky"}, "logRecords": records}]}]}
    asked = urllib.request.Request(f"{stack.otlp}/v1/logs", json.dumps(sent).encode(), {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
        assert answer.status == 200
    for path in (stack.spans, stack.logs, stack.numbers):

        def kept(path: Path = path) -> str:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            return "".join(line for line in lines if '"leaky-else"' in line)

        assert eventually(lambda kept=kept: '"leaky-else"' in kept()), path
        found = eventually(lambda kept=kept: have if (have := kept()).count("****") >= 2 * len(SECRETS) else "")
        assert found, path
        for what, secret in (SECRETS | FIELDS).items():
            assert json.dumps(secret)[1:-1] not in found, (what, path)
    assert "lifted." not in stack.spans.read_text(encoding="utf-8") + stack.logs.read_text(encoding="utf-8")


def event_name(record: dict[str, Any]) -> str:
    """SDKs before 1.35 have no field for it, and an attribute has it."""
    told = {pair["key"]: pair["value"].get("stringValue") for pair in record["attributes"]}
    return str(record.get("eventName") or told["event.name"])


@real
def test_decisions_and_numbers_are_kept_and_what_the_guard_says_is_left_as_it_is(stack: running.Stack, trace: str) -> None:
    """The Collector finds nothing to mask in what the guard sends, or what is read back would be another task."""

    def events() -> list[str]:
        lines = stack.logs.read_text(encoding="utf-8").splitlines() if stack.logs.exists() else []
        found = [
            record
            for line in lines
            for resource in json.loads(line)["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]
        return sorted(f"{event_name(each)} {each['severityText']}" for each in found if each.get("traceId") == trace)

    calls = [line for line in TREE.splitlines() if ": " in line]
    decided = ["licet.decision INFO"] * sum(line.endswith(": allow") for line in calls) + ["licet.decision WARN"] * 2
    assert eventually(lambda: [each for each in events() if each.startswith("licet.decision")] == decided), events()
    names = eventually(lambda: set(re.findall('"name":"([a-z_.]+)"', stack.numbers.read_text("utf-8"))) if stack.numbers.exists() else None)
    assert {"gen_ai.execute_tool.duration", "licet.decision.count"} <= names
    own = [
        line for path in (stack.spans, stack.logs, stack.numbers) for line in path.read_text("utf-8").splitlines() if view.SERVICE in line
    ]
    assert len(own) >= 3
    assert "****" not in "".join(own)


@real
def test_metrics_go_on_to_a_prometheus_where_one_is_named(tmp_path: Path) -> None:
    prometheus = Receiver()
    try:
        where = {"LICET_METRICS_TO": "[file/metrics, otlp_http/prometheus]", "LICET_PROMETHEUS_OTLP": f"{prometheus.url}/v1/metrics"}
        with a_stack(tmp_path, **where) as stack:
            meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(f"{stack.otlp}/v1/metrics"))])
            meters.get_meter("m").create_counter("calls").add(1)
            meters.shutdown()
            assert eventually(lambda: '"calls"' in json.dumps(prometheus.metrics))
            assert eventually(lambda: stack.numbers.exists() and '"calls"' in stack.numbers.read_text("utf-8"))
    finally:
        prometheus.close()


def test_the_collector_masks_what_the_guard_itself_takes_for_a_secret() -> None:
    config = running.CONFIG.read_text(encoding="utf-8")
    assert redaction.with_block(config) == config, "run python tools/observability/redaction.py"
    assert YAML(typ="safe").load(config)["processors"]["redaction"]["blocked_values"] == [form for _, form in collector_patterns()]


@real
def test_a_denial_is_kept_where_all_else_is_left_out_and_also_when_it_comes_late(tmp_path: Path) -> None:
    with a_stack(tmp_path, LICET_KEEP_PERCENT="0", LICET_COLLECTOR_WAIT="1s") as stack:
        provider = sender(stack, "kept")
        tracer = provider.get_tracer("kept")
        with tracer.start_as_current_span("task of no interest"):
            pass
        with tracer.start_as_current_span("early task"):
            tracer.start_span("early denial", attributes={"licet.decision.outcome": "deny"}).end()
        with tracer.start_as_current_span("late task"):
            tracer.start_span("allowed", attributes={"licet.decision.outcome": "allow"}).end()
            # What came after `allowed` is decided with it or later: once this is there, the late task has been left out.
            with tracer.start_as_current_span("marker", Context()):
                tracer.start_span("its denial", attributes={"licet.decision.outcome": "deny"}).end()
            assert eventually(lambda: stack.find("kept", {}, "marker"))
            tracer.start_span("late denial", attributes={"licet.decision.outcome": "deny"}).end()
        provider.shutdown()
        assert eventually(lambda: stack.find("kept", {}, "late denial"))
        assert stack.find("kept", {}, "early denial") == stack.find("kept", {}, "early task")
        assert stack.find("kept", {}, "allowed") == set(), "the denial was late"
        assert stack.find("kept", {}, "task of no interest") == set()
        written = {"task of no interest", "early task", "early denial", "late task", "allowed", "marker", "its denial", "late denial"}
        assert eventually(lambda: {span["name"] for span in lines_of(stack.spans)} == written), "the file has all"


@real
def test_what_jaeger_missed_arrives_when_it_is_back_even_if_the_collector_was_started_again(tmp_path: Path) -> None:
    with a_stack(tmp_path, LICET_COLLECTOR_WAIT="1s") as stack:
        stack.stop("jaeger")
        provider = sender(stack, "patient")
        for number in range(20):
            provider.get_tracer("patient").start_span("denial", attributes={"licet.decision.outcome": "deny", "number": number}).end()
        provider.shutdown()
        assert eventually(lambda: len(lines_of(stack.spans)) == 20)
        stack.stop("collector")
        stack.start("jaeger", f"{stack.page}/api/v3/services")
        stack.start("collector", stack.health)
        assert eventually(lambda: len(stack.find("patient", {"licet.decision.outcome": "deny"})) == 20)


@real
def test_a_program_that_cannot_start_says_why(tmp_path: Path, stack: running.Stack) -> None:
    assert JAEGER is not None
    with pytest.raises(running.NotRunning, match="did not start; it said"):  # noqa: SIM117 - what raises is the entering
        with running.Stack(JAEGER, JAEGER, tmp_path, standard_ports=False):  # the one program with the other's configuration
            pass


@pytest.mark.skipif(COLLECTOR is None, reason=f"otelcol-contrib: {NEEDED}")
def test_the_collector_finds_its_configuration_valid(tmp_path: Path) -> None:
    command = [str(COLLECTOR), "validate", "--config", str(running.CONFIG)]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_without_go_and_without_the_programs_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert shutil.which("go") is None
    for get in (programs.get_jaeger, programs.get_collector):
        with pytest.raises(programs.Missing, match=r"no Go to build it with\. Install Go"):
            get(lambda text: None)
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def shot(url: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOLS / "screenshots.py"), url, str(directory)]
    kept = os.environ | environment
    return subprocess.run(command, check=False, env=kept, capture_output=True, text=True, timeout=120)


def test_without_a_browser_there_are_no_pictures_and_it_says_why(tmp_path: Path) -> None:
    done = shot("http://127.0.0.1:9", tmp_path, LICET_BROWSER="no-such-browser")
    assert done.returncode == 3
    assert "LICET_BROWSER=no-such-browser is no program; install one" in done.stderr


@real
@pytest.mark.skipif(not any(map(shutil.which, browser.NAMES)), reason="there is no Chromium")
def test_pictures_are_of_jaegers_own_pages_or_there_are_none(stack: running.Stack, trace: str, tmp_path: Path) -> None:
    """A Jaeger that was built from its Go module has a placeholder, and no picture of that is taken."""
    done = shot(stack.page, tmp_path / "shots")
    if done.returncode == 0:  # a released Jaeger is on the PATH
        assert sorted(path.name for path in (tmp_path / "shots").iterdir()) == [
            "jaeger-denied.png",
            "jaeger-search.png",
            "jaeger-trace.png",
        ]
    else:
        assert (done.returncode, (tmp_path / "shots").exists()) == (1, False)
        assert "is a Jaeger without its pages" in done.stderr


def test_a_build_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = tmp_path / "sleeper"
    program(tmp_path / "go", f"/bin/sleep 600 & echo $! > {sleeper}.new; /bin/mv {sleeper}.new {sleeper}; wait")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    begun: list[str] = []
    with pytest.raises(programs.Missing, match="not built within the time given"):
        programs.get_jaeger(begun.append, time.monotonic() + 2)
    started = int(sleeper.read_text(encoding="utf-8"))

    def gone() -> bool:  # a process whose parent does not look stands as a zombie for a while
        status = Path(f"/proc/{started}/status")
        return not status.exists() or "State:\tZ" in status.read_text(encoding="utf-8")

    assert eventually(gone)
    assert programs.find_jaeger() is None


def viewed(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`make jaeger` with nothing on the PATH but what is in `path`."""
    environment = {"PATH": str(path), "XDG_CACHE_HOME": str(path / "cache"), "HOME": str(path)}
    command = [sys.executable, str(TOOLS / "view.py"), "--once", *options]
    return subprocess.run(command, check=False, cwd=path, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("options", [["--no-build"], ["--build-within", "480"]], ids=["no-build", "build-within"])
def test_what_cannot_be_had_is_an_error_or_skipped_aloud(tmp_path: Path, options: list[str]) -> None:
    assert (done := viewed(tmp_path, *options)).returncode == 3, done.stderr
    assert "SKIPPED" not in done.stderr
    assert (done := viewed(tmp_path, *options, "--or-skip")).returncode == 0, done.stderr
    assert re.search("make jaeger: SKIPPED: .*(Install Go|install them)", done.stderr)


def test_programs_that_are_there_and_do_not_work_are_never_skipped(tmp_path: Path) -> None:
    for name in ("jaeger", "otelcol-contrib"):
        program(tmp_path / name, "echo broken; exit 1")
    done = viewed(tmp_path, "--or-skip")
    assert (done.returncode, done.stdout) == (1, "")
    assert "jaeger did not start; it said: broken" in done.stderr


def test_what_compose_brings_up_is_pinned_and_on_loopback() -> None:
    root = TOOLS.parents[1]
    compose = YAML(typ="safe").load((root / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["services"]) == {"jaeger", "volume", "collector", "prometheus", "grafana"}
    for name, service in compose["services"].items():
        assert re.fullmatch(r"\$\{LICET_[A-Z]+_IMAGE:-[a-z/-]+:v?\d+\.\d+\.\d+\}", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert [name for name, service in compose["services"].items() if "profiles" not in service] == ["jaeger", "volume", "collector"]
    built = YAML(typ="safe").load(programs.BUILDER.read_text(encoding="utf-8"))["dist"]["version"]
    assert compose["services"]["collector"]["image"].endswith(f":{built}}}")
    named = set(re.findall(r"\$\{env:(\w+)", (root / "otel-collector.yaml").read_text(encoding="utf-8")))
    assert {name for name in compose["services"]["collector"]["environment"] if name.startswith("LICET_")} <= named
