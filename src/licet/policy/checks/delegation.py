"""Whether a sub-task asks for at most what its parent has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from licet.manifest import Manifest
from licet.policy.request import reason
from licet.records import MAX_ACTORS, Reason, TaskRecord
from licet.scope import Scope


@dataclass(frozen=True, slots=True)
class DelegationRequest:
    """A sub-task as it was asked for. `tools` are the names it insists on; `ttl` is in seconds, None where it asks for no own."""

    kind: str
    agent: str
    tools: frozenset[str] | None
    ttl: float | None
    scope: Scope
    agents: int = 1  # that act for each other, this one included


@dataclass(frozen=True, slots=True)
class DelegationFacts:
    """What the parent has. `remaining` is its time left, in seconds."""

    manifest: Manifest
    parent: TaskRecord
    scope: Scope
    remaining: float


def widened(request: DelegationRequest, facts: DelegationFacts) -> Iterator[Reason]:
    """Agent, tools, time and layers, each against the parent's."""
    parent_agent = facts.manifest.agents.get(facts.parent.agent)
    if request.agent != facts.parent.agent and (parent_agent is None or request.agent not in parent_agent.may_delegate_to):
        why = f"agent `{facts.parent.agent}` may not delegate to `{request.agent}`"
        yield reason("delegation.widened", why, (facts.parent.agent, request.agent))
    extra = sorted((request.tools or frozenset()) - facts.scope.tools)
    if extra:
        named = ", ".join(f"`{name}`" for name in extra)
        yield reason("delegation.widened", f"the sub-task asks for {named}, which the task above does not have", extra)
    if request.ttl is not None and request.ttl > facts.remaining:
        why = f"the sub-task asks for {request.ttl:g} s, and the task above has {max(facts.remaining, 0):.0f} s left"
        yield reason("delegation.widened", why, ("ttl",))
    if request.agents > MAX_ACTORS:
        yield reason("delegation.widened", f"more than {MAX_ACTORS} agents would act for each other", ("act",))
    if not facts.scope.covers(request.scope):
        yield reason("delegation.widened", "the sub-task's scope does not stand on the scope of the task above", ("scope",))
