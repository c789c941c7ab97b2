"""LangChain tools that ask for a reason: the model is shown the question, and the tool never gets the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import BaseTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from integrations.scripted import ScriptedModel, calls
from licet.definition import object_definition
from licet.guard import Guard
from licet.integrations.langchain import GuardMiddleware, guard_tool, install
from licet.testing import guard_for

MANIFEST = """\
licet: 1
environment: test
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  read: {access: read, egress: false}
  own: {access: read, egress: false}
tasks:
  work: {intent: Work, ttl: 10m, tools: {read: {}, own: {}}}
"""
ASK: dict[str, Any] = {"messages": [("user", "Read ticket 12")]}
WHY = "The user asked for it"


class ShownModel(ScriptedModel):
    """Keeps the tools that it is shown."""

    shown: list[dict[str, Any]] = Field(default_factory=list)

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> ShownModel:
        self.shown[:] = [convert_to_openai_tool(each)["function"] for each in tools]
        return self


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_for(MANIFEST, tmp_path) as made:
        yield made


def tools(ran: list[Any]) -> list[BaseTool]:
    @tool
    def read(number: int) -> str:
        """Read a ticket."""
        ran.append(("read", number))
        return "late"

    @tool
    def own(reason: str) -> str:
        """Has a reason of its own."""
        ran.append(("own", reason))
        return "ok"

    return [read, own]


def stored(guard: Guard, task: Any) -> list[Any]:
    return [call.attributes.get("licet.call.reason") for call in guard._store.calls(task.id)]


SCRIPT = [calls(("read", {"number": 12, "reason": WHY})), calls(("own", {"reason": "its own", "licet_reason": WHY}))]
RAN = [("read", 12), ("own", "its own")]


@pytest.mark.parametrize("installed", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_middleware_asks_the_model_and_keeps_the_answer_from_the_tool(guard: Guard, installed: bool, asynchronous: bool) -> None:
    ran: list[Any] = []
    model = ShownModel(script=SCRIPT)
    undo = install(guard) if installed else lambda: None
    try:
        agent = create_agent(model, tools(ran), middleware=[GuardMiddleware(guard, ask_reason=True)])
        with guard.task("work", intent="Read ticket 12", agent="bot", principal="user:grace") as task:
            await agent.ainvoke(ASK) if asynchronous else agent.invoke(ASK)
    finally:
        undo()
    assert ran == RAN
    assert stored(guard, task) == [WHY, WHY]
    asked = {each["name"]: each["parameters"] for each in model.shown}
    assert asked["read"]["required"][-1] == "reason"
    assert list(asked["own"]["properties"]) == ["reason", "licet_reason"]


def test_a_middleware_that_does_not_ask_shows_what_it_was_given_and_refuses_what_was_not_asked_for(guard: Guard) -> None:
    ran: list[Any] = []
    model = ShownModel(script=[calls(("own", {"reason": "its own", "licet_reason": WHY}))])
    agent = create_agent(model, tools(ran), middleware=[GuardMiddleware(guard)])
    with guard.task("work", intent="Read ticket 12", agent="bot", principal="user:grace"):
        *_, refused, _ = agent.invoke(ASK)["messages"]
    assert "scope.argument" in refused.content
    assert ran == []
    assert [list(each["parameters"]["properties"]) for each in model.shown] == [
        list(convert_to_openai_tool(each)["function"]["parameters"]["properties"]) for each in tools([])
    ]


def test_a_guarded_tool_asks_by_itself_and_within_an_agent(guard: Guard) -> None:
    ran: list[Any] = []
    read, own = (guard_tool(guard, each, ask_reason=True) for each in tools(ran))
    assert convert_to_openai_tool(read)["function"]["parameters"]["required"] == ["number", "reason"]
    with guard.task("work", intent="Read ticket 12", agent="bot", principal="user:grace") as task:
        assert read.invoke({"number": 12, "reason": WHY}) == "late"
        assert own.invoke({"reason": "its own", "licet_reason": WHY}) == "ok"
        assert ran == RAN
        for options in ({}, {"ask_reason": True}):
            create_agent(ScriptedModel(script=SCRIPT), [read, own], middleware=[GuardMiddleware(guard, **options)]).invoke(ASK)
    assert ran == RAN * 3
    assert stored(guard, task) == [WHY] * 6, "each call is judged once"


def test_the_question_is_no_part_of_the_definition(guard: Guard) -> None:
    for each in tools([]):
        assert object_definition(guard_tool(guard, each, ask_reason=True)) == object_definition(each) != ""
