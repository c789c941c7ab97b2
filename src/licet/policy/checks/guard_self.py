"""Whether an argument leads to Licet's own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from licet.canonical import recordable
from licet.policy.request import MAX_NAMED, Facts, Request, reason
from licet.records import Reason


def own_files(request: Request, facts: Facts) -> Iterable[Reason]:
    """The paths were resolved when the request was made; here only the answer is judged."""
    return _reached(request) if request.reaches else ()


def _reached(request: Request) -> Iterator[Reason]:
    for argument, which in request.reaches[:MAX_NAMED]:
        shown = recordable(argument, 80)
        yield reason("guard.self", f"argument `{shown}` reaches Licet's own {which}", (shown,))
