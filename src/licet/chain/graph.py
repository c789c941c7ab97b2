"""The call graph of a task and its sub-tasks, as plain data, with a networkx view for queries and export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from licet.records import CallRecord, TaskRecord

if TYPE_CHECKING:
    import networkx

NodeKind = Literal["intent", "call"]
EdgeKind = Literal["followed", "delegated"]


@dataclass(frozen=True, slots=True)
class Node:
    """An intent (one per task) or a call. `outcome` is what was enforced; `checks` are the reasons' ids."""

    id: str
    kind: NodeKind
    label: str
    task_id: str
    outcome: str = ""
    judged: str = ""
    status: str = ""
    checks: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """`followed`: the call came after; `delegated`: the task was started from another. `explains`: it is part of why a call was blocked."""

    source: str
    target: str
    kind: EdgeKind
    explains: bool = False


@dataclass(frozen=True, slots=True)
class CallGraph:
    """Nodes in order of time, and edges between their ids."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def networkx(self) -> networkx.DiGraph[str]:
        """The same graph as a `networkx.DiGraph` whose attributes are plain text and numbers."""
        import networkx as nx

        graph: networkx.DiGraph[str] = nx.DiGraph()
        for node in self.nodes:
            graph.add_node(
                node.id, kind=node.kind, label=node.label, task=node.task_id, outcome=node.outcome, judged=node.judged,
                status=node.status, checks=" ".join(node.checks), why=" / ".join(node.sentences), seq=node.seq,
            )  # fmt: skip
        for edge in self.edges:
            graph.add_edge(edge.source, edge.target, kind=edge.kind, explains=edge.explains)
        return graph


def build(tasks: Sequence[TaskRecord], calls: Mapping[str, Sequence[CallRecord]], now: float) -> CallGraph:
    """The graph of `tasks` (parents before children) and the calls of each, at `now` (seconds since the epoch)."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    for task in tasks:
        intent = f"task:{task.id}"
        nodes.append(Node(intent, "intent", task.intent, task.id, status=task.state(now)))
        if task.parent and any(other.id == task.parent for other in tasks):
            edges.append(Edge(f"task:{task.parent}", intent, "delegated"))
        before = intent
        for call in calls.get(task.id, ()):
            node = f"call:{call.id}"
            decision = call.decision
            nodes.append(
                Node(
                    node,
                    "call",
                    call.tool,
                    task.id,
                    decision.outcome,
                    decision.judged,
                    call.status,
                    decision.checks,
                    tuple(found.told for found in decision.reasons),
                    call.seq,
                )
            )
            blocked = call.status == "denied"
            edges.append(Edge(before, node, "followed", explains=blocked))
            # A call that did not run leads nowhere: what comes next follows the last call that did.
            before = before if blocked else node
    return CallGraph(tuple(nodes), tuple(edges))
