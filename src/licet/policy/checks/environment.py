"""Whether agent, tool and credential are of one environment, or of two with a declared edge between them."""

from __future__ import annotations

from collections.abc import Iterator

from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def crossing(request: Request, facts: Facts) -> Iterator[Reason]:
    """Agent to tool, and tool to credential."""
    tool, agent, credential = facts.tool(request.tool), facts.agent, facts.credential(request.tool)
    if tool is None:
        return
    of = facts.manifest.environment_of
    pairs = []
    if agent is not None and facts.task is not None:
        pairs.append((f"agent `{facts.task.agent}`", of(agent), f"tool `{request.tool}`", of(tool)))
    if credential is not None:
        pairs.append((f"tool `{request.tool}`", of(tool), f"credential `{tool.credential}`", of(credential)))
    for source, here, target, there in pairs:
        if here != there and (here, there) not in facts.manifest.allowed_edges:
            yield reason(
                "environment.crossing", f"{source} is in `{here}` and {target} in `{there}`, without a declared edge", (here, there)
            )
