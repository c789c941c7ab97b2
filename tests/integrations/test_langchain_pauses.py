"""Interrupts: a person is asked by the graph, and a tool that pauses is still one call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from evidence import whole
from integrations.scripted import ScriptedModel, calls
from licet.guard import Guard, GuardedTask
from licet.integrations.langchain import GuardMiddleware, install
from licet.records import ToolCall
from licet.testing import FakeClock

MANIFEST = r"""
licet: 1
environment: test
owners: {support: {name: Support, contact: s@acme.example}}
agents: {bot: {owner: support, tasks: [answer]}}
tools:
  send: {access: write, egress: true, output: trusted, arguments: {to: {origin: [intent, nowhere]}}}
  wait: {access: read, egress: false}
tasks:
  answer:
    intent: Answer a ticket
    ttl: 10m
    tools:
      send: {ask: true, at_most: 1}
      wait: {at_most: 1}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def guard(tmp_path: Path, clock: FakeClock) -> Iterator[Guard]:
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST)
    with Guard.from_file(path, state=tmp_path / "state", clock=clock) as made:
        yield made
    whole(made.state)


def task_of(guard: Guard) -> GuardedTask:
    return guard.task("answer", intent="Answer ticket 1", agent="bot", principal="user:grace")


THREAD = {"configurable": {"thread_id": "t"}}
ASK = {"messages": [("user", "Answer ticket 1")]}
MAIL = {"to": "ada@acme.example\u202e", "body": "x"}


class Mailer:
    def __init__(self, guard: Guard | None, *script: Any) -> None:
        self.sent: list[str] = []

        @tool
        def send(to: str, body: str) -> str:
            """Send a mail."""
            self.sent.append(to)
            return "sent"

        middleware = [GuardMiddleware(guard)] if guard else []
        self.graph = create_agent(ScriptedModel(script=list(script)), [send], middleware=middleware, checkpointer=InMemorySaver())


def answers(state: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def test_a_person_is_asked_by_an_interrupt_and_approves_once(guard: Guard) -> None:
    agent = Mailer(guard, calls(("send", MAIL)))
    with task_of(guard) as task:
        [asked] = agent.graph.invoke(ASK, THREAD)["__interrupt__"]
        assert asked.value["tool"] == "send"
        assert asked.value["arguments"]["to"] == '"ada@acme.example\\u{202e}"'
        assert "for exactly this call, once" in asked.value["text"]
        assert agent.sent == []
        [done] = answers(agent.graph.invoke(Command(resume=True), THREAD))
        assert done.content == "sent"
    assert len(agent.sent) == 1
    [call] = guard._store.calls(task.id)
    assert call.status == "done"


@pytest.mark.parametrize(
    "answer, approves",
    [
        (True, True),
        ({"approved": True}, True),
        (False, False),
        ("yes", False),
        ("no", False),
        (1, False),
        ("True", False),
        ({"approved": "yes"}, False),
        ({"approved": 1}, False),
        ([True], False),
        ({"other": True}, False),
    ],
)
def test_only_the_value_true_approves(guard: Guard, answer: object, approves: bool) -> None:
    agent = Mailer(guard, calls(("send", MAIL)))
    with task_of(guard):
        agent.graph.invoke(ASK, THREAD)
        [message] = answers(agent.graph.invoke(Command(resume=answer), THREAD))
    assert (len(agent.sent) == 1) is approves
    assert message.status == ("success" if approves else "error")
    if not approves:
        assert "approval.refused" in message.content


async def test_async_code_is_asked_in_the_same_way(guard: Guard) -> None:
    agent = Mailer(guard, calls(("send", MAIL)))
    async with task_of(guard):
        await agent.graph.ainvoke(ASK, THREAD)
        await agent.graph.ainvoke(Command(resume=True), THREAD)
    assert len(agent.sent) == 1


def test_asking_is_idempotent_where_the_graph_runs_the_hook_again(guard: Guard) -> None:
    agent = Mailer(guard, calls(("send", MAIL), ("send", MAIL | {"body": "y"})))
    with task_of(guard) as task:
        first, second = agent.graph.invoke(ASK, THREAD)["__interrupt__"]
        # Only the first is answered: the graph runs both hooks again, and asks for the second once more.
        state = agent.graph.invoke(Command(resume={first.id: True}), THREAD)
        assert [left.id for left in state["__interrupt__"]] == [second.id]
        assert len(guard._store.calls(task.id)) == 2
        state = agent.graph.invoke(Command(resume={second.id: True}), THREAD)
    # Both were approved, and the budget of one mail still holds.
    assert sorted(message.status for message in answers(state)) == ["error", "success"]
    assert len(agent.sent) == 1


def test_an_answer_that_comes_too_late_is_none(guard: Guard, clock: FakeClock) -> None:
    agent = Mailer(guard, calls(("send", MAIL)))
    with task_of(guard) as task:
        agent.graph.invoke(ASK, THREAD)
        clock.advance(301)
        [message] = answers(agent.graph.invoke(Command(resume=True), THREAD))
    assert "approval.unavailable" in message.content
    assert agent.sent == []
    assert len(guard._store.calls(task.id)) == 1


def test_waiting_for_the_answer_takes_nothing_from_the_tasks_time(guard: Guard, clock: FakeClock) -> None:
    agent = Mailer(guard, calls(("send", MAIL)), calls(("wait", {}), first=2))
    with task_of(guard) as task:
        clock.advance(400)
        agent.graph.invoke(ASK, THREAD)
        clock.advance(290)
        agent.graph.invoke(Command(resume=True), THREAD)
        assert task.over() == ""
    assert len(agent.sent) == 1


def test_the_guards_own_approver_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST)
    with Guard.from_file(path, state=tmp_path / "own", approver=lambda request: True) as guard, task_of(guard):
        agent = Mailer(guard, calls(("send", MAIL)))
        assert "__interrupt__" not in agent.graph.invoke(ASK, THREAD)
    assert len(agent.sent) == 1


