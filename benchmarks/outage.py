"""Guarded calls while the Collector is stopped, started and stopped again: what they cost, and whether what is said to be dropped is true.

Three runs of the same calls, back to back as no agent calls: without an endpoint, with the Collector up all the time, and with the
Collector up, stopped, started and stopped again while the calls go on. The truth is what stands in the Collector's file in the end: of
all spans that were sampled, those whose ids are not there never arrived. The guard's own count must be equal. The real Collector is used
where it is found (the PATH, or what `make jaeger` has built), else a small receiver in Python.

    python -m benchmarks.outage [--calls 5000] [--protocol grpc] [--json]

The exit code is 1 if a count is not the truth, or a call is missing from the ledger. Times are shown, and judge nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from licet import Guard
from licet.guard.state import StateFolder
from licet.ledger import LedgerFiles, LedgerKey
from licet.ledger.check.verify import verify
from licet.manifest import loads

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tools" / "observability"), str(ROOT / "tests")]

MANIFEST = """
licet: 1
environment: bench
owners: {bench: {name: Bench, contact: bench@acme.example}}
agents: {bot: {owner: bench, tasks: [work]}}
tools:
  send: {access: write, egress: true, durable: none}
tasks:
  work:
    intent: Measure
    ttl: 1h
    tools: {send: {arguments: {to: {format: email, pattern: '[a-z0-9._+-]+@acme\\.example'}, size: {maximum: 1000000}}}}
    budgets: [{of: send, at_most: 100000000}]
"""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Collector(Protocol):
    """Something that takes spans at `url` and writes them to `traces*.jsonl` in a directory."""

    name: str
    url: str
    grpc: str

    def start(self) -> None: ...
    def stop(self) -> None: ...


class RealCollector:
    """The Collector with the configuration of this repository, without the Jaeger behind it."""

    name = "the Collector"

    def __init__(self, program: Path, directory: Path) -> None:
        import stack

        self._stack = stack.Stack(program, program, directory, standard_ports=False)  # the first is Jaeger's, which is not started
        self.url, self.grpc = self._stack.otlp, f"http://127.0.0.1:{self._stack.ports['grpc']}"

    def start(self) -> None:
        self._stack.start("collector", self._stack.health)

    def stop(self) -> None:
        self._stack.stop("collector")


class PythonReceiver:
    """`benchmarks/receiver.py`, in a process of its own."""

    name = "a receiver in Python (no Collector is found; `make jaeger` builds it)"

    def __init__(self, directory: Path) -> None:
        self._file = directory / "traces.jsonl"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url, self.grpc = f"http://127.0.0.1:{self._port}", ""  # of HTTP only
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, str(ROOT / "benchmarks" / "receiver.py"), str(self._port), str(self._file)]
        self._running = subprocess.Popen(command)
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            time.sleep(0.05)
        raise TimeoutError("the receiver did not start")

    def stop(self) -> None:
        if self._running is not None:
            self._running.send_signal(signal.SIGTERM)
            self._running.wait(20)


def collector(directory: Path) -> Collector:
    """The real Collector where there is one."""
    import programs

    found = programs.find_collector()
    return RealCollector(found, directory) if found else PythonReceiver(directory)


def ids_of(directory: Path) -> set[str]:
    """The ids of all spans that the Collector wrote; one that came twice counts once."""
    return {
        span["spanId"]
        for file in directory.glob("traces*.jsonl")
        for line in file.read_text(encoding="utf-8").splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }


class Ids(SpanProcessor):
    """The ids of all spans that end: what should arrive."""

    def __init__(self) -> None:
        self.ended: set[str] = set()

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            self.ended.add(format(span.context.span_id, "016x"))


class Outage:
    """Stops, starts and stops the Collector while `made` rises, and never lets the calls wait for it."""

    def __init__(self, target: Collector, calls: int, delivered: Callable[[], int]) -> None:
        self._target, self._part, self._delivered = target, max(1, calls // 6), delivered
        self.made = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether all of it has happened."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._wait()
        self._target.stop()
        self._wait()
        before = self._delivered()
        self._target.start()
        _until(lambda: self._delivered() > before, 30)  # the exporter pauses up to eight seconds between tries
        self._wait()
        self._target.stop()
        self._wait()

    def _wait(self) -> None:
        enough = self.made + self._part
        _until(lambda: self.made >= enough, 60)


def _until(true: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not true() and time.monotonic() < ends:
        time.sleep(0.01)


@dataclass(frozen=True)
class Run:
    """What one run showed."""

    calls: int
    p50_ms: float
    p99_ms: float
    ledger: int
    spans: int
    said_dropped: int
    never_arrived: int

    @property
    def true(self) -> bool:
        """Whether every call is in the ledger, and the count of what was dropped is right."""
        return self.ledger == self.calls and self.said_dropped == self.never_arrived


def environment(target: Collector, protocol: str = "http/protobuf") -> dict[str, str]:
    """The variables by which spans go there."""
    url = target.grpc if protocol == "grpc" else target.url
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }  # fmt: skip


def run(calls: int, said_by: Mapping[str, str], directory: Path | None, stopped: Collector | None = None) -> Run:
    """Make the calls, under the environment's variables for telemetry, and close all. `directory` is the Collector's, and `stopped` the
    Collector itself, if it is to be stopped and started meanwhile; then there are more calls if it needs more.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with tempfile.TemporaryDirectory() as state, patch.dict(os.environ, kept | dict(said_by), clear=True):
        ids, times = Ids(), list[float]()
        with Guard(loads(MANIFEST), state=state) as guard:
            telemetry = guard._telemetry
            telemetry._own.tracer_provider.add_span_processor(ids)

            def send(to: str, size: int) -> str:
                return f"{size} to {to}"

            guarded = guard.wrap(send)
            with guard.task("work", intent="Measure by mails to ada@acme.example", agent="bot", principal="user:bench"):
                for _ in range(50):  # what is loaded by a first call is not measured
                    guarded("ada@acme.example", 7)
                during = Outage(stopped, calls, lambda: telemetry._own.delivered()["traces"]) if stopped else None
                while len(times) < calls or (during and not during.over):
                    begun = time.perf_counter()
                    guarded("ada@acme.example", 7)
                    times.append(time.perf_counter() - begun)
                    if during:
                        during.made = len(times)
        folder = StateFolder(Path(state))
        verified = verify(folder.ledger, [LedgerKey.of(folder.keys, create=False).note_key])
        if not verified.whole or verified.signed != verified.records:
            raise SystemExit(f"the ledger is not whole: {verified.faults or 'records are left unsigned'}")
        recorded = sum(json.loads(line)["kind"] == "call.intent" for line in LedgerFiles(folder.ledger).records()) - 50
        said = telemetry.dropped.get("traces", 0)
    if directory is None:
        return _told(times, recorded, 0, 0, 0)
    missing = _eventually_missing(ids.ended, directory, said)
    return _told(times, recorded, len(ids.ended), said, missing)


