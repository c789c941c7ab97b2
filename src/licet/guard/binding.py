"""From the forms in which a function can be called to one: positional, keyword and default are the same call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from licet.canonical import Plain
from licet.errors import SnapshotError, UsageError
from licet.snapshot import Snapshot, snapshot

_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class ToolSignature:
    """What a tool's own signature says. `receiver` is the name of `self` or `cls`, which is handed through unjudged."""

    signature: inspect.Signature
    receiver: str | None = None
    defaults: Mapping[str, Plain] = field(default_factory=dict)

    @functools.cached_property
    def known(self) -> frozenset[str]:
        """The names of the arguments, the receiver left out; of `**kwargs` the manifest must name them."""
        return frozenset(
            name
            for name, parameter in self.signature.parameters.items()
            if name != self.receiver and parameter.kind is not inspect.Parameter.VAR_KEYWORD
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
    """One call in one form: `plain` to judge, `call(function)` to run."""

    plain: Mapping[str, Plain]
    values: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


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
    receiver = parameters[0].name if parameters and _is_plain_method(function, parameters[0].name) else None
    defaults: dict[str, Plain] = {}
    for parameter in parameters:
        if parameter.kind in _NAMED and parameter.default is not inspect.Parameter.empty:
            try:
                defaults[parameter.name] = snapshot({"default": parameter.default}).plain["default"]
            except SnapshotError:
                # The developer's own sentinel: left out of the judged call, and left to the function when it runs.
                continue
    return ToolSignature(signature, receiver, defaults)


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
    rest = given.pop(signature.var_keyword, {}) if signature.var_keyword else {}
    clash = sorted(set(given) & set(rest))
    if clash:
        raise TypeError(f"got two values for argument {clash[0]!r}")
    frozen = snapshot({**given, **rest}, opaque)
    for name in given:
        bound.arguments[name] = frozen.values[name]
    if rest and signature.var_keyword:
        bound.arguments[signature.var_keyword] = {name: frozen.values[name] for name in rest}
    if signature.receiver:
        bound.arguments[signature.receiver] = receiver
    left_out = {name: value for name, value in signature.defaults.items() if name not in given}
    return Bound({**frozen.plain, **left_out}, frozen.values, bound.args, bound.kwargs)


def bind_names(signature: ToolSignature | None, arguments: Mapping[str, Any], opaque: frozenset[str]) -> Bound:
    """Bind a call that comes as names and values, as adapters have it; without a signature the names stand for themselves.

    Raises:
        TypeError: the arguments do not fit the signature.
        SnapshotError: an argument cannot be frozen.
    """
    if signature is None or signature.receiver is not None or _positional_only(signature):
        frozen: Snapshot = snapshot(arguments, opaque)
        return Bound(frozen.plain, frozen.values, (), frozen.values)
    return bind(signature, (), arguments, opaque)


def _positional_only(signature: ToolSignature) -> bool:
    return any(p.kind is inspect.Parameter.POSITIONAL_ONLY for p in signature.signature.parameters.values())
