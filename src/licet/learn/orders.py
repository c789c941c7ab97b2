"""How many of the sessions that taught follow an order whole: a count of single edges does not tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from licet.learn.runs import Run
from licet.learn.tally import KindTally
from licet.manifest import START

MAX_ORDERS = 5_000  # different sets of edges that are told apart, over all kinds

Edges = frozenset[tuple[str, str]]


class Orders:
    """Of each kind, which edges its sessions went through together. Memory is bounded whatever the number of runs."""

    def __init__(self) -> None:
        self._seen: dict[str, Counter[Edges]] = {}
        self._distinct = 0

    def add(self, run: Run) -> None:
        """One run; one that is doubted does not count."""
        if run.doubts:
            return
        found = self._seen.setdefault(run.kind, Counter()) if run.kind in self._seen or self._distinct < MAX_ORDERS else Counter()
        edges = frozenset((step.before, step.tool) for step in run.steps if step.ran)
        if edges in found or self._distinct < MAX_ORDERS:
            self._distinct += edges not in found
            found[edges] += 1

    def following(self, kind: KindTally, chain: Collection[str]) -> tuple[int, bool]:
        """How many sessions of a kind go through edges of `chain` only, and whether it may be more."""
        known = frozenset(chain)
        found = self._seen.get(kind.kind, Counter())
        number = sum(count for edges, count in found.items() if all(f"{before} -> {after}" in known for before, after in edges))
        return number, found.total() < kind.support.sessions


def at_least(kind: KindTally, chain: Collection[str]) -> int:
    """How many sessions follow it at least, where nobody has counted them: each edge that is missing may be of another session."""
    missing = sum(support.sessions for (before, after), support in kind.edges.items() if f"{before or START} -> {after}" not in chain)
    return 0 if kind.edges.left_out else max(0, kind.support.sessions - missing)
