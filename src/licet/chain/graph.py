"""The chain graph of tasks as plain data, with a networkx view for queries and export. `grow` makes it, `paths` asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import networkx

NodeKind = Literal["intent", "call", "field", "unseen", "store", "sink"]
EdgeKind = Literal["followed", "used", "delegated"]

ELSEWHERE = "elsewhere"
"""The status of a call whose output was used here, and whose record is not at hand."""


@dataclass(frozen=True, slots=True)
class Node:
    """An intent (one per task), a call, a field of a call's output that a later call used, model input that no guarded call made
    (`unseen`), a store, or a sink (a tool by which something leaves).

    Nobody's data is in it: an intent's label is its task's kind, not the user's words, and `sentences` are without hints. Of a call,
    `outcome` is what was enforced, `checks` are the reasons' ids, and `named` are the calls of which a reason speaks without
    a value having come from them. `origin` is the label of a field. A sink's `status` is `reached` or `tried`. `time` is in seconds since
    the epoch. `ledger` is the number of the ledger's record of a call or of a task's beginning.
    """

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
    origin: str = ""
    named: tuple[str, ...] = ()
    time: float = 0.0
    trace_id: str = ""
    span_id: str = ""
    ledger: int = 0

    @property
    def blocked(self) -> bool:
        """Whether it is a call that did not run because it was refused."""
        return self.kind == "call" and (self.status == "denied" or self.outcome == "deny")


@dataclass(frozen=True, slots=True)
class Edge:
    """`followed`: the call came after; `used`: a value went this way; `delegated`: the task was started from another.

    `explains`: it is part of why a call was stopped or a person asked, or would have been. `tried`: the call did not run, so that the value
    did not get there. `arguments` are those into which the value went, `ways` what had to be undone to find it.
    """

    source: str
    target: str
    kind: EdgeKind
    explains: bool = False
    tried: bool = False
    arguments: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()


@dataclass(frozen=True)
class CallGraph:
    """Nodes, task by task in order of time, and edges between their ids; at most one edge of each kind from one node to another."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Node]:
        """Each node by its id."""
        return {node.id: node for node in self.nodes}

    def as_dict(self) -> dict[str, Any]:
        """As plain data: `nodes` and `edges`."""
        return {"nodes": [asdict(node) for node in self.nodes], "edges": [asdict(edge) for edge in self.edges]}

    def networkx(self) -> networkx.MultiDiGraph[str]:
        """The same graph as a `networkx.MultiDiGraph`, edges keyed by their kind, whose attributes are plain text and numbers."""
        import networkx as nx

        graph: networkx.MultiDiGraph[str] = nx.MultiDiGraph()
        for node in self.nodes:
            graph.add_node(
                node.id, kind=node.kind, label=node.label, task=node.task_id, outcome=node.outcome, judged=node.judged,
                status=node.status, checks=" ".join(node.checks), why=" / ".join(node.sentences), seq=node.seq, origin=node.origin,
                time=node.time, trace=node.trace_id, span=node.span_id, ledger=node.ledger,
            )  # fmt: skip
        for edge in self.edges:
            graph.add_edge(
                edge.source, edge.target, key=edge.kind, kind=edge.kind, explains=edge.explains, tried=edge.tried,
                arguments=" ".join(edge.arguments), ways=" / ".join(edge.ways),
            )  # fmt: skip
        return graph
