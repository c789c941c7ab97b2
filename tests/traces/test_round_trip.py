"""A trace that is read back has the graph and the findings of the live run: from OTLP JSON lines, from Jaeger's JSON, from a real Jaeger."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from back import all_held_against, held_against, jaegers, stores_under
from exported import of_sdk
from licet import Guard
from licet.guard.state import StateFolder
from licet.manifest import load
from licet.records import ToolCall
from licet.replay import Replay, Session, Statistics, read
from licet.store import SqliteStore
from licet.testing import guard_for
from licet.traces import imported

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "observability"))
sys.path.insert(0, str(ROOT / "tests" / "telemetry"))
import programs  # noqa: E402
import stack as running  # noqa: E402

from test_exported_examples import PROGRAMS, exported  # noqa: E402

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

JAEGER, COLLECTOR = programs.find_jaeger(), programs.find_collector()
missing = [name for name, found in (("jaeger", JAEGER), ("otelcol-contrib", COLLECTOR)) if found is None]
real = pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)}: neither on the PATH nor built before; `make jaeger` builds it")
RECORDINGS = os.environ.get("LICET_RECORDINGS", "")


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda path: path.parent.name)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which an example ran, with its store, and its spans in `traces.jsonl`."""
    folder = tmp_path_factory.mktemp(request.param.parent.name)
    exported(request.param, folder)
    if not stores_under(folder):
        pytest.skip("the example keeps no store of its own")
    return folder


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Stack]:
    assert JAEGER is not None
    assert COLLECTOR is not None
    with running.Stack(JAEGER, COLLECTOR, tmp_path_factory.mktemp("jaeger"), standard_ports=False) as both:
        yield both


def documents(path: Path) -> list[dict]:
    return [found for line in path.read_text(encoding="utf-8").splitlines() if "resourceSpans" in (found := json.loads(line))]


def test_an_example_is_the_same_from_otlp_json_lines(ran: Path) -> None:
    """Plain and gzipped, and twice, as what is delivered at least once may come."""
    lines = ran / "traces.jsonl"
    (ran / "traces.gz").write_bytes(gzip.compress(lines.read_bytes()))
    with imported([str(lines)]) as (store, found):
        assert (found.wrong, found.unrecorded, found.made, found.cut) == (0, 0, 0, 0), list(found.sentences())
        assert all_held_against(ran, store) > 0
        spans = found.spans
    with imported([str(lines), str(ran / "traces.gz")]) as (store, found):
        assert (found.wrong, found.twice) == (0, spans)
        assert all_held_against(ran, store) > 0


def test_an_example_is_the_same_from_jaegers_json(ran: Path) -> None:
    """On one line, and printed over many."""
    data = jaegers(documents(ran / "traces.jsonl"))
    for indent in (None, 2, "\t"):
        (ran / "export.json").write_text(json.dumps(data, indent=indent), encoding="utf-8")
        with imported([str(ran / "export.json")]) as (store, found):
            assert (found.wrong, found.unrecorded, found.made) == (0, 0, 0), list(found.sentences())
            assert all_held_against(ran, store) > 0


