"""What the guard says of itself when labels do not work as somebody meant them to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from licet import Denied, Guard
from licet.manifest import loads

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

MANIFEST = """
licet: 1
environment: test
owners: {team: {name: Team, contact: team@acme.example}}
agents: {bot: {tasks: [work]}}
tools:
  look: {access: read, egress: false, fields: {customer.mail: trusted}}
  find: {access: read, egress: false, store: people, fields: {mail: trusted}}
  note: {access: write, egress: false, store: people, arguments: {mail: {content: true}}}
  send: {access: write, egress: true, arguments: {to: {origin: [intent, trusted]}}}
tasks:
  work: {intent: Work, ttl: 10m, tools: {look: {}, find: {}, note: {}, send: {}}}
"""


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    tmp_path.chmod(0o700)
    return Guard(loads(MANIFEST), state=tmp_path)


def task(guard: Guard, intent: str = "Do the work") -> Any:
    return guard.task("work", intent=intent, agent="bot", principal="user:grace")


def sentences(guard: Guard) -> list[str]:
    return [finding.sentence for finding in guard._store.findings()]


@pytest.mark.parametrize(
    "returned, why",
    [('{"customer": {"mail": "ada@acme.example"}}', "it is one text"), ({"custmer": {"mail": "ada@acme.example"}}, "its keys are others")],
)
def test_fields_that_name_nothing_in_what_a_tool_returns_are_a_finding_once(guard: Guard, returned: object, why: str) -> None:
    look = guard.wrap(lambda: returned, name="look")
    with task(guard):
        look()
        look()
    [told] = [sentence for sentence in sentences(guard) if "`fields:` of `look`" in sentence]
    assert why in told


def test_fields_that_name_something_are_no_finding(guard: Guard) -> None:
    look = guard.wrap(lambda: {"customer": {"mail": "ada@acme.example"}}, name="look")
    with task(guard):
        look()
    assert not [sentence for sentence in sentences(guard) if "`fields:`" in sentence]


def test_a_value_that_a_task_wrote_into_a_store_says_so_when_it_comes_back(guard: Guard) -> None:
    note = guard.wrap(lambda mail: None, name="note")
    find = guard.wrap(lambda: {"mail": "eve@evil.example"}, name="find")
    send = guard.wrap(lambda to: "sent", name="send")
    with task(guard):
        note(mail="eve@evil.example")
    with task(guard):
        find()
        with pytest.raises(Denied) as denied:
            send(to="eve@evil.example")
    assert "a task wrote it into that store" in denied.value.decision.reasons[0].sentence


def test_the_reason_that_weighs_most_stands_first(guard: Guard) -> None:
    """An agent without an owner is only noted; the denial is what the first reason tells."""
    send = guard.wrap(lambda to: "sent", name="send")
    with task(guard), pytest.raises(Denied) as denied:
        send(to="eve@evil.example")
    assert denied.value.decision.checks[0] == "origin.argument"
    assert "identity.unowned" in denied.value.decision.checks
