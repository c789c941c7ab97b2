"""A guarded twin of a callable, of the same kind: function, coroutine function, generator, async generator, method, callable object.

The twin leaves no public attribute that leads to the unguarded callable: no `__wrapped__`, no `func`.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from licet.errors import Denied, UsageError
from licet.guard.asking import Asking
from licet.guard.binding import AskedReason, Bound, ToolSignature, annotations_of, definition_of, read_signature
from licet.guard.gate import Gate
from licet.guard.stated import DESCRIPTION, reason_parameter, take
from licet.guard.ticket import Ticket, running
from licet.policy.engine import weigh
from licet.policy.request import reason
from licet.records import ToolCall


@dataclass(frozen=True)
class _Wrapping:
    """One wrapped callable: its name for the manifest, its body, and how it is called."""

    gate: Gate
    asking: Asking
    name: str
    body: Callable[..., Any]
    signature: ToolSignature
    reason_in: str = ""  # the parameter in which the agent states its reason, where it is asked for one

    def begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Ticket, Bound]:
        """The ticket, and what to run with (before a person was asked)."""
        said: str | None = None
        if self.reason_in:
            kwargs, said = take(kwargs, self.reason_in)
        call, bound, problem = self._freeze(args, kwargs, said)
        ticket = self.gate.begin(call, bound=bound, problem=problem)
        return ticket, bound or Bound({}, {}, args, kwargs)

    def _freeze(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], said: str | None) -> tuple[ToolCall, Bound | None, str]:
        bound, problem = self.gate.freeze(self.name, self.signature, args, kwargs)
        return ToolCall(self.name, bound.plain if bound else {}, reason=said), bound, problem

    def admit(self, ticket: Ticket) -> None:
        """Use the ticket up, or raise what the caller gets.

        Raises:
            Denied: the call is refused.
        """
        if not self.gate.admit(ticket):
            denial = Denied(ticket.message, ticket.decision)
            if "identity.no-task" in ticket.decision.checks:
                # For the developer who reads the traceback; the text for the model stays as it is.
                denial.add_note("open a task around the agent's run: `with guard.task(...)`; see docs/checks/identity.no-task.md")
            raise denial


def wrap(gate: Gate, asking: Asking, function: Callable[..., Any], name: str | None, *, ask_reason: bool = False) -> Callable[..., Any]:
    """The guarded twin of `function`. `ask_reason`: it has one more parameter, in which the agent says what the call is for.

    Raises:
        UsageError: it is not callable, has no name, or the manifest limits an argument that it does not have.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(wrap(gate, asking, function.__func__, name, ask_reason=ask_reason))
    if not callable(function):
        raise UsageError(
            f"`{type(function).__name__}` is not callable; put `@guard.tool` below the framework's own decorator, "
            "or wrap the function itself"
        )
    tool = name or _name_of(function)
    signature = read_signature(function)
    _limits_fit(gate, tool, signature)
    reason_in = signature.asks
    if ask_reason and not reason_in:
        reason_in = reason_parameter(tool, {*signature.signature.parameters, *gate.declared_arguments(tool)})
    wrapping = _Wrapping(gate, asking, tool, function, signature, reason_in)
    twin = _twin(wrapping, function)
    _dress(twin, function, wrapping)
    gate.register(tool, signature, definition_of(tool, function, signature), reason_in)
    return twin


def _twin(wrapping: _Wrapping, function: Callable[..., Any]) -> Callable[..., Any]:
    if _is(inspect.isasyncgenfunction, function):
        return _async_generator(wrapping)
    if _is(inspect.iscoroutinefunction, function):
        return _coroutine(wrapping)
    if _is(inspect.isgeneratorfunction, function):
        return _generator(wrapping)
    return _function(wrapping)


def _is(kind: Callable[[Any], bool], function: Callable[..., Any]) -> bool:
    """Whether a callable, what a partial applies, or an object's `__call__` is of this kind."""
    while isinstance(function, functools.partial):
        function = function.func
    return kind(function) or kind(getattr(type(function), "__call__", None))  # noqa: B004 - the method itself is asked about


