"""LangChain, LangGraph and deepagents.

    agent = create_agent(model, tools, middleware=[..., GuardMiddleware(guard)])     # one agent; put it last, next to the tools
    undo = guard.install("langchain")                                                # or every graph built from here on, sub-agents too

A middleware reaches the agent that it is given to, and no sub-agent: what runs an agent inside a tool, and deepagents with its
`general-purpose` sub-agent, wants `install`. Both together judge a call once. Only the middleware sees what the model is shown: what
no guarded call, intent or turn produced (retrieved context, memory, a history, a provider's own tools) enters the task as `unseen`.

The task is the `licet_task` of the run's context (`context={"licet_task": task.handle}`, or an attribute), else the one in
`config["configurable"]`, else the current one. The task itself or its `handle` counts; a bare id does not. LangGraph copies texts of
`configurable` into traces, so that a handle is better kept in the context.

A call that needs a person asks the guard's approver. A guard without one pauses the graph by `interrupt`; `Command(resume=True)` (or
`{"approved": True}`) approves, and every other value refuses. The task must still be open when the graph goes on.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from licet.errors import Denied, UsageError
from licet.escape import visible, visible_json
from licet.guard import Guard, GuardedTask, Ticket
from licet.guard.task import current_task
from licet.records import ToolCall

try:
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
    from langchain_core.messages import ToolMessage
    from langchain_core.tools import BaseTool
    from langgraph.config import get_config
    from langgraph.errors import GraphBubbleUp
    from langgraph.prebuilt import ToolNode
    from langgraph.prebuilt.tool_node import ToolCallRequest
    from langgraph.types import Command, interrupt

    from licet.integrations._langchain_arguments import ToolReader
    from licet.integrations._langchain_input import BLIND, input_of, messages_in, said
    from licet.integrations._langchain_output import Catching, Caught, note, shaped_like
    from licet.integrations._langchain_reason import ask_in, asked_in, asking, asks_in, split
except ImportError as error:
    raise ImportError(f"LangChain is missing, or too old ({error}); pip install 'licet[langchain]'") from error

FRAMEWORK = "langchain"
TASK_KEY = "licet_task"

R = TypeVar("R")
Result = ToolMessage | Command[Any]
_NO_TASK = ""  # names no task: the call is refused, and does not fall back to the current one
_SHOWN = 500  # characters of one argument


@dataclass(frozen=True)
class _Made:
    """A call that LangChain wants made, in the guard's words."""

    call: ToolCall
    task: GuardedTask | str | None
    problem: str
    ask: Callable[[Ticket], object] | None


