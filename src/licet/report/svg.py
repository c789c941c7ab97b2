"""The chain graph as SVG: plain shapes and text, nothing from elsewhere, nothing that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from licet.chain import CallGraph, Edge
from licet.escape import visible
from licet.report.layout import LINE, MARGIN, NEAR, PADDING, Box, Picture, Way, arrange
from licet.report.story import Story

_FONT = "ui-monospace, Menlo, Consolas, monospace"
_RED, _GREY, _INK = "#b3261e", "#6b7280", "#1f2937"
_FILLS = {
    "intent": ("#eef2ff", "#4f46e5"),
    "call": ("#f3faf4", "#2e7d32"),
    "blocked": ("#fdecea", _RED),
    "seen": ("#fff8e1", "#b26a00"),
    "store": ("#f3f4f6", _INK),
    "sink": ("#f3f4f6", _INK),
}
LABELS: Mapping[str, str] = {
    "intent": "#4f46e5", "trusted": "#2e7d32", "counterpart": "#1d4ed8", "untrusted": "#c2410c", "unseen": "#7e22ce",
}  # fmt: skip
"""The colour of each label; the word always stands beside it."""


def svg(story: Story, part: CallGraph | None = None) -> str:
    """A whole SVG file of a story, or of a part of its graph."""
    return tostring(picture_of(story, part), encoding="unicode") + "\n"


def picture_of(story: Story, part: CallGraph | None = None) -> Element:
    """The `svg` element, for a file of its own or for a page."""
    return draw(arrange(story, part), f"Calls of task {visible(story.task.id, 64)} ({visible(story.task.kind, 80)})")


def draw(picture: Picture, title: str) -> Element:
    """Boxes, edges and ways as an `svg` element; the title is visible text."""
    legend = list(_legend(picture))
    width, height = max(picture.width, 470 if legend else 0), picture.height + LINE * len(legend)
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    SubElement(root, "title").text = title
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    for way in sorted(picture.ways, key=lambda way: way.edge.explains):
        _way(root, way)
    for edge, source, target in sorted(picture.edges, key=lambda each: each[0].explains):
        _output(root, edge, source, target) if edge.kind == "used" else _edge(root, edge, source, target)
    for box in picture.boxes:
        _box(root, box)
    for row, (look, said) in enumerate(legend):
        y = picture.height + row * LINE
        SubElement(root, "path", {"d": f"M {MARGIN} {y - 4} L {MARGIN + 40} {y - 4}", "fill": "none", **look})
        text = {"x": str(MARGIN + 50), "y": str(y), "fill": _INK, "font-family": _FONT, "font-size": "12"}
        SubElement(root, "text", text).text = said
    if picture.left_out:
        text = {"x": "24", "y": "16", "font-family": _FONT, "font-size": "12", "fill": _RED}
        SubElement(root, "text", text).text = picture.left_out
    return root


def _look(edge: Edge, label: str) -> dict[str, str]:
    """How a line is drawn: by what it is, and, of a value, by who could choose it."""
    if edge.kind == "used":
        look = {"stroke": _RED if edge.explains else LABELS.get(label, _INK), "stroke-width": "3" if edge.explains else "2"}
        return look | ({"stroke-dasharray": "7 4"} if edge.explains else {"stroke-dasharray": "2 3"} if edge.tried else {})
    look = {"stroke": _RED if edge.explains else _GREY, "stroke-width": "2.5" if edge.explains else "1.5"}
    if edge.explains or edge.kind == "delegated":
        look["stroke-dasharray"] = "7 4" if edge.explains else "2 4"
    return look


def _label(source: Box) -> str:
    return "intent" if source.node.kind == "intent" else source.node.origin


def _way(root: Element, way: Way) -> None:
    """Out at the right, along the lane, and in at the right."""
    look = _look(way.edge, _label(way.source))
    tip = way.target.right
    path = f"M {way.source.right} {way.start} L {way.x} {way.start} L {way.x} {way.end} L {tip} {way.end}"
    SubElement(root, "path", {"d": path, "fill": "none", **look})
    head = f"M {tip + 8} {way.end - 4} L {tip} {way.end} L {tip + 8} {way.end + 4} Z"
    SubElement(root, "path", {"d": head, "fill": look["stroke"]})


def _output(root: Element, edge: Edge, source: Box, target: Box) -> None:
    """From a call to a field of its output, which stands under it."""
    x, y = target.x - 12, target.y + target.height // 2
    look = _look(edge, target.node.origin)
    SubElement(root, "path", {"d": f"M {x} {source.y + source.height} L {x} {y} L {target.x} {y}", "fill": "none", **look})


def _edge(root: Element, edge: Edge, source: Box, target: Box) -> None:
    """From the left part of one box down and into the next; a short arrow head of its own, so that no marker is referred to."""
    look = _look(edge, "")
    # What explains leaves its box at a place of its own, so that dashes never lie on a line.
    x, y = source.x + (32 if edge.explains else 20), source.y + source.height
    if edge.kind == "delegated":  # past all calls of the task, at their left
        tip, middle = (target.x, target.y + target.height // 2), source.y + source.height // 2
        path = f"M {source.x} {middle} L {source.x - 12} {middle} L {source.x - 12} {tip[1]} L {tip[0]} {tip[1]}"
    elif target.x == source.x:
        tip = (target.x + 20, target.y)
        path = f"M {x} {y} L {tip[0]} {tip[1]}"
    else:
        tip = (target.x, target.y + target.height // 2)  # what was blocked stands to the right
        path = f"M {x} {y} L {x} {tip[1]} L {tip[0]} {tip[1]}"
    down = edge.kind != "delegated" and target.x == source.x
    head = (
        f"M {tip[0] - 5} {tip[1] - 8} L {tip[0]} {tip[1]} L {tip[0] + 5} {tip[1] - 8} Z"
        if down
        else f"M {tip[0] - 8} {tip[1] - 5} L {tip[0]} {tip[1]} L {tip[0] - 8} {tip[1] + 5} Z"
    )
    SubElement(root, "path", {"d": path, "fill": "none", **look})
    SubElement(root, "path", {"d": head, "fill": look["stroke"]})


def _box(root: Element, box: Box) -> None:
    node = box.node
    if node.kind in ("field", "unseen"):
        fill, stroke = "#ffffff", LABELS.get(node.origin, _INK)
    else:
        seen = node.kind == "call" and node.judged not in ("", "allow")
        fill, stroke = _FILLS["blocked" if node.blocked else "seen" if seen else node.kind]
    small = node.kind not in ("intent", "call")
    group = SubElement(root, "g", {"font-family": _FONT, "font-size": "12"})
    shape = {"fill": fill, "stroke": stroke, "stroke-width": "3" if node.blocked else "1.5"}
    place = {"x": str(box.x), "y": str(box.y), "width": str(box.width), "height": str(box.height), "rx": "2" if small else "6"}
    SubElement(group, "rect", place | shape)
    for index, line in enumerate(box.lines):
        y = box.y + (NEAR // 2 if small else PADDING) + (index + 1) * LINE - 4
        weight = {"font-weight": "bold"} if index == 0 and not small else {}
        colour = stroke if index == 0 or (node.blocked and index == 1) else _INK
        # Nobody chooses how wide a glyph is: what is wider than its box is squeezed into it.
        wide = {"textLength": str(box.width - 24), "lengthAdjust": "spacingAndGlyphs"} if _is_wide(line, box.width) else {}
        text = SubElement(group, "text", {"x": str(box.x + 12), "y": str(y), "fill": colour, **weight, **wide})
        text.text = line


def _is_wide(line: str, width: int) -> bool:
    return len(line) + sum(ord(character) > 0x10FF for character in line) > (width - 24) / 7.4


def _legend(picture: Picture) -> Iterator[tuple[dict[str, str], str]]:
    """A line for each way of drawing that occurs, and what it means."""
    labels = {_label(way.source) for way in picture.ways}
    edges = [edge for edge, _, _ in picture.edges]
    if not picture.ways:
        return
    yield _look(Edge("", "", "followed"), ""), "this call came next"
    if any(edge.kind == "delegated" for edge in edges):
        yield _look(Edge("", "", "delegated"), ""), "this task was delegated"
    for label, colour in LABELS.items():
        if label in labels:
            said = "written by the user (intent)" if label == "intent" else f"{label}"
            yield {"stroke": colour, "stroke-width": "2"}, f"a value went this way: {said}"
    if "" in labels:
        yield _look(Edge("", "", "used"), ""), "a call wrote into a store, read from it, or let something leave"
    if any(edge.explains for edge in [*edges, *(way.edge for way in picture.ways)]):
        yield _look(Edge("", "", "used", explains=True), ""), "why a call was stopped or a person asked"
