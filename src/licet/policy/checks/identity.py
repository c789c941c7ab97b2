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


def revoked(request: Request, facts: Facts) -> Iterator[Reason]:
    """Whoever stands on the deny list does nothing more, whether the tool's side would ask for a token or not."""
    if facts.revoked:
        yield reason("token.revoked", f"agent `{facts.revoked}` is revoked", ("agent", facts.revoked))


def unowned(request: Request, facts: Facts) -> Iterator[Reason]:
    """Somebody must answer for the agent."""
    if facts.task is not None and facts.agent is not None and facts.agent.owner is None:
        yield reason("identity.unowned", f"agent `{facts.task.agent}` has no owner", ("agent",))


def unproved(request: Request, facts: Facts) -> Iterator[Reason]:
    """Names given as bare text are claims; that is not enough for an admin tool in production, whoever it is for and whoever acts."""
    tool, task = facts.tool(request.tool), facts.task
    if task is None or tool is None or tool.access != "admin" or facts.manifest.environment_of(tool) != "prod":
        return
    claimed = [who for who, standing in (("principal", task.principal_is), ("agent", task.agent_is)) if standing != "proved"]
    if claimed:
        names = f"the {claimed[0]} is" if len(claimed) == 1 else "principal and agent are"
        yield reason("identity.unproved", f"`{request.tool}` is an admin tool in prod, and {names} only asserted", claimed)
