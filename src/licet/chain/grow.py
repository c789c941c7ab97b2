"""Growing the chain graph: call by call while tasks run, or all at once from their records. Both go through `Chain`, so that what is found
afterwards is what was found at the time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from licet.chain.graph import ELSEWHERE, CallGraph, Edge, Node
from licet.manifest import Manifest
from licet.records import CallRecord, Reason, TaskRecord, Used

_CALL = re.compile(r"call ([0-9]+)")
_WAITS = ("denied", "asked")


class Chain:
    """Tasks and their calls so far. With a manifest there are stores and sinks too.

    Tell of each task before its calls, and of a call again when its outcome changes; the order of calls does not matter.
    """

    def __init__(self, manifest: Manifest | None = None) -> None:
        self._manifest = manifest
        self._tasks: dict[str, TaskRecord] = {}
        self._calls: dict[str, dict[str, CallRecord]] = {}

    def begin(self, task: TaskRecord) -> None:
        """A task began, or changed."""
        self._tasks[task.id] = task

    def add(self, call: CallRecord) -> None:
        """A call was judged, or changed."""
        self._calls.setdefault(call.task_id, {})[call.id] = call

    def graph(self, now: float) -> CallGraph:
        """The graph at `now` (seconds since the epoch)."""
        calls = {task: sorted(self._calls.get(task, {}).values(), key=lambda call: (call.seq, call.id)) for task in self._tasks}
        return _Drawing(self._tasks, calls, self._manifest).graph(now)


def build(
    tasks: Sequence[TaskRecord], calls: Mapping[str, Sequence[CallRecord]], now: float, manifest: Manifest | None = None
) -> CallGraph:
    """The graph of `tasks` (parents before children) and the calls of each, at `now` (seconds since the epoch)."""
    chain = Chain(manifest)
    for task in tasks:
        chain.begin(task)
        for call in calls.get(task.id, ()):
            chain.add(call)
    return chain.graph(now)


def followed(intent: str, calls: Iterable[Node]) -> Iterator[Edge]:
    """The edges from an intent through the calls of its task. A call that did not run leads nowhere: what comes next follows the last
    that did."""
    before = intent
    for call in calls:
        blocked = call.status == "denied"
        yield Edge(before, call.id, "followed", explains=blocked)
        before = before if blocked else call.id


class _Drawing:
    """One graph in the making."""

    def __init__(self, tasks: Mapping[str, TaskRecord], calls: Mapping[str, Sequence[CallRecord]], manifest: Manifest | None) -> None:
        self._tasks, self._calls, self._manifest = tasks, calls, manifest
        self._known = {call.id: call for some in calls.values() for call in some}
        self._numbered = {(call.task_id, call.seq): call for call in self._known.values()}
        self._fields: dict[str, dict[str, Node]] = {}  # by the call whose output they are
        self._places: dict[str, Node] = {}  # unseen input, stores, sinks, and calls that are elsewhere
        self._edges: dict[tuple[str, str, str], Edge] = {}

    def graph(self, now: float) -> CallGraph:
        drawn = {task: [self._call(call) for call in some] for task, some in self._calls.items()}
        nodes: list[Node] = []
        for task in self._tasks.values():
            intent = f"task:{task.id}"
            state = task.state(now)
            node = Node(intent, "intent", task.kind, task.id, status=state, time=task.started, ledger=task.ledger)
            nodes.append(replace(node, trace_id=task.trace_id, span_id=task.span_id))
            if task.parent in self._tasks:
                self._edge(Edge(f"task:{task.parent}", intent, "delegated"))
            for edge in followed(intent, drawn[task.id]):
                self._edge(edge)
            for call, made in zip(self._calls[task.id], drawn[task.id], strict=True):
                nodes += [made, *self._fields_of(call.id)]
        for place in sorted(self._places.values(), key=lambda place: place.id):
            nodes += [place, *(self._fields_of(place.id.removeprefix("call:")) if place.kind == "call" else ())]
        before = {edge.target: edge for edge in self._edges.values() if edge.kind == "followed"}
        for some in drawn.values():
            for each in some:
                self._exposed(each, before)
        return CallGraph(tuple(nodes), tuple(self._edges.values()))

    def _fields_of(self, call_id: str) -> list[Node]:
        return sorted(self._fields.get(call_id, {}).values(), key=lambda field: field.id)

    def _edge(self, edge: Edge) -> None:
        """Keep an edge, or what it adds to one that is there."""
        key = (edge.source, edge.target, edge.kind)
        there = self._edges.get(key)
        if there is not None:
            edge = replace(
                there,
                explains=there.explains or edge.explains,
                tried=there.tried and edge.tried,
                arguments=tuple(dict.fromkeys((*there.arguments, *edge.arguments))),
                ways=tuple(dict.fromkeys((*there.ways, *edge.ways))),
            )
        self._edges[key] = edge

    def _call(self, call: CallRecord) -> Node:
        node = f"call:{call.id}"
        reasons = [found for found in call.decision.reasons if found.effect != "flag"]
        blocked = call.status in _WAITS
        told: set[int] = set()
        for used in call.used:
            explaining = {index for index, found in enumerate(reasons) if self._speaks_of(found, used)}
            told |= explaining
            source = self._source(call, used)
            ways = (used.way,) if used.way else ()
            self._edge(Edge(source, node, "used", bool(explaining), blocked, (used.argument,), ways))
            if source.startswith("field:"):
                self._edge(Edge(f"call:{used.call_id}", source, "used", bool(explaining)))
        self._in_and_out(call, node, blocked=blocked)
        named = [found for index, found in enumerate(reasons) if index not in told]
        decision = call.decision
        return Node(
            node, "call", call.tool, call.task_id, decision.outcome, decision.judged, call.status, decision.checks,
            tuple(found.sentence for found in decision.reasons), call.seq, "",
            tuple(dict.fromkeys(f"call:{other.id}" for found in named if (other := self._named(call, found)) is not None)),
            call.started, call.trace_id, call.span_id, call.ledger,
        )  # fmt: skip

    def _source(self, call: CallRecord, used: Used) -> str:
        """The node from which a value went into a call."""
        root = self._root(call.task_id)
        if used.kind == "intent":
            return f"task:{root}"
        if not used.tool:
            unseen = f"unseen:{root}"
            self._places.setdefault(unseen, Node(unseen, "unseen", "model input that no guarded call made", root, origin="unseen"))
            return unseen
        maker = self._known.get(used.call_id)
        if maker is None:
            there = f"call:{used.call_id}"
            self._places.setdefault(there, Node(there, "call", used.tool, "", status=ELSEWHERE))
        field = f"field:{used.call_id}:{used.kind}:{used.field}"
        found = Node(field, "field", used.field, maker.task_id if maker else "", origin=used.kind, time=maker.started if maker else 0.0)
        self._fields.setdefault(used.call_id, {})[field] = found
        return field

    def _root(self, task_id: str) -> str:
        """The task whose intent counts: what is delegated grants nothing that the first of the line lacks."""
        while (parent := self._tasks[task_id].parent) is not None and parent in self._tasks:
            task_id = parent
        return task_id

    def _in_and_out(self, call: CallRecord, node: str, *, blocked: bool) -> None:
        """The store that the call writes or reads, and the sink that it is."""
        tool = self._manifest.tools.get(call.tool) if self._manifest is not None else None
        if tool is None:
            return
        if tool.store is not None and not blocked:
            store = f"store:{tool.store}"
            self._places.setdefault(store, Node(store, "store", tool.store, ""))
            self._edge(Edge(node, store, "used") if tool.writes else Edge(store, node, "used"))
        if tool.leaves:
            sink = f"sink:{call.tool}"
            known = self._places.get(sink)
            status = "tried" if blocked and (known is None or known.status == "tried") else "reached"
            self._places[sink] = Node(sink, "sink", call.tool, "", status=status)
            stopped = call.status == "denied"
            self._edge(Edge(node, sink, "used", explains=stopped, tried=blocked))

    # Why -----------------------------------------------------------------------------------------------------------------

    def _speaks_of(self, found: Reason, used: Used) -> bool:
        """Whether a reason's path goes through this value's place."""
        if used.kind == "intent" or used.field not in found.path:
            return False
        if not used.tool:
            return "model input" in found.path
        maker = self._known.get(used.call_id)
        return used.tool in found.path and (maker is None or f"call {maker.seq}" in found.path)

    def _named(self, call: CallRecord, found: Reason) -> CallRecord | None:
        """The call of which a reason speaks: by number and tool, of the same task before others of the line."""
        for said, tool in zip(found.path, found.path[1:], strict=False):
            match = _CALL.fullmatch(said)
            if match is None:
                continue
            root = self._root(call.task_id)
            for task in sorted(self._tasks, key=lambda task: task != call.task_id):
                other = self._numbered.get((task, int(match[1][:9])))
                if other is not None and other.tool == tool and other.id != call.id and self._root(task) == root:
                    return other
        return None

    def _exposed(self, node: Node, before: Mapping[str, Edge]) -> None:
        """What was shown to a task goes with it: each step from the call that showed it to the one that was stopped is part of why."""
        steps: list[Edge] = []
        at = node.id
        while node.named and (edge := before.get(at)) is not None:
            steps.append(edge)
            at = edge.source
            if at in node.named:
                for step in steps:
                    self._edge(replace(step, explains=True))
