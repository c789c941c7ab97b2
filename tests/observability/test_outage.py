"""Guarded calls while the real Collector is stopped, started and stopped again: the ledger has all, and what is said to be dropped is true.

The times are `python -m benchmarks.outage`; here are the counts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools" / "observability")]
import programs  # noqa: E402
from benchmarks import outage  # noqa: E402

real = pytest.mark.skipif(
    programs.find_collector() is None, reason="otelcol-contrib: neither on the PATH nor built before; `make jaeger` builds it with Go"
)


@pytest.mark.parametrize(
    "kind, protocol",
    [
        pytest.param("the Collector", "http/protobuf", marks=real),
        pytest.param("the Collector", "grpc", marks=real),
        ("a receiver in Python", "http/protobuf"),
    ],
)
def test_the_ledger_has_every_call_and_the_count_of_dropped_spans_is_the_truth(kind: str, protocol: str, tmp_path: Path) -> None:
    target = outage.collector(tmp_path) if kind == "the Collector" else outage.PythonReceiver(tmp_path)
    target.start()
    try:
        shown = outage.run(600, outage.environment(target, protocol), tmp_path, target)
    finally:
        target.stop()
    assert shown.calls >= 600
    assert shown.ledger == shown.calls
    assert shown.spans > shown.calls
    assert shown.said_dropped == shown.never_arrived
    assert 0 < shown.said_dropped < shown.spans, "some arrived, before and between; those after the end did not"


@real
def test_nothing_is_dropped_while_the_collector_is_there(tmp_path: Path) -> None:
    target = outage.collector(tmp_path)
    target.start()
    try:
        shown = outage.run(200, outage.environment(target), tmp_path)
    finally:
        target.stop()
    assert (shown.said_dropped, shown.never_arrived) == (0, 0)
    assert shown.ledger == shown.calls == 200
