"""What two manifests say of each task kind: its tools, their limits, its time, its order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from licet.clock import lasting
from licet.escape import counted
from licet.learn.differences.arguments import Around, lifting, rules
from licet.learn.differences.baselines import baselines, in_force
from licet.learn.differences.budgets import budgets
from licet.learn.differences.found import At, Difference, both, listed, shown
from licet.manifest.models import Grant, Manifest, TaskKind
from licet.manifest.words import Edges


def tasks(old: Manifest, new: Manifest) -> Iterator[Difference]:
    """Every task kind of both."""
    for kind in both(old.tasks, new.tasks):
        at, before, after = At(("tasks", kind), kind), old.tasks.get(kind), new.tasks.get(kind)
        if before is None:
            yield at.widened(f"{shown(kind)} is a new task kind, with {_granted(after)}")
        elif after is None:
            yield at.narrowed(f"{shown(kind)} is no longer a task kind; it had {_granted(before)}")
        else:
            yield from at.under("intent").told(before.intent, after.intent, "the intent of the kind")
            sentence = f"a task lasts {lasting(after.ttl.total_seconds())} at most, was {lasting(before.ttl.total_seconds())}"
            yield from at.under("ttl").weighed(before.ttl, after.ttl, sentence)
            for tool in both(before.tools, after.tools):
                yield from _grant(at.under("tools", tool, tool=tool), tool, (before, old), (after, new))
            yield from budgets(at.under("budgets"), before.budgets, after.budgets)
            yield from _chain(at.under("chain"), before.chain, after.chain)
            yield from baselines(at.under("baseline"), before.baseline, after.baseline)
            yield from in_force(at.under("baseline"), old, new)
            yield from at.under("record").told(before.record, after.record, "what is recorded of the intent")


def _granted(task: TaskKind | None) -> str:
    return listed(task.tools) if task is not None else "nothing"


def _grant(at: At, tool: str, was: tuple[TaskKind, Manifest], now: tuple[TaskKind, Manifest]) -> Iterator[Difference]:
    old, new = was[0].tools.get(tool), now[0].tools.get(tool)
    if old is None and new is not None:
        yield at.widened(f"{shown(tool)} is granted{_limits(new)}")
    elif new is None:
        yield at.narrowed(f"{shown(tool)} is no longer granted")
    elif old is not None:
        times, before = (counted(grant.at_most, "time") if grant.at_most else "any number of times" for grant in (new, old))
        sentence = f"{shown(tool)} may be called {times} in a task, was {before}"
        yield from at.under("at_most").weighed(old.at_most or math.inf, new.at_most or math.inf, sentence)
        said = "confirms each call" if new.ask else "no longer confirms each call"
        yield from at.under("ask").weighed(not old.ask, not new.ask, f"a person {said} of {shown(tool)}")
        layers = [manifest.tools[tool] for _, manifest in (was, now)]
        lifted = lifting(layers[0].arguments) & lifting(layers[1].arguments)
        around = Around(any(layer.writes or layer.leaves for layer in layers), lifted)
        yield from rules(at.under("arguments"), tool, old.arguments, new.arguments, around)


def _limits(grant: Grant) -> str:
    said = [f"{counted(grant.at_most, 'time')} a task"] if grant.at_most is not None else []
    said += ["with a person's yes to each call"] if grant.ask else []
    said += [f"with limits on {listed(grant.arguments)}"] if grant.arguments else []
    return f", {', '.join(said)}" if said else ", without limits"


def _chain(at: At, old: Edges | None, new: Edges | None) -> Iterator[Difference]:
    if old is None or new is None:
        if new is not None:
            yield at.narrowed(f"the order of calls is declared: {_edges(new)}")
        elif old is not None:
            yield at.widened(f"calls may be made in any order; declared was {_edges(old)}")
        return
    for before, after in dict.fromkeys([*new, *old]):
        allowed = (before, after) in new
        if allowed != ((before, after) in old):
            place = at.under(f"{before} -> {after}", tool=after)
            tell = place.widened if allowed else place.narrowed
            yield tell(f"{shown(after)} may {'' if allowed else 'no longer '}follow {shown(before)}")


def _edges(edges: Iterable[tuple[str, str]]) -> str:
    return listed(f"{before} -> {after}" for before, after in edges)
