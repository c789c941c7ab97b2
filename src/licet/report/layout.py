"""Where the nodes of a call graph stand in a picture: a row for each, in order of time, a column for each depth of delegation.

What was blocked stands aside of the line of work: it led nowhere.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from licet.chain import Edge, Node
from licet.escape import visible
from licet.records import TaskRecord
from licet.report.story import Story

MAX_DRAWN = 1_000  # nodes; beyond, a picture is no help, and calls that were allowed are left out first
WIDTH, LINE, PADDING, GAP = 380, 17, 9, 26
COLUMN, ASIDE, MARGIN = 120, 200, 24
_LETTERS = 52  # of a line in a box
_MAX_LINES = 8


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place and its lines, which are visible text."""

    node: Node
    x: int
    y: int
    height: int
    lines: tuple[str, ...]
    blocked: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and the edges between those that are drawn."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[Edge, Box, Box], ...]
    width: int
    height: int
    left_out: int


def arrange(story: Story) -> Picture:
    """Lay a story out."""
    graph = story.graph
    nodes = {node.id: node for node in graph.nodes}
    order = [(nodes[name], depth) for name, depth in _in_time(story, story.task, 0)]
    drawn = _drawn(order)
    boxes: dict[str, Box] = {}
    top = MARGIN
    for node, depth in order:
        if node.id not in drawn:
            continue
        lines, blocked = _lines(node), is_blocked(node)
        height = len(lines) * LINE + 2 * PADDING
        boxes[node.id] = Box(node, MARGIN + depth * COLUMN + (ASIDE if blocked else 0), top, height, lines, blocked)
        top += height + GAP
    edges = [(edge, boxes[edge.source], boxes[edge.target]) for edge in graph.edges if edge.source in boxes and edge.target in boxes]
    width = max((box.x for box in boxes.values()), default=0) + WIDTH + MARGIN
    return Picture(tuple(boxes.values()), tuple(edges), width, top, len(order) - len(boxes))


def is_blocked(node: Node) -> bool:
    """Whether the call did not run because it was refused."""
    return node.kind == "call" and (node.status == "denied" or node.outcome == "deny")


def words(node: Node) -> str:
    """What became of a node, in words."""
    if node.kind == "intent":
        return f"task {node.status}"
    if is_blocked(node):
        return "BLOCKED"
    return f"{node.outcome}, {node.status}" + (f" (observed: would {node.judged})" if node.judged not in ("", node.outcome) else "")


def _in_time(story: Story, task: TaskRecord, depth: int) -> list[tuple[str, int]]:
    order = [(f"task:{task.id}", depth)]
    for step in story.steps(task.id):
        if step.call is not None:
            order.append((f"call:{step.call.id}", depth))
        elif step.task is not None:
            order += _in_time(story, step.task, depth + 1)
    return order


def _drawn(order: list[tuple[Node, int]]) -> set[str]:
    first = [node.id for node, _ in order if node.kind == "intent" or is_blocked(node)]
    rest = [node.id for node, _ in order if not (node.kind == "intent" or is_blocked(node))]
    return set([*first, *rest][:MAX_DRAWN])


def _lines(node: Node) -> tuple[str, ...]:
    if node.kind == "intent":
        return ("Intent", *_wrap(node.label, 4), words(node))
    head = f"{node.seq}. {visible(node.label, _LETTERS)}"
    why = [line for check, sentence in zip(node.checks, node.sentences, strict=True) for line in _wrap(f"{check}: {sentence}", 4)]
    return (head, words(node), *why[:_MAX_LINES])


def _wrap(text: str, most: int) -> list[str]:
    return textwrap.wrap(visible(text, _LETTERS * most), _LETTERS, max_lines=most, placeholder=" …") or [""]