def _function(wrapping: _Wrapping) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        ticket, bound = wrapping.begin(args, kwargs)
        wrapping.asking.settle(ticket)
        wrapping.admit(ticket)
        with _ending(wrapping, ticket), running(ticket):
            result = wrapping.body(*bound.args, **bound.kwargs)
        return _finish(wrapping, ticket, result)

    return guarded


def _finish(wrapping: _Wrapping, ticket: Ticket, result: Any) -> Any:
    """A plain function may hand back something lazy; then the call is not over, and stays judged until it is."""
    kind = type(result)  # never `isinstance`, which runs code of the result's own class
    if kind is types.GeneratorType:
        return _drive(wrapping, ticket, result)
    if kind is types.AsyncGeneratorType:
        return _adrive(wrapping, ticket, result)
    if kind is types.CoroutineType:
        return _await(wrapping, ticket, result)
    wrapping.gate.end(ticket, result=result)
    return result


def _coroutine(wrapping: _Wrapping) -> Callable[..., Any]:
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        ticket, bound = wrapping.begin(args, kwargs)
        await wrapping.asking.asettle(ticket)
        wrapping.admit(ticket)
        with _ending(wrapping, ticket), running(ticket):
            result = await wrapping.body(*bound.args, **bound.kwargs)
        wrapping.gate.end(ticket, result=result)
        return result

    return guarded


def _generator(wrapping: _Wrapping) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        # Judged when the body would begin to run, which for a generator is the first `next`.
        ticket, bound = wrapping.begin(args, kwargs)
        wrapping.asking.settle(ticket)
        wrapping.admit(ticket)
        with _ending(wrapping, ticket), running(ticket):
            generator = wrapping.body(*bound.args, **bound.kwargs)
        return (yield from _drive(wrapping, ticket, generator))

    return guarded


