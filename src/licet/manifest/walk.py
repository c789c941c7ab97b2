"""The shortest way to a call: what must be read first, in an order that the declared chain allows.

A state is the last call and which needs are met; each call is an edge. The states of one question are built as a graph until the call
can be made, and the shortest path through it is the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from licet.manifest.choices import AS_LEVEL, LEVELS, Choice, Level, Way, World, stricter, worst
from licet.manifest.models import START, Agent, Tool

if TYPE_CHECKING:
    import networkx

Needs = frozenset[frozenset[str]]
"""Of each group of tools one must have been called."""

MAX_STATES = 2_000  # of one question
_State = tuple[str, Needs]
_GOAL: _State = ("", frozenset())


class Walk:
    """Paths of calls in one task kind, for one agent or for whichever may run it."""

    def __init__(self, world: World, agents: Sequence[Agent]) -> None:
        self._world = world
        self.choices: Mapping[str, tuple[Choice, ...]] = {name: world.choices(name) for name in world.grants}
        self.gates: Mapping[str, Level] = {name: self._gate(name, agents) for name in world.grants}
        self._allowed: dict[Level, Mapping[str, Needs]] = {}

    def _gate(self, name: str, agents: Sequence[Agent]) -> Level:
        """What stands before every call of a tool, whatever its arguments."""
        world, tool = self._world, self._world.manifest.tools[name]
        gate: Level = AS_LEVEL[world.effect("scope.approval")] if world.grants[name].ask else "free"
        acting: Sequence[Agent | None] = agents or [None]
        if all(self._crosses(tool, agent) for agent in acting):
            gate = stricter(gate, AS_LEVEL[world.effect("environment.crossing")])
        # With a token of its own an agent is proved, and whoever it works for can be too (it may work for itself).
        provable = any(agent is not None and agent.proved_by for agent in acting)
        if tool.access == "admin" and world.manifest.environment_of(tool) == "prod" and not provable:
            gate = stricter(gate, AS_LEVEL[world.effect("identity.unproved")])
        nothing = [each for each in self._world.manifest.tasks[world.kind].budgets if name in each.of and each.at_most == 0]
        if any(each.sum is None for each in nothing) and world.enforces("scope.budget"):
            gate = "never"
        return gate

    def _crosses(self, tool: Tool, agent: Agent | None) -> bool:
        manifest = self._world.manifest
        there = manifest.environment_of(tool)
        pairs = [(manifest.environment_of(agent), there)] if agent is not None else []
        if tool.credential is not None:
            pairs.append((there, manifest.environment_of(manifest.credentials[tool.credential])))
        return any(one != other and (one, other) not in manifest.allowed_edges for one, other in pairs)

    def first(self, tool: str, wanted: Iterable[Sequence[Way]], *, after: Iterable[str] = ()) -> tuple[Level, tuple[str, ...]]:
        """The level that an attacker likes best at which `tool` can be called with one of each of `wanted`, and the calls to it.

        What else the tool requires is held to the same level. `after`: one of these must have been called.
        """
        required = [_any_will_do(choice) for choice in self.choices[tool] if choice.required]
        groups, before = [*wanted, *required], frozenset(after)
        for level in LEVELS[:-1]:
            needs = needs_of(groups, level)
            if needs is None or LEVELS.index(self.gates[tool]) > LEVELS.index(level):
                continue
            path = self._path(tool, needs | {before} if before else needs, level)
            if path is not None:
                return level, path
        return "never", ()

    def own(self, choice: Choice) -> Level:
        """How an argument can be chosen, whatever stands around it: only what some granted tool can yield counts."""
        callable_ = self._calls("intent")
        return worst([way.level for way in choice.ways if not way.tool or way.tool in callable_])

    def _calls(self, level: Level) -> Mapping[str, Needs]:
        """The tools that can be called on the way at a level, with what each needs: what it is called with matters to nobody."""
        level = stricter(level, "trusted")
        known = self._allowed.get(level)
        if known is None:
            known = self._allowed[level] = {
                name: needs
                for name, choices in self.choices.items()
                if LEVELS.index(self.gates[name]) <= LEVELS.index(level)
                and (needs := needs_of([choice.ways for choice in choices if choice.required], level)) is not None
            }
        return known

    def _path(self, tool: str, needs: Needs, level: Level) -> tuple[str, ...] | None:
        import networkx as nx

        calls, edges = self._calls(level), self._edges(level)
        movers, tracked = (list(calls), needs.union(*calls.values())) if edges is not None else _reading(calls, needs)
        # Of paths of one length the one that changes least, then the first by name.
        movers.sort(key=lambda name: (self._world.manifest.tools[name].writes, name))
        graph: networkx.DiGraph[_State] = nx.DiGraph()
        start: _State = (START, frozenset())
        graph.add_node(start)
        waiting = deque([start])
        while waiting:
            state = waiting.popleft()
            last, met = state
            if needs <= met and (edges is None or (last, tool) in edges):
                graph.add_edge(state, _GOAL, tool=tool)
                break
            for name in movers:
                if not calls[name] <= met or (edges is not None and (last, name) not in edges):
                    continue
                after: _State = (name if edges is not None else START, met | {need for need in tracked if name in need})
                if after not in graph:
                    graph.add_edge(state, after, tool=name)
                    waiting.append(after)
            if len(graph) > MAX_STATES:  # too many ways to go through: it counts as reached
                return (*sorted(min(need) for need in needs), tool)
        if _GOAL not in graph:
            return None
        nodes = nx.shortest_path(graph, start, _GOAL)
        return tuple(graph.edges[edge]["tool"] for edge in pairwise(nodes))

    def _edges(self, level: Level) -> frozenset[tuple[str, str]] | None:
        """The chain as far as it binds at a level."""
        chain = self._world.manifest.tasks[self._world.kind].chain
        effect = self._world.effect("chain.order")
        binds = effect == "deny" or (effect == "ask" and LEVELS.index(level) < LEVELS.index("person"))
        return frozenset(chain) if chain is not None and binds else None


def needs_of(groups: Iterable[Sequence[Way]], level: Level) -> Needs | None:
    """What must be called so that each group of ways has one that is open at a level; None if some group has none."""
    needs: set[frozenset[str]] = set()
    for ways in groups:
        tools = frozenset(way.tool for way in ways if LEVELS.index(way.level) <= LEVELS.index(level))
        if not tools:
            return None
        if "" not in tools:
            needs.add(tools)
    return frozenset(needs)


def _any_will_do(choice: Choice) -> list[Way]:
    """The ways to fill an argument only so that the call can be made: of declared values any will do, unless they say who receives."""
    return [replace(way, level="free") if way.level == "declared" and not choice.receives else way for way in choice.ways]


def _reading(calls: Mapping[str, Needs], needs: Needs) -> tuple[list[str], Needs]:
    """Without a chain: the tools that meet a need, what these need, and so on; nothing else is worth calling."""
    tracked, movers = needs, set[str]()
    while found := {name for need in tracked for name in need if name in calls} - movers:
        movers |= found
        tracked = tracked.union(*(calls[name] for name in found))
    return list(movers), tracked
