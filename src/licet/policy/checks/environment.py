"""Whether agent, tool and credential are of one environment, or of two with a declared edge between them."""

from __future__ import annotations

from collections.abc import Iterable

from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def crossing(request: Request, facts: Facts) -> Iterable[Reason]:
    """Agent to tool, and tool to credential."""
    tool, agent = facts.tool(request.tool), facts.agent
    if tool is None:
        return ()
    credential = facts.manifest.credentials.get(tool.credential) if tool.credential else None
    of = facts.manifest.environment_of
    there = of(tool)
    found: list[Reason] = []
    if agent is not None and facts.task is not None and not _may_cross(of(agent), there, facts):
        found.append(_crosses(f"agent `{facts.task.agent}`", of(agent), f"tool `{request.tool}`", there))
    if credential is not None and not _may_cross(there, of(credential), facts):
        found.append(_crosses(f"tool `{request.tool}`", there, f"credential `{tool.credential}`", of(credential)))
    return found


def _may_cross(here: str, there: str, facts: Facts) -> bool:
    return here == there or (here, there) in facts.manifest.allowed_edges


def _crosses(source: str, here: str, target: str, there: str) -> Reason:
    return reason("environment.crossing", f"{source} is in `{here}` and {target} in `{there}`, without a declared edge", (here, there))
