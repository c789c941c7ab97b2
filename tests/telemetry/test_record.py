"""`licet.record`: what is written of a call or a task is what is read back, and nothing else is read at all."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licet.records import CallRecord, Decision, Finding, Reason, TaskRecord, Used
from licet.telemetry.record import MAX_TEXT, BadRecord, call_of, call_text, task_of, task_text

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
DIGESTS = st.sampled_from(["", "sha256:" + "0" * 64, "hmac-sha256:" + "f" * 64])
CHECKS = st.sampled_from(["origin.argument", "flow.egress", "a.b-c9"])
TIMES = st.floats(0, 4e9)
ENDS = st.none() | TIMES
REASONS = st.builds(
    Reason, CHECKS, st.sampled_from(["deny", "ask", "flag"]), TEXTS, st.lists(TEXTS, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=3).map(tuple), st.booleans(),
)  # fmt: skip
OUTCOMES = st.sampled_from(["allow", "ask", "deny"])
DECISIONS = st.builds(Decision, OUTCOMES, st.lists(REASONS, max_size=3).map(tuple), OUTCOMES, st.lists(TEXTS, max_size=2).map(tuple))
USED = st.builds(Used, TEXTS, TEXTS, st.just("") | HEX, TEXTS, TEXTS, TEXTS, st.booleans())
CALLS = st.builds(
    CallRecord, HEX, st.just("") | HEX, st.integers(0, 2**31 - 1), TEXTS, TEXTS, TEXTS,
    st.sampled_from(["running", "done", "failed", "unknown", "suspended", "asked", "denied"]), DECISIONS,
    DIGESTS | HEX.map("unjudgeable:{}".format), TIMES, ENDS, DIGESTS, TEXTS, st.text("abc_-9", max_size=40),
    used=st.lists(USED, max_size=3).map(tuple),
)  # fmt: skip
STANDINGS = st.sampled_from(["asserted", "proved"])
TASKS = st.builds(
    TaskRecord, HEX, TEXTS, TEXTS, TEXTS, TEXTS, DIGESTS, TIMES, TIMES, st.none() | HEX, HEX, TEXTS, TIMES, ENDS,
    st.sampled_from(["", "block left", "block left by ValueError", "guard closed"]), st.booleans(),
    principal_is=STANDINGS, agent_is=STANDINGS, owner=TEXTS,
)  # fmt: skip
SEVERITIES = st.sampled_from(["info", "low", "medium", "high", "critical"])
FINDINGS = st.lists(st.builds(Finding, HEX, TIMES, CHECKS, SEVERITIES, TEXTS, HEX, HEX, TEXTS, st.lists(TEXTS, max_size=2).map(tuple)))

CALL = CallRecord("c" * 32, "a" * 32, 1, "read_ticket", "", "python", "done", Decision("allow"), "", 5.0)
TASK = TaskRecord("a" * 32, "answer-ticket", "bot", "user:grace", "Answer ticket 4312 from Ada", "", 5.0, 60.0, root="a" * 32)


@given(CALLS, FINDINGS)
def test_a_call_is_read_back_as_it_was_written(call: CallRecord, findings: list[Finding]) -> None:
    mine = tuple(replace(found, task_id=call.task_id, call_id=call.id) for found in findings)
    text = call_text(call, [*mine, replace(CALL_FINDING, call_id="d" * 32)])
    read = call_of(text)
    assert text.isascii()
    assert (read.call, read.findings, read.cut) == (call, mine, 0)


@given(TASKS, FINDINGS, TEXTS)
def test_a_task_is_read_back_without_words_and_name_of_the_user(task: TaskRecord, findings: list[Finding], pseudonym: str) -> None:
    mine = tuple(replace(found, task_id=task.id) for found in findings)
    read = task_of(task_text(task, [*mine, replace(CALL_FINDING, task_id="d" * 32)], principal=pseudonym))
    assert read.task == replace(task, intent="", principal=pseudonym, narrowing="[]")
    assert (read.findings, read.cut) == (mine, 0)


CALL_FINDING = Finding("f" * 16, 1.0, "origin.argument", "medium", "said", CALL.task_id, CALL.id)


def test_what_only_people_may_see_is_in_no_record() -> None:
    reason = Reason("scope.argument", "deny", "`to` is not allowed", hint="only ada@acme.example", value="eve@evil.example")
    call = replace(CALL, decision=Decision("deny", (reason,), "deny"), attributes={"licet.call.reason": "she asked me to"})
    task = replace(TASK, narrowing='{"tools": ["ada"]}', ended=6.0, ended_by="user ada")
    text = call_text(call, ()) + task_text(task, ())
    assert "`to` is not allowed" in text
    assert not [word for word in ("ada", "eve", "grace", "4312", "asked") if word in text.lower()]


def test_what_does_not_fit_is_cut_and_counted() -> None:
    flows = tuple(Used("a" * 1_000, "untrusted", "", "t", f"f{number}") for number in range(50))
    read = call_of(text := call_text(replace(CALL, used=flows), [CALL_FINDING]))
    assert len(text) <= MAX_TEXT
    assert read.call.used == flows[: len(read.call.used)]
    assert (read.cut, read.findings) == (50 - len(read.call.used), (CALL_FINDING,))
    assert read.cut > 0


def test_any_text_that_a_name_can_be_is_written_so_that_it_can_be_read() -> None:
    read = call_of(call_text(replace(CALL, tool="a\ud800" * 3_000, framework="x" * 9_000), ()))
    assert read.call.tool.startswith("a\\ud800a")
    assert len(read.call.framework) == 2_000


ODD: list[tuple[str, Any, str]] = [
    ("v", 2, "v"), ("v", True, "v"), ("v", "1", "v"), ("id", "c" * 31, "id"), ("id", "C" * 32, "id"), ("id", 5, "id"),
    ("task", "../etc", "task"), ("seq", -1, "seq"), ("seq", 1.0, "seq"), ("seq", 2**31, "seq"), ("seq", True, "seq"),
    ("tool", None, "tool"), ("tool", "x" * 2_001, "tool"), ("tool", "\ud800", "tool"), ("status", "over", "status"), ("status", ["done"], "status"),
    ("outcome", "", "outcome"), ("judged", "flag", "judged"), ("errors", "x", "errors"), ("errors", [1], "errors[0]"),
    ("args", "sha256:" + "g" * 64, "args"), ("started", "5", "started"), ("started", -1, "started"), ("started", 1e300, "started"),
    ("ended", 10**400, "ended"), ("ended", False, "ended"), ("jti", "a b", "jti"), ("more", 1, "more"), ("cut", -1, "cut"),
    ("reasons", {}, "reasons"), ("reasons", [[]], "reasons[0]"), ("reasons", [["x y", "deny", "", [], [], False]], "reasons[0][0]"),
    ("reasons", [["x", "allow", "", [], [], False]], "reasons[0][1]"), ("reasons", [["x", "deny", "", [[]], [], False]], "reasons[0][3][0]"),
    ("reasons", [["x", "deny", "", [], [], 0]], "reasons[0][5]"), ("used", [["to", "intent", "1", "", "", "", True]], "used[0][2]"),
    ("findings", [["g", 1, "x", "low", "", "", []]], "findings[0][0]"), ("findings", [["f", 1, "x", "worst", "", "", []]], "findings[0][3]"),
]  # fmt: skip


@pytest.mark.parametrize("key, value, named", ODD, ids=[f"{index}-{row[0]}" for index, row in enumerate(ODD)])
def test_an_odd_field_is_named(key: str, value: Any, named: str) -> None:
    fields = json.loads(call_text(CALL, ())) | {key: value}
    with pytest.raises(BadRecord) as told:
        call_of(json.dumps(fields))
    assert told.value.key == named


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '{"v":1', "[" * 20_000, '{"v":1,"v":1}', '{"v":NaN}', '{"v":1}', "9" * 5_000, '{"v":1,"x":' + '"' + "a" * MAX_TEXT + '"}'],
    ids=["empty", "list", "null", "open", "cut", "deep", "twice", "nan", "bare", "digits", "long"],
)  # fmt: skip
def test_what_is_no_record_is_refused(text: str) -> None:
    for read in (call_of, task_of):
        with pytest.raises(BadRecord):
            read(text)


@given(st.data())
def test_whatever_a_record_is_changed_into_is_read_or_refused(data: st.DataObject) -> None:
    text = call_text(replace(CALL, used=(Used("to", "intent"),)), [CALL_FINDING]) if data.draw(st.booleans()) else task_text(TASK, ())
    at, gone = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 20))
    piece = data.draw(st.sampled_from(["", "[", "]", "{", "1e999", "-1", "null", '"', "\ud800", "\\ud800", ",", "0" * 40]))
    for read in (call_of, task_of):
        try:
            read(text[:at] + piece + text[at + gone :])
        except BadRecord:
            continue
