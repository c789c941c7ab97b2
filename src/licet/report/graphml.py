"""The call graph as GraphML, for Gephi, yEd, networkx and the like."""

from __future__ import annotations

import dataclasses

from licet.chain import CallGraph, Node
from licet.escape import visible
from licet.report.layout import is_blocked
from licet.report.story import Story

_LONGEST = 2_000  # characters of one attribute


def graphml(story: Story) -> str:
    """A whole GraphML file. XML cannot hold every character, so that text is made visible here too."""
    import networkx as nx

    graph = story.graph
    shown = CallGraph(tuple(map(_shown, graph.nodes)), graph.edges).networkx()
    for node in graph.nodes:
        shown.nodes[node.id]["blocked"] = is_blocked(node)
    return "\n".join(nx.generate_graphml(shown)) + "\n"


def _shown(node: Node) -> Node:
    return dataclasses.replace(
        node,
        label=visible(node.label, _LONGEST),
        status=visible(node.status, _LONGEST),
        checks=tuple(visible(check, _LONGEST) for check in node.checks),
        sentences=tuple(visible(sentence, _LONGEST) for sentence in node.sentences),
    )
