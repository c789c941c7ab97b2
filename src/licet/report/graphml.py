"""The call graph as GraphML, for Gephi, yEd, networkx and the like."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from licet.chain import CallGraph, Edge, Node
from licet.escape import visible
from licet.report.story import Story

_LONGEST = 2_000  # characters of one attribute


def graphml(story: Story, part: CallGraph | None = None) -> str:
    """A whole GraphML file of a story, or of a part of its graph. XML cannot hold every character: text is made visible here too."""
    import networkx as nx

    graph = story.graph if part is None else part
    # A field's id holds its name, which somebody else chose.
    short = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    nodes = tuple(_shown(node, short[node.id]) for node in graph.nodes)
    shown = CallGraph(nodes, tuple(_named(edge, short) for edge in graph.edges)).networkx()
    for number, (*_, data) in enumerate(shown.edges(data=True)):
        data["id"] = f"e{number}"
    for node in graph.nodes:
        shown.nodes[short[node.id]].update(blocked=node.blocked, licet_id=visible(node.id, _LONGEST))
    return "\n".join(nx.generate_graphml(shown, edge_id_from_attribute="id")) + "\n"


def _named(edge: Edge, short: Mapping[str, str]) -> Edge:
    arguments, ways = (tuple(visible(each, _LONGEST) for each in some) for some in (edge.arguments, edge.ways))
    return dataclasses.replace(edge, source=short[edge.source], target=short[edge.target], arguments=arguments, ways=ways)


def _shown(node: Node, short: str) -> Node:
    return dataclasses.replace(
        node,
        id=short,
        label=visible(node.label, _LONGEST),
        task_id=visible(node.task_id, _LONGEST),
        status=visible(node.status, _LONGEST),
        origin=visible(node.origin, _LONGEST),
        checks=tuple(visible(check, _LONGEST) for check in node.checks),
        sentences=tuple(visible(sentence, _LONGEST) for sentence in node.sentences),
    )
