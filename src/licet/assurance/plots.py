"""Bars as inline SVG: plain shapes and text. What a bar says stands beside it in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from licet.escape import visible

COLOURS: Final[Mapping[str, str]] = {
    "verified by drill": "#2e7d32", "observed": "#3b6ea8", "declared only": "#b8bec9", "absent": "#ffffff",
}  # fmt: skip
"""Of each standing; green is a drill that passed, and nothing else."""

_INK, _LINE, _BAR = "#1f2937", "#6b7280", "#4b5563"
_NAMES, _WIDTH, _ROW, _HIGH = 330, 420, 26, 16


def standings(counts: Sequence[tuple[str, Mapping[str, int]]]) -> Element:
    """A bar for each catalogue, in four parts."""
    root = _svg("What stands behind the entries of each catalogue", len(counts))
    for row, (name, parts) in enumerate(counts):
        y, x, total = row * _ROW + 4, float(_NAMES), max(1, sum(parts.values()))
        _text(root, 0, y + 13, name)
        for part, number in parts.items():
            width = _WIDTH * number / total
            if number:
                SubElement(root, "rect", {
                    "x": f"{x:.1f}", "y": str(y), "width": f"{width:.1f}", "height": str(_HIGH), "fill": COLOURS[part], "stroke": _LINE,
                })  # fmt: skip
                light = part in ("declared only", "absent")
                _text(root, x + width / 2, y + 13, str(number), _INK if light else "#ffffff", "middle")
            x += width
    return root


def bars(title: str, counts: Mapping[str, int]) -> Element:
    """A bar for each name, the longest as long as there is room."""
    root = _svg(title, len(counts))
    most = max([1, *counts.values()])
    for row, (name, number) in enumerate(counts.items()):
        y, width = row * _ROW + 4, _WIDTH * number / most
        _text(root, 0, y + 13, name)
        SubElement(root, "rect", {"x": str(_NAMES), "y": str(y), "width": f"{max(width, 1):.1f}", "height": str(_HIGH), "fill": _BAR})
        _text(root, _NAMES + width + 8, y + 13, f"{number:,}")
    return root


def _svg(title: str, rows: int) -> Element:
    width, height = _NAMES + _WIDTH + 80, max(1, rows) * _ROW + 4
    root = Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "role": "img", "width": str(width), "height": str(height),
        "viewBox": f"0 0 {width} {height}", "font-family": "system-ui, sans-serif", "font-size": "13",
    })  # fmt: skip
    SubElement(root, "title").text = visible(title, 200)
    return root


def _text(root: Element, x: float, y: float, text: str, fill: str = _INK, anchor: str = "start") -> None:  # noqa: PLR0917
    SubElement(root, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "fill": fill, "text-anchor": anchor}).text = visible(text, 46)
