"""Who can influence what in one task kind, as a graph for queries and for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from licet.manifest.choices import World
from licet.manifest.models import Manifest
from licet.manifest.reach import Reach

if TYPE_CHECKING:
    import networkx

ATTACKER = "attacker"


def influence(manifest: Manifest, found: Reach, *, now: float | None = None) -> networkx.DiGraph[str]:
    """Attacker, arguments, tools, fields, stores, labels and effects as nodes with a `kind` and a `label`.

    An edge says that what stands at its start can choose, fill or cause what stands at its end; `level` says how. Each laundering path is a
    path from the attacker through a store to a field.
    """
    import networkx as nx

    graph: networkx.DiGraph[str] = nx.DiGraph()
    graph.add_node(ATTACKER, kind=ATTACKER, label=ATTACKER)
    _choices(graph, World(manifest, found.kind, now))
    for effect in found.effects:
        _join(graph, _node(graph, "tool", effect.tool), _node(graph, "effect", effect.tool), effect.level)
    for leak in found.leaks:
        if leak.level != "never":
            _join(graph, _node(graph, "label", leak.label), _node(graph, "effect", leak.tool), leak.level)
    for each in found.launderings:
        place = _node(graph, "store", each.why if each.state == "remembered" else f"{each.writer} / {each.reader}")
        written = _node(graph, "argument", f"{each.writer}({each.argument})")
        _join(graph, ATTACKER, written, "free")
        _join(graph, written, place, each.state)
        for path in each.paths:
            _join(graph, place, _node(graph, "field", f"{each.reader}:{path}"), each.state)
    return graph


def _choices(graph: networkx.DiGraph[str], world: World) -> None:
    for source in world.sources:
        field = _node(graph, "field", str(source))
        _join(graph, _node(graph, "tool", source.tool), field)
        if source.label == "untrusted":
            _join(graph, ATTACKER, field, "free")
    for name in world.grants:
        tool = _node(graph, "tool", name)
        for choice in world.choices(name):
            argument = _node(graph, "argument", f"{name}({choice.argument})")
            _join(graph, argument, tool)
            for way in choice.ways:
                if way.kind != "intent":
                    _join(graph, _node(graph, "field", way.source) if way.tool else ATTACKER, argument, way.level)
        for label in world.manifest.tools[name].reveals or ():
            _join(graph, tool, _node(graph, "label", label))


def _node(graph: networkx.DiGraph[str], kind: str, label: str) -> str:
    name = f"{kind}:{label}"
    graph.add_node(name, kind=kind, label=label)
    return name


def _join(graph: networkx.DiGraph[str], source: str, target: str, level: str = "") -> None:
    graph.add_edge(source, target, level=level)
