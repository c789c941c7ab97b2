"""The worst that a hijacked agent could do in a task kind, as one picture: the calls to the worst effect, and to the worst leak."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import SubElement, tostring

from licet.chain import Edge, Node
from licet.escape import counted, visible
from licet.manifest.choices import IN_WORDS
from licet.manifest.reach import Leak, Reach, Reached
from licet.report.layout import GAP, LINE, MARGIN, PADDING, WIDTH, Box, Picture, wrap
from licet.report.page import document, table, written
from licet.report.svg import draw

_SHOWN = 8  # arguments of an effect
_LETTERS = 46  # of a line in a box


def blast_svg(found: Reach) -> str:
    """A whole SVG file."""
    return tostring(draw(_arrange(found), _title(found)), encoding="unicode") + "\n"


def blast_page(found: Reach) -> str:
    """A whole HTML file: the picture, and every effect and leak as a table."""
    root, body = document(_title(found))
    SubElement(body, "h1").text = _title(found)
    said = "A fully hijacked agent knows the manifest and owns every untrusted field; it is neither the user nor who approves."
    SubElement(body, "p").text = said
    SubElement(body, "div", {"class": "picture"}).append(draw(_arrange(found), _title(found)))
    rows = table(body, ("Effect", "How", "Cheapest path", "Bounds, receiver or why not"))
    cells = [(f"{effect.tool} ({effect.what})", effect.level, effect.path, ", ".join(effect.bounds)) for effect in found.effects]
    cells += [(f"{leak.label} by {leak.tool}", leak.level, leak.path, leak.receiver or leak.why) for leak in found.leaks]
    for what, level, path, more in cells:
        row = SubElement(rows, "tr", {"class": "blocked"} if level == "free" else {})
        for text in (what, IN_WORDS[level], " -> ".join(path), more):
            SubElement(row, "td").text = visible(text, 500)
    return written(root)


def _title(found: Reach) -> str:
    return f"What a hijacked agent could do in {visible(found.kind, 80)}"


def _arrange(found: Reach) -> Picture:
    boxes: list[Box] = []
    edges: list[tuple[Edge, Box, Box]] = []
    drawn: list[Reached | Leak] = [*found.effects[:1], *found.leaks[:1]]
    for column, worst in enumerate(drawn):
        _column(found, worst, MARGIN + column * (WIDTH + MARGIN), boxes, edges)
    bottom = max((box.y + box.height for box in boxes), default=0) + GAP
    return Picture(tuple(boxes), tuple(edges), (), max((box.right for box in boxes), default=0) + MARGIN, bottom, "")


def _column(found: Reach, worst: Reached | Leak, left: int, boxes: list[Box], edges: list[tuple[Edge, Box, Box]]) -> None:
    """The calls to one effect, from the top down; it stands at the end, in red."""
    lines = ("Fully hijacked agent", *_wrap(f"task kind {found.kind}", 1), "knows the manifest, owns every untrusted field")
    before = _box(Node(f"attacker:{left}", "intent", "Fully hijacked agent", ""), left, MARGIN, lines)
    boxes.append(before)
    if not worst.path:
        what = worst.tool if isinstance(worst, Reached) else f"{worst.label} by {worst.tool}"
        node = Node(f"{left}:0", "call", what, "", outcome="allow")
        boxes.append(_box(node, left, before.y + before.height + GAP, (*_wrap(what, 1), "not at all")))
    for number, tool in enumerate(worst.path, start=1):
        last = number == len(worst.path)
        head = _wrap(f"{number}. {tool}", 1)
        node = Node(f"{left}:{number}", "call", tool, "", outcome="deny" if last else "allow")
        box = _box(node, left, before.y + before.height + GAP, (*head, *(_lines(worst) if last else ("is called first",))))
        edges.append((Edge(before.node.id, node.id, "followed", explains=last), before, box))
        boxes.append(box)
        before = box


def _lines(worst: Reached | Leak) -> Sequence[str]:
    if isinstance(worst, Leak):
        return [f"LEAK: {IN_WORDS[worst.level]}", *_wrap(f"{worst.label} leaves, {worst.receiver}", 3)]
    lines = [f"EFFECT: {IN_WORDS[worst.level]}"]
    for each in worst.arguments[:_SHOWN]:
        lines += _wrap(f"{each.argument}: {IN_WORDS[each.level]}", 1)
    if len(worst.arguments) > _SHOWN:
        lines.append(f"and {counted(len(worst.arguments) - _SHOWN, 'more argument')}")
    return [*lines, *_wrap("; ".join(worst.bounds) or "nothing bounds how often", 2)]


def _wrap(text: str, most: int) -> list[str]:
    return wrap(text, most, _LETTERS)


def _box(node: Node, x: int, y: int, lines: tuple[str, ...]) -> Box:
    return Box(node, x, y, WIDTH, len(lines) * LINE + 2 * PADDING, lines)
