"""The LangChain middleware: what is judged, what is refused, and that everything else is as it is without us."""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, tool
from langgraph.prebuilt import InjectedState, ToolRuntime
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, v1

import licet
from integrations.scripted import ScriptedModel, calls
from licet.errors import UsageError
from licet.guard import Guard
from licet.integrations.langchain import GuardMiddleware, guard_tool

MANIFEST = r"""
licet: 1
environment: test
owners: {support: {name: Support, contact: s@acme.example}}
agents: {bot: {owner: support, tasks: [answer, loose]}}
tools:
  read: {access: read, egress: false}
  send: {access: write, egress: true, output: trusted, arguments: {to: {origin: [intent, nowhere]}}}
  page: {access: read, egress: false}
  wait: {access: read, egress: false}
  pick: {access: read, egress: false}
  outer: {access: read, egress: false}
  fail: {access: read, egress: false}
  secret: {access: read, egress: false}
tasks:
  answer:
    intent: Answer a ticket
    ttl: 10m
    tools:
      read: {}
      send:
        arguments: {to: {pattern: '[^@]+@acme\.example'}}
        at_most: 1
      page: {arguments: {size: {maximum: 50}}}
      wait: {}
      pick: {}
      outer: {}
      fail: {}
  loose: {intent: Answer a ticket, ttl: 10m, tools: {send: {arguments: {to: {pattern: '(to:)*[a-z]+@.+'}}}}}
"""


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST)
    with Guard.from_file(path, state=tmp_path / "state") as made:
        yield made


@dataclass
class World:
    """Where the tools leave what they did."""

    sent: list[tuple[str, str]]
    tokens: list[str]


@pytest.fixture
def world() -> World:
    return World([], [])


def task_of(guard: Guard) -> licet.GuardedTask:
    return guard.task("answer", intent="Answer ticket 1", agent="bot", principal="user:grace")


def send_tool(world: World) -> BaseTool:
    @tool
    def send(to: str, body: str = "hello") -> str:
        """Send a mail."""
        world.sent.append((to, body))
        call = licet.current_call()
        world.tokens.append(call.token if call else "")
        return "sent"

    return send


def agent_of(guard: Guard | None, tools: list[Any], *script: Any, **options: Any) -> Any:
    middleware = [GuardMiddleware(guard)] if guard else []
    return create_agent(ScriptedModel(script=list(script)), tools, middleware=middleware, **options)


