"""Asking a person: once per call, for exactly that call, five times per task, and the waiting is not counted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from hostile import HOSTILE, acting
from licet import ConsoleApprover, Denied
from licet.approval import ApprovalRequest
from licet.records import ToolCall
from licet.testing import FakeClock, RecordingApprover
from world import World


def test_an_approved_call_runs_once_with_what_was_shown(tmp_path: Path):
    approver = RecordingApprover(True)
    world = World(tmp_path, approver=approver)
    with world.guard, world.task("asking") as task:
        assert world.tool("risky")({"to": "ada"}) == {"to": "ada"}
        (call,) = world.guard._store.calls(task.id)
    (request,) = approver.requests
    assert (request.arguments, request.digest, request.call.tool) == ({"value": {"to": "ada"}}, call.args_digest, "risky")
    assert (call.status, call.decision.outcome) == ("done", "allow")
    line = next(record for record in _ledger(world) if record["kind"] == "approval")
    assert (line["approved"], line["by"], line["how"]) == (True, "test", "answered by a test")


def _ledger(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(world.guard._ledger.path).read_text().splitlines()]


async def test_an_async_approver_is_awaited(tmp_path: Path):
    async def approver(request: ApprovalRequest) -> bool:
        return request.call.tool == "risky"

    world = World(tmp_path, approver=approver)

    async def risky() -> str:
        return "ran"

    async with world.guard.task("asking", intent="x", agent="bot", principal="user:a"):
        assert await world.tool("risky", risky)() == "ran"
        assert world.tool("risky", lambda: "sync")() == "sync"
        with pytest.raises(Denied, match=r"approval\.refused"):
            world.tool("send")(to="x")
    world.guard.close()


def test_without_an_approver_a_question_is_a_denial(world: World):
    with world.task("asking"):
        world.denied("approval.unavailable", world.tool("risky"))


def test_five_questions_and_no_sixth(tmp_path: Path):
    approver = RecordingApprover(True)
    world = World(tmp_path, approver=approver)
    with world.guard, world.task("asking"):
        for number in range(5):
            world.tool("risky")(number)
        world.denied("approval.limit", world.tool("risky"), 5)
        assert world.tool("note")(1) == 1, "the task goes on"
    assert len(approver.requests) == 5


def test_a_refusal_is_for_one_tool_of_one_task(tmp_path: Path):
    approver = RecordingApprover(False)
    world = World(tmp_path, approver=approver)
    with world.guard:
        with world.task("asking"):
            world.denied("approval.refused", world.tool("risky"))
            approver.answer = True
            world.denied("approval.refused", world.tool("risky"))
            assert world.tool("send")(to="x") == "sent"
        with world.task("asking"):
            world.tool("risky")()
    assert [request.call.tool for request in approver.requests] == ["risky", "send", "risky"]


def test_an_unanswered_question_is_no_refusal(tmp_path: Path):
    approver = RecordingApprover(RuntimeError("away"))
    world = World(tmp_path, approver=approver)
    with world.guard, world.task("asking"):
        world.denied("approval.unavailable", world.tool("risky"))
        approver.answer = True
        world.tool("risky")()
    assert len(approver.requests) == 2


def test_waiting_pauses_the_time_to_live(tmp_path: Path):
    clock = FakeClock()

    def approver(request: ApprovalRequest) -> bool:
        clock.advance(290)
        return True

    world = World(tmp_path, approver=approver, clock=clock)
    with world.guard, world.task("asking"):
        world.clock.advance(400)
        world.tool("risky")(1)
        world.clock.advance(199)
        world.tool("note")(1)
        world.clock.advance(2)
        world.denied("scope.expired", world.tool("note"))


def test_the_tasks_time_may_run_out_before_the_answer_is_used(world: World):
    """What was approved is judged once more."""
    with world.task("asking") as task:
        ticket = world.guard.begin(ToolCall("risky", {}), task=task)
        task.end()
        assert not world.guard.resolve(ticket, approved=True).allowed


def test_asking_again_is_the_same_question(world: World):
    """A framework that runs its hook again after an interrupt meets the ticket that waits."""
    call = ToolCall("risky", {"n": 1}, call_id="c", known=("n",))
    with world.task("asking") as task:
        assert world.guard.begin(call, task=task) is world.guard.begin(call, task=task)


def test_peek_asks_nobody_and_counts_nothing(tmp_path: Path):
    approver = RecordingApprover(True)
    world = World(tmp_path, approver=approver)
    with world.guard, world.task("asking") as task:
        for _ in range(9):
            assert world.guard.peek(ToolCall("risky", {}), task=task) == "ask"
        world.tool("risky")()
        assert len(world.guard._store.calls(task.id)) == 1


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_what_is_shown_acts_on_nobody(tmp_path: Path, text: str):
    """Every hostile text, as argument, as argument's name and as intent."""
    approver = RecordingApprover(True)
    world = World(tmp_path, approver=approver)
    intent = text if text.isprintable() and text.strip() else "x"
    with world.guard, world.guard.task("asking", intent=intent, agent="bot", principal="user:a") as task:
        ticket = world.guard.begin(ToolCall("risky", {"value": text, "more": {text: [text]}}, known=("value", "more")), task=task)
        if ticket.action == "ask":
            shown = world.guard._gate.question(ticket).text
            assert acting(shown) == []
            assert len(shown) < 6_000
        else:
            assert ticket.decision.checks[0] == "scope.argument"
            assert acting(ticket.message) == []


@pytest.mark.parametrize(
    "answer, approved",
    [
        ("yes\n", True),
        ("YES \n", True),
        ("yes please\n", False),
        ("1\n", False),
        ("y\n", False),
        ("\n", False),
        ("", False),
        ("no\n", False),
    ],
)
def test_the_console_takes_yes_for_a_yes_and_nothing_else(world: World, answer: str, approved: bool):
    shown = io.StringIO()
    with world.task("asking") as task:
        ticket = world.guard.begin(ToolCall("risky", {}), task=task)
        said = ConsoleApprover(io.StringIO(answer), shown)(world.guard._gate.question(ticket))
    assert said is approved
    assert "risky" in shown.getvalue()