class _Adapter:
    """What middleware, `install` and `guard_tool` share."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._read = ToolReader()
        self._catching = Catching()

    def made(
        self, name: str, given: Any, call_id: str | None, tool: BaseTool | None, config: Mapping[str, Any], *,
        runtime: object = None, reason: str | None = None,
    ) -> _Made:  # fmt: skip
        arguments = self._read(tool)
        problem = "" if isinstance(given, Mapping) else "the arguments are not an object"
        values: Mapping[str, Any] = {} if problem else given
        if not problem:
            values, problem = arguments.read(values)
        configurable = config.get("configurable") or {}
        run = getattr(getattr(runtime, "execution_info", None), "run_id", None) or config.get("run_id")
        call = ToolCall(
            name, values, call_id, FRAMEWORK, _text((config.get("metadata") or {}).get("lc_agent_name")), _text(run),
            _text(configurable.get("thread_id")), reason, None if arguments.names is None else tuple(arguments.names),
            definition=self._read.definition(tool),
        )  # fmt: skip
        in_graph = any(str(key).startswith("__pregel") for key in configurable)
        ask = self._interrupt if in_graph and not self.guard.has_approver else None
        task = self._task(getattr(runtime, "context", None), configurable)
        seen = self.task_of(task)
        if not problem and seen is not None and input_of(seen).blind:
            problem = BLIND
        return _Made(call, task, problem, ask)

    def asked_in(self, tool: BaseTool) -> str:
        return asked_in(tool, self._read(tool))

    def injected(self, tool: BaseTool) -> frozenset[str]:
        return self._read(tool).injected

    def single(self, tool: BaseTool) -> str:
        """The name of the argument that a tool takes as a bare text."""
        return next(iter(self._read(tool).names or ("input",)))

    def task_of(self, named: GuardedTask | str | None) -> GuardedTask | None:
        """The open task that is meant; None: what happens belongs to none."""
        task = self.guard.task_by_handle(named) if isinstance(named, str) else named or current_task()
        return task if task is not None and not task._ended else None

    def model_task(self, runtime: object) -> GuardedTask | None:
        """The task for which a model is called."""
        try:
            config: Mapping[str, Any] = get_config()
        except RuntimeError:  # outside of a graph
            config = {}
        return self.task_of(self._task(getattr(runtime, "context", None), config.get("configurable") or {}))

    def answered(self, ticket: Ticket, result: R) -> R:
        """Remember what the guard itself takes in, or has said: when a model is shown it, it is nothing new."""
        if ticket.task is not None:
            tool = self.guard.manifest.tools.get(ticket.call.tool)
            untrusted = ticket.allowed and (tool is None or tool.output != "trusted" or ticket.saw_untrusted)
            input_of(ticket.task).know(messages_in(result), untrusted=untrusted)
        return result

    def catching(self, request: ToolCallRequest, ticket: Ticket) -> ToolCallRequest:
        """The request with the frozen arguments, and with a tool that tells what it returns. What is judged is what runs."""
        # An inner layer's output is the outer one's.
        changed: dict[str, Any] = {"tool": self._catching.twin(request.tool)} if request.tool is not None and ticket.joins is None else {}
        if ticket.values is not None:  # else observe mode, and arguments that cannot be frozen
            changed["tool_call"] = {**request.tool_call, "args": dict(ticket.values)}
        return request.override(**changed) if changed else request

    def _task(self, *places: object) -> GuardedTask | str | None:
        for place in places:
            named = place.get(TASK_KEY) if isinstance(place, Mapping) else getattr(place, TASK_KEY, None)
            if named is None:
                continue
            if isinstance(named, GuardedTask):
                return named
            return (self.guard.task_by_handle(named) if isinstance(named, str) else None) or _NO_TASK
        return None

    def _interrupt(self, ticket: Ticket) -> bool:
        """Pause the graph; when it goes on, this runs again and gets the answer."""
        shown = {visible(name, 100): visible_json(value, _SHOWN) for name, value in ticket.arguments.items()}
        text = self.guard.question(ticket).text
        answer = interrupt({"kind": "licet.approval", "tool": visible(ticket.call.tool, 100), "arguments": shown, "text": text})
        return answer is True or (isinstance(answer, dict) and answer.get("approved") is True)


class GuardMiddleware(AgentMiddleware):
    """Guards every tool call of one agent. Put it last in the list, so that nothing changes a call after it was judged.

    `ask_reason`: the model is shown one more parameter of each tool, `reason` (`licet_reason` where the tool has a `reason` of its own),
    in which it says what the call is for. The tools do not get it.
    """

    def __init__(self, guard: Guard, *, ask_reason: bool = False) -> None:
        super().__init__()
        self._adapter, self._ask_reason = _Adapter(guard), ask_reason

    def wrap_model_call(self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]) -> ModelResponse[Any]:
        """See `AgentMiddleware`."""
        task = self._shown(request)
        response = handler(self._asking(request))
        if task is not None:
            input_of(task).after(task, said(response))
        return response

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """See `AgentMiddleware`."""
        task = self._shown(request)
        response = await handler(self._asking(request))
        if task is not None:
            input_of(task).after(task, said(response))
        return response

    def _shown(self, request: ModelRequest[Any]) -> GuardedTask | None:
        """Let what is new in a model's input enter the task that it is called for."""
        task = self._adapter.model_task(request.runtime)
        if task is not None:
            input_of(task).before(task, self, getattr(request, "system_message", None), request.messages)
        return task

    def _asking(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        """The request with tools that ask for a reason; a provider's own tools are no call of ours."""
        if not self._ask_reason:
            return request
        tools = [asking(tool, self._adapter.asked_in(tool)) if isinstance(tool, BaseTool) else tool for tool in request.tools]
        return request.override(tools=tools)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]) -> Result:
        """See `AgentMiddleware`."""
        request, made = self._made(request)
        adapter, caught = self._adapter, Caught()
        denied = _refusal(request.tool_call["name"], request.tool_call["id"])

        def run(ticket: Ticket) -> Result:
            try:
                with caught.catching(ticket):
                    return adapter.answered(ticket, handler(adapter.catching(request, ticket)))
            except Denied as denial:  # a guarded function inside the tool was refused: that ends the tool, not the agent
                return adapter.answered(ticket, denied(str(denial)))

        return adapter.guard.around(
            made.call, run, lambda ticket: adapter.answered(ticket, denied(ticket.message)), made.ask, task=made.task, problem=made.problem,
            failed=_failed, output=caught.output, suspend=(GraphBubbleUp,),
        )  # fmt: skip

    async def awrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]) -> Result:
        """See `AgentMiddleware`."""
        request, made = self._made(request)
        adapter, caught = self._adapter, Caught()
        denied = _refusal(request.tool_call["name"], request.tool_call["id"])

        async def run(ticket: Ticket) -> Result:
            try:
                with caught.catching(ticket):
                    return adapter.answered(ticket, await handler(adapter.catching(request, ticket)))
            except Denied as denial:  # as above
                return adapter.answered(ticket, denied(str(denial)))

        return await adapter.guard.aaround(
            made.call, run, lambda ticket: adapter.answered(ticket, denied(ticket.message)), made.ask, task=made.task, problem=made.problem,
            failed=_failed, output=caught.output, suspend=(GraphBubbleUp,),
        )  # fmt: skip

    def _made(self, request: ToolCallRequest) -> tuple[ToolCallRequest, _Made]:
        """The request without the reason that the model stated, and the call."""
        call, runtime, tool = request.tool_call, request.runtime, request.tool
        given, reason = split(call["args"], self._adapter.asked_in(tool) if self._ask_reason and tool is not None else asks_in(tool))
        if given is not call["args"]:
            request = request.override(tool_call={**call, "args": given})
        config = getattr(runtime, "config", None) or {}
        return request, self._adapter.made(call["name"], given, call["id"], tool, config, runtime=runtime, reason=reason)


