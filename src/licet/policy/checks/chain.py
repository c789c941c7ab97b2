"""Whether the call may follow what was done before."""

from __future__ import annotations

from collections.abc import Iterator

from licet.manifest import START
from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def order(request: Request, facts: Facts) -> Iterator[Reason]:
    """With a declared chain, an edge must lead here from the last completed call, or from `start`."""
    kind = facts.kind
    if kind is None or kind.chain is None:
        return
    before = facts.last_tool or START
    if (before, request.tool) not in kind.chain:
        allowed = sorted(target for source, target in kind.chain if source == before)
        then = f"only {', '.join(f'`{name}`' for name in allowed)} may" if allowed else "nothing may"
        yield reason("chain.order", f"`{request.tool}` may not follow `{before}`; {then}", (before, request.tool))
