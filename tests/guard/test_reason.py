"""The reason that an agent states: asked for, kept apart from the call, recorded, shown escaped, and held against the call."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from evidence import records
from licet import Guard, ToolCall, current_call
from licet.errors import UsageError
from licet.testing import RecordingApprover, guard_for

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  read_ticket: {access: read, egress: false}
  close_ticket: {access: write, egress: false}
  send: {access: write, egress: false}
  drop_users: {access: admin, egress: false}
  ask_me: {access: write, egress: false}
  own: {access: read, egress: false, arguments: {reason: {type: string}}}
tasks:
  work:
    intent: Work
    ttl: 10m
    tools: {read_ticket: {}, close_ticket: {}, send: {}, drop_users: {}, ask_me: {ask: true}, own: {}}
"""

SPANS = InMemorySpanExporter()
WHY = "Ada asked for it \x1b[31m"


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    SPANS.clear()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(SPANS))
    with guard_for(MANIFEST, tmp_path, tracer_provider=provider, approver=RecordingApprover(True)) as made:
        yield made


def task_of(guard: Guard) -> Any:
    return guard.task("work", intent="Close ticket 12", agent="bot", principal="user:grace")


def only_call(guard: Guard, task: Any) -> Any:
    [call] = guard._store.calls(task.id)
    return call


def closing(guard: Guard, ran: list[Any], **options: Any) -> Any:
    def close_ticket(number: int, *, loud: bool = False) -> str:
        running = current_call()
        ran.append((number, loud, running.call.reason if running else "", dict(running.call.arguments) if running else {}))
        return "closed"

    return guard.tool(close_ticket, **options)


def test_the_twin_asks_and_the_tool_never_gets_the_answer(guard: Guard) -> None:
    ran: list[Any] = []
    close = closing(guard, ran, ask_reason=True)
    assert list(inspect.signature(close).parameters) == ["number", "loud", "reason"]
    with task_of(guard) as task:
        assert close(12, reason=WHY) == "closed"
    assert ran == [(12, False, None, {"number": 12, "loud": False})]
    assert guard.pseudonyms.is_value(only_call(guard, task).args_digest, {"number": 12, "loud": False})


def test_without_being_asked_a_tool_has_no_such_parameter(guard: Guard) -> None:
    close = closing(guard, [])
    assert list(inspect.signature(close).parameters) == ["number", "loud"]
    with task_of(guard) as task:
        assert guard.begin(ToolCall("close_ticket", {"number": 12, "reason": "x"}), task=task).decision.checks == ("scope.argument",)


def test_it_is_in_words_in_the_store_only_and_by_digest_on_the_span_and_in_the_ledger(guard: Guard) -> None:
    close = closing(guard, [], ask_reason=True)
    with task_of(guard) as task:
        close(12, reason=WHY)
    assert only_call(guard, task).attributes["licet.call.reason"] == WHY
    [span] = [span for span in SPANS.get_finished_spans() if span.name == "execute_tool close_ticket"]
    assert span.attributes is not None
    digested = guard.pseudonyms.text(WHY)
    assert span.attributes["licet.call.reason_digest"] == digested
    assert all("Ada asked" not in str(value) for value in span.attributes.values())
    said = [record for record in records(guard) if "Ada asked" in json.dumps(record) or digested in json.dumps(record)]
    assert len(said) == 2, "before the call, and after it"
    assert "Ada asked" not in json.dumps(said)


@pytest.mark.parametrize("said", ["", "   ", None, 7, ["x"]])
def test_a_call_without_a_reason_runs_and_has_none(said: Any, guard: Guard) -> None:
    ran: list[Any] = []
    close = closing(guard, ran, ask_reason=True)
    with task_of(guard) as task:
        close(12, reason=said)
        close(12)
    assert len(ran) == 2
    assert all("licet.call.reason_digest" not in call.attributes for call in guard._store.calls(task.id))


def test_an_adapter_that_meets_the_tool_by_name_hands_the_reason_with_the_arguments(guard: Guard) -> None:
    closing(guard, [], ask_reason=True)
    with task_of(guard) as task:
        ticket = guard.begin(ToolCall("close_ticket", {"number": 12, "reason": WHY}), task=task)
        assert (ticket.allowed, dict(ticket.arguments), ticket.call.reason) == (True, {"number": 12, "loud": False}, WHY)
        assert guard.peek(ToolCall("close_ticket", {"number": 12, "reason": WHY}), task=task) == "allow"
        guard.end(ticket)


def test_a_tool_with_a_reason_of_its_own_is_asked_by_another_name(guard: Guard) -> None:
    got: list[str] = []

    @guard.tool(ask_reason=True)
    def own(reason: str) -> None:
        got.append(reason)

    assert list(inspect.signature(own).parameters) == ["reason", "licet_reason"]
    with task_of(guard) as task:
        own("its own", licet_reason=WHY)
    assert got == ["its own"]
    assert only_call(guard, task).attributes["licet.call.reason"] == WHY


def test_a_tool_that_takes_any_keyword_is_asked_too_and_one_with_both_names_cannot_be(guard: Guard) -> None:
    got: list[Any] = []

    def send(**more: Any) -> None:
        got.append(more)

    def own(reason: str, licet_reason: str) -> None: ...

    with task_of(guard):
        guard.wrap(send, ask_reason=True)(reason=WHY)
    assert got == [{}]
    with pytest.raises(UsageError, match="`own` has parameters reason and licet_reason of its own"):
        guard.wrap(own, ask_reason=True)


