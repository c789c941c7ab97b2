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
    def __init__(self) -> None:
        self.spans = 0

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.spans += sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        return ExportTraceServiceResponse()


def test_spans_leave_by_grpc_where_the_protocol_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    server, taking = grpc.server(futures.ThreadPoolExecutor(2)), Taking()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(taking, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        pipe = pipeline(monkeypatch, f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_TIMEOUT="10")
        end_spans(pipe, 40)
        assert pipe.close(30)
    finally:
        server.stop(None).wait()
    assert (taking.spans, pipe.dropped()) == (40, {"traces": 0})


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
        f"licet: traces cannot be delivered to {collector.url} (HTTP 400). Start the collector there, correct OTEL_EXPORTER_OTLP_ENDPOINT, or"
        " unset it. Calls go on meanwhile, and the ledger has them all"
    )
    assert ended == f"licet: not delivered to {collector.url} (HTTP 400): 15 of 15 spans"


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