@pytest.mark.parametrize("layers", ["middleware", "install", "both"])
def test_a_tool_that_pauses_is_one_call_and_pays_once(guard: Guard, layers: str) -> None:
    got: list[object] = []

    @tool
    def wait() -> str:
        """Wait for a person, twice."""
        got.append((interrupt("first?"), interrupt("second?")))
        return "done"

    undo = install(guard) if layers != "middleware" else lambda: None
    middleware = [GuardMiddleware(guard)] if layers != "install" else []
    graph = create_agent(
        ScriptedModel(script=[calls(("wait", {})), calls(("wait", {}), first=2)]),
        [wait],
        middleware=middleware,
        checkpointer=InMemorySaver(),
    )
    undo()
    with task_of(guard) as task:
        assert graph.invoke(ASK, THREAD)["__interrupt__"][0].value == "first?"
        assert [call.status for call in guard._store.calls(task.id)] == ["suspended"]
        assert graph.invoke(Command(resume=1), THREAD)["__interrupt__"][0].value == "second?"
        done, second = answers(graph.invoke(Command(resume=2), THREAD))
    assert got == [(1, 2)]
    assert done.content == "done"
    # The budget was paid once, and a second call finds it used up.
    assert "scope.budget" in second.content
    assert [call.status for call in guard._store.calls(task.id)] == ["done", "denied"]


@pytest.mark.parametrize("asked_by", ["interrupt", "approver"])
def test_a_pausing_tool_that_a_person_approved_is_asked_for_once(tmp_path: Path, asked_by: str) -> None:
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST)
    questions: list[object] = []
    got: list[object] = []

    def approver(request: object) -> bool:
        questions.append(request)
        return True

    @tool
    def send(to: str, body: str) -> str:
        """Send a mail, when a person has said how."""
        got.append(interrupt("how?"))
        return "sent"

    options = {"approver": approver} if asked_by == "approver" else {}
    with Guard.from_file(path, state=tmp_path / "own", **options) as guard, task_of(guard) as task:
        graph = create_agent(
            ScriptedModel(script=[calls(("send", MAIL))]), [send], middleware=[GuardMiddleware(guard)], checkpointer=InMemorySaver()
        )
        state = graph.invoke(ASK, THREAD)
        if asked_by == "interrupt":
            assert state["__interrupt__"][0].value["kind"] == "licet.approval"
            state = graph.invoke(Command(resume=True), THREAD)
        assert state["__interrupt__"][0].value == "how?"
        [done] = answers(graph.invoke(Command(resume="gently"), THREAD))
        assert (done.content, got) == ("sent", ["gently"])
        assert len(questions) == (asked_by == "approver")
        assert [call.status for call in guard._store.calls(task.id)] == ["done"]
        with guard._store.transaction() as tx:
            assert tx.asked(task.id) == (1, frozenset())


