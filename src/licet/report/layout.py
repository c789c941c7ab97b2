"""Where the nodes of a chain graph stand in a picture: a row for each, in order of time, a column for each depth of delegation.

What was blocked stands aside of the line of work: it led nowhere. So does what came from elsewhere. The fields of a call that were used
later stand under it; the ways of values run in lanes to the right of all boxes, so that no line crosses a text. Stores and sinks are at
the bottom.
"""

from __future__ import annotations

import textwrap
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace

from licet.chain import CallGraph, Edge, Node
from licet.chain.graph import ELSEWHERE
from licet.escape import counted, visible
from licet.records import TaskRecord
from licet.report.sources import Sources
from licet.report.story import Story

MAX_DRAWN = 1_000  # nodes; beyond, a picture is no help, and calls that were allowed are left out first
WIDTH, NARROW, LINE, PADDING, GAP, NEAR = 380, 310, 17, 9, 26, 8
COLUMN, ASIDE, UNDER, MARGIN = 120, 200, 64, 24
LANE = 9  # between two lanes
_LETTER = 7.3  # points that one letter takes
_MAX_LINES, _MAX_SOURCES = 8, 4


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place and its lines, which are visible text."""

    node: Node
    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...]

    @property
    def right(self) -> int:
        """Where it ends."""
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Way:
    """A value's way from the right side of one box, at `start`, along the lane at `x`, to the right side of another, at `end`."""

    edge: Edge
    source: Box
    target: Box
    x: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes, the edges between those that are drawn, and the ways of values. `left_out` says what is not drawn; empty: nothing."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[Edge, Box, Box], ...]
    ways: tuple[Way, ...]
    width: int
    height: int
    left_out: str


def arrange(story: Story, part: CallGraph | None = None) -> Picture:
    """Lay a story out, or the `part` of its graph that `explain` gives."""
    graph = story.graph if part is None else part
    order = list(_order(story, graph))
    drawn = _drawn([node for node, _ in order], graph.edges)
    intents = {task.id: task.intent for task in story.tasks}  # the user's own words, which no graph holds
    sources, calls = Sources(story), {call.id: call for some in story.calls.values() for call in some}
    boxes: dict[str, Box] = {}
    aside = {node.id for node, _ in order if node.blocked or node.kind == "unseen" or node.status == ELSEWHERE}
    aside |= {edge.target for edge in graph.edges if edge.source in aside and edge.target.startswith("field:")}
    top = MARGIN
    for node, depth in order:
        if node.id not in drawn:
            continue
        call = calls.get(node.id.removeprefix("call:")) if node.kind == "call" else None
        small = node.kind not in ("intent", "call")
        width = NARROW if small else WIDTH
        shown = replace(node, label=intents.get(node.task_id) or node.label) if node.kind == "intent" else node
        lines = _lines(shown, sources.of(call, _MAX_SOURCES) if call is not None else (), width)
        height = len(lines) * LINE + (NEAR if small else 2 * PADDING)
        left = MARGIN + depth * COLUMN + (UNDER if node.kind == "field" else 0) + (ASIDE if node.id in aside else 0)
        if node.kind == "field" and boxes:
            top -= GAP - NEAR
        boxes[node.id] = Box(node, left, top, width, height, lines)
        top += height + GAP
    edges = [(edge, boxes[edge.source], boxes[edge.target]) for edge in graph.edges if edge.source in boxes and edge.target in boxes]
    right = max((box.right for box in boxes.values()), default=0)
    ways = _ways([each for each in edges if each[0].kind == "used" and each[2].node.kind != "field"], right + 2 * LANE)
    width = max((way.x for way in ways), default=right) + MARGIN
    beside = tuple(each for each in edges if each[0].kind != "used" or each[2].node.kind == "field")
    return Picture(tuple(boxes.values()), beside, tuple(ways), width, top, _left_out([node for node, _ in order], boxes))


def words(node: Node) -> str:
    """What became of a node, in words."""
    if node.kind == "intent":
        return f"task {node.status}"
    if node.status == ELSEWHERE:
        return "its record is not at hand"
    if node.blocked:
        return "BLOCKED"
    return f"{node.outcome}, {node.status}" + (f" (observed: would {node.judged})" if node.judged not in ("", node.outcome) else "")