_installed: list[GuardMiddleware] = []
_original_init = ToolNode.__init__


def install(guard: Guard) -> Callable[[], None]:
    """Guard each `ToolNode` that is built from here on: `create_agent`, deepagents and its sub-agents, graphs of your own.

    The answer takes it back; what was built meanwhile stays guarded.
    """
    layer = GuardMiddleware(guard)
    if not _installed:
        ToolNode.__init__ = _guarded_init  # type: ignore[method-assign]
    _installed.append(layer)

    def undo() -> None:
        if layer in _installed:
            _installed.remove(layer)
        if not _installed and ToolNode.__init__ is _guarded_init:
            ToolNode.__init__ = _original_init  # type: ignore[method-assign]

    return undo


@functools.wraps(_original_init)
def _guarded_init(self: ToolNode, *args: Any, wrap_tool_call: Any = None, awrap_tool_call: Any = None, **options: Any) -> None:
    asynchronous = awrap_tool_call is not None or wrap_tool_call is None
    for layer in _installed:
        wrap_tool_call = _within(wrap_tool_call, layer.wrap_tool_call)
        # A node that has a sync wrapper only uses it for async calls too; that must stay so.
        awrap_tool_call = _within(awrap_tool_call, layer.awrap_tool_call) if asynchronous else None
    _original_init(self, *args, wrap_tool_call=wrap_tool_call, awrap_tool_call=awrap_tool_call, **options)


def _within(outer: Any, layer: Any) -> Any:
    """`layer` inside of `outer`, next to the tool: what others change or repeat is judged as it will run, each time."""
    if outer is None:
        return layer
    return lambda request, execute: outer(request, lambda changed: layer(changed, execute))


