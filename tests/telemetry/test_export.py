"""Our own pipeline: whatever the other side does, each item is counted once, and flush, close and the end of the process are in time."""

from __future__ import annotations

import gzip
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
import requests.adapters
from opentelemetry import context as otel_context
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from exported import Receiver
from licet.telemetry.export import Pipeline, own_pipeline
from licet.telemetry.export.count import Count
from licet.telemetry.export.resource import resource_of, unnamed_service
from licet.telemetry.export.settings import settings_of

HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def with_body(status: str, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def partial(rejected: int) -> bytes:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = "no room"
    return with_body("200 OK", answer.SerializeToString(), "Content-Type: application/x-protobuf\r\n")


class Collector:
    """Answers each request with the bytes that `answer` gives for its number; None: never. Knows the spans of what it answered with 200."""

    def __init__(self, answer: Callable[[int], bytes | None], drip: float = 0.0) -> None:
        self._answer, self._drip = answer, drip
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.taken: list[bytes] = []
        self._number, self._ended, self._lock = 0, threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        try:
            with connection, connection.makefile("rb") as reader:
                while line := reader.readline():
                    path, length, zipped = line.split()[1], 0, False
                    while (header := reader.readline().strip().lower()) != b"":
                        name, _, value = header.partition(b":")
                        length = int(value) if name == b"content-length" else length
                        zipped = zipped or (name == b"content-encoding" and b"gzip" in value)
                    body = reader.read(length)
                    with self._lock:
                        number, self._number = self._number, self._number + 1
                    answer = self._answer(number)
                    if answer is None:
                        self._ended.wait()
                        return
                    if answer.startswith(b"HTTP/1.1 200") and path == b"/v1/traces":
                        body = gzip.decompress(body) if zipped else body
                        sent = ExportTraceServiceRequest.FromString(body)
                        ids = [span.span_id for resource in sent.resource_spans for scope in resource.scope_spans for span in scope.spans]
                        with self._lock:
                            self.taken += ids
                    if self._drip:
                        for byte in answer:
                            connection.sendall(bytes([byte]))
                            if self._ended.wait(self._drip):
                                return
                    connection.sendall(answer)
                    if b"Connection: close" in answer:
                        return
        except (OSError, ValueError):
            return

    def close(self) -> None:
        self._ended.set()
        self._socket.close()


@pytest.fixture
def collectors() -> Iterator[Callable[..., Collector]]:
    made: list[Collector] = []

    def make(answer: Callable[[int], bytes | None], drip: float = 0.0) -> Collector:
        made.append(Collector(answer, drip))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("OTEL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")


def pipeline(monkeypatch: pytest.MonkeyPatch, url: str, **more: str) -> Pipeline:
    """Spans only, to this endpoint."""
    for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **more}.items():
        monkeypatch.setenv(name, value)
    return own_pipeline("1", "test", ["traces"])


def end_spans(pipe: Pipeline, number: int) -> None:
    tracer = pipe.tracer_provider.get_tracer("test")
    for _ in range(number):
        tracer.start_span("call").end()


def tally(pipe: Pipeline, signal: str = "traces") -> Any:
    return pipe._lines[signal].count.tally


def closed_in_time(pipe: Pipeline, seconds: float = 1.0) -> bool:
    begun = time.monotonic()
    told = pipe.close(seconds)
    assert time.monotonic() - begun < seconds + 10, "the bound, and what a busy machine takes"
    now = tally(pipe)
    assert now.submitted == now.delivered + now.failed + now.refused + now.waiting
    assert pipe.dropped()["traces"] == now.submitted - now.delivered
    return told


def unused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


FAULTS: dict[str, bytes | None] = {
    "never answers": None,
    "429 with a Retry-After of years": with_body("429 Too Many Requests", b"", "Retry-After: 999999999\r\n"),
    "503 with a Retry-After of years": with_body("503 Service Unavailable", b"", "Retry-After: 999999999\r\n"),
    "503": with_body("503 Service Unavailable", b""),
    "500": with_body("500 Internal Server Error", b"Traceback (most recent call last)"),
    "400 with 10 MB": with_body("400 Bad Request", b"x" * 10_000_000),
    "401": with_body("401 Unauthorized", b""),
    "a redirect": with_body("302 Found", b"", "Location: http://127.0.0.1:1/\r\n"),
    "a redirect that keeps the method": with_body("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/\r\n"),
    "a redirect to itself": with_body("308 Permanent Redirect", b"", "Location: /v1/traces\r\n"),
    "garbage": b"\x16\x03\x01\x00\xff\xfenonsense" * 100,
    "garbage in headers": b"HTTP/1.1 299\xff\r\n\x00\x01\x02: \xff\r\nContent-Length: lots\r\n\r\n",
    "nothing, and hangs up": b"",
    "a web page": HTML.replace(b"HTTP/1.1 200", b"HTTP/1.1 203"),
}