def _async_generator(wrapping: _Wrapping) -> Callable[..., Any]:
    async def guarded(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        ticket, bound = wrapping.begin(args, kwargs)
        await wrapping.asking.asettle(ticket)
        wrapping.admit(ticket)
        with _ending(wrapping, ticket), running(ticket):
            generator = wrapping.body(*bound.args, **bound.kwargs)
        driven = _adrive(wrapping, ticket, generator)
        sent: Any = None
        try:
            item = await anext(driven)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                # Whatever the consumer throws in belongs to the tool's body, as in a plain generator.
                except BaseException as error:  # noqa: BLE001 - see above
                    item = await driven.athrow(error)
                else:
                    item = await driven.asend(sent)
        except StopAsyncIteration:
            return
        finally:
            await driven.aclose()

    return guarded


def _drive(wrapping: _Wrapping, ticket: Ticket, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a generator step by step (PEP 380's expansion of `yield from`); each yield is an output, each step needs an open task."""
    step: Callable[[], Any] = functools.partial(next, generator)
    while True:
        _still_open(wrapping, ticket, generator.close)
        with _ending(wrapping, ticket), running(ticket):
            try:
                item = step()
            except StopIteration as stop:
                wrapping.gate.end(ticket, result=stop.value)
                return stop.value
        wrapping.gate.output(ticket, item)
        try:
            sent = yield item
        except GeneratorExit:
            with _ending(wrapping, ticket), running(ticket):
                generator.close()
            wrapping.gate.end(ticket)
            raise
        # Whatever the consumer throws in belongs to the tool's body.
        except BaseException as error:  # noqa: BLE001 - see above
            step = functools.partial(generator.throw, error)
        else:
            step = functools.partial(generator.send, sent)


async def _adrive(wrapping: _Wrapping, ticket: Ticket, generator: Any) -> Any:
    """`_drive` for an async generator."""
    step: Callable[[], Awaitable[Any]] = functools.partial(anext, generator)
    while True:
        if over := _over(ticket):
            try:
                await generator.aclose()
            finally:
                _stop(wrapping, ticket, over)
        with _ending(wrapping, ticket), running(ticket):
            try:
                item = await step()
            except StopAsyncIteration:
                wrapping.gate.end(ticket)
                return
        wrapping.gate.output(ticket, item)
        try:
            sent = yield item
        except GeneratorExit:
            with _ending(wrapping, ticket), running(ticket):
                await generator.aclose()
            wrapping.gate.end(ticket)
            raise
        # Whatever the consumer throws in belongs to the tool's body.
        except BaseException as error:  # noqa: BLE001 - see above
            step = functools.partial(generator.athrow, error)
        else:
            step = functools.partial(generator.asend, sent)


async def _await(wrapping: _Wrapping, ticket: Ticket, coroutine: Any) -> Any:
    """The coroutine that a plain function handed back: its body runs only while the task is open."""
    _still_open(wrapping, ticket, coroutine.close)
    with _ending(wrapping, ticket), running(ticket):
        result = await coroutine
    wrapping.gate.end(ticket, result=result)
    return result


def _over(ticket: Ticket) -> str:
    return ticket.task.over() if ticket.task is not None and ticket.action == "allow" else ""


def _still_open(wrapping: _Wrapping, ticket: Ticket, close: Callable[[], object]) -> None:
    if over := _over(ticket):
        try:
            close()
        finally:
            _stop(wrapping, ticket, over)


def _stop(wrapping: _Wrapping, ticket: Ticket, over: str) -> None:
    decision = weigh([reason("scope.expired", over)])
    denial = Denied(f"Denied (scope.expired): `{wrapping.name}` was stopped: {over}.", decision)
    wrapping.gate.end(ticket, error=denial)
    raise denial


class _ending:  # noqa: N801 - reads as what it is: a block that ends the call if it fails
    """End the ticket when the tool's own code raises; the exception goes on unchanged."""

    def __init__(self, wrapping: _Wrapping, ticket: Ticket) -> None:
        self._wrapping, self._ticket = wrapping, ticket

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._wrapping.gate.end(self._ticket, error=error)


def _name_of(function: Callable[..., Any]) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or name == "<lambda>":
        raise UsageError("this callable has no name of its own; say which tool of the manifest it is: guard.wrap(..., name=...)")
    return name


def _limits_fit(gate: Gate, tool: str, signature: ToolSignature) -> None:
    """A limit on an argument that the function does not have would never hold: a typo, and an error."""
    if signature.var_keyword is not None:
        return
    unknown = sorted(gate.declared_arguments(tool) - signature.known)
    if unknown:
        raise UsageError(
            f"the manifest speaks of {', '.join(unknown)}, which `{tool}` does not take; it takes {', '.join(sorted(signature.known))}"
        )


def _dress(twin: Callable[..., Any], function: Callable[..., Any], wrapping: _Wrapping) -> None:
    """Name, text, signature and annotations of the original, and nothing that leads to it; and the question for a reason."""
    tool, signature = wrapping.name, wrapping.signature
    for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
        value = getattr(function, attribute, None)
        if isinstance(value, str):
            setattr(twin, attribute, value)
    twin.__licet_tool__ = tool  # type: ignore[attr-defined]  # for `licet pin`, which finds the twin in its module
    if not hasattr(function, "__name__"):
        twin.__name__ = twin.__qualname__ = tool
    hints = annotations_of(function)  # resolved: the twin's globals are ours
    if wrapping.reason_in:
        hints[wrapping.reason_in] = Annotated[str, Field(description=DESCRIPTION), AskedReason()]
    twin.__annotations__ = hints
    parameters = [
        parameter.replace(annotation=hints.get(parameter.name, parameter.annotation))
        for parameter in signature.signature.parameters.values()
    ]
    if wrapping.reason_in:
        asked = inspect.Parameter(wrapping.reason_in, inspect.Parameter.KEYWORD_ONLY, default="", annotation=hints[wrapping.reason_in])
        # `**kwargs` comes last.
        parameters.insert(len(parameters) - (signature.var_keyword is not None), asked)
    returns = hints.get("return", signature.signature.return_annotation)
    twin.__signature__ = signature.signature.replace(parameters=parameters, return_annotation=returns)  # type: ignore[attr-defined]
