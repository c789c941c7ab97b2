"""Whether the call may follow what was done before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from licet.manifest import START
from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def order(request: Request, facts: Facts) -> Iterable[Reason]:
    """With a declared chain, an edge must lead here from the last completed call, or from `start`.

    A sub-task follows the chains of the tasks above it too: their calls and its own are one order.
    """
    return _order(request, facts) if facts.chains else ()


def _order(request: Request, facts: Facts) -> Iterator[Reason]:
    for kind, last in facts.chains:
        chain = facts.manifest.tasks[kind].chain or ()
        before = last or START
        if (before, request.tool) not in chain:
            allowed = sorted(target for source, target in chain if source == before)
            then = f"only {', '.join(f'`{name}`' for name in allowed)} may" if allowed else "nothing may"
            whose = "" if facts.task is not None and kind == facts.task.kind else f" (the chain of `{kind}`, above)"
            yield reason("chain.order", f"`{request.tool}` may not follow `{before}`; {then}{whose}", (before, request.tool))
