"""Whether anybody would see what the call does, where the manifest asks for it."""

from __future__ import annotations

from collections.abc import Iterable

from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def blind(request: Request, facts: Facts) -> Iterable[Reason]:
    """What only reads, and stays with us, goes on."""
    if not facts.blind:
        return ()
    tool = facts.tool(request.tool)
    if tool is not None and not tool.writes and not tool.leaves:
        return ()
    return [reason("monitoring.blind", facts.blind)]
