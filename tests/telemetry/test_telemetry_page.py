"""The page on telemetry says what the registry says; LICET_REWRITE=1 makes it so."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from licet.telemetry import about, semconv
from licet.telemetry.instruments import INSTRUMENTS

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