def answers(state: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


ASK = {"messages": [("user", "Answer ticket 1")]}  # the intent itself: nothing else has come in
TO_ADA, TO_EVE = {"to": "ada@acme.example", "body": "x"}, {"to": "eve@evil.example", "body": "x"}


def statuses(guard: Guard, task: licet.GuardedTask) -> list[tuple[str, str]]:
    return [(call.tool, call.status) for call in guard._store.calls(task.id)]


def test_a_call_within_the_task_runs_with_a_token_and_one_outside_is_an_error_message(guard: Guard, world: World) -> None:
    agent = agent_of(guard, [send_tool(world)], calls(("send", TO_EVE)), calls(("send", TO_ADA), first=2))
    with task_of(guard) as task:
        refused, done = answers(agent.invoke(ASK))
    assert world.sent == [("ada@acme.example", "x")]
    assert (refused.status, refused.name, refused.tool_call_id) == ("error", "send", "c1")
    assert "Denied (scope.argument)" in refused.content
    assert "eve" not in refused.content
    assert (done.status, done.content) == ("success", "sent")
    assert world.tokens[0].count(".") == 2
    assert statuses(guard, task) == [("send", "denied"), ("send", "done")]


async def test_async_is_the_same(guard: Guard, world: World) -> None:
    @tool
    async def send(to: str, body: str) -> str:
        """Send a mail."""
        world.sent.append((to, body))
        return "sent"

    agent = agent_of(guard, [send], calls(("send", TO_EVE)), calls(("send", TO_ADA), first=2))
    async with task_of(guard):
        refused, done = answers(await agent.ainvoke(ASK))
    assert world.sent == [("ada@acme.example", "x")]
    assert (refused.status, done.status) == ("error", "success")


def test_streaming_shows_the_refusal_as_the_tools_answer(guard: Guard, world: World) -> None:
    agent = agent_of(guard, [send_tool(world)], calls(("send", TO_EVE)))
    with task_of(guard):
        chunks = list(agent.stream(ASK, stream_mode="updates"))
    [message] = [message for chunk in chunks if "tools" in chunk for message in chunk["tools"]["messages"]]
    assert message.status == "error"
    assert world.sent == []


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_parallel_calls_share_one_budget(guard: Guard, world: World, how: str) -> None:
    agent = agent_of(guard, [send_tool(world)], calls(*[("send", {"to": "ada@acme.example", "body": str(n)}) for n in range(8)]))
    with task_of(guard):
        state = agent.invoke(ASK) if how == "sync" else await agent.ainvoke(ASK)
    assert sorted(message.status for message in answers(state)) == ["error"] * 7 + ["success"]
    assert len(world.sent) == 1


def test_without_a_task_nothing_runs(guard: Guard, world: World) -> None:
    [refused] = answers(agent_of(guard, [send_tool(world)], calls(("send", TO_ADA))).invoke(ASK))
    assert "identity.no-task" in refused.content
    assert world.sent == []


def test_a_tool_that_the_agent_made_up_is_judged_too(guard: Guard, world: World) -> None:
    agent = agent_of(guard, [send_tool(world)], calls(("drop_table", {}), ("secret", {})))
    with task_of(guard) as task:
        made_up, not_granted = answers(agent.invoke(ASK))
    assert "scope.unknown-tool" in made_up.content
    assert "scope.tool" in not_granted.content
    assert [status for _, status in statuses(guard, task)] == ["denied", "denied"]


def test_an_argument_that_the_tool_does_not_take_is_refused_and_not_dropped(guard: Guard, world: World) -> None:
    [refused] = answers_in_task(guard, [send_tool(world)], calls(("send", TO_ADA | {"bcc": "eve@evil.example"})))
    assert "`bcc`" in refused.content
    assert world.sent == []


def answers_in_task(guard: Guard, tools: list[Any], *script: Any) -> list[ToolMessage]:
    with task_of(guard):
        return answers(agent_of(guard, tools, *script).invoke(ASK))


def test_arguments_that_do_not_fit_are_refused_without_their_values_and_cost_no_budget(guard: Guard, world: World) -> None:
    bad, good = answers_in_task(guard, [send_tool(world)], calls(("send", {"to": ["eve@evil.example"]})), calls(("send", TO_ADA), first=2))
    assert bad.status == "error"
    assert "`to`: string_type" in bad.content
    assert "eve" not in bad.content
    assert good.content == "sent"


def test_what_is_judged_is_what_langchain_will_parse(guard: Guard) -> None:
    seen: list[Any] = []

    @tool
    def page(size: int = 10) -> str:
        """Read a page."""
        seen.append(size)
        return "page"

    few, many, default = answers_in_task(guard, [page], calls(("page", {"size": "20"}), ("page", {"size": "500"}), ("page", {})))
    assert (few.status, many.status, default.status) == ("success", "error", "success")
    assert sorted(seen) == [10, 20]


def test_a_tools_own_exception_ends_the_run_as_it_does_without_us(guard: Guard) -> None:
    @tool
    def fail() -> str:
        """Fail."""
        raise RuntimeError("the tool's own")

    for with_guard in (None, guard):
        with task_of(guard) as task, pytest.raises(RuntimeError, match="the tool's own"):
            agent_of(with_guard, [fail], calls(("fail", {}))).invoke(ASK)
    assert statuses(guard, task) == [("fail", "failed")]


def test_an_error_that_is_a_value_is_recorded_as_one(guard: Guard) -> None:
    @tool
    def fail() -> ToolMessage:
        """Fail."""
        return ToolMessage("no", tool_call_id="c1", status="error")

    with task_of(guard) as task:
        agent_of(guard, [fail], calls(("fail", {}))).invoke(ASK)
    assert statuses(guard, task) == [("fail", "failed")]


def test_a_denial_inside_a_tool_ends_the_tool_and_not_the_agent(guard: Guard, world: World) -> None:
    @guard.tool
    def send(to: str, body: str) -> str:
        raise NotImplementedError

    @tool
    def outer() -> str:
        """Send to a stranger."""
        return send("eve@evil.example", "x")

    [message] = answers_in_task(guard, [outer], calls(("outer", {})))
    assert message.status == "error"
    assert "scope.argument" in message.content


# The task --------------------------------------------------------------------------------------------------------------------


@dataclass
class Context:
    licet_task: Any = None


@pytest.mark.parametrize("where", ["context", "mapping", "configurable"])
@pytest.mark.parametrize("form", ["task", "handle"])
def test_the_task_of_the_run_comes_before_the_current_one(guard: Guard, world: World, where: str, form: str) -> None:
    agent = agent_of(guard, [send_tool(world)], calls(("send", TO_ADA)))
    with task_of(guard) as named, task_of(guard) as current:
        value = named if form == "task" else named.handle
        given: dict[str, Any] = {
            "context": {"context": Context(value)},
            "mapping": {"context": {"licet_task": value}},
            "configurable": {"config": {"configurable": {"licet_task": value}}},
        }[where]
        agent.invoke(ASK, **given)
        assert statuses(guard, named) == [("send", "done")]
        assert statuses(guard, current) == []


@pytest.mark.parametrize("named", [lambda task: task.id, lambda task: "unknown.handle", lambda task: "", lambda task: 7])
def test_what_names_no_task_is_refused_and_does_not_fall_back(guard: Guard, world: World, named: Callable[[Any], Any]) -> None:
    agent = agent_of(guard, [send_tool(world)], calls(("send", TO_ADA)))
    with task_of(guard) as task:
        [refused] = answers(agent.invoke(ASK, context=Context(named(task))))
    assert "identity.no-task" in refused.content
    assert world.sent == []


def test_what_a_tool_calls_belongs_to_the_task_that_the_context_named(guard: Guard, world: World) -> None:
    @guard.tool
    def send(to: str, body: str) -> str:
        world.sent.append((to, body))
        return "sent"

    @tool
    def outer() -> str:
        """Answer."""
        return send("ada@acme.example", "x")

    agent = agent_of(guard, [outer], calls(("outer", {})))
    task = guard.task("answer", intent="Answer ticket 1", agent="bot", principal="user:grace", detached=True)
    with task:
        handle = task.handle
    agent.invoke(ASK, context=Context(handle))
    assert statuses(guard, task) == [("outer", "done"), ("send", "done")]
    task.end()


def test_thread_agent_and_call_id_are_carried(guard: Guard, world: World) -> None:
    agent = agent_of(guard, [send_tool(world)], calls(("send", TO_ADA)), name="helper")
    with task_of(guard) as task:
        agent.invoke(ASK, config={"configurable": {"thread_id": "t-1"}})
    [call] = guard._store.calls(task.id)
    assert (call.call_id, call.framework) == ("c1", "langchain")
    assert call.attributes["gen_ai.conversation.id"] == "t-1"
    assert call.attributes["gen_ai.agent.name"] == "helper"


# Layers ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [TO_ADA, {"to": "ada@acme.example"}])
def test_tool_above_guard_tool_and_the_middleware_are_one_call(guard: Guard, world: World, arguments: dict[str, str]) -> None:
    @tool
    @guard.tool
    def send(to: Annotated[str, "the address"], body: str = "hello") -> str:
        """Send a mail."""
        call = licet.current_call()
        world.tokens.append(call.token if call else "")
        world.sent.append((to, body))
        return "sent"

    assert isinstance(send, BaseTool)
    assert send.description == "Send a mail."
    assert send.args["to"]["description"] == "the address"
    with task_of(guard) as task:
        [done] = answers(agent_of(guard, [send], calls(("send", arguments))).invoke(ASK))
    assert done.content == "sent"
    assert statuses(guard, task) == [("send", "done")]
    assert len(set(world.tokens)) == 1


class Who(BaseModel):
    name: str
    level: int = 1


def test_layers_agree_where_langchain_parses_the_arguments(guard: Guard) -> None:
    seen: list[Any] = []

    @tool
    @guard.tool
    def pick(who: Who, count: int) -> str:
        """Pick."""
        seen.append((who, count))
        return "picked"

    with task_of(guard) as task:
        [done] = answers(agent_of(guard, [pick], calls(("pick", {"who": {"name": "Ada"}, "count": "3"}))).invoke(ASK))
    assert (done.content, seen) == ("picked", [(Who(name="Ada"), 3)])
    assert statuses(guard, task) == [("pick", "done")]


def test_what_the_framework_fills_in_is_not_the_agents(guard: Guard) -> None:
    seen: list[Any] = []

    def pick(
        what: str,
        runtime: ToolRuntime,
        config: RunnableConfig,
        state: Annotated[dict[str, Any], InjectedState],
        by: Annotated[str, InjectedToolArg] = "us",
    ) -> str:
        """Pick."""
        seen.append((what, runtime.tool_call_id, len(state["messages"]), "metadata" in config, by))
        return "picked"

    for function in (pick, guard.tool(pick)):
        good, bad = answers_in_task(guard, [tool(function)], calls(("pick", {"what": "x"}), ("pick", {"what": "x", "by": "eve"})))
        assert good.content == "picked"
        assert "scope.argument" in bad.content
    assert seen == [("x", "c1", 2, True, "us")] * 2


def test_guard_tool_above_tool_says_how_it_is_done(guard: Guard) -> None:
    with pytest.raises(UsageError, match=r"put `@guard.tool` below"):

        @guard.tool  # type: ignore[arg-type]
        @tool
        def send(to: str, body: str) -> str:
            """Send a mail."""
            return "sent"


# What LangChain makes of the arguments --------------------------------------------------------------------------------------------


def tool_with(schema: type[Any], ran: list[Any]) -> BaseTool:
    def send(**given: Any) -> str:
        ran.append(given)
        return "sent"

    return StructuredTool.from_function(send, name="send", description="Send a mail.", args_schema=schema)


def stripped(value: str) -> str:
    return value.removeprefix("to:")


class Peeling(BaseModel):
    to: Annotated[str, AfterValidator(stripped)]


class PeelingAlias(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    to: Annotated[str, AfterValidator(stripped)] = Field(alias="recipient")


class PeelingChoices(BaseModel):
    to: Annotated[str, AfterValidator(stripped)] = Field(validation_alias=AliasChoices("to", "dest"))


class PeelingBesideInjected(BaseModel):
    to: str
    by: Annotated[str, InjectedToolArg] = "us"

    @field_validator("to")
    @classmethod
    def peel(cls, value: str) -> str:
        return stripped(value)


class PeelingOld(v1.BaseModel):
    to: str

    @v1.validator("to")
    def peel(cls, value: str) -> str:  # noqa: N805
        return stripped(value)


class Swapping(BaseModel):
    to: Annotated[str, AfterValidator(lambda value: "eve@evil.example" if value == "ada@acme.example" else "ada@acme.example")]


class Raising(BaseModel):
    to: Annotated[str, BeforeValidator(lambda value: {}[value])]


@pytest.mark.parametrize(
    "schema, to",
    [
        *[(schema, "to:to:eve@evil.example") for schema in (Peeling, PeelingAlias, PeelingChoices, PeelingBesideInjected, PeelingOld)],
        (Swapping, "ada@acme.example"),
        (Swapping, "eve@evil.example"),
        (Raising, "ada@acme.example"),
    ],
)
@pytest.mark.parametrize("how", ["agent", "tool"])
def test_what_a_validator_changes_again_or_fails_on_is_refused(guard: Guard, schema: type[Any], to: str, how: str) -> None:
    """What is judged would not be what runs. The grant allows each of these values as it is given."""
    ran: list[Any] = []
    made = tool_with(schema, ran)
    with guard.task("loose", intent="Answer ticket 1", agent="bot", principal="user:grace"):
        if how == "agent":
            [refused] = answers(agent_of(guard, [made], calls(("send", {"to": to}))).invoke(ASK))
        else:
            refused = guard_tool(guard, made).invoke({"name": "send", "args": {"to": to}, "id": "c1", "type": "tool_call"})
    assert ran == []
    assert "the arguments do not fit the tool" in refused.content
    assert "eve" not in refused.content


@pytest.mark.parametrize("schema", [Peeling, PeelingAlias, PeelingChoices, PeelingBesideInjected, PeelingOld])
def test_what_a_validator_leaves_is_what_is_judged(guard: Guard, schema: type[Any]) -> None:
    ran: list[Any] = []
    asked = calls(("send", {"to": "to:ada@acme.example"}), ("send", {"to": "to:eve@evil.example"}))
    good, bad = answers_in_task(guard, [tool_with(schema, ran)], asked)
    assert (good.content, bad.status) == ("sent", "error")
    assert "scope.argument" in bad.content
    assert [next(iter(given.values())) for given in ran] == ["ada@acme.example"]


@pytest.mark.parametrize("name", ["recipient", "dest", "bcc"])
def test_another_name_of_a_field_is_unknown(guard: Guard, name: str) -> None:
    ran: list[Any] = []
    for given in ({name: "eve@evil.example"}, {"to": "ada@acme.example", name: "eve@evil.example"}):
        for schema in (PeelingAlias, PeelingChoices):
            [refused] = answers_in_task(guard, [tool_with(schema, ran)], calls(("send", given)))
            assert refused.status == "error"
    assert ran == []


# Tools without an agent --------------------------------------------------------------------------------------------------------


def test_a_guarded_tool_is_a_tool_of_the_same_kind(guard: Guard, world: World) -> None:
    plain = send_tool(world)
    guarded = guard_tool(guard, plain)
    assert isinstance(guarded, type(plain))
    assert (guarded.name, guarded.description, guarded.args) == (plain.name, plain.description, plain.args)
    with task_of(guard) as task:
        with pytest.raises(licet.Denied):
            guarded.invoke(TO_EVE)
        refused = guarded.invoke({"name": "send", "args": TO_EVE, "id": "c1", "type": "tool_call"})
        assert (refused.status, refused.tool_call_id) == ("error", "c1")
        assert guarded.invoke(TO_ADA) == "sent"
    assert world.sent == [("ada@acme.example", "x")]
    assert [status for _, status in statuses(guard, task)] == ["denied", "denied", "done"]


async def test_a_guarded_tool_in_async_code(guard: Guard, world: World) -> None:
    @tool
    async def send(to: str, body: str) -> str:
        """Send a mail."""
        world.sent.append((to, body))
        return "sent"

    guarded = guard_tool(guard, send)
    async with task_of(guard):
        with pytest.raises(licet.Denied):
            await guarded.ainvoke(TO_EVE)
        assert await guarded.ainvoke(TO_ADA) == "sent"
    plain = guard_tool(guard, send_tool(world))
    async with task_of(guard) as task:
        assert await plain.ainvoke(TO_ADA) == "sent"
    assert statuses(guard, task) == [("send", "done")]


def test_a_guarded_tool_with_a_bare_text(guard: Guard) -> None:
    @tool
    def pick(what: str) -> str:
        """Pick."""
        return what.upper()

    guarded = guard_tool(guard, pick)
    with pytest.raises(licet.Denied, match="no-task"):
        guarded.invoke("x")
    with task_of(guard):
        assert guarded.invoke("x") == "X"


def test_a_guarded_tool_under_the_middleware_is_one_call(guard: Guard, world: World) -> None:
    with task_of(guard) as task:
        agent_of(guard, [guard_tool(guard, send_tool(world))], calls(("send", TO_ADA))).invoke(ASK)
    assert statuses(guard, task) == [("send", "done")]
    assert len(world.sent) == 1


def test_a_tool_that_runs_in_a_thread_of_its_own_stays_in_its_task(guard: Guard, world: World) -> None:
    @guard.tool
    def send(to: str, body: str) -> str:
        world.sent.append((to, body))
        return "sent"

    @tool
    def outer() -> str:
        """Answer from a thread."""
        thread = threading.Thread(target=send, args=("ada@acme.example", "x"))
        thread.start()
        thread.join()
        return "done"

    [message] = answers_in_task(guard, [outer], calls(("outer", {})))
    assert message.content == "done"
    assert world.sent == [("ada@acme.example", "x")]


@pytest.mark.parametrize("form", [lambda tool: tool, copy.copy, copy.deepcopy, lambda tool: tool.model_copy()])
async def test_no_attribute_of_a_guarded_tool_runs_it_unjudged(guard: Guard, world: World, form: Callable[[Any], Any]) -> None:
    @tool
    async def page(size: int) -> str:
        """Read a page."""
        return "page"

    sync, asynchronous = form(guard_tool(guard, send_tool(world))), form(guard_tool(guard, page))
    with task_of(guard) as task:
        for unjudged in (sync.func, sync._run):
            with pytest.raises(UsageError, match="invoke"):
                unjudged(**TO_EVE, **({"config": {}} if unjudged == sync._run else {}))
        for unjudged in (asynchronous.coroutine, asynchronous._arun):
            with pytest.raises(UsageError, match="invoke"):
                await unjudged(size=500, **({"config": {}} if unjudged == asynchronous._arun else {}))
        assert world.sent == []
        assert statuses(guard, task) == []
        assert sync.invoke(TO_ADA) == "sent"
        assert await asynchronous.ainvoke({"size": 5}) == "page"
    assert not hasattr(sync.func, "__wrapped__")
    assert (list(inspect.signature(sync.func).parameters), sync.func.__doc__) == (["to", "body"], "Send a mail.")


def test_a_guarded_tool_of_a_class_of_its_own(guard: Guard) -> None:
    class Page(BaseTool):
        name: str = "page"
        description: str = "Read a page."
        text: str = "page"

        def _run(self, size: int) -> str:
            return f"{self.text} {size}"

    guarded = guard_tool(guard, Page(text="leaf"))
    with task_of(guard):
        with pytest.raises(UsageError, match="invoke"):
            guarded._run(size=5)
        assert guarded.invoke({"size": 5}) == "leaf 5"
        assert guarded.model_copy(update={"text": "sheet"}).invoke({"size": 6}) == "sheet 6"


# The page --------------------------------------------------------------------------------------------------------------------


def test_the_page_on_langchain_runs(guard: Guard, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "langchain.md").read_text(encoding="utf-8")
    block = page.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "page"))
    names = MANIFEST.replace("bot:", "support-bot:").replace("answer", "answer-ticket")
    Path("licet.yaml").write_text(names, encoding="utf-8")
    space: dict[str, Any] = {"model": ScriptedModel(script=[calls(("send", TO_EVE))]), "tools": [send_tool(world)]}
    exec(block, space)
    space["guard"].close()
    assert answers(space["answer"])[0].status == "error"
    assert world.sent == []
