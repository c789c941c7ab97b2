"""The graph of tasks: intents, calls, what followed what, which values went where, who delegated to whom."""

from licet.chain.graph import CallGraph, Edge, Node
from licet.chain.grow import Chain, build
from licet.chain.paths import explain, flows

__all__ = ["CallGraph", "Chain", "Edge", "Node", "build", "explain", "flows"]
