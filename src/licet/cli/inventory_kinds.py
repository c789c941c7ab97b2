"""Privilege drift of task kinds: what a manifest grants each, against the calls in the guard's store."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from licet.cli.state import store_of
from licet.guard.state import StateFolder
from licet.learn.stored import stored_runs
from licet.learn.uses import DAY, KindUses, Usage, Uses
from licet.manifest import load

_LONGEST_PAUSE = 3  # times


class Kind(NamedTuple):
    """One task kind.

    Attributes:
        sessions, inside: its tasks, and those in the window.
        used: how many of its grants were used in the window.
        young: grants of which nothing can be told, as the kind is younger than the window or had no work in it.
        unused: grants that were not used, each with the evidence.
        outside: tools that it tried and was not granted, with how often.
    """

    kind: str
    sessions: int
    inside: int
    used: int
    young: tuple[str, ...]
    unused: dict[str, str]
    outside: dict[str, int]


def kinds(folder: StateFolder, manifest: str, now: float, window: float) -> list[Kind]:
    """The task kinds of a manifest; none where no guard has used this folder.

    Raises:
        ManifestError: the manifest cannot be used.
        StoreError: the store cannot be read.
    """
    if not folder.store.exists():
        return []
    declared = load(manifest)
    usage, outside = Usage(declared, now - window), {kind: Counter[str]() for kind in declared.tasks}
    with store_of(folder, reading=True) as store:
        for each in stored_runs(store, trusted=True):
            usage.add(each)
            if each.kind in outside:
                outside[each.kind].update(step.tool for step in each.steps if step.tool not in declared.tasks[each.kind].tools)
    return [kind_of(name, uses, outside[name], now, window) for name, uses in usage.kinds.items()]


def kind_of(name: str, uses: KindUses, outside: Counter[str], now: float, window: float) -> Kind:
    """One task kind, by when it and its grants were used. `outside`: the tools that it tried beside them."""
    today = int(now // DAY)
    first = min(uses.all.days, default=today)
    old = today - first > window / DAY and uses.all.inside > 0
    unused, young, used = dict[str, str](), list[str](), 0
    for tool, tally in uses.tools.items():
        if tally.inside:
            used += 1
        elif not old:
            young.append(tool)
        elif today - max(tally.days, default=first) > max(window / DAY, _LONGEST_PAUSE * _pause(tally)):
            unused[tool] = _evidence(tally, uses.all)
        else:
            used += 1
    return Kind(name, uses.all.sessions, uses.all.inside, used, tuple(young), unused, dict(outside.most_common()))


def _pause(tally: Uses) -> int:
    return tally.longest_gap(min(tally.days)) if tally.days else 0


def _evidence(tally: Uses, of: Uses) -> str:
    if not tally.sessions:
        return f"in none of {of.sessions:,} tasks since {of.first}"
    return f"in {tally.sessions:,} of {of.sessions:,} tasks, last on {tally.last}"
