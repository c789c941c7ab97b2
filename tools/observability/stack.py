"""Jaeger and the Collector as processes on loopback, and Jaeger's query API."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from programs import HERE

ROOT = HERE.parents[1]
CONFIG = ROOT / "otel-collector.yaml"
STANDARD = {"query": 16686, "query_grpc": 16685, "jaeger_otlp": 14317, "grpc": 4317, "http": 4318, "health": 13134, "metrics": 8888}
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never asked of a proxy


class NotRunning(Exception):
    """A program that is there does not start; the text says what it said."""


class Stack:
    """Both programs, running. `directory` gets the queue, the file of spans and what the programs say."""

    def __init__(self, jaeger: Path, collector: Path, directory: Path, *, standard_ports: bool = True) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.ports = _ports(standard=standard_ports)
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.page, self.otlp = f"http://{at['query']}", f"http://{at['http']}"
        self.health, self.metrics = f"http://{at['health']}", f"http://{at['metrics']}/metrics"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | {
            "LICET_JAEGER_QUERY": at["query"], "LICET_JAEGER_QUERY_GRPC": at["query_grpc"], "LICET_JAEGER_OTLP": at["jaeger_otlp"],
            "LICET_COLLECTOR_GRPC": at["grpc"], "LICET_COLLECTOR_HTTP": at["http"], "LICET_COLLECTOR_HEALTH": at["health"],
            "LICET_COLLECTOR_METRICS_HOST": "127.0.0.1", "LICET_COLLECTOR_METRICS_PORT": str(self.ports["metrics"]),
            "LICET_COLLECTOR_DIR": str(directory), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        }  # fmt: skip
        self._programs = {
            "jaeger": [str(jaeger), "--config", str(HERE / "jaeger.yaml")],
            "collector": [str(collector), "--config", str(CONFIG)],
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def spans(self) -> Path:
        """The file of spans: OTLP JSON, one TracesData a line."""
        return self.directory / "traces.jsonl"

    @property
    def logs(self) -> Path:
        """The file of log events, one LogsData a line."""
        return self.directory / "logs.jsonl"

    @property
    def numbers(self) -> Path:
        """The file of metrics, one MetricsData a line."""
        return self.directory / "metrics.jsonl"

    def __enter__(self) -> Stack:
        try:
            self.start("jaeger", f"{self.page}/api/v3/services")
            self.start("collector", self.health)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, url: str, seconds: float = 60.0) -> None:
        """Start one program, and wait until `url` answers. Raises `NotRunning` if it does not."""
        with (self.directory / f"{name}.log").open("ab") as said:
            self._running[name] = running = subprocess.Popen(self._programs[name], env=self._environment, stdout=said, stderr=said)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and running.poll() is None:
            try:
                with _DIRECT.open(url, timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise NotRunning(f"{name} did not start; it said: {self.said(name)}")

    def said(self, name: str) -> str:
        """The end of what a program said."""
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-1500:].strip() or "nothing"

    def stop(self, *names: str) -> None:
        """Stop these (all, if none is named), the Collector first, so that what it holds arrives."""
        for name in names or ("collector", "jaeger"):
            running = self._running.pop(name, None)
            if running is not None:
                running.terminate()
                try:
                    running.wait(20)
                except subprocess.TimeoutExpired:
                    running.kill()
                    running.wait()

    def wait(self) -> None:
        """Until one of them ends."""
        while all(running.poll() is None for running in self._running.values()):
            time.sleep(0.5)

    def ask(self, path: str, **parameters: str) -> Any:
        """Jaeger's answer; None where it says that there is nothing (404)."""
        return ask(self.page, path, **parameters)

    def find(self, service: str, tags: dict[str, str], operation: str = "") -> set[str]:
        """See `find`."""
        return find(self.page, service, tags, operation)

    def trace(self, id: str) -> list[dict[str, Any]]:
        """The spans of one trace by the stable API (`/api/v3/traces/{id}`), in OTLP's JSON."""
        found = self.ask(f"/api/v3/traces/{id}")
        resources = found["result"]["resourceSpans"] if found else []
        return [span for resource in resources for scope in resource["scopeSpans"] for span in scope["spans"]]

    def has_pages(self) -> bool:
        """Whether this Jaeger has its user interface: one that is built from the Go module has a placeholder in its place."""
        with _DIRECT.open(f"{self.page}/", timeout=10) as answer:
            return b"not the Jaeger UI" not in answer.read(65_536)

    def link(self, trace: str) -> str:
        """Where a trace is looked at."""
        return f"{self.page}/trace/{trace}"


def ask(page: str, path: str, **parameters: str) -> Any:
    """The answer of a Jaeger; None where it says that there is nothing (404)."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with _DIRECT.open(f"{page}{path}{query}", timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def find(page: str, service: str, tags: dict[str, str], operation: str = "") -> set[str]:
    """The ids of the traces with a span that has all these tags, as the search form of Jaeger's page finds them.

    `/api/v3/traces` takes `query.attributes` in later releases only; v2.13 would ignore them, and find everything.
    """
    asked = {"service": service, "tags": json.dumps(tags), "lookback": "1h", "limit": "100"} | (
        {"operation": operation} if operation else {}
    )
    return {trace["traceID"] for trace in (ask(page, "/api/traces", **asked) or {"data": []})["data"] or []}


def _ports(*, standard: bool) -> dict[str, int]:
    held = []
    try:
        ports = {}
        for name, usual in STANDARD.items():
            listening = socket.socket()
            held.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that has just ended takes no port
            try:
                listening.bind(("127.0.0.1", usual if standard else 0))
            except OSError:  # taken: any other
                listening.bind(("127.0.0.1", 0))
            ports[name] = listening.getsockname()[1]
        return ports
    finally:
        for listening in held:
            listening.close()
