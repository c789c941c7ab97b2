"""Whether an argument leads to Licet's own files."""

from __future__ import annotations

from collections.abc import Iterator

from licet.policy.request import Facts, Request, reason
from licet.records import Reason


def own_files(request: Request, facts: Facts) -> Iterator[Reason]:
    """The paths were resolved when the facts were gathered; here only the answer is judged."""
    for argument, which in facts.reaches:
        yield reason("guard.self", f"argument `{argument}` reaches Licet's own {which}", (argument,))
