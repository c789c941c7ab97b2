"""Who acts, and in which task."""

from __future__ import annotations

from collections.abc import Iterator

from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def no_task(request: Request, facts: Facts) -> Iterator[Reason]:
    """There is no default task: a call outside any task is refused."""
    if facts.task is None:
        yield reason("identity.no-task", f"`{request.tool}` was called outside any task")


def unknown_agent(request: Request, facts: Facts) -> Iterator[Reason]:
    """The agent must be declared, and be declared for this kind of work."""
    if facts.task is None:
        return
    agent = facts.agent
    if agent is None:
        yield reason("identity.unknown-agent", f"agent `{facts.task.agent}` is not in the manifest", ("agent",))
    elif facts.task.kind not in agent.tasks:
        yield reason("identity.unknown-agent", f"agent `{facts.task.agent}` may not be used for `{facts.task.kind}` tasks", ("agent",))


def unowned(request: Request, facts: Facts) -> Iterator[Reason]:
    """Somebody must answer for the agent."""
    if facts.task is not None and facts.agent is not None and facts.agent.owner is None:
        yield reason("identity.unowned", f"agent `{facts.task.agent}` has no owner", ("agent",))


def unproved(request: Request, facts: Facts) -> Iterator[Reason]:
    """A principal given as bare text is a claim; that is not enough for an admin tool in production."""
    tool = facts.tool(request.tool)
    if facts.task is not None and tool and tool.access == "admin" and facts.manifest.environment_of(tool) == "prod":
        yield reason("identity.unproved", f"`{request.tool}` is an admin tool in prod, and the principal is only asserted")
