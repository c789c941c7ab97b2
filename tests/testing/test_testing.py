"""What Licet ships for its users' tests does what its page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from documents import example_of, holds
from licet import Denied
from licet.testing import FakeClock, RecordingApprover, Row, check_table, ephemeral_key, guard_for

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}, other: {owner: o, tasks: [work]}}
tools:
  read: {access: read, egress: false}
  send: {access: write, egress: true}
tasks:
  work:
    intent: Work
    ttl: 10m
    tools:
      read: {}
      send: {ask: true, arguments: {to: {enum: [ada]}}}
    chain: [start -> read, read -> send]
"""


def test_the_page_prints_what_it_says(tmp_path: Path):
    holds(example_of(PAGE), tmp_path)


def test_rows_may_be_plain_tuples(tmp_path: Path):
    check_table(
        MANIFEST,
        [("work", "bot", "read", {"n": 1}, "allow", None), ("work", "bot", "send", {"to": "ada"}, "deny", "chain.order")],
        tmp_path,
    )


def test_a_question_is_an_outcome_of_its_own(tmp_path: Path):
    check_table(
        MANIFEST,
        [Row("work", "bot", "read", task="t"), Row("work", "bot", "send", {"to": "ada"}, "ask", "scope.approval", task="t")],
        tmp_path,
    )


def test_every_wrong_row_is_reported_with_its_reasons(tmp_path: Path):
    with pytest.raises(AssertionError) as failure:
        check_table(
            MANIFEST,
            [
                Row("work", "bot", "read", {}, "deny", "scope.tool"),
                Row("work", "bot", "read", {}, "allow"),
                Row("work", "bot", "send", {"to": "eve"}, "deny", "scope.budget"),
            ],
            tmp_path,
        )
    text = str(failure.value)
    assert "2 of 3 rows" in text
    assert "row 1: read({}) in work of bot: expected deny by scope.tool, got allow" in text
    assert "no check spoke" in text
    assert "row 3" in text
    assert "chain.order [deny]" in text
    assert "row 2" not in text


def test_a_table_without_rows_holds_nothing(tmp_path: Path):
    with pytest.raises(AssertionError, match="no rows"):
        check_table(MANIFEST, [], tmp_path)


def test_rows_of_one_task_must_agree_on_its_agent(tmp_path: Path):
    rows = [Row("work", "bot", "read", task="t"), Row("work", "other", "read", task="t")]
    with pytest.raises(AssertionError, match="begun as work of bot"):
        check_table(MANIFEST, rows, tmp_path)


def test_time_passes_between_rows(tmp_path: Path):
    rows = [Row("work", "bot", "read", task="t"), Row("work", "bot", "read", {}, "deny", "scope.expired", task="t", after=601)]
    check_table(MANIFEST, rows, tmp_path)


def test_the_real_functions_close_the_world(tmp_path: Path):
    def read(n: int) -> int:
        return n

    check_table(MANIFEST, [Row("work", "bot", "read", {"n": 1, "m": 2}, "deny", "scope.argument")], tmp_path, tools=[read])


def test_without_a_folder_nothing_is_left_behind():
    check_table(MANIFEST, [Row("work", "bot", "read")])


def test_the_clock_goes_forward_together_and_its_wall_alone_both_ways():
    clock = FakeClock(100.0)
    clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (105.0, 5.0)
    clock.step_wall(-50)
    assert (clock.now(), clock.monotonic()) == (105.0, 5.0)
    clock.advance(60)
    assert (clock.now(), clock.monotonic()) == (115.0, 65.0)
    clock.step_wall(100)
    assert (clock.now(), clock.monotonic()) == (215.0, 65.0)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_keys_differ():
    assert ephemeral_key().kid != ephemeral_key().kid


def test_the_approver_answers_as_told_and_records(tmp_path: Path):
    approver = RecordingApprover(True)
    guard = guard_for(MANIFEST, tmp_path, approver=approver)
    read, send = guard.wrap(lambda: 1, name="read"), guard.wrap(lambda to: to, name="send")
    with guard.task("work", intent="x", agent="bot", principal="user:a"):
        read()
        assert send("ada") == "ada"
    approver.answer = RuntimeError("away")
    with guard.task("work", intent="x", agent="bot", principal="user:a"):
        read()
        with pytest.raises(Denied, match=r"approval\.unavailable"):
            send("ada")
    assert [request.arguments for request in approver.requests] == [{"to": "ada"}, {"to": "ada"}]


def test_the_fixtures_work_in_a_users_project(pytester: pytest.Pytester):
    pytester.makeconftest('pytest_plugins = ["licet.testing.plugin"]')
    pytester.makefile(".yaml", licet=MANIFEST)
    pytester.makepyfile(
        """
        from licet.testing import Row

        def test_holds(licet_table, licet_clock):
            licet_table("licet.yaml", [Row("work", "bot", "read")], clock=licet_clock)

        def test_does_not(licet_table):
            licet_table("licet.yaml", [Row("work", "bot", "read", {}, "deny")])
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*expected deny, got allow*"])


def test_a_row_says_what_the_user_said_and_what_a_tool_answered(tmp_path: Path):
    """So that a table can hold where values come from: the same address is refused until somebody who may has named it."""
    manifest = MANIFEST.replace("read: {access: read, egress: false}", "read: {access: read, egress: false, fields: {by: trusted}}")
    manifest = manifest.replace("{ask: true, arguments: {to: {enum: [ada]}}}", "{}").replace("chain: [start -> read, read -> send]", "")
    record = {"by": "ada@acme.example", "text": "or bo@acme.example"}
    check_table(
        manifest,
        [
            Row("work", "bot", "send", {"to": "ada@acme.example"}, "deny", "origin.argument", task="t"),
            Row("work", "bot", "read", task="t", result=record),
            Row("work", "bot", "send", {"to": "ada@acme.example"}, task="u", intent="Tell ada@acme.example"),
            Row("work", "bot", "send", {"to": "bo@acme.example"}, "deny", "origin.argument", task="t"),
            Row("work", "bot", "send", {"to": "ada@acme.example"}, "ask", "origin.unanchored", task="t"),
            Row("work", "bot", "send", {"to": "bo@acme.example"}, task="t", intent="Tell bo@acme.example too"),
        ],
        tmp_path,
    )