@pytest.mark.parametrize("answer", FAULTS.values(), ids=FAULTS)
def test_what_a_faulty_receiver_does_not_take_is_dropped_and_counted(
    answer: bytes | None, collectors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = collectors(lambda number: answer)
    pipe = pipeline(monkeypatch, collector.url)
    end_spans(pipe, 40)
    closed_in_time(pipe)
    assert pipe.dropped() == {"traces": 40}


GOOD: dict[str, tuple[bytes, float]] = {
    "nothing": (EMPTY, 0.0),
    "10 MB": (with_body("200 OK", b"x" * 10_000_000), 0.0),
    "a body that is none": (with_body("200 OK", b"\xff" * 50, "Content-Type: application/x-protobuf\r\n"), 0.0),
    "a body cut short": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort", 0.0),
    "text": (with_body("200 OK", b"ok\n", "Content-Type: text/plain\r\n"), 0.0),
    "other JSON": (with_body("200 OK", b'{"rejectedSpans": 9, "partialSuccess": 3}', "Content-Type: application/json\r\n"), 0.0),
    "a bomb": (with_body("200 OK", gzip.compress(b"\0" * 50_000_000), "Content-Encoding: gzip\r\n"), 0.0),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_success_is_a_delivery_whatever_its_body_is(name: str, collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = collectors(lambda number: GOOD[name][0])
    pipe = pipeline(monkeypatch, collector.url)
    end_spans(pipe, 40)
    assert pipe.flush(30)
    assert len(set(collector.taken)) == 40
    closed_in_time(pipe)
    assert pipe.dropped() == {"traces": 0}


def test_an_answer_that_comes_byte_by_byte_holds_up_neither_calls_nor_the_end(collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = pipeline(monkeypatch, collectors(lambda number: EMPTY, drip=0.4).url)
    end_spans(pipe, 40)
    assert closed_in_time(pipe) is False
    assert pipe.dropped() == {"traces": 40}


def test_nobody_there_and_a_name_that_is_none_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (unused(), "http://collector.invalid:4318", "nonsense", "http://[::1", "ftp://127.0.0.1/"):
        pipe = pipeline(monkeypatch, url)
        end_spans(pipe, 3)
        closed_in_time(pipe)
        assert pipe.dropped() == {"traces": 3}, url


def test_what_the_receiver_says_it_did_not_take_of_a_batch_is_dropped(collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = collectors(lambda number: partial((3, 0, -5, 10**9)[number]))
    pipe = pipeline(monkeypatch, collector.url, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10", OTEL_BSP_SCHEDULE_DELAY="60000")
    for expected in (3, 3, 3, 13):
        end_spans(pipe, 9)
        end_spans(pipe, 1)
        assert pipe.flush(30)
        assert pipe.dropped() == {"traces": expected}
    closed_in_time(pipe)


REJECTED = partial(6).partition(b"\r\n\r\n")[2]
TALKATIVE = ExportTraceServiceResponse()
TALKATIVE.partial_success.rejected_spans = 6
TALKATIVE.partial_success.error_message = "no room " * 25_000
PARTLY = {
    "of no type": with_body("200 OK", REJECTED),
    "of the wrong type": with_body("200 OK", REJECTED, "Content-Type: application/octet-stream\r\n"),
    "with a message of 200 KB": with_body("200 OK", TALKATIVE.SerializeToString(), "Content-Type: application/x-protobuf\r\n"),
    "as JSON": with_body("200 OK", b'{"partialSuccess": {"rejectedSpans": "6"}}', "Content-Type: application/json\r\n"),
}


@pytest.mark.parametrize("answer", PARTLY.values(), ids=PARTLY)
def test_a_part_that_was_not_taken_is_dropped_in_whatever_form_that_is_said(
    answer: bytes, collectors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = pipeline(
        monkeypatch, collectors(lambda number: answer).url, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10", OTEL_BSP_SCHEDULE_DELAY="60000"
    )
    end_spans(pipe, 10)
    assert pipe.flush(30)
    assert pipe.dropped() == {"traces": 6}
    closed_in_time(pipe)


def test_what_does_not_fit_is_refused_at_once_and_counted(collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = pipeline(monkeypatch, collectors(lambda number: None).url, OTEL_BSP_MAX_QUEUE_SIZE="10", OTEL_EXPORTER_OTLP_TIMEOUT="60")
    end_spans(pipe, 50)
    assert (tally(pipe).refused, tally(pipe).waiting) == (40, 10)
    assert pipe.dropped() == {"traces": 40}
    assert closed_in_time(pipe) is False
    assert pipe.dropped() == {"traces": 50}
    end_spans(pipe, 5)
    assert pipe.dropped() == {"traces": 55}, "after the end nothing leaves"


def test_the_count_is_the_truth_while_many_threads_send_and_a_receiver_takes_what_it_likes(
    collectors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(4312)
    answers = [EMPTY, with_body("400 Bad Request", b""), with_body("302 Found", b""), partial(0)]
    collector = collectors(lambda number: dice.choice(answers))
    pipe = pipeline(monkeypatch, collector.url, OTEL_BSP_MAX_QUEUE_SIZE="300")
    threads = [threading.Thread(target=end_spans, args=(pipe, 250)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pipe.close(60)
    assert tally(pipe).submitted == 2000
    assert pipe.dropped()["traces"] == 2000 - len(set(collector.taken))
    assert 0 < len(set(collector.taken)) < 2000


def test_it_goes_on_when_the_receiver_is_back(collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = collectors(lambda number: with_body("400 Bad Request", b"") if number < 2 else EMPTY)
    pipe = pipeline(monkeypatch, collector.url)
    for _ in range(4):
        end_spans(pipe, 5)
        assert pipe.flush(30)
    assert pipe.close(30)
    assert (len(set(collector.taken)), pipe.dropped()) == (10, {"traces": 10})


class Taking(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes all spans but `rejected` of each request, or answers with a status."""

    def __init__(self, status: grpc.StatusCode | None = None, rejected: int = 0) -> None:
        self.spans, self._status, self._rejected = 0, status, rejected

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self._status is not None:
            context.abort(self._status, "no")
        self.spans += sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = self._rejected
        return answer


def grpc_server(taking: Taking) -> tuple[Any, int]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(taking, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


@pytest.mark.parametrize("rejected", [0, 3])
def test_spans_leave_by_grpc_and_what_the_receiver_does_not_take_is_dropped(rejected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taking = Taking(rejected=rejected)
    server, port = grpc_server(taking)
    try:
        pipe = pipeline(
            monkeypatch, f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_TIMEOUT="10",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="40", OTEL_BSP_SCHEDULE_DELAY="60000",
        )  # fmt: skip
        end_spans(pipe, 39)
        assert pipe.close(30)
    finally:
        server.stop(None).wait()
    assert (taking.spans, pipe.dropped()) == (39, {"traces": rejected})


@pytest.mark.parametrize("there", [False, True], ids=["nobody there", "never answers"])
def test_a_grpc_receiver_that_takes_nothing_costs_a_counter(there: bool, collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = collectors(lambda number: None).url if there else unused()
    pipe = pipeline(monkeypatch, url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    end_spans(pipe, 40)
    closed_in_time(pipe)
    assert pipe.dropped() == {"traces": 40}


def test_log_events_and_metrics_are_counted_as_spans_are(collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from licet.telemetry.events import Events
    from licet.telemetry.metrics import Metrics

    for answer, dropped in ((EMPTY, 0), (with_body("400 Bad Request", b""), 20)):
        collector = collectors(lambda number, answer=answer: answer)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        pipe = own_pipeline("1", "test")
        events, metrics = Events(pipe.logger_provider, "1"), Metrics(pipe.meter_provider, "1")
        for _ in range(20):
            events.decision({"gen_ai.tool.name": "send"})
            metrics.minted("call")
        assert pipe.flush(30)
        points = tally(pipe, "metrics").submitted
        assert points >= 1
        assert pipe.dropped() == {"traces": 0, "logs": dropped, "metrics": points if dropped else 0}
        assert pipe.close(30)


def test_a_certificate_that_is_not_there_or_a_compression_that_is_none_drops_all_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = pipeline(monkeypatch, unused(), OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_COMPRESSION="brotli")
    end_spans(pipe, 7)
    assert "traces are not sent to http://127.0.0.1" in caplog.text
    assert "brotli" in caplog.text
    assert pipe.close(1)
    assert pipe.dropped() == {"traces": 7}


def test_an_export_makes_no_spans_of_instrumentations(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    pipe = pipeline(monkeypatch, receiver.url)
    plainly, seen = requests.adapters.HTTPAdapter.send, []

    def instrumented(adapter: Any, request: Any, *args: Any, **options: Any) -> Any:
        seen.append(request.url)
        if not otel_context.get_value(otel_context._SUPPRESS_INSTRUMENTATION_KEY):  # as opentelemetry-instrumentation-requests does
            end_spans(pipe, 1)
        return plainly(adapter, request, *args, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", instrumented)
    try:
        end_spans(pipe, 3)
        assert pipe.flush(30)
        assert pipe.close(30)
        assert seen
        assert tally(pipe).submitted == 3
        session = requests.Session()
        session.trust_env = False
        with session:
            session.post(f"{receiver.url}/v1/traces", data=b"", timeout=10)
        assert tally(pipe).submitted == 4, "any other request makes one"
    finally:
        receiver.close()


# The last report ----------------------------------------------------------------------------------------------------------


def dropped_in_the_last_report(receiver: Receiver) -> dict[str, int]:
    found: dict[str, int] = {}
    for request in receiver.metrics:
        for resource in request["resourceMetrics"]:
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    if metric["name"] == "licet.telemetry.dropped":
                        points = metric["sum"]["dataPoints"]
                        found = {point["attributes"][0]["value"]["stringValue"]: int(point["asInt"]) for point in points}
    return found


def a_run(spans: int, seconds: float) -> Pipeline:
    from licet.telemetry.events import Events
    from licet.telemetry.metrics import Metrics

    pipe = own_pipeline("1", "test")
    Metrics(pipe.meter_provider, "1").dropped(pipe.dropped)
    events = Events(pipe.logger_provider, "1")
    end_spans(pipe, spans)
    for _ in range(spans):
        events.decision({"gen_ai.tool.name": "send"})
    pipe.close(seconds)
    return pipe


def test_what_is_still_on_its_way_is_not_reported_as_dropped_and_the_last_report_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    try:
        pipe = a_run(40, 30)
        assert pipe.dropped() == {"traces": 0, "metrics": 0, "logs": 0}
        assert pipe.delivered() | {"metrics": 0} == {"traces": 40, "metrics": 0, "logs": 40}
        assert dropped_in_the_last_report(receiver) == {"traces": 0, "metrics": 0, "logs": 0}
        last = [path for path, _ in receiver.bodies][-1]
        assert last == "/v1/metrics", "the last that is told"
    finally:
        receiver.close()


def test_the_last_report_has_what_was_given_up_at_the_end(collectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collectors(lambda number: None).url + "/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "60")
    try:
        pipe = a_run(40, 5)
        assert pipe.dropped()["traces"] == 40
        assert dropped_in_the_last_report(receiver) == {"traces": 40, "metrics": 0, "logs": 0}
    finally:
        receiver.close()


def test_what_waits_is_dropped_only_when_it_is_given_up() -> None:
    count = Count(10)
    assert count.admit(4)
    count.stop()
    assert (count.admit(), count.dropped) == (False, 1), "what comes after the end is"
    count.settle(1, 1)
    assert count.dropped == 1
    count.give_up()
    assert count.dropped == 4


# Whose it is --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program, service",
    [
        ("/srv/shop/my_agent.py", "unknown_service:my_agent"),
        ("/srv/shop/__main__.py", "unknown_service:shop"),
        ("/usr/bin/gunicorn", "unknown_service:gunicorn"),
        ("-c", "unknown_service:python3"),
        ("", "unknown_service:python3"),
        ("/tmp/" + "x" * 65, "unknown_service:python3"),
        ("/tmp/ghp_" + "x1Y2z3" * 6, "unknown_service:python3"),
        ("a name.py", "unknown_service:python3"),
    ],
    ids=["a script", "a package", "a program", "a command", "none", "a long one", "a secret", "spaces"],
)
def test_an_agent_that_names_no_service_is_known_by_its_program(program: str, service: str) -> None:
    assert unnamed_service([program], "/usr/bin/python3") == service


def test_without_any_name_the_service_is_unknown() -> None:
    assert unnamed_service([], "") == "unknown_service"


def test_a_service_that_is_named_keeps_its_name_and_version_and_licets_version_is_not_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = resource_of("0.1.0", "dev").attributes
    assert str(plain["service.name"]).startswith("unknown_service:")
    assert "service.version" not in plain
    assert (plain["telemetry.distro.name"], plain["telemetry.distro.version"]) == ("licet", "0.1.0")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=7,deployment.environment.name=prod")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    named = resource_of("0.1.0", "dev").attributes
    assert [named[key] for key in ("service.name", "service.version", "deployment.environment.name")] == ["shop", "7", "prod"]


# What is said ------------------------------------------------------------------------------------------------------------


def test_an_outage_is_said_once_and_how_much_was_lost_at_the_end(
    collectors: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collector = collectors(lambda number: with_body("400 Bad Request", b""))
    pipe = pipeline(monkeypatch, collector.url.replace("//", "//user:hunter2@") + "/in?key=hunter2")
    for _ in range(3):
        end_spans(pipe, 5)
        assert pipe.flush(30)
    pipe.close(5)
    begun, ended = (record.getMessage() for record in caplog.records)
    assert begun == (
        f"licet: traces cannot be delivered to {collector.url} (HTTP 400). Something else than a collector may be there: name the collector"
        " in OTEL_EXPORTER_OTLP_ENDPOINT, or unset it. Calls go on meanwhile, and the ledger has them all"
    )
    assert ended == f"licet: not delivered to {collector.url} (HTTP 400): 15 of 15 spans"


def said_at_the_end(pipe: Pipeline, caplog: pytest.LogCaptureFixture) -> str:
    end_spans(pipe, 1)
    pipe.close(5)
    return caplog.records[0].getMessage()


STATUSES = {
    "401 Unauthorized": "Put the credentials that it asks for into OTEL_EXPORTER_OTLP_HEADERS",
    "403 Forbidden": "Put the credentials that it asks for into OTEL_EXPORTER_OTLP_HEADERS",
    "404 Not Found": "Leave /v1/traces out of OTEL_EXPORTER_OTLP_ENDPOINT, behind which it is put, or name the whole address in"
    " OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "503 Service Unavailable": "The collector takes no more at present: see its log",
}


@pytest.mark.parametrize("status", STATUSES)
def test_what_is_said_of_a_status_is_what_to_do_about_it(
    status: str, collectors: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = said_at_the_end(pipeline(monkeypatch, collectors(lambda number: with_body(status, b"")).url), caplog)
    assert f"(HTTP {status[:3]})" in said
    assert STATUSES[status] in said
    assert "Start the collector" not in said, "it is there"


def test_a_queue_that_was_full_is_not_the_receivers_fault(
    collectors: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = pipeline(monkeypatch, collectors(lambda number: EMPTY).url, OTEL_BSP_MAX_QUEUE_SIZE="10", OTEL_BSP_SCHEDULE_DELAY="60000",
                    OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10", OTEL_EXPORTER_OTLP_TIMEOUT="10")  # fmt: skip
    end_spans(pipe, 200)
    pipe.close(30)
    said = caplog.records[-1].getMessage()
    assert "(more came than could be sent): 1" in said
    assert ". Raise OTEL_BSP_MAX_QUEUE_SIZE, or OTEL_BSP_MAX_EXPORT_BATCH_SIZE." in said


def test_an_endpoint_without_a_scheme_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    said = said_at_the_end(pipeline(monkeypatch, "127.0.0.1:4318"), caplog)
    assert "127.0.0.1:4318 (no http:// or https:// before it)" in said
    assert ". Write http://127.0.0.1:4318 in OTEL_EXPORTER_OTLP_ENDPOINT." in said


def test_http_at_the_port_for_grpc_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    server, port = grpc_server(Taking())
    try:
        said = said_at_the_end(pipeline(monkeypatch, f"http://127.0.0.1:{port}"), caplog)
    finally:
        server.stop(None)
    assert "Is it the port for gRPC? Then set OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in said


def test_grpc_at_the_port_for_http_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver()
    try:
        said = said_at_the_end(pipeline(monkeypatch, receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc"), caplog)
    finally:
        receiver.close()
    assert "Is it the port for HTTP? Then set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in said


def test_grpc_says_that_nobody_is_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    said = said_at_the_end(pipeline(monkeypatch, unused(), OTEL_EXPORTER_OTLP_PROTOCOL="grpc"), caplog)
    assert "(Connection refused)" in said
    assert "Start the collector there" in said


def test_a_grpc_receiver_that_asks_for_credentials_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    server, port = grpc_server(Taking(grpc.StatusCode.UNAUTHENTICATED))
    try:
        said = said_at_the_end(pipeline(monkeypatch, f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_PROTOCOL="grpc"), caplog)
    finally:
        server.stop(None)
    assert "(UNAUTHENTICATED)" in said
    assert "Put the credentials that it asks for into OTEL_EXPORTER_OTLP_HEADERS" in said


def test_the_sdks_own_words_are_heard_at_debug(collectors: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collectors(lambda number: with_body("400 Bad Request", b"")).url)
    with caplog.at_level(logging.DEBUG, "opentelemetry.exporter.otlp.proto.http.trace_exporter"):
        pipe = own_pipeline("1", "test", ["traces"])
        end_spans(pipe, 1)
        assert pipe.flush(30)
        pipe.close(5)
    assert any(record.name.startswith("opentelemetry.") for record in caplog.records)


def test_an_exporter_of_the_application_is_heard_as_before(
    collectors: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    url = collectors(lambda number: with_body("400 Bad Request", b"")).url
    pipe = pipeline(monkeypatch, url)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    provider.get_tracer("theirs").start_span("theirs").end()
    provider.shutdown()
    pipe.close(1)
    assert [record.name for record in caplog.records] == ["opentelemetry.exporter.otlp.proto.http.trace_exporter"]


# Settings ----------------------------------------------------------------------------------------------------------------

HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318"},
        HERE | {"OTEL_TRACES_EXPORTER": "none"},
        HERE | {"OTEL_SDK_DISABLED": "true"},
        HERE | {"OTEL_TRACES_EXPORTER": "console"},
        HERE | {"OTEL_TRACES_EXPORTER": "otlp,none"},
    ],
    ids=["no endpoint", "one for metrics only", "none", "disabled", "console", "none and otlp"],
)
def test_no_spans_leave_where_the_environment_does_not_say_so(environment: dict[str, str]) -> None:
    assert settings_of("traces", environment) is None


def test_an_exporter_that_we_do_not_have_is_named(caplog: pytest.LogCaptureFixture) -> None:
    found = settings_of("traces", HERE | {"OTEL_TRACES_EXPORTER": "zipkin,otlp"})
    assert found is not None
    assert "OTEL_TRACES_EXPORTER=zipkin: Licet exports by OTLP alone" in caplog.text


def test_the_variables_of_a_signal_go_before_those_of_all() -> None:
    environment = HERE | {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://10.0.0.1:4317",
        "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc",
        "OTEL_BLRP_MAX_QUEUE_SIZE": "77",
        "OTEL_BLRP_SCHEDULE_DELAY": "9",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5",
    }
    logs, traces = settings_of("logs", environment), settings_of("traces", environment)
    assert logs is not None
    assert traces is not None
    assert (logs.where, logs.protocol, logs.queue, logs.delay) == ("http://10.0.0.1:4317", "grpc", 77, 9)
    assert (traces.where, traces.protocol, traces.queue, traces.batch) == ("http://127.0.0.1:4318", "http/protobuf", 2048, 5)


@pytest.mark.parametrize(
    "value", ["many", "0", "-1", "1e3", "9" * 5000, "\x1b[2J"], ids=["word", "zero", "negative", "float", "long", "escape"]
)
def test_a_number_that_is_none_is_said_and_the_default_holds(value: str, caplog: pytest.LogCaptureFixture) -> None:
    found = settings_of("traces", HERE | {"OTEL_BSP_MAX_QUEUE_SIZE": value})
    assert found is not None
    assert found.queue == 2048
    assert "OTEL_BSP_MAX_QUEUE_SIZE is" in caplog.text
    assert "\x1b" not in caplog.text


def test_a_batch_is_no_larger_than_the_queue_and_an_unknown_protocol_is_http(caplog: pytest.LogCaptureFixture) -> None:
    found = settings_of(
        "traces",
        HERE | {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
    )
    assert found is not None
    assert (found.queue, found.batch, found.protocol) == (8, 8, "http/protobuf")
    assert len(caplog.records) == 2