def _eventually_missing(ended: set[str], directory: Path, said: int) -> int:
    """The Collector writes once a second: what was taken is waited for."""
    _until(lambda: len(ended - ids_of(directory)) <= said, 15)
    return len(ended - ids_of(directory))


def _told(times: list[float], ledger: int, spans: int, said: int, missing: int) -> Run:
    ordered = sorted(times)
    return Run(len(times), ordered[len(times) // 2] * 1e3, ordered[len(times) * 99 // 100] * 1e3, ledger, spans, said, missing)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--protocol", choices=("http/protobuf", "grpc"), default="http/protobuf")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs: dict[str, Run] = {"without": run(options.calls, {}, None)}
    with tempfile.TemporaryDirectory() as folder:
        target: Any = collector(Path(folder))
        said = environment(target, options.protocol)
        target.start()
        try:
            runs["with"] = run(options.calls, said, Path(folder))
            runs["outage"] = run(options.calls, said, Path(folder), target)
        finally:
            target.stop()
    if options.json:
        print(json.dumps({"collector": target.name, **{name: vars(each) | {"true": each.true} for name, each in runs.items()}}))
    else:
        print(f"against {target.name}")
        for name, each in runs.items():
            print(
                f"{name:8} {each.calls:6} calls  p50 {each.p50_ms:6.2f} ms  p99 {each.p99_ms:6.2f} ms  in the ledger {each.ledger:6}"
                f"  spans {each.spans:6}  said to be dropped {each.said_dropped:6}  never arrived {each.never_arrived:6}"
            )
        print("true" if all(each.true for each in runs.values()) else "NOT TRUE")
    return 0 if all(each.true for each in runs.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
