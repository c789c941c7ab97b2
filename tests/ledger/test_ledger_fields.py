"""The registry of records' fields: docs/ledger-records.md is made from it (LICET_REWRITE=1), and it says what is odd about a record."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licet.ledger import fields
from licet.ledger.fields import ENVELOPE, FIELDS, KINDS, problems

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PAGE = Path(__file__).parents[2] / "docs" / "ledger-records.md"
TABLES = {"kinds": fields.kinds_table, "fields": fields.fields_table}
ROW: dict[str, Any] = {"seq": 1, "prev": "", "kind": "ledger.lost", "time": "", "writer": "", "records": 3}


@pytest.mark.parametrize("which", TABLES)
def test_the_table_is_that_of_the_registry(which: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    wanted = f"<!-- {which} -->\n{TABLES[which]()}\n<!-- end -->\n"
    there = re.compile(rf"<!-- {which} -->\n.*?<!-- end -->\n", re.DOTALL)
    if os.environ.get("LICET_REWRITE"):
        page = there.sub(lambda _: wanted, page)
        PAGE.write_text(page, encoding="utf-8")
    assert there.findall(page) == [wanted]


def test_each_field_belongs_to_a_kind_and_each_kind_has_known_fields() -> None:
    used = {name for kind in KINDS.values() for name in (*kind.always, *kind.may)}
    assert used | {*ENVELOPE, "cut"} == set(FIELDS)


@pytest.mark.parametrize("kind", [name for name in KINDS if name.startswith("call.") and name != "call.outcome"])
def test_each_record_of_a_call_has_all_seven_facts_of_aims(kind: str) -> None:
    row = KINDS[kind]
    facts = {FIELDS[name].fact for name in (*ENVELOPE, *row.always, *row.may)}
    assert facts >= {"agent", "subject", "resource", "decision", "time", "posture"}
    assert ("remediation" in facts) == (kind != "call.intent")  # nothing is refused or revoked by an intent


@pytest.mark.parametrize(
    "change, told",
    [
        ({}, []),
        ({"kind": "no.such"}, ["the kind is not known"]),
        ({"kind": None}, ["the kind is not known"]),
        ({"more": 1}, ["`more` is not declared"]),
        ({"records": "3"}, ["`records` is of another form"]),
        ({"records": True}, ["`records` is of another form"]),
        ({"agent": "bot"}, ["`agent` is not declared"]),
    ],
    ids=str,
)
def test_what_is_odd_about_a_record_is_said(change: dict[str, Any], told: list[str]) -> None:
    assert list(problems(ROW | change)) == told


def test_a_missing_field_is_said_unless_the_record_was_cut() -> None:
    short = {name: value for name, value in ROW.items() if name != "records"}
    assert list(problems(short)) == ["`records` is missing"]
    assert list(problems(short | {"cut": "x"})) == []


@given(st.dictionaries(st.sampled_from([*ENVELOPE, "records", "tools", "reasons", "x"]), st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(list(KINDS)), lambda x: st.lists(x) | st.dictionaries(st.text(), x))))  # fmt: skip
def test_any_object_is_looked_at_without_a_crash(record: dict[str, Any]) -> None:
    assert isinstance(list(problems(record)), list)
