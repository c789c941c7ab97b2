"""The page on telemetry says what the registry says; LICET_REWRITE=1 makes it so. Its alerts fire for what they are for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from licet.telemetry import about, semconv
from licet.telemetry.instruments import INSTRUMENTS

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PAGE = Path(__file__).parents[2] / "docs" / "telemetry.md"
TABLES = {"events": about.event_table, "metrics": about.metric_table, "attributes": about.attribute_table}


@pytest.mark.parametrize("which", TABLES)
def test_the_table_is_that_of_the_registry(which: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    wanted = f"<!-- {which} -->\n{TABLES[which]()}\n<!-- end -->\n"
    there = re.compile(rf"<!-- {which} -->\n.*?<!-- end -->\n", re.DOTALL)
    if os.environ.get("LICET_REWRITE"):
        page = there.sub(lambda _: wanted, page)
        PAGE.write_text(page, encoding="utf-8")
    assert there.findall(page) == [wanted]


def test_each_attribute_is_said_in_words() -> None:
    assert set(about.ABOUT) == set(semconv.ATTRIBUTES)


def test_the_alerts_are_on_metrics_and_attributes_that_there_are() -> None:
    """In the form that Prometheus gives to their names: the unit or `total` at the end, and no dots."""
    page = PAGE.read_text(encoding="utf-8")
    alerts = page.split("```yaml\n")[1].split("```")[0]
    suffix = {"counter": "_total", "gauge": "_seconds", "histogram": "_seconds", "up-down counter": ""}
    known = {row.name.replace(".", "_") + suffix[row.kind] for row in INSTRUMENTS.values()} | {
        name.replace(".", "_") for row in INSTRUMENTS.values() for name in row.attributes
    }
    used = set(re.findall(r"\b(?:licet|gen_ai)_\w+", alerts))
    assert len(used) >= 6
    assert used <= known


def alerts() -> str:
    return PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]


def test_no_alert_takes_the_increase_of_a_counter_alone() -> None:
    """It is nothing for a series with one report, and nothing of the first count of any."""
    for line in alerts().split("- alert:")[1:]:
        rises = re.findall(r"increase\((\w+)", line)
        assert rises == re.findall(r"max_over_time\((\w+)", line)
        assert rises == re.findall(r"unless (\w+)(?:\{[^}]*\})? offset 15m", line)
    assert alerts().count("increase(") == 2


DENIED = (
    'licet_decision_count_total{licet_decision_judged="deny",licet_decision_reason="origin.argument",gen_ai_agent_name="bot",instance="%s"}'
)
DROPPED = 'licet_telemetry_dropped_total{licet_telemetry_signal="traces",instance="a"}'
WAITING = 'licet_approval_waiting{instance="a"}'
OF_BOT = "{gen_ai_agent_name: bot, licet_decision_reason: origin.argument}"
CASES = {
    "six agents that live for one report": ("AgentOutOfScope", {DENIED % name: f"{'_ ' * number}1" for number, name in enumerate("abcdef")}, "7m", True),
    "the first burst of one that lives": ("AgentOutOfScope", {DENIED % "a": "_ _ _ 8 8 8 8 8"}, "8m", True),
    "a later burst": ("AgentOutOfScope", {DENIED % "a": "2x29 10x5"}, "33m", True),
    "denials of long ago": ("AgentOutOfScope", {DENIED % "a": "8x60"}, "40m", False),
    "an agent that ended long ago": ("AgentOutOfScope", {DENIED % "a": "8 8 8"}, "40m", False),
    "few": ("AgentOutOfScope", {DENIED % "a": "_ 2 3 3 5 5"}, "6m", False),
    "an end at which all arrived": ("EvidenceBehind", {DROPPED: "0 0 0 0"}, "4m", False),
    "an only report, with what was dropped": ("EvidenceBehind", {DROPPED: "_ 4"}, "4m", True),
    "a collector that was down": ("EvidenceBehind", {DROPPED: "0x29 7x5"}, "33m", True),
    "an outage of long ago": ("EvidenceBehind", {DROPPED: "7x60"}, "40m", False),
    "a ledger that is behind": ("EvidenceBehind", {"licet_ledger_lag_seconds": "0 6 7"}, "2m", True),
    "a question of five minutes": ("NobodyAnswers", {WAITING: "0 1 1 1 1 1 0 0 0 0 0 0 0 0"}, "13m", False),
    "a question of twelve minutes": ("NobodyAnswers", {WAITING: "0 1x14"}, "13m", True),
}  # fmt: skip


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (of Prometheus) is not on the PATH")
@pytest.mark.parametrize("case", CASES)
def test_an_alert_fires_for_what_it_is_for_and_else_is_silent(case: str, tmp_path: Path) -> None:
    alert, series, at, fires = CASES[case]
    (tmp_path / "rules.yml").write_text(alerts(), encoding="utf-8")
    lines = [f"      - {{series: '{name}', values: '{values}'}}" for name, values in series.items()]
    expected = f"[{{exp_labels: {OF_BOT if alert == 'AgentOutOfScope' else '{}'}}}]" if fires else "[]"
    test = "\n".join([
        "rule_files: [rules.yml]", "evaluation_interval: 1m", "tests:", "  - interval: 1m", "    input_series:", *lines,
        "    alert_rule_test:", f"      - {{eval_time: {at}, alertname: {alert}, exp_alerts: {expected}}}", "",
    ])  # fmt: skip
    (tmp_path / "test.yml").write_text(test, encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
