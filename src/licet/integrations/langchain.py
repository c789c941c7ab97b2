"""LangChain, LangGraph and deepagents.

    agent = create_agent(model, tools, middleware=[..., GuardMiddleware(guard)])     # one agent; put it last, next to the tools
    undo = guard.install("langchain")                                                # or every graph built from here on, sub-agents too

A middleware reaches the agent that it is given to, and no sub-agent: what runs an agent inside a tool, and deepagents with its
`general-purpose` sub-agent, wants `install`. Both together judge a call once.

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
from licet.guard.binding import annotations_of
from licet.records import ToolCall

try:
    from langchain.agents.middleware import AgentMiddleware
    from langchain_core.messages import ToolMessage
    from langchain_core.tools import BaseTool
    from langgraph.errors import GraphBubbleUp
    from langgraph.prebuilt import ToolNode
    from langgraph.prebuilt.tool_node import ToolCallRequest
    from langgraph.types import Command, interrupt

    from licet.integrations._langchain_arguments import ToolReader
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

    def made(
        self, name: str, given: Any, call_id: str | None, tool: BaseTool | None, config: Mapping[str, Any], *, runtime: object = None
    ) -> _Made:
        arguments = self._read(tool)
        problem = "" if isinstance(given, Mapping) else "the arguments are not an object"
        values: Mapping[str, Any] = {} if problem else given
        if not problem:
            values, problem = arguments.read(values)
        configurable = config.get("configurable") or {}
        run = getattr(getattr(runtime, "execution_info", None), "run_id", None) or config.get("run_id")
        call = ToolCall(
            name, values, call_id, FRAMEWORK, _text((config.get("metadata") or {}).get("lc_agent_name")), _text(run),
            _text(configurable.get("thread_id")), known=None if arguments.names is None else tuple(arguments.names),
        )  # fmt: skip
        in_graph = any(str(key).startswith("__pregel") for key in configurable)
        ask = self._interrupt if in_graph and not self.guard.has_approver else None
        return _Made(call, self._task(getattr(runtime, "context", None), configurable), problem, ask)

    def injected(self, tool: BaseTool) -> frozenset[str]:
        return self._read(tool).injected

    def single(self, tool: BaseTool) -> str:
        """The name of the argument that a tool takes as a bare text."""
        return next(iter(self._read(tool).names or ("input",)))

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
    """Guards every tool call of one agent. Put it last in the list, so that nothing changes a call after it was judged."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._adapter = _Adapter(guard)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]) -> Result:
        """See `AgentMiddleware`."""
        made, denied = self._made(request), _refusal(request.tool_call["name"], request.tool_call["id"])

        def run(ticket: Ticket) -> Result:
            try:
                return handler(_as_judged(request, ticket))
            except Denied as denial:  # a guarded function inside the tool was refused: that ends the tool, not the agent
                return denied(str(denial))

        return self._adapter.guard.around(
            made.call, run, lambda ticket: denied(ticket.message), made.ask, task=made.task, problem=made.problem,
            failed=_failed, output=_content, suspend=(GraphBubbleUp,),
        )  # fmt: skip

    async def awrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]) -> Result:
        """See `AgentMiddleware`."""
        made, denied = self._made(request), _refusal(request.tool_call["name"], request.tool_call["id"])

        async def run(ticket: Ticket) -> Result:
            try:
                return await handler(_as_judged(request, ticket))
            except Denied as denial:  # as above
                return denied(str(denial))

        return await self._adapter.guard.aaround(
            made.call, run, lambda ticket: denied(ticket.message), made.ask, task=made.task, problem=made.problem,
            failed=_failed, output=_content, suspend=(GraphBubbleUp,),
        )  # fmt: skip

    def _made(self, request: ToolCallRequest) -> _Made:
        call, runtime = request.tool_call, request.runtime
        config = getattr(runtime, "config", None) or {}
        return self._adapter.made(call["name"], call["args"], call["id"], request.tool, config, runtime=runtime)


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


