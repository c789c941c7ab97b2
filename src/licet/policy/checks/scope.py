"""Whether the call is within the task's grants: tool, arguments, budgets, time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from licet.canonical import recordable
from licet.clock import lasting
from licet.policy.request import MAX_NAMED, Facts, Request, reason
from licet.records import Reason


def unknown_tool(request: Request, facts: Facts) -> Iterable[Reason]:
    """A tool that is not declared cannot be judged."""
    if facts.tool(request.tool) is not None:
        return ()
    return [reason("scope.unknown-tool", f"`{request.tool}` is not declared in the manifest")]


def tool(request: Request, facts: Facts) -> Iterable[Reason]:
    """Every layer of the scope must grant the tool; the reason names the first that does not."""
    if facts.scope is None or request.tool in facts.scope.tools or facts.tool(request.tool) is None:
        return ()
    source = next(layer.source for layer in facts.scope.layers if request.tool not in layer.grants)
    return [reason("scope.tool", f"`{request.tool}` is not granted by {source}")]


def argument(request: Request, facts: Facts) -> Iterable[Reason]:
    """Closed world: each argument is known, and every layer lets its value pass."""
    if request.unjudgeable:
        return [reason("scope.argument", request.unjudgeable)]
    if facts.tool(request.tool) is None:
        return ()
    return _argument(request, facts)


def _argument(request: Request, facts: Facts) -> Iterator[Reason]:
    known = frozenset() if request.known is None else request.known
    strangers = [name for name in request.plain if name not in known]
    for name in strangers[:MAX_NAMED]:
        shown = recordable(name, 80)
        yield reason("scope.argument", f"argument `{shown}` is not one that `{request.tool}` is known to take", (shown,))
    for name in request.dropped[:MAX_NAMED]:
        shown = recordable(name, 80)
        yield reason("scope.argument", f"argument `{shown}` was left out: `{request.tool}` is not known to take it", (shown,), "flag")
    for grant in facts.scope.grants_of(request.tool) if facts.scope else ():
        for name in () if grant.limited <= known else sorted(grant.limited - known):
            # A limit on an argument that the tool does not take is a typo, and would never hold.
            yield reason("scope.argument", f"`{name}` is limited, and `{request.tool}` does not take it", (name,))
        for name, why, hint in grant.refusals(request.plain, request.defaults_to_null):
            yield reason("scope.argument", f"argument `{name}` {why}", (name,), hint=hint)


def budget(request: Request, facts: Facts) -> Iterable[Reason]:
    """No budget of the task, or of a task above it, is exceeded."""
    return _budget(facts) if facts.measures or facts.uncountable else ()


def _budget(facts: Facts) -> Iterator[Reason]:
    if facts.uncountable:
        yield reason("scope.budget", facts.uncountable)
    for measure in facts.measures:
        claim = measure.claim
        if measure.after > claim.limit:
            what = claim.key.partition(": ")[2] or claim.key
            window = f" in {lasting(claim.window)}" if claim.kind == "rate" else ""
            owner = "" if facts.task is None or claim.task_id == facts.task.id else " (a budget of the task above)"
            yield reason("scope.budget", f"this would be {measure.after} {what}{window}, and at most {claim.limit} are allowed{owner}")


def expired(request: Request, facts: Facts) -> Iterable[Reason]:
    """The task, and each task above it, is still open."""
    return [reason("scope.expired", facts.expired)] if facts.expired else ()


def approval(request: Request, facts: Facts) -> Iterable[Reason]:
    """The grant wants a person to confirm."""
    if facts.scope is None or not facts.scope.asks(request.tool):
        return ()
    return [reason("scope.approval", f"a person confirms each call of `{request.tool}` in this task")]