def _order(story: Story, graph: CallGraph) -> Iterator[tuple[Node, int]]:
    """Every node of the graph with its depth."""
    nodes = dict(graph.by_id)
    fields: dict[str, list[Node]] = {}
    for edge in graph.edges:
        if nodes[edge.target].kind == "field":
            fields.setdefault(edge.source, []).append(nodes[edge.target])
    elsewhere = [node for node in nodes.values() if node.kind == "unseen" or node.status == ELSEWHERE]
    told = 0
    for root in story.roots:
        for name, depth in _in_time(story, root, 0):
            if name in nodes:
                yield nodes[name], depth
                yield from ((field, depth) for field in fields.get(name, ()))
            if name == f"task:{root.id}" and not told:
                told += 1
                for node in elsewhere:
                    yield node, 0
                    yield from ((field, 0) for field in fields.get(node.id, ()))
    yield from ((node, 0) for node in nodes.values() if node.kind in ("store", "sink"))


def _in_time(story: Story, task: TaskRecord, depth: int) -> Iterator[tuple[str, int]]:
    yield f"task:{task.id}", depth
    for step in story.steps(task.id):
        if step.call is not None:
            yield f"call:{step.call.id}", depth
        elif step.task is not None:
            yield from _in_time(story, step.task, depth + 1)


def _drawn(order: list[Node], edges: Iterable[Edge]) -> frozenset[str]:
    """The intents and what was blocked first, then why, then the rest."""
    why = {name for edge in edges if edge.explains for name in (edge.source, edge.target)}
    ranked = sorted(order, key=lambda node: (not (node.kind == "intent" or node.blocked), node.id not in why))
    return frozenset(node.id for node in ranked[:MAX_DRAWN])


def _left_out(order: list[Node], boxes: Container[str]) -> str:
    missing = [node for node in order if node.id not in boxes]
    if not missing:
        return ""
    calls = sum(node.kind == "call" for node in missing)
    others = f" and {counted(len(missing) - calls, 'other node')}" if len(missing) > calls else ""
    return f"{calls} calls{others} are not drawn; GraphML has them all"


def _lines(node: Node, sources: Iterable[str], width: int) -> tuple[str, ...]:
    letters = int((width - 24) / _LETTER)
    if node.kind == "intent":
        return ("Intent", *wrap(node.label, 4, letters), words(node))
    if node.kind in ("field", "sink"):
        after = f" · {visible(node.origin or node.status, 20)}"
        before = "leaves by " if node.kind == "sink" else ""
        label = "the output" if node.kind == "field" and node.label == "$" else node.label
        return (before + _cut(label, letters - len(after) - len(before)) + after,)
    if node.kind == "unseen":
        return ("model input, of no guarded call · unseen",)
    if node.kind == "store":
        return (f"store {_cut(node.label, letters - 6)}",)
    head = f"{node.seq}. {visible(node.label, letters)}" if node.seq else visible(node.label, letters)
    why = [line for check, said in zip(node.checks, node.sentences, strict=True) for line in wrap(f"{check}: {said}", 4, letters)]
    return (head, words(node), *why[:_MAX_LINES], *(line for said in sources for line in wrap(said, 2, letters)))


def _cut(text: str, letters: int) -> str:
    shown = visible(text, letters + 1)
    return shown if len(shown) <= letters else f"{shown[: max(letters - 1, 0)]}…"


def wrap(text: str, most: int, letters: int) -> list[str]:
    """Text as at most so many lines of so many letters, each visible."""
    return textwrap.wrap(visible(text, letters * most), max(letters, 4), max_lines=most, placeholder=" …") or [""]


def _ways(edges: list[tuple[Edge, Box, Box]], left: int) -> list[Way]:
    """Each value's way. Ways from one place share a lane, as do ways into one store or sink; two lanes never run over each other."""
    shared: dict[str, list[tuple[Edge, Box, Box]]] = {}
    for each in edges:
        key = each[2].node.id if each[2].node.kind in ("store", "sink") else f"from {each[1].node.id}"
        shared.setdefault(key, []).append(each)
    ends: dict[int, int] = {}  # where the last way in a lane ends
    arrived: dict[str, int] = {}
    ways: list[Way] = []
    for some in sorted(shared.values(), key=lambda some: min(min(source.y, target.y) for _, source, target in some)):
        top = min(min(source.y, target.y) for _, source, target in some)
        lane = next(number for number in range(len(ends) + 1) if ends.get(number, -1) < top)
        ends[lane] = max(max(box.y + box.height for box in (source, target)) for _, source, target in some)
        ways += [_way(each, left + lane * LANE, arrived) for each in some]
    return ways


def _way(each: tuple[Edge, Box, Box], lane: int, arrived: dict[str, int]) -> Way:
    edge, source, target = each
    nth = arrived[target.node.id] = arrived.get(target.node.id, -1) + 1
    room = max(1, (target.height - 16) // 8)
    leaves = source.y + source.height - 8 if source.node.kind == "call" else source.y + source.height // 2
    return Way(edge, source, target, lane, leaves, target.y + 8 + 8 * (nth % room))
