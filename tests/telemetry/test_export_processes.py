"""Processes with our own pipeline: they end in time and say little, and forked ones have a pipeline of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exported import Receiver

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PREAMBLE = """
import os, sys, threading, time
from licet.telemetry.export import own_pipeline
pipe = own_pipeline("1", "test", ["traces"])
tracer = pipe.tracer_provider.get_tracer("test")
def spans(number, name):
    for _ in range(number):
        tracer.start_span(name).end()
"""


def run(folder: Path, program: str, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, from a file, as `spawn` needs one."""
    file = folder / "program.py"
    file.write_text(PREAMBLE + program, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_") and not name.lower().endswith("_proxy")}
    environment = kept | {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "PYTHONUNBUFFERED": "1"} | more
    return subprocess.run([sys.executable, str(file)], check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=90)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def names(receiver: Receiver) -> dict[str, int]:
    """How often each name of a span arrived, each span once."""
    found: dict[str, set[str]] = {}
    for request in receiver.received:
        for resource in request["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    found.setdefault(span["name"], set()).add(span["spanId"])
    return {name: len(ids) for name, ids in found.items()}


# The end -----------------------------------------------------------------------------------------------------------------


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    return line


HANGS = """
import socket
socket.getaddrinfo = lambda *_, **__: time.sleep(1000)  # a resolver that does not answer
"""


@pytest.mark.parametrize("fault", ["nobody there", "never answers", "no resolver"])
def test_a_process_ends_in_time_and_says_one_line(fault: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if fault == "nobody there":
            listening.close()
        if fault == "no resolver":
            url = "http://collector.example:4318"
        begun = time.monotonic()
        done = run(tmp_path, (HANGS if fault == "no resolver" else "") + "spans(100, 'call')", url)
    assert time.monotonic() - begun < 30, "five seconds, and what a busy machine takes"
    line = one_line(done)
    assert line.startswith(f"licet: not delivered to {url} (")
    assert "100 of 100 spans" in line
    assert "Start the collector there, correct OTEL_EXPORTER_OTLP_ENDPOINT, or unset it." in line


def test_many_pipelines_that_nobody_closed_end_within_one_bound(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        begun = time.monotonic()
        done = run(tmp_path, "for _ in range(8):\n    own_pipeline('1', 'x').tracer_provider.get_tracer('x').start_span('x').end()", url)
    assert done.returncode == 0
    assert time.monotonic() - begun < 30
    assert done.stderr.count("1 of 1 span") == 8


def test_what_waits_is_sent_at_the_end_without_a_word(receiver: Receiver, tmp_path: Path) -> None:
    done = run(tmp_path, "spans(100, 'call')", receiver.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert names(receiver) == {"call": 100}


def test_no_exporter_is_loaded_where_there_is_no_endpoint(tmp_path: Path) -> None:
    program = """
loaded = [name for name in sys.modules if name.startswith(("opentelemetry.exporter", "requests", "grpc", "licet.telemetry.export.line"))]
assert not loaded, loaded
assert pipe.meter_provider is None and pipe.logger_provider is None and pipe.dropped() == {}
assert pipe.flush(1) and pipe.close(1)
"""
    done = run(tmp_path, program, "")
    assert (done.returncode, done.stderr) == (0, "")


# Forks -------------------------------------------------------------------------------------------------------------------


def test_a_forked_process_sends_its_own_and_counts_from_zero(receiver: Receiver, tmp_path: Path) -> None:
    program = """
spans(10, 'parent')
child = os.fork()
if child == 0:
    assert pipe.delivered() == {'traces': 0} and pipe.dropped() == {'traces': 0}
    spans(5, 'child')
    assert pipe.flush(30)
    assert pipe.delivered() == {'traces': 5}, pipe.delivered()
    spans(2, 'child at its end')
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
spans(1, 'parent')
assert pipe.close(30)
assert pipe.delivered() == {'traces': 11}, pipe.delivered()
"""
    done = run(tmp_path, program, receiver.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(receiver) == {"parent": 11, "child": 5, "child at its end": 2}


def test_forks_while_other_threads_send_never_hang(receiver: Receiver, tmp_path: Path) -> None:
    program = """
ended = threading.Event()
def go_on():
    while not ended.is_set():
        spans(1, 'parent')
        time.sleep(0.0005)
threads = [threading.Thread(target=go_on, daemon=True) for _ in range(3)]
for thread in threads: thread.start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        spans(3, 'child')
        assert pipe.close(30)
        assert pipe.delivered() == {'traces': 3}
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
ended.set()
for thread in threads: thread.join()
assert pipe.close(30)
print(pipe.delivered()['traces'] + pipe.dropped()['traces'], pipe.dropped()['traces'])
"""
    done = run(tmp_path, program, receiver.url)
    assert done.returncode == 0, done.stderr
    submitted, dropped = map(int, done.stdout.split())
    arrived = names(receiver)
    assert arrived["child"] == 90
    assert arrived["parent"] == submitted - dropped


def test_a_fork_of_one_that_is_closed_sends_nothing_and_counts_it(receiver: Receiver, tmp_path: Path) -> None:
    program = """
pipe.close(30)
child = os.fork()
if child == 0:
    spans(4, 'child')
    assert pipe.dropped() == {'traces': 4}, pipe.dropped()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    done = run(tmp_path, program, receiver.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(receiver) == {}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("how", ["Process", "ProcessPoolExecutor"])
def test_the_children_of_multiprocessing_send_what_they_have_before_they_end(
    method: str, how: str, receiver: Receiver, tmp_path: Path
) -> None:
    program = f"""
def work(number):
    spans(number, 'child')
if __name__ == '__main__':
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    context = multiprocessing.get_context({method!r})
    spans(2, 'parent')
    if {how!r} == 'Process':
        children = [context.Process(target=work, args=(5,)) for _ in range(2)]
        for child in children: child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
    else:
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            list(pool.map(work, [5, 5]))
"""
    done = run(tmp_path, program, receiver.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(receiver) == {"child": 10, "parent": 2}


def test_metrics_of_a_forked_process_are_its_own(receiver: Receiver, tmp_path: Path) -> None:
    program = """
from licet.telemetry.metrics import Metrics
pipe = own_pipeline('1', 'test', ['metrics'])
metrics = Metrics(pipe.meter_provider, '1')
pipe.after_fork(lambda: metrics.move(pipe.meter_provider))
for _ in range(10): metrics.minted('call')
child = os.fork()
metrics.minted('task' if child else 'call')
assert pipe.close(30)
if child: assert os.waitpid(child, 0)[1] == 0
"""
    done = run(tmp_path, program, receiver.url)
    assert (done.returncode, done.stderr) == (0, "")
    told = set(_minted(receiver))
    assert {(envelope, number) for _, envelope, number in told} == {("call", 10), ("task", 1), ("call", 1)}
    assert len({instance for instance, _, _ in told}) == 2, "two processes are two instances"


def _minted(receiver: Receiver) -> Iterator[tuple[str, str, int]]:
    request: Any
    for request in receiver.metrics:
        for resource in request["resourceMetrics"]:
            instance = next(
                each["value"]["stringValue"] for each in resource["resource"]["attributes"] if each["key"] == "service.instance.id"
            )
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    if metric["name"] == "licet.token.minted":
                        for point in metric["sum"]["dataPoints"]:
                            yield instance, point["attributes"][0]["value"]["stringValue"], int(point["asInt"])
