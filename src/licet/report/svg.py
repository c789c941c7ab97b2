"""The call graph as SVG: plain shapes and text, nothing from elsewhere, nothing that runs."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from licet.chain import Edge
from licet.escape import visible
from licet.report.layout import LINE, PADDING, WIDTH, Box, Picture, arrange
from licet.report.story import Story

_FONT = "ui-monospace, Menlo, Consolas, monospace"
_RED, _GREY = "#b3261e", "#6b7280"
_FILLS = {"intent": ("#eef2ff", "#4f46e5"), "call": ("#f3faf4", "#2e7d32"), "blocked": ("#fdecea", _RED), "seen": ("#fff8e1", "#b26a00")}


def svg(story: Story) -> str:
    """A whole SVG file."""
    return tostring(picture_of(story), encoding="unicode") + "\n"


def picture_of(story: Story) -> Element:
    """The `svg` element, for a file of its own or for a page."""
    picture = arrange(story)
    size = {"width": str(picture.width), "height": str(picture.height), "viewBox": f"0 0 {picture.width} {picture.height}"}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    SubElement(root, "title").text = f"Calls of task {visible(story.task.id, 64)} ({visible(story.task.kind, 80)})"
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    for edge, source, target in picture.edges:
        _edge(root, edge, source, target)
    for box in picture.boxes:
        _box(root, box)
    _left_out(root, picture)
    return root


def _edge(root: Element, edge: Edge, source: Box, target: Box) -> None:
    """From the left part of one box down and into the next; a short arrow head of its own, so that no marker is referred to."""
    colour = _RED if edge.explains else _GREY
    # Each kind leaves its box at a place of its own, so that dashes never lie on a line.
    out = 44 if edge.kind == "delegated" else 32 if edge.explains else 20
    start = (source.x + out, source.y + source.height)
    attributes = {"fill": "none", "stroke": colour, "stroke-width": "2.5" if edge.explains else "1.5"}
    if edge.explains or edge.kind == "delegated":
        attributes["stroke-dasharray"] = "7 4" if edge.explains else "2 4"
    if target.x == source.x:
        tip = (target.x + 20, target.y)
        path = f"M {start[0]} {start[1]} L {tip[0]} {tip[1]}"
        head = f"M {tip[0] - 5} {tip[1] - 8} L {tip[0]} {tip[1]} L {tip[0] + 5} {tip[1] - 8} Z"
    else:
        tip = (target.x, target.y + target.height // 2)  # what stands elsewhere stands to the right: blocked, or delegated
        path = f"M {start[0]} {start[1]} L {start[0]} {tip[1]} L {tip[0]} {tip[1]}"
        head = f"M {tip[0] - 8} {tip[1] - 5} L {tip[0]} {tip[1]} L {tip[0] - 8} {tip[1] + 5} Z"
    SubElement(root, "path", {"d": path, **attributes})
    SubElement(root, "path", {"d": head, "fill": colour})


def _box(root: Element, box: Box) -> None:
    seen = box.node.kind == "call" and box.node.judged not in ("", "allow")
    look = "blocked" if box.blocked else "seen" if seen else box.node.kind
    fill, stroke = _FILLS[look]
    group = SubElement(root, "g", {"font-family": _FONT, "font-size": "12"})
    edge = {"fill": fill, "stroke": stroke, "stroke-width": "3" if box.blocked else "1.5"}
    SubElement(group, "rect", {"x": str(box.x), "y": str(box.y), "width": str(WIDTH), "height": str(box.height), "rx": "6", **edge})
    for index, line in enumerate(box.lines):
        y = box.y + PADDING + (index + 1) * LINE - 4
        weight = {"font-weight": "bold"} if index == 0 else {}
        colour = stroke if index == 0 or (box.blocked and index == 1) else "#1f2937"
        # Nobody chooses how wide a glyph is: what is wider than its box is squeezed into it.
        wide = {"textLength": str(WIDTH - 24), "lengthAdjust": "spacingAndGlyphs"} if _is_wide(line) else {}
        text = SubElement(group, "text", {"x": str(box.x + 12), "y": str(y), "fill": colour, **weight, **wide})
        text.text = line


def _is_wide(line: str) -> bool:
    return len(line) + sum(ord(character) > 0x10FF for character in line) > 48


def _left_out(root: Element, picture: Picture) -> None:
    if picture.left_out:
        text = SubElement(root, "text", {"x": "24", "y": "16", "font-family": _FONT, "font-size": "12", "fill": _RED})
        text.text = f"{picture.left_out} calls are not drawn; GraphML has them all"
