"""Whether the call is within the task's grants: tool, arguments, budgets, time."""

from __future__ import annotations

from collections.abc import Iterator

from licet.canonical import recordable
from licet.clock import lasting
from licet.policy.request import MAX_NAMED, Facts, Request, reason
from licet.records import Reason


def unknown_tool(request: Request, facts: Facts) -> Iterator[Reason]:
    """A tool that is not declared cannot be judged."""
    if facts.tool(request.tool) is None:
        yield reason("scope.unknown-tool", f"`{request.tool}` is not declared in the manifest")


def tool(request: Request, facts: Facts) -> Iterator[Reason]:
    """Every layer of the scope must grant the tool; the reason names the first that does not."""
    if facts.scope is None or facts.tool(request.tool) is None or request.tool in facts.scope.tools:
        return
    source = next(layer.source for layer in facts.scope.layers if request.tool not in layer.grants)
    yield reason("scope.tool", f"`{request.tool}` is not granted by {source}")


def argument(request: Request, facts: Facts) -> Iterator[Reason]:
    """Closed world: each argument is known, and every layer lets its value pass."""
    if request.unjudgeable:
        yield reason("scope.argument", request.unjudgeable)
        return
    if facts.tool(request.tool) is None:
        return
    known = frozenset() if request.known is None else request.known
    strangers = [name for name in request.plain if name not in known]
    for name in strangers[:MAX_NAMED]:
        shown = recordable(name, 80)
        yield reason("scope.argument", f"argument `{shown}` is not one that `{request.tool}` is known to take", (shown,))
    for name in request.dropped[:MAX_NAMED]:
        shown = recordable(name, 80)
        yield reason("scope.argument", f"argument `{shown}` was left out: `{request.tool}` is not known to take it", (shown,), "flag")
    for grant in facts.scope.grants_of(request.tool) if facts.scope else ():
        for name in sorted(grant.limited - known):
            # A limit on an argument that the tool does not take is a typo, and would never hold.
            yield reason("scope.argument", f"`{name}` is limited, and `{request.tool}` does not take it", (name,))
        for name, why, hint in grant.refusals(request.plain, request.defaults_to_null):
            yield reason("scope.argument", f"argument `{name}` {why}", (name,), hint=hint)


def budget(request: Request, facts: Facts) -> Iterator[Reason]:
    """No budget of the task, or of a task above it, is exceeded."""
    if facts.uncountable:
        yield reason("scope.budget", facts.uncountable)
    for measure in facts.measures:
        claim = measure.claim
        if measure.after > claim.limit:
            what = claim.key.partition(": ")[2] or claim.key
            window = f" in {lasting(claim.window)}" if claim.kind == "rate" else ""
            owner = "" if facts.task is None or claim.task_id == facts.task.id else " (a budget of the task above)"
            yield reason("scope.budget", f"this would be {measure.after} {what}{window}, and at most {claim.limit} are allowed{owner}")


def expired(request: Request, facts: Facts) -> Iterator[Reason]:
    """The task, and each task above it, is still open."""
    if facts.expired:
        yield reason("scope.expired", facts.expired)


def approval(request: Request, facts: Facts) -> Iterator[Reason]:
    """The grant wants a person to confirm."""
    if facts.scope is not None and facts.scope.asks(request.tool):
        yield reason("scope.approval", f"a person confirms each call of `{request.tool}` in this task")
