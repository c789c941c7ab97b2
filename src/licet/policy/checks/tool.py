"""Whether a tool is still what somebody looked at."""

from __future__ import annotations

from collections.abc import Iterable

from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def changed(request: Request, facts: Facts) -> Iterable[Reason]:
    """The digest of the definition (name, description, schema) is the one that is pinned.

    A pinned tool that shows none cannot be held to it, and is refused.
    """
    tool = facts.tool(request.tool)
    if tool is None or tool.definition is None or tool.definition == facts.definition:
        return ()
    why = "differs from the one that is pinned" if facts.definition else "is not known here, and one is pinned"
    path = (request.tool, tool.definition[:15], facts.definition[:15])
    return [reason("tool.changed", f"the definition of `{request.tool}` {why}", path)]
