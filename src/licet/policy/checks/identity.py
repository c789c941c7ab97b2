"""Who acts, and in which task."""

from __future__ import annotations

from collections.abc import Iterable

from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def no_task(request: Request, facts: Facts) -> Iterable[Reason]:
    """There is no default task: a call outside any task is refused."""
    if facts.task is not None:
        return ()
    return [reason("identity.no-task", f"`{request.tool}` was called outside any task")]


def unknown_agent(request: Request, facts: Facts) -> Iterable[Reason]:
    """The agent must be declared, and be declared for this kind of work."""
    task, agent = facts.task, facts.agent
    if task is None or (agent is not None and task.kind in agent.tasks):
        return ()
    why = "is not in the manifest" if agent is None else f"may not be used for `{task.kind}` tasks"
    return [reason("identity.unknown-agent", f"agent `{task.agent}` {why}", ("agent",))]


def revoked(request: Request, facts: Facts) -> Iterable[Reason]:
    """Whoever stands on the deny list does nothing more, whether the tool's side would ask for a token or not."""
    if not facts.revoked:
        return ()
    return [reason("token.revoked", f"agent `{facts.revoked}` is revoked", ("agent", facts.revoked))]


def unowned(request: Request, facts: Facts) -> Iterable[Reason]:
    """Somebody must answer for the agent."""
    task, agent = facts.task, facts.agent
    if task is None or agent is None or agent.owner is not None:
        return ()
    return [reason("identity.unowned", f"agent `{task.agent}` has no owner", ("agent",))]


def unproved(request: Request, facts: Facts) -> Iterable[Reason]:
    """Names given as bare text are claims; that is not enough for an admin tool in production, whoever it is for and whoever acts."""
    tool, task = facts.tool(request.tool), facts.task
    if task is None or tool is None or tool.access != "admin" or facts.manifest.environment_of(tool) != "prod":
        return ()
    claimed = [who for who, standing in (("principal", task.principal_is), ("agent", task.agent_is)) if standing != "proved"]
    if not claimed:
        return ()
    names = f"the {claimed[0]} is" if len(claimed) == 1 else "principal and agent are"
    return [reason("identity.unproved", f"`{request.tool}` is an admin tool in prod, and {names} only asserted", claimed)]
