"""Asking a person: once per call, for exactly that call, five times per task, and the waiting is not counted."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import pwd
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import licet
from evidence import records
from hostile import HOSTILE, acting
from licet import ConsoleApprover, Denied, UsageError
from licet.approval import ApprovalRequest, aask
from licet.guard.task import current_task
from licet.machine import user_name
from licet.records import ToolCall
from licet.testing import FakeClock, RecordingApprover
from world import World

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


def test_an_approved_call_runs_once_with_what_was_shown(tmp_path: Path):
    approver = RecordingApprover(True)
    world = World(tmp_path, approver=approver)
    with world.guard, world.task("asking") as task:
        assert world.tool("risky")({"to": "ada"}) == {"to": "ada"}
        (call,) = world.guard._store.calls(task.id)
    (request,) = approver.requests
    assert (request.arguments, request.call.tool) == ({"value": {"to": "ada"}}, "risky")
    assert world.guard.pseudonyms.digest(request.digest) == call.args_digest
    assert (call.status, call.decision.outcome) == ("done", "allow")
    (line,) = records(world.guard, "approval")
    assert (line["approved"], line["by"], line["how"]) == (True, "test", "answered by a test")


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
        else:  # what looks like a path must come from the intent, in which it does not always stand
            assert ticket.decision.checks[0] in ("scope.argument", "origin.argument")
            assert acting(ticket.message) == []


@contextmanager
def question(world: World, value: int = 1) -> Iterator[ApprovalRequest]:
    with world.task("asking") as task:
        yield world.guard.question(world.guard.begin(ToolCall("risky", {"value": value}, known=("value",)), task=task))


@pytest.mark.parametrize(
    "answer, approved",
    [
        ("yes CODE\n", True),
        ("YES  CODE \n", True),
        ("yes\nyes CODE\n", True),
        ("yes 0000\nyes CODE\n", True),
        ("yes\nno\n", False),
        ("yes please\nno\n", False),
        ("yes CODE please\nno\n", False),
        ("yes\nyes\nyes\nyes CODE\n", False),
        ("no\nyes CODE\n", False),
        ("CODE\n", False),
        ("1\n", False),
        ("y\n", False),
        ("\n", False),
        ("no\n", False),
    ],
)
def test_the_console_takes_yes_and_the_code_of_the_question_and_nothing_else(world: World, answer: str, approved: bool):
    shown = io.StringIO()
    with question(world) as request:
        assert request.code != "0000"
        said = ConsoleApprover(io.StringIO(answer.replace("CODE", request.code)), shown, world.clock)(request)
    assert said is approved
    assert "risky" in shown.getvalue()
    assert f"yes {request.code}" in shown.getvalue()


@pytest.mark.parametrize("answer", ["", "yes\n"])
def test_a_closed_terminal_is_nobody_and_not_a_refusal(tmp_path: Path, answer: str):
    """A record must not say that a person refused when none was there."""
    world = World(tmp_path, approver=ConsoleApprover(io.StringIO(answer), io.StringIO()))
    with world.guard, world.task("asking"):
        world.denied("approval.unavailable", world.tool("risky"))


def test_an_approver_that_cannot_be_called_is_an_error_at_once(tmp_path: Path):
    with pytest.raises(UsageError):
        World(tmp_path, approver=True)


def test_each_question_has_a_code_of_its_own(world: World):
    """Another tool, task, time or argument is another question."""
    with question(world) as one, question(world) as other_task, question(world, 2) as other_argument:
        changed = [replace(one, call=replace(one.call, tool="send")), replace(one, expires=one.expires + 1)]
        assert len({request.code for request in (one, other_task, other_argument, *changed)}) == 5


class Terminal:
    """Both ends of a pseudo-terminal: what the person types, and what the process reads."""

    def __init__(self) -> None:
        self._person, process = pty.openpty()
        self.stdin = os.fdopen(process, "r")
        self.shown = io.StringIO()

    def type(self, text: str) -> None:
        os.write(self._person, text.encode())

    def close(self) -> None:
        self.stdin.close()
        os.close(self._person)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


class Person(io.StringIO):
    """A screen; `answers` is what the person before it types when a question appears."""

    def __init__(self, terminal: Terminal, answers: Callable[[str], str]) -> None:
        super().__init__()
        self._terminal, self._answers = terminal, answers
        self.questions: list[str] = []

    def write(self, text: str) -> int:
        if "approval needed" in text:
            self.questions.append(text)
            self._terminal.type(self._answers(text))
        return super().write(text)


def its_code(text: str) -> str:
    found = re.search(r"Write `(yes [0-9a-f]{4})`", text)
    assert found is not None
    return found[1] + "\n"


def test_what_was_typed_before_the_question_is_thrown_away(world: World, terminal: Terminal):
    """Even the right answer: nobody has read the question yet."""
    with question(world) as request:
        terminal.type(f"yes {request.code}\n")
        person = Person(terminal, lambda _text: "no\n")
        assert ConsoleApprover(terminal.stdin, person, world.clock)(request) is False


def test_one_terminal_shows_one_question_at_a_time(world: World, terminal: Terminal):
    """The person answers what is on the screen; no other question may take the answer."""
    together = threading.Barrier(2)

    def answers(text: str) -> str:
        return its_code(text) if "= 1" in text else "no\n"

    person = Person(terminal, answers)
    said: dict[int, bool] = {}

    def ask_about(request: ApprovalRequest, value: int) -> None:
        together.wait(30)
        said[value] = ConsoleApprover(terminal.stdin, person, world.clock)(request)

    with question(world, 1) as one, question(world, 2) as two:
        threads = [threading.Thread(target=ask_about, args=given) for given in ((one, 1), (two, 2))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert said == {1: True, 2: False}
    assert len(person.questions) == 2


def test_a_question_that_nobody_answered_takes_no_answer_of_the_next(world: World, terminal: Terminal):
    with question(world, 1) as first, question(world, 2) as request:
        late = replace(first, expires=world.clock.now() + 0.01)
        with pytest.raises(TimeoutError):
            ConsoleApprover(terminal.stdin, terminal.shown, world.clock)(late)
        person = Person(terminal, lambda text: f"yes {late.code}\n" + its_code(text))
        assert ConsoleApprover(terminal.stdin, person, world.clock)(request) is True
    assert "closed" in terminal.shown.getvalue()


def test_an_expired_question_is_not_even_shown(world: World):
    shown = io.StringIO()
    with question(world) as request:
        world.clock.advance(1_000)
        with pytest.raises(TimeoutError):
            ConsoleApprover(io.StringIO(f"yes {request.code}\n"), shown, world.clock)(request)
    assert shown.getvalue() == ""


def test_who_answered_is_not_what_the_environment_says(monkeypatch: pytest.MonkeyPatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "ciso")
    assert ConsoleApprover().identity[0] == user_name() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999_999)
    assert user_name() == "user id 3999999999"


async def test_an_async_approver_is_outside_of_the_agents_task(tmp_path: Path):
    """What it calls itself is judged for itself, and cannot run on the agent's grants."""
    seen: list[Any] = []

    async def approver(request: ApprovalRequest) -> bool:
        seen.append((current_task(), licet.current_call(), place.get()))
        return True

    place: ContextVar[str] = ContextVar("place", default="outside")
    place.set("the agent's")
    world = World(tmp_path, approver=approver)

    async def risky() -> str:
        return "ran"

    async with world.guard.task("asking", intent="x", agent="bot", principal="user:a"):
        assert await world.tool("risky", risky)() == "ran"
    world.guard.close()
    assert seen == [(None, None, "outside")]


@pytest.mark.parametrize("how", ["waits", "does not let itself be cancelled", "raises", "is cancelled", "raises TimeoutError"])
async def test_an_async_approver_that_does_not_answer_has_not_approved(world: World, how: str):
    ended = asyncio.Event()

    async def approver(request: ApprovalRequest) -> bool:
        if how == "raises":
            raise LookupError
        if how == "raises TimeoutError":
            raise TimeoutError
        if how == "is cancelled":
            raise asyncio.CancelledError
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set()
            if how == "waits":
                raise
        return True

    with question(world) as request:
        answer = await aask(approver, request, 0.01)
    assert (answer.approved, bool(answer.failure)) == (False, True)
    assert ("nobody answered" in answer.failure) == (how in ("waits", "does not let itself be cancelled"))
    if "nobody answered" in answer.failure:
        await asyncio.wait_for(ended.wait(), 30)
