"""The scorecard as metrics: what leaves is what the registry says, and each figure that is known is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exported import Receiver
from licet.cli.main import main
from licet.drill.audit import Audit
from licet.drill.exported import export, points
from licet.drill.score import scorecard
from licet.drill.standing import Attributed, Heard, Standing
from licet.errors import UsageError
from licet.telemetry import semconv
from licet.telemetry.instruments import MONITORING

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOW = 1_700_000_000.0
STANDING = Standing(NOW, 4, 4, 3, [Attributed("cloudtrail", 10, 5, 9, 6, 8)], 8, 6, [Heard("cloudtrail", NOW - 60, 1_200.0)], 2, 1)
CARD = scorecard(Audit((), (), NOW - 86_400), STANDING, NOW, scenarios=())


def test_what_leaves_holds_against_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    receiver = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    try:
        export(CARD)
    finally:
        receiver.close()
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in receiver.metrics), encoding="utf-8")
    assert main(["spans", "check", str(file)]) == 0, capsys.readouterr().out
    sent = {
        metric["name"] for each in receiver.metrics for resource in each["resourceMetrics"] for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
    }  # fmt: skip
    assert set(MONITORING) <= sent


def test_each_figure_that_is_known_is_a_point():
    found = {(each.metric, each.attributes.get(semconv.DRILL_FIGURE), each.attributes.get(semconv.DRILL_SOURCE)): each.value
             for each in points(CARD)}  # fmt: skip
    assert found == {
        ("nhi.monitoring.failing", None, None): 1, ("nhi.monitoring.figure", "score", None): 0.0,
        ("nhi.monitoring.blind_seconds", None, None): 0.0,
        ("nhi.monitoring.figure", "ownership_coverage", None): 0.75,
        ("nhi.monitoring.figure", "attribution_coverage", "cloudtrail"): 0.5,
        ("nhi.monitoring.figure", "trace_completeness", None): 0.75,
        ("nhi.monitoring.time", "source_freshness", "cloudtrail"): 60.0,
        ("nhi.monitoring.figure", "false_alarms_suppressed", None): 0.5,
    }  # fmt: skip


def test_metrics_that_go_nowhere_are_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with pytest.raises(UsageError, match="go nowhere"):
        export(CARD)