@real
def test_an_example_is_the_same_from_a_running_jaeger(ran: Path, jaeger: running.Stack) -> None:
    for data in documents(ran / "traces.jsonl"):
        body = json.dumps(data).encode()
        request = urllib.request.Request(f"{jaeger.otlp}/v1/traces", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10):
            pass
    traces = sorted(
        {s["traceId"] for d in documents(ran / "traces.jsonl") for r in d["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]}
    )
    wanted = sum(len(c["spans"]) for d in documents(ran / "traces.jsonl") for r in d["resourceSpans"] for c in r["scopeSpans"])
    ends = time.monotonic() + 40
    address = f"jaeger://127.0.0.1:{jaeger.ports['query']}"
    while time.monotonic() < ends:
        if sum(len(jaeger.trace(trace)) for trace in traces) >= wanted:
            break
        time.sleep(0.3)
    with imported([f"{address}/{trace}" for trace in traces]) as (store, found):
        assert (found.wrong, found.unrecorded, found.made) == (0, 0, 0), list(found.sentences())
        assert all_held_against(ran, store) > 0
    with imported([f"{address}?lookback=1h&limit=1000"]) as (store, found):
        [path] = stores_under(ran)
        live = SqliteStore(path)
        with contextlib.closing(live):
            assert {task.id for task in live.tasks()} <= {task.id for task in store.tasks(10_000)}
            assert found.wrong == 0


def replayed(folder: Path, manifest: Path, sessions: list[Session], kind: str | None = None) -> int:
    """Sessions replayed by a guard, and read back from what its spans are on the wire; the answer is how many calls were compared."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with Guard(load(manifest), state=folder / "state", tracer_provider=provider) as guard:
        replay = Replay(guard, Statistics(), kind)
        for session in sessions:
            replay.run(session)
    spans = exporter.get_finished_spans()
    batches = [of_sdk(spans[at : at + 500]) for at in range(0, len(spans), 500)]
    (folder / "traces.jsonl").write_text("".join(json.dumps(each) + "\n" for each in batches), encoding="utf-8")
    (folder / "export.json").write_text(json.dumps(jaegers(batches)), encoding="utf-8")
    calls = 0
    with contextlib.closing(SqliteStore(StateFolder(folder / "state").store)) as live:
        for name in ("traces.jsonl", "export.json"):
            with imported([str(folder / name)]) as (store, found):
                assert (found.wrong, found.unrecorded, found.made, found.cut) == (0, 0, 0, 0), list(found.sentences())
                calls = held_against(live, store)
    return calls


def sessions_of(path: Path, most: int = 1_000) -> list[Session]:
    return [item for item in read(path) if isinstance(item, Session)][:most]


def test_the_recorded_sessions_that_are_shipped_are_the_same(tmp_path: Path) -> None:
    folder = ROOT / "examples" / "replay"
    sessions = sessions_of(folder / "sessions.jsonl")
    assert replayed(tmp_path, folder / "licet.yaml", sessions) == sum(len(session.calls) for session in sessions)


@pytest.mark.skipif(
    not RECORDINGS, reason="LICET_RECORDINGS names no folder with the AgentDojo recordings (benchmarks/agentdojo/README.md)"
)
@pytest.mark.parametrize("suite", ["workspace", "banking"])
def test_a_hundred_recorded_sessions_of_a_suite_are_the_same(suite: str, tmp_path: Path) -> None:
    found = [item for path in sorted(Path(RECORDINGS).glob("*.jsonl*")) for item in sessions_of(path) if item.suite == suite]
    assert len(found) >= 100
    picked = found[:: len(found) // 100][:100]
    assert replayed(tmp_path, ROOT / "benchmarks" / "agentdojo" / f"{suite}.yaml", picked, "user-task") == sum(
        len(each.calls) for each in picked
    )


@real
@pytest.mark.skipif(not RECORDINGS, reason="as above")
@pytest.mark.parametrize("suite", ["workspace", "banking"])
def test_a_hundred_recorded_sessions_are_the_same_from_a_running_jaeger(suite: str, tmp_path: Path, jaeger: running.Stack) -> None:
    found = [item for path in sorted(Path(RECORDINGS).glob("*.jsonl*")) for item in sessions_of(path) if item.suite == suite]
    picked = found[:: len(found) // 100][:100]
    calls = replayed(tmp_path, ROOT / "benchmarks" / "agentdojo" / f"{suite}.yaml", picked, "user-task")
    wanted: dict[str, int] = {}
    for data in documents(tmp_path / "traces.jsonl"):
        request = urllib.request.Request(f"{jaeger.otlp}/v1/traces", json.dumps(data).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30):
            pass
        for span in (span for r in data["resourceSpans"] for c in r["scopeSpans"] for span in c["spans"]):
            wanted[span["traceId"]] = wanted.get(span["traceId"], 0) + 1
    ends = time.monotonic() + 60
    while time.monotonic() < ends and any(len(jaeger.trace(trace)) < number for trace, number in wanted.items()):
        time.sleep(0.5)
    address = f"jaeger://127.0.0.1:{jaeger.ports['query']}"
    with (
        contextlib.closing(SqliteStore(StateFolder(tmp_path / "state").store)) as live,
        imported([f"{address}/{trace}" for trace in wanted]) as (store, read_back),
    ):
        assert (read_back.wrong, read_back.unrecorded, read_back.made) == (0, 0, 0), list(read_back.sentences())
        assert held_against(live, store) == calls


PAUSING = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  read: {access: read, egress: false, arguments: {number: {}}}
  pay: {access: write, egress: true, arguments: {to: {origin: [intent]}}}
tasks: {work: {intent: Work, ttl: 10m, tools: {read: {}, pay: {ask: true}}}}
"""


def test_a_call_that_was_suspended_and_one_that_waits_are_the_same(tmp_path: Path) -> None:
    """The suspended one has two spans with one call id, of which the later counts; the other's span ends with its task's."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    guard = guard_for(PAUSING, tmp_path, state=tmp_path / "state", tracer_provider=provider)
    with guard, guard.task("work", intent="Pay ada@acme.example", agent="bot", principal="user:grace"):
        for suspended in (True, False):
            ticket = guard.begin(ToolCall("read", {"number": 7}, call_id="1"))
            ticket.redeem()
            guard.end(ticket, suspended=suspended)
        guard.begin(ToolCall("pay", {"to": "ada@acme.example"}, call_id="2"))
    spans = exporter.get_finished_spans()
    for name, given in (("forth", spans), ("back", spans[::-1])):
        (tmp_path / name).write_text(json.dumps(of_sdk(given)), encoding="utf-8")
        with (
            contextlib.closing(SqliteStore(StateFolder(tmp_path / "state").store)) as live,
            imported([str(tmp_path / name)]) as (store, found),
        ):
            assert (found.spans, found.calls, found.wrong) == (4, 2, 0)
            assert held_against(live, store) == 2
            assert sorted(call.status for task in store.tasks() for call in store.calls(task.id)) == ["asked", "done"]