def guard_tool(guard: Guard, tool: BaseTool, *, ask_reason: bool = False) -> BaseTool:
    """A guarded twin of a tool that is used without an agent: same class, name and schema; `invoke` and all its forms are judged.

    A refused call answers with an error `ToolMessage` if it came as a tool call with an id, and raises `Denied` otherwise. What would
    reach the function without being judged (`func`, `coroutine`, `_run`, `_arun`) raises UsageError, unless a judged call runs.
    `ask_reason`: its schema has one more parameter, in which the model says what the call is for; see `GuardMiddleware`.
    """
    adapter, base = _Adapter(guard), type(tool)
    asked = adapter.asked_in(tool) if ask_reason else asks_in(tool)
    judged_call: ContextVar[Ticket | None] = ContextVar("licet_guarded_tool", default=None)

    def inner(body: Callable[..., Any]) -> Callable[..., Any]:
        return _inner(tool.name, body, judged_call)

    def judged(tool_input: Any, options: Mapping[str, Any]) -> tuple[_Made, Callable[[Ticket], Any], Callable[[Ticket], Any], Caught]:
        tool_input, reason = split(tool_input, asked)
        bare = not isinstance(tool_input, dict)
        given = {adapter.single(tool): tool_input} if bare else tool_input
        filled = {name: given[name] for name in given if name in adapter.injected(tool)}
        agents = {name: value for name, value in given.items() if name not in filled}
        call_id = options.get("tool_call_id")
        runtime = next((value for value in filled.values() if hasattr(value, "context")), None)
        made = adapter.made(tool.name, agents, call_id, tool, options.get("config") or {}, runtime=runtime, reason=reason)

        def frozen(ticket: Ticket) -> Any:
            values = agents if ticket.values is None else ticket.values
            return values[adapter.single(tool)] if bare else {**values, **filled}

        def deny(ticket: Ticket) -> ToolMessage:
            if call_id is None:
                raise Denied(ticket.message, ticket.decision)
            return adapter.answered(ticket, _refusal(tool.name, call_id)(ticket.message))

        return made, frozen, deny, Caught()

    def run(self: Any, tool_input: Any, *args: Any, **options: Any) -> Any:
        made, frozen, deny, caught = judged(tool_input, options)

        def within(ticket: Ticket) -> Any:
            token = judged_call.set(ticket)
            try:
                with caught.catching(ticket):
                    return adapter.answered(ticket, base.run(self, frozen(ticket), *args, **options))
            finally:
                judged_call.reset(token)

        return guard.around(
            made.call, within, deny, made.ask, task=made.task,
            problem=made.problem, failed=_failed, output=caught.output, suspend=(GraphBubbleUp,),
        )  # fmt: skip

    async def arun(self: Any, tool_input: Any, *args: Any, **options: Any) -> Any:
        made, frozen, deny, caught = judged(tool_input, options)

        async def within(ticket: Ticket) -> Any:
            token = judged_call.set(ticket)
            try:
                with caught.catching(ticket):
                    return adapter.answered(ticket, await base.arun(self, frozen(ticket), *args, **options))
            finally:
                judged_call.reset(token)

        return await guard.aaround(
            made.call, within, deny, made.ask, task=made.task,
            problem=made.problem, failed=_failed, output=caught.output, suspend=(GraphBubbleUp,),
        )  # fmt: skip

    functions = {name: getattr(tool, name, None) for name in ("func", "coroutine")}
    twin = tool.model_copy(update={name: inner(function) for name, function in functions.items() if callable(function)})
    body = {"run": run, "arun": arun, "__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    body |= {"_run": inner(base._run), "_arun": inner(base._arun)}
    if ask_reason and not asks_in(tool):
        ask_in(twin, base, asked, body)
    else:
        object.__setattr__(twin, "__class__", type(base.__name__, (base,), body))
    return twin


def _inner(tool: str, body: Callable[..., Any], judged: ContextVar[Ticket | None]) -> Callable[..., Any]:
    """`body` for the judged call that runs, and for nothing else: of the same kind and signature, and no attribute leads to it."""

    def check() -> None:
        ticket = judged.get()
        # A thread that the tool started has the ticket still when its call is over.
        if ticket is None or not ticket.is_running:
            raise UsageError(f"this would run `{tool}` without judging the call; call the guarded tool by `invoke` or `ainvoke`")

    def guarded(*args: Any, **kwargs: Any) -> Any:
        check()
        raw = body(*args, **kwargs)
        note(raw)
        return raw

    async def aguarded(*args: Any, **kwargs: Any) -> Any:
        check()
        raw = await body(*args, **kwargs)
        note(raw)
        return raw

    return shaped_like(body, aguarded if inspect.iscoroutinefunction(body) else guarded)


def _refusal(name: str, call_id: str | None) -> Callable[[str], ToolMessage]:
    return lambda text: ToolMessage(text, name=name, tool_call_id=call_id or "", status="error")


def _failed(result: object) -> str | None:
    """LangChain's tools answer with errors where others raise them."""
    results = result if isinstance(result, list) else [result]
    error = any(isinstance(item, ToolMessage) and item.status == "error" for item in results)
    return "the tool answered with an error" if error else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
