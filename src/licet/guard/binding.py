"""From the forms in which a function can be called to one: positional, keyword and default are the same call."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from licet.canonical import Plain
from licet.definition import definition_digest, parameters_of
from licet.errors import SnapshotError, UsageError
from licet.snapshot import Snapshot, snapshot

# How agent frameworks mark the parameters that they fill in themselves, by the name of the marking class or of one of its bases:
# LangChain's and LangGraph's state, store, runtime and configuration. Known by name, so that no framework is imported here.
_FILLED_IN = frozenset({"InjectedToolArg", "_DirectlyInjectedToolArg", "RunnableConfig"})
_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class AskedReason:
    """Marks, within `Annotated`, the parameter that a guarded twin has to ask for a reason. It is no part of the tool."""

    __slots__ = ()


@dataclass(frozen=True)
class ToolSignature:
    """What a tool's own signature says.

    `receiver` is the name of `self` or `cls`, and `injected` are the parameters that the agent's framework fills in; both are handed
    through unjudged, because they are not the agent's to choose. `asks` is the parameter in which a twin that is wrapped once more asks
    for a reason; it is not in `signature`.
    """

    signature: inspect.Signature
    receiver: str | None = None
    defaults: Mapping[str, Plain] = field(default_factory=dict)
    fallbacks: Mapping[str, Any] = field(default_factory=dict)  # what each default was when the tool was wrapped
    injected: frozenset[str] = frozenset()
    asks: str = ""

    @functools.cached_property
    def known(self) -> frozenset[str]:
        """The names of the agent's arguments; of `**kwargs` the manifest must name them."""
        return frozenset(
            name
            for name, parameter in self.signature.parameters.items()
            if name != self.receiver and name not in self.injected and parameter.kind is not inspect.Parameter.VAR_KEYWORD
        )

    @functools.cached_property
    def var_keyword(self) -> str | None:
        """The name of `**kwargs`, if there is one."""
        return next((p.name for p in self.signature.parameters.values() if p.kind is inspect.Parameter.VAR_KEYWORD), None)

    @functools.cached_property
    def defaults_to_null(self) -> frozenset[str]:
        """Arguments whose default is None."""
        return frozenset(name for name, value in self.defaults.items() if value is None)


@dataclass(frozen=True, slots=True)
class Bound:
    """One call in one form: `plain` to judge, `args` and `kwargs` to run. `dropped` are names that were left out as unknown."""

    plain: Mapping[str, Plain]
    values: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    dropped: tuple[str, ...] = ()


def read_signature(function: Callable[..., Any]) -> ToolSignature:
    """The signature of `function`, without what is not the agent's to choose.

    Raises:
        UsageError: the signature cannot be read.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise UsageError("this callable has no signature that can be read; wrap it in a function with named parameters") from error
    parameters = list(signature.parameters.values())
    hints = annotations_of(function)
    asks = next((p.name for p in parameters if _asks_reason(hints.get(p.name, p.annotation))), "")
    parameters = [parameter for parameter in parameters if parameter.name != asks]
    receiver = parameters[0].name if parameters and _is_plain_method(function, parameters[0].name) else None
    injected = frozenset(p.name for p in parameters if _is_filled_in(hints.get(p.name, p.annotation)))
    defaults: dict[str, Plain] = {}
    fallbacks: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind in _NAMED and parameter.default is not inspect.Parameter.empty and parameter.name not in injected:
            fallbacks[parameter.name] = parameter.default
            try:
                defaults[parameter.name] = snapshot({"default": parameter.default}).plain["default"]
            except SnapshotError:
                # The developer's own sentinel: left out of the judged call.
                continue
    return ToolSignature(signature.replace(parameters=parameters), receiver, defaults, fallbacks, injected, asks)


def definition_of(tool: str, function: Callable[..., Any], signature: ToolSignature | None = None) -> str:
    """The digest of what a callable shows of itself as the tool `tool`; a guarded twin shows what its original does.

    Raises:
        UsageError: the signature cannot be read.
    """
    read = signature or read_signature(function)
    left_out = read.injected | ({read.receiver} if read.receiver else set())
    description = getattr(function, "__doc__", None)
    return definition_digest(
        tool, description if isinstance(description, str) else "", parameters_of(read.signature, annotations_of(function), left_out)
    )


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations, resolved where the function was written."""
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    if not inspect.isroutine(target):
        target = type(target).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return dict(getattr(target, "__annotations__", {}))