def guard_tool(guard: Guard, tool: BaseTool) -> BaseTool:
    """A guarded twin of a tool that is used without an agent: same class, name and schema; `invoke` and all its forms are judged.

    A refused call answers with an error `ToolMessage` if it came as a tool call with an id, and raises `Denied` otherwise. What would
    reach the function without being judged (`func`, `coroutine`, `_run`, `_arun`) raises UsageError, unless a judged call runs.
    """
    adapter, base = _Adapter(guard), type(tool)
    judged_call: ContextVar[Ticket | None] = ContextVar("licet_guarded_tool", default=None)

    def inner(body: Callable[..., Any]) -> Callable[..., Any]:
        return _inner(tool.name, body, judged_call)

    def judged(tool_input: Any, options: Mapping[str, Any]) -> tuple[_Made, Callable[[Ticket], Any], Callable[[Ticket], Any]]:
        bare = not isinstance(tool_input, dict)
        given = {adapter.single(tool): tool_input} if bare else tool_input
        filled = {name: given[name] for name in given if name in adapter.injected(tool)}
        agents = {name: value for name, value in given.items() if name not in filled}
        call_id = options.get("tool_call_id")
        runtime = next((value for value in filled.values() if hasattr(value, "context")), None)
        made = adapter.made(tool.name, agents, call_id, tool, options.get("config") or {}, runtime=runtime)

        def frozen(ticket: Ticket) -> Any:
            values = agents if ticket.values is None else ticket.values
            return values[adapter.single(tool)] if bare else {**values, **filled}

        def deny(ticket: Ticket) -> ToolMessage:
            if call_id is None:
                raise Denied(ticket.message, ticket.decision)
            return _refusal(tool.name, call_id)(ticket.message)

        return made, frozen, deny

    def run(self: Any, tool_input: Any, *args: Any, **options: Any) -> Any:
        made, frozen, deny = judged(tool_input, options)
        return guard.around(
            made.call, lambda ticket: _within_call(judged_call, ticket, base.run, self, frozen(ticket), *args, **options), deny, made.ask,
            task=made.task, problem=made.problem, failed=_failed, output=_content, suspend=(GraphBubbleUp,),
        )  # fmt: skip

    async def arun(self: Any, tool_input: Any, *args: Any, **options: Any) -> Any:
        made, frozen, deny = judged(tool_input, options)

        async def within(ticket: Ticket) -> Any:
            token = judged_call.set(ticket)
            try:
                return await base.arun(self, frozen(ticket), *args, **options)
            finally:
                judged_call.reset(token)

        return await guard.aaround(
            made.call, within, deny, made.ask, task=made.task,
            problem=made.problem, failed=_failed, output=_content, suspend=(GraphBubbleUp,),
        )  # fmt: skip

    functions = {name: getattr(tool, name, None) for name in ("func", "coroutine")}
    twin = tool.model_copy(update={name: inner(function) for name, function in functions.items() if callable(function)})
    body = {"run": run, "arun": arun, "__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    body |= {"_run": inner(base._run), "_arun": inner(base._arun)}
    object.__setattr__(twin, "__class__", type(base.__name__, (base,), body))
    return twin


def _within_call(judged: ContextVar[Ticket | None], ticket: Ticket, run: Callable[..., R], *args: Any, **options: Any) -> R:
    token = judged.set(ticket)
    try:
        return run(*args, **options)
    finally:
        judged.reset(token)


def _inner(tool: str, body: Callable[..., Any], judged: ContextVar[Ticket | None]) -> Callable[..., Any]:
    """`body` for the judged call that runs, and for nothing else: of the same kind and signature, and no attribute leads to it."""

    def check() -> None:
        ticket = judged.get()
        # A thread that the tool started has the ticket still when its call is over.
        if ticket is None or not ticket.is_running:
            raise UsageError(f"this would run `{tool}` without judging the call; call the guarded tool by `invoke` or `ainvoke`")

    def guarded(*args: Any, **kwargs: Any) -> Any:
        check()
        return body(*args, **kwargs)

    async def aguarded(*args: Any, **kwargs: Any) -> Any:
        check()
        return await body(*args, **kwargs)

    twin: Callable[..., Any] = aguarded if inspect.iscoroutinefunction(body) else guarded
    twin.__name__, twin.__doc__ = getattr(body, "__name__", tool), body.__doc__
    hints = twin.__annotations__ = annotations_of(body)  # resolved: the twin's globals are ours
    signature = inspect.signature(body)
    parameters = [given.replace(annotation=hints.get(name, given.annotation)) for name, given in signature.parameters.items()]
    twin.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return twin


def _as_judged(request: ToolCallRequest, ticket: Ticket) -> ToolCallRequest:
    """The request with the frozen arguments: what is judged is what runs."""
    if ticket.values is None:  # observe mode, and arguments that cannot be frozen
        return request
    return request.override(tool_call={**request.tool_call, "args": dict(ticket.values)})


def _refusal(name: str, call_id: str | None) -> Callable[[str], ToolMessage]:
    return lambda text: ToolMessage(text, name=name, tool_call_id=call_id or "", status="error")


def _failed(result: object) -> str | None:
    """LangChain's tools answer with errors where others raise them."""
    results = result if isinstance(result, list) else [result]
    error = any(isinstance(item, ToolMessage) and item.status == "error" for item in results)
    return "the tool answered with an error" if error else None


def _content(result: object) -> object:
    return result.content if isinstance(result, ToolMessage) else result


def _text(value: object) -> str | None:
    return None if value is None else str(value)
