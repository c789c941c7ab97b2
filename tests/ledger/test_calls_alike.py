"""Verifying a ledger and checking evidence read the records of a call alike."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_lab import ROOT, Key, MemoryLog
from licet.ledger.check.meaning import Meaning
from licet.ledger.evidence.accounts import gaps_of
from licet.ledger.evidence.covered import About

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

_KINDS = ("call.intent", "call.denied", "call.outcome")


def read(kinds: list[str]) -> tuple[Meaning, set[str]]:
    """What both make of one call with these records: what is wrong, and which gaps there are."""
    log, meaning = MemoryLog(Key()), Meaning()
    for kind in kinds:
        log.add(kind, **log.call("1" * 32, task=ROOT, step=1), **({"status": "unknown"} if kind == "call.outcome" else {}))
        meaning.read(log.lines[-1])
    records = [json.loads(line) for line in log.lines]
    return meaning, {gap.what for gap in gaps_of(records, About("task", ROOT, ROOT, (ROOT,)))} & {"intent", "outcome"}


@pytest.mark.parametrize(
    "kinds, gaps",
    [
        (["call.intent", "call.denied"], set()),
        (["call.intent", "call.denied", "call.outcome"], set()),
        (["call.intent", "call.outcome"], set()),
        (["call.intent"], {"outcome"}),
        (["call.denied", "call.outcome"], {"intent"}),
        (["call.intent", "call.denied", "call.outcome", "call.outcome"], {"intent"}),
    ],
    ids=["refused-behind-its-intent", "refused-and-its-outcome", "done", "open", "no-intent", "two-outcomes"],
)
def test_a_refusal_behind_an_intent_says_that_its_tool_did_not_run(kinds: list[str], gaps: set[str]) -> None:
    """It leaves nothing open; and an outcome that follows has its intent."""
    meaning, found = read(kinds)
    assert found == gaps
    assert {fault.code for fault in meaning.faults} == ({"unmatched"} if "intent" in gaps else set())
    assert any("without an outcome" in said for said in meaning.observations()) == ("outcome" in gaps)


@given(st.lists(st.sampled_from(_KINDS), min_size=1, max_size=8))
def test_whatever_stands_of_a_call_both_say_the_same(kinds: list[str]) -> None:
    meaning, gaps = read(kinds)
    assert any(fault.code == "unmatched" for fault in meaning.faults) == ("intent" in gaps)
    assert any("without an outcome" in said for said in meaning.observations()) == ("outcome" in gaps)