def _asks_reason(annotation: Any) -> bool:
    return any(isinstance(mark, AskedReason) for mark in getattr(annotation, "__metadata__", ()))


def _is_filled_in(annotation: Any) -> bool:
    marks = [annotation, typing.get_origin(annotation), *getattr(annotation, "__metadata__", ())]
    marks += [arm for arm in typing.get_args(annotation) if isinstance(arm, type)] if _is_union(annotation) else []
    classes = [mark if isinstance(mark, type) else type(mark) for mark in marks]
    return any(base.__name__ in _FILLED_IN for mark in classes for base in mark.__mro__)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _is_plain_method(function: Callable[..., Any], first: str) -> bool:
    """A function in a class body, seen before it is bound: named like one, and defined inside a class."""
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    return first in ("self", "cls") and bool(owner) and not owner.endswith("<locals>") and not inspect.ismethod(function)


def bind(signature: ToolSignature, args: tuple[Any, ...], kwargs: Mapping[str, Any], opaque: frozenset[str]) -> Bound:
    """Bind and freeze a call.

    Raises:
        TypeError: the arguments do not fit the signature.
        SnapshotError: an argument cannot be frozen.
    """
    bound = signature.signature.bind(*args, **kwargs)
    given = dict(bound.arguments)
    receiver = given.pop(signature.receiver, None) if signature.receiver else None
    for name in signature.injected:
        given.pop(name, None)
    # The names of `**kwargs` are the caller's: one of a class of its own could be equal to whatever it is compared with.
    rest = {"".join(str.__iter__(name)): item for name, item in given.pop(signature.var_keyword or "", {}).items()}
    # Of a positional-only parameter with a default, Python 3.13 lets `**kwargs` have the name; which one a tool reads is not ours to
    # guess. The name of `**kwargs` itself is free.
    clash = sorted((set(signature.signature.parameters) - {signature.var_keyword}) & set(rest))
    if clash:
        raise TypeError(f"got two values for argument {clash[0]!r}")
    # A default that has changed since (a list that a call appended to, `__defaults__` itself) would not be what was judged.
    missing = {name: default for name, default in signature.fallbacks.items() if name not in bound.arguments}
    judged = {name: default for name, default in missing.items() if name in signature.defaults}
    frozen, defaults = snapshot({**given, **rest}, opaque), snapshot(judged)
    bound.arguments.update({**missing, **defaults.values})
    for name in given:
        bound.arguments[name] = frozen.values[name]
    if rest and signature.var_keyword:
        bound.arguments[signature.var_keyword] = {name: frozen.values[name] for name in rest}
    if signature.receiver:
        bound.arguments[signature.receiver] = receiver
    return Bound({**frozen.plain, **defaults.plain}, frozen.values, bound.args, bound.kwargs)


def bind_names(signature: ToolSignature | None, arguments: Mapping[str, Any], opaque: frozenset[str]) -> Bound:
    """Bind a call that comes as names and values, as adapters have it; without a signature the names stand for themselves.

    Raises:
        TypeError: the arguments do not fit the signature, or name a parameter that is the framework's.
        SnapshotError: an argument cannot be frozen.
    """
    if signature is not None and (taken := sorted(signature.injected & arguments.keys())):
        raise TypeError(f"argument {taken[0]!r} is filled in by the framework")
    if signature is None or signature.receiver is not None or _positional_only(signature):
        frozen: Snapshot = snapshot(arguments, opaque)
        return Bound(frozen.plain, frozen.values, (), frozen.values)
    return bind(signature, (), {**dict.fromkeys(signature.injected), **arguments}, opaque)


def _positional_only(signature: ToolSignature) -> bool:
    return any(p.kind is inspect.Parameter.POSITIONAL_ONLY for p in signature.signature.parameters.values())
