"""Questions to a chain graph: what led to a call, and by which ways a label came to a sink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from licet.chain.graph import CallGraph, Edge, Node
from licet.chain.grow import followed

if TYPE_CHECKING:
    import networkx

MAX_PATHS = 1_000
EGRESS = "egress"


def explain(graph: CallGraph, call_id: str) -> CallGraph:
    """The part of a graph that leads to one call: where its values came from, by however many calls, and the calls that its reasons
    name. Calls between those are left out, and each follows the one before it that is shown. Empty if the call is not in the graph.
    """
    import networkx as nx

    call = f"call:{call_id}"
    nodes = graph.by_id
    if call not in nodes:
        return CallGraph((), ())
    values = _values(graph)
    steps: set[str] = set()
    for about in (call, *(name for name in nodes[call].named if name in nodes)):
        steps |= {about, *nx.ancestors(values, about)}
    kept = set(map(_plain, steps))
    kept |= {edge.target for edge in graph.edges if edge.source == call and nodes[edge.target].kind == "sink"}
    kept |= {f"task:{nodes[name].task_id}" for name in kept if nodes[name].task_id}
    delegated = {edge.target: edge.source for edge in graph.edges if edge.kind == "delegated"}
    for name in list(kept):
        while name in delegated:
            name = delegated[name]  # noqa: PLW2901 - up the line of delegation
            kept.add(name)
    got = {edge.target: "tried" if edge.tried else "reached" for edge in graph.edges if edge.source == call}
    # Of a sink, what this one call did: others may have reached it.
    shown = tuple(replace(node, status=got[node.id]) if node.kind == "sink" else node for node in graph.nodes if node.id in kept)
    edges = [edge for edge in graph.edges if edge.kind != "followed" and {edge.source, edge.target} <= kept]
    edges = [edge for edge in edges if _leads(edge, nodes[edge.target], values, steps, call)]
    for task, some in groupby([node for node in shown if node.kind == "call" and node.task_id], key=lambda node: node.task_id):
        edges += _told_again(list(followed(f"task:{task}", some)), nodes[call])
    return CallGraph(shown, tuple(edges))


def flows(graph: CallGraph, source: str, sink: str) -> tuple[tuple[str, ...], ...]:
    """The ways by which values came from `source` into calls of `sink`: node ids, the shortest way from each place to each call.

    `source` is a label (`untrusted`, `counterpart`, `trusted`, `unseen`) or `intent`; `sink` is a tool, or `egress` for every sink of the
    graph. At most 1,000 ways are told. Calls that were stopped are told too: the value was on its way.
    """
    import networkx as nx

    values = _values(graph)
    places = [node.id for node in graph.nodes if node.id in values and source in ("intent" if node.kind == "intent" else node.origin,)]
    targets = list(_targets(graph, sink))
    found: list[tuple[str, ...]] = []
    for place in places:
        ways = nx.single_source_shortest_path(values, place)
        for call, end in targets:
            if call in ways and len(found) < MAX_PATHS:
                found.append((*map(_plain, ways[call]), *end))
    return tuple(found)


def _targets(graph: CallGraph, sink: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each call that leads there, and the sink behind it."""
    nodes = graph.by_id
    behind = {edge.source: edge.target for edge in graph.edges if nodes[edge.target].kind == "sink"}
    for node in graph.nodes:
        if node.kind == "call" and (node.label == sink or (sink == EGRESS and node.id in behind)):
            yield node.id, (behind[node.id],) if node.id in behind else ()


def _values(graph: CallGraph) -> networkx.DiGraph[str]:
    """The *used* edges, without sinks. A store stands once for each call that reads it, behind what was written before: a value does not
    travel back in time."""
    import networkx as nx

    nodes = graph.by_id
    values: networkx.DiGraph[str] = nx.DiGraph()
    values.add_nodes_from(node.id for node in graph.nodes if node.kind not in ("store", "sink"))
    used = [edge for edge in graph.edges if edge.kind == "used"]
    writers: dict[str, list[Node]] = {}
    for edge in used:
        if nodes[edge.target].kind == "store":
            writers.setdefault(edge.target, []).append(nodes[edge.source])
    for edge in used:
        if nodes[edge.source].kind == "store":
            reader = nodes[edge.target]
            own = f"{edge.source}\0{reader.id}"
            values.add_edge(own, reader.id)
            values.add_edges_from((writer.id, own) for writer in writers.get(edge.source, ()) if _when(writer) < _when(reader))
        elif nodes[edge.target].kind not in ("store", "sink"):
            values.add_edge(edge.source, edge.target)
    return values


def _when(node: Node) -> tuple[float, int]:
    return (node.time, node.seq)


def _plain(step: str) -> str:
    return step.partition("\0")[0] if step.startswith("store:") else step


def _leads(edge: Edge, target: Node, values: networkx.DiGraph[str], steps: set[str], call: str) -> bool:
    """Whether an edge between two nodes that are shown is part of what led to the call."""
    if target.kind == "sink":
        return edge.source == call
    if target.kind == "store":
        return any(after in steps and _plain(after) == target.id for after in values.successors(edge.source))
    return True


def _told_again(steps: Sequence[Edge], call: Node) -> list[Edge]:
    """The steps from the calls that the reasons name are part of why."""
    last = next((index for index, step in enumerate(steps) if step.target == call.id), -1)
    first = next((index for index, step in enumerate(steps) if step.source in call.named), len(steps))
    return [replace(step, explains=step.explains or first <= index <= last) for index, step in enumerate(steps)]
