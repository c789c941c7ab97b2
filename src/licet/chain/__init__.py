"""The graph of a task: its intent, its calls, what followed what, who delegated to whom."""

from licet.chain.graph import CallGraph, Edge, Node, build

__all__ = ["CallGraph", "Edge", "Node", "build"]
