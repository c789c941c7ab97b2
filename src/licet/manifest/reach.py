"""The blast radius, from the manifest alone: what a fully hijacked agent could do in one task kind, with the cheapest path to each effect.

The agent knows the manifest, makes whatever calls it likes, and owns every untrusted field. What it cannot do by itself is to be the user,
to choose what trusted fields hold, and to say yes for a person. Sub-agents add nothing: a sub-task has at most what its parent has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from licet.errors import UsageError
from licet.manifest.choices import AS_LEVEL, LEVELS, Choice, Level, Way, World, stricter, worst
from licet.manifest.laundering import Laundering, launderings
from licet.manifest.models import Agent, Budget, Flow, Manifest, Tool
from licet.manifest.walk import Walk, needs_of
from licet.records import Effect


@dataclass(frozen=True, slots=True)
class Chosen:
    """One argument of an effect: how it can be chosen at best (`level`), in a call that can be made as `call` says."""

    argument: str
    level: Level
    call: Level
    path: tuple[str, ...]
    source: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """One granted tool that changes something or lets data out: how far an attacker chooses what it does, and the calls to there."""

    tool: str
    what: str
    level: Level
    path: tuple[str, ...]
    bounds: tuple[str, ...]
    arguments: tuple[Chosen, ...]


@dataclass(frozen=True, slots=True)
class Leak:
    """One revealed label and one tool through which data leaves: to whom it could go, with the calls to there."""

    label: str
    tool: str
    level: Level
    path: tuple[str, ...]
    receiver: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """What could be done in one task kind, worst first. `delegates` are the agents that it could start sub-tasks for."""

    kind: str
    agents: tuple[str, ...]
    delegates: tuple[str, ...]
    effects: tuple[Reached, ...]
    leaks: tuple[Leak, ...]
    launderings: tuple[Laundering, ...]
    not_enforced: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """The worst of all effects and leaks."""
        return worst([*(effect.level for effect in self.effects), *(leak.level for leak in self.leaks)])


def reach(manifest: Manifest, kind: str, agent: str | None = None, *, now: float | None = None) -> Reach:
    """Walk one task kind. Without `agent`, whichever may run it; `now` (seconds since the epoch) ends what is only observed.

    Raises:
        UsageError: there is no such task kind or agent, or the agent may not run it.
    """
    if kind not in manifest.tasks:
        raise UsageError(f"task kind {kind!r} is not in the manifest; declared: {', '.join(manifest.tasks)}")
    names = tuple(name for name, each in manifest.agents.items() if kind in each.tasks)
    if agent is not None and agent not in names:
        known = f"those that may: {', '.join(names)}" if names else "no agent may"
        raise UsageError(f"agent {agent!r} may not be used for task kind {kind!r}; {known}")
    acting = (agent,) if agent is not None else names
    world = World(manifest, kind, now)
    walk = Walk(world, [manifest.agents[name] for name in acting])
    effects = [_reached(world, walk, name) for name in sorted(world.grants) if _matters(manifest.tools[name])]
    leaks = list(_leaks(world, walk))
    observed = tuple(check for check in _READ if world.effect(check) == "flag")
    return Reach(
        kind, acting, _delegates(manifest, acting), tuple(sorted(effects, key=_by_harm)), tuple(sorted(leaks, key=_by_harm)),
        tuple(launderings(manifest, kind)), observed,
    )  # fmt: skip


_READ = (
    "scope.tool", "scope.argument", "scope.budget", "scope.approval", "chain.order", "origin.argument", "flow.egress", "flow.declared",
    "environment.crossing", "identity.unproved",
)  # fmt: skip


def _matters(tool: Tool) -> bool:
    return tool.writes or tool.leaves


def _by_harm(found: Reached | Leak) -> tuple[int, int, str, tuple[str, ...]]:
    return LEVELS.index(found.level), len(found.path), found.tool, found.path


def _delegates(manifest: Manifest, agents: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    waiting = list(agents)
    while waiting:
        more = [name for name in manifest.agents.get(waiting.pop(), Agent()).may_delegate_to if name not in found]
        found.update(dict.fromkeys(more))
        waiting += more
    return tuple(sorted(found))


# What can be done ---------------------------------------------------------------------------------------------------------


def _reached(world: World, walk: Walk, name: str) -> Reached:
    tool, choices = world.manifest.tools[name], walk.choices[name] or (world.anything(name),)
    arguments = tuple(
        sorted((_chosen(walk, name, choice) for choice in choices), key=lambda each: (LEVELS.index(each.call), each.argument))
    )
    best = min(arguments, key=lambda each: (LEVELS.index(each.call), len(each.path), each.path))
    what = (tool.access or "write") + (", egress" if tool.leaves else "")
    return Reached(name, what, best.call, best.path, tuple(_bounds(world, name)), arguments)


def _chosen(walk: Walk, name: str, choice: Choice) -> Chosen:
    own = walk.own(choice)
    call, path = walk.first(name, [choice.ways])
    return Chosen(choice.argument, own, call, path, _source(choice.ways, own, path), choice.why)


def _source(ways: Sequence[Way], level: Level, path: tuple[str, ...]) -> str:
    """Where a value of the level comes from, first what this path has read."""
    found = [way.source for way in ways if way.level == level and (not way.tool or way.tool in path[:-1])]
    found += [way.source for way in ways if way.level == level and way.source not in found]
    if level == "free" and found:
        return found[0]  # the rest says nothing more
    return f"{found[0]} and {len(found) - 1} more" if len(found) > 1 else "".join(found)


def _bounds(world: World, name: str) -> Iterator[str]:
    if not world.enforces("scope.budget"):
        return
    at_most = world.grants[name].at_most
    if at_most is not None:
        yield f"at most {at_most} {'call' if at_most == 1 else 'calls'}"
    for budget in world.manifest.tasks[world.kind].budgets:
        if name in budget.of:
            yield _bound(budget)


def _bound(budget: Budget) -> str:
    shared = f" of {', '.join(budget.of)}" if len(budget.of) > 1 else ""
    if budget.rate is not None and budget.per is not None:
        return f"{budget.rate} calls in {budget.per.total_seconds():g} s{shared}"
    if budget.sum is not None:
        return f"sum of {budget.sum} at most {budget.at_most}{shared}"
    what = f"different {budget.distinct}" if budget.distinct is not None else "calls"
    return f"at most {budget.at_most} {what}{shared}"


# What could leave ---------------------------------------------------------------------------------------------------------


def _leaks(world: World, walk: Walk) -> Iterator[Leak]:
    revealing: dict[str, list[str]] = {}
    for name in world.grants:
        for label in world.manifest.tools[name].reveals or ():
            revealing.setdefault(label, []).append(name)
    for label in sorted(revealing):
        for name in sorted(world.grants):
            if world.manifest.tools[name].leaves:
                yield _leak(world, walk, name, label, revealing[label])


def _leak(world: World, walk: Walk, name: str, label: str, shown_by: list[str]) -> Leak:
    tool, choices = world.manifest.tools[name], walk.choices[name] or (world.anything(name),)
    flows = [flow for flow in world.manifest.flows if flow.source == label and flow.by == "exposure" and _reaches(flow, name, tool)]
    if all(choice.level in ("intent", "never") for choice in choices):
        return Leak(label, name, "never", (), why="no argument can carry it")
    receiving = [replace(choice, ways=tuple(_leaving(world, choice, flows, shown_by))) for choice in choices if choice.receives]
    if not receiving or (tool.audience is not None and not walk.choices[name]):
        effects = [world.effect("flow.declared", flow.then) for flow in flows]
        effects += [world.effect("flow.egress")] if tool.audience is None else []
        level: Level = "declared" if tool.audience is not None else "free"
        for effect in effects:
            level = stricter(level, AS_LEVEL[effect])
        reached, path = walk.first(name, [], after=shown_by)
        level, to = stricter(level, reached), f"to {tool.audience or 'whoever the tool sends to'}"
        why = "no argument names who receives" if level == "never" and tool.audience is None else ""
        return Leak(label, name, level, path if level != "never" else (), to if level != "never" else "", why)
    # To whom the tool sends of itself, when nobody is named, the agent does not choose: some receiver is given.
    required = [choice.ways for choice in receiving if choice.required]
    either = [way for choice in receiving for way in choice.ways]
    groups = [*required, either]
    level, path = walk.first(name, groups, after=shown_by)
    if level == "never":
        return Leak(label, name, level, (), why="no receiver may have it")
    own = next(each for each in LEVELS if needs_of(groups, each) is not None)
    to = next((choice.argument for choice in receiving if any(way.level == own for way in choice.ways)), "")
    return Leak(label, name, level, path, f"`{to}` from {_source(either, own, path)}")


def _reaches(flow: Flow, name: str, tool: Tool) -> bool:
    sinks = {
        name,
        *(["egress"] if tool.leaves else []),
        *(["write"] if tool.writes else []),
        *(["admin"] if tool.access == "admin" else []),
    }
    return flow.to in sinks


def _leaving(world: World, choice: Choice, flows: Sequence[Flow], shown_by: list[str]) -> Iterator[Way]:
    """The ways to name a receiver that the flows let have what was revealed, each at its level."""
    for way in choice.ways:
        own = way.kind == "counterpart" and way.tool in shown_by  # the address of the very record that revealed it
        fine = way.kind in ("intent", "trusted") or own or way.endorsed
        effects: list[Effect] = [] if fine else [world.effect("flow.egress")]
        for flow in flows:
            words = flow.unless.destination if flow.unless is not None else ()
            if way.kind not in words or (way.kind == "counterpart" and not own):
                effects.append(world.effect("flow.declared", flow.then))
        level = way.level
        for effect in effects:
            level = stricter(level, AS_LEVEL[effect])
        if level != "never":
            yield replace(way, level=level)