def test_a_suspended_call_is_taken_up_in_another_process(tmp_path: Path) -> None:
    """Two guards on one state folder stand for two processes; the graph's checkpoints are shared too."""
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST)
    saved = InMemorySaver()

    @tool
    def wait() -> str:
        """Wait for a person."""
        return str(interrupt("well?"))

    def graph_of(guard: Guard) -> Any:
        script = [calls(("wait", {}))]
        return create_agent(ScriptedModel(script=script), [wait], middleware=[GuardMiddleware(guard)], checkpointer=saved)

    first = Guard.from_file(path, state=tmp_path / "own")
    with first, first.task("answer", intent="Answer ticket 1", agent="bot", principal="user:grace", detached=True) as task:
        graph_of(first).invoke(ASK, THREAD)
    with Guard.from_file(path, state=tmp_path / "own") as second, second.resume_task(task.id):
        [done] = answers(graph_of(second).invoke(Command(resume="well"), THREAD))
        assert done.content == "well"
        assert [(call.seq, call.status) for call in second._store.calls(task.id)] == [(1, "done")]


def test_an_answer_in_another_process_is_for_the_same_question(tmp_path: Path) -> None:
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST)
    agent = None
    intent = f"Answer ticket 1 of {MAIL['to']}"  # what was shown elsewhere is not known here, and the intent is
    for resume in (None, True):
        with Guard.from_file(path, state=tmp_path / "own") as guard:
            if agent is None:
                agent = Mailer(guard, calls(("send", MAIL)))
                task = guard.task("answer", intent=intent, agent="bot", principal="user:grace", detached=True)
            else:
                saved, sent = agent.graph.checkpointer, agent.sent
                agent = Mailer(guard, calls(("send", MAIL)))
                agent.graph.checkpointer, agent.sent = saved, sent
                task = guard.resume_task(task.id)
            with task:
                agent.graph.invoke(ASK if resume is None else Command(resume=resume), THREAD)
                seen = [(call.seq, call.status) for call in guard._store.calls(task.id)]
        assert seen == [(1, "asked" if resume is None else "done")]
    assert len(agent.sent) == 1


@pytest.mark.parametrize("other", ["call id", "arguments", "thread", "task"])
def test_only_the_very_same_call_is_taken_up(guard: Guard, other: str) -> None:
    """Everything but the suspended call itself pays for itself, and finds the budget used up."""

    def call(**changed: Any) -> ToolCall:
        return ToolCall(**({"tool": "wait", "arguments": {}, "call_id": "c1", "framework": "f", "session": "s", "known": ("a",)} | changed))

    with task_of(guard) as task:
        ticket = guard.begin(call())
        ticket.redeem()
        guard.end(ticket, suspended=True)
        changed = {"call id": {"call_id": "c2"}, "arguments": {"arguments": {"a": 1}}, "thread": {"session": "t"}}.get(other, {})
        if other == "task":
            with task_of(guard) as another:
                assert guard.begin(call()).allowed  # a budget of its own
                assert len(guard._store.calls(another.id)) == 1
        else:
            assert guard.begin(call(**changed)).decision.checks == ("scope.budget",)
        again = guard.begin(call())
        assert (again.allowed, again.id, again.resumed) == (True, ticket.id, True)
        # While it runs it is not suspended: the same call a second time is another one.
        assert guard.begin(call()).decision.checks == ("scope.budget",)
        guard.end(again, result="done")
        assert guard.begin(call()).decision.checks == ("scope.budget",)
    assert task.over()