async def test_every_kind_of_callable_can_be_asked(guard: Guard) -> None:
    async def read_ticket(number: int) -> int:
        return number

    def send(number: int) -> Iterator[int]:
        yield number

    class Desk:
        @guard.tool(ask_reason=True)
        def close_ticket(self, number: int) -> int:
            return number

    with task_of(guard) as task:
        assert await guard.tool(read_ticket, ask_reason=True)(1, reason="one") == 1
        assert list(guard.tool(send, ask_reason=True)(2, reason="two")) == [2]
        assert Desk().close_ticket(3, reason="three") == 3
    assert [call.attributes["licet.call.reason"] for call in guard._store.calls(task.id)] == ["one", "two", "three"]


def test_a_tool_that_is_wrapped_twice_asks_once(guard: Guard) -> None:
    ran: list[Any] = []
    twice = guard.wrap(closing(guard, ran, ask_reason=True), name="close_ticket", ask_reason=True)
    assert list(inspect.signature(twice).parameters) == ["number", "loud", "reason"]
    with task_of(guard) as task:
        twice(12, reason=WHY)
    assert len(ran) == 1
    assert {call.args_digest for call in guard._store.calls(task.id)} == {guard.pseudonyms.value({"number": 12, "loud": False})}
    assert guard._store.calls(task.id)[0].attributes["licet.call.reason"] == WHY


def test_who_is_asked_sees_it_escaped_and_cut(guard: Guard) -> None:
    approver = guard._asking._approver
    assert isinstance(approver, RecordingApprover)
    asked = guard.wrap(lambda: "done", name="ask_me", ask_reason=True)
    with task_of(guard):
        asked(reason=f"Fine \x1b[2J [click](https://x.example)\nWhy:    all is well {'x' * 5_000}")
    [line] = [line for line in approver.requests[0].text.splitlines() if line.startswith("Says:")]
    assert line.startswith("Says:   Fine \\\\u{1b}\\[2J \\[click\\](https://x.example)\\\\u{a}Why:")
    assert len(line) < 700


def mismatches(guard: Guard, tool: str, said: str) -> list[str]:
    with task_of(guard) as task:
        ticket = guard.begin(ToolCall(tool, {}, reason=said, known=()), task=task)
        assert "intent.mismatch" not in [found.check for found in ticket.decision.reasons if found.effect != "flag"]
        return [found.sentence for found in ticket.decision.reasons if found.check == "intent.mismatch"]


@pytest.mark.parametrize(
    "tool, said",
    [
        ("close_ticket", "I call read_ticket to see what Ada wrote"),
        ("close_ticket", "calling `read_ticket`."),
        ("close_ticket", "see read_ticket(12)"),
        ("close_ticket", "the send tool is needed"),
        ("close_ticket", "now I use `send`"),
        ("close_ticket", "I am only reading the ticket"),
        ("close_ticket", "This is a read-only call"),
        ("close_ticket", "ＲＥＡＤ-ＯＮＬＹ"),
        ("close_ticket", "Just looking up the number"),
        ("close_ticket", "I just want to look up the number"),
        ("close_ticket", "just look it up"),
        ("close_ticket", "to see the state, without changing anything"),
        ("close_ticket", "It doesn’t modify anything"),
        ("drop_users", "simply to check who is there"),
        ("drop_users", "just updating a user"),
    ],
)
def test_a_reason_that_does_not_fit_the_call_is_flagged(tool: str, said: str, guard: Guard) -> None:
    assert mismatches(guard, tool, said)


@pytest.mark.parametrize(
    "tool, said",
    [
        ("close_ticket", ""),
        ("close_ticket", "The ticket is solved, so that it can be closed"),
        ("close_ticket", "After read_ticket, close_ticket is what is left to do"),
        ("close_ticket", "I just read the ticket, and it is solved"),
        ("close_ticket", "I only read it once; it is solved"),
        ("close_ticket", "I checked what to send, and read it to the end"),
        ("close_ticket", "my_read_ticket_2 is no tool"),
        ("close_ticket", "just updating the ticket"),
        ("read_ticket", "only reading, read-only, just to look up what Ada wrote"),
        ("drop_users", "The user asked to remove them all"),
    ],
)
def test_a_reason_that_fits_is_not(tool: str, said: str, guard: Guard) -> None:
    assert mismatches(guard, tool, said) == []


def test_what_is_said_of_a_mismatch_holds_none_of_the_models_words(guard: Guard) -> None:
    assert mismatches(guard, "close_ticket", "only reading with read_ticket <script>") == [
        "the stated reason names `read_ticket`, and the call is of `close_ticket`",
        "the stated reason speaks of reading only, and `close_ticket` has write access",
    ]


def test_a_mismatch_may_be_made_to_ask(tmp_path: Path) -> None:
    approver = RecordingApprover(False)
    with guard_for(MANIFEST + "checks: {intent.mismatch: {then: ask}}\n", tmp_path, approver=approver) as guard, task_of(guard) as task:
        assert guard.begin(ToolCall("close_ticket", {}, reason="only reading", known=()), task=task).action == "ask"
