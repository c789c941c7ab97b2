"""The scorecard's plots: plain shapes and text as SVG, nothing from elsewhere, nothing that runs. Colour never says it alone."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from licet.clock import iso
from licet.drill.score import Scorecard
from licet.escape import visible

_FONT: Final = "ui-monospace, Menlo, Consolas, monospace"
_RED, _GREY, _INK, _GREEN, _LINE = "#b3261e", "#9ca3af", "#1f2937", "#2e7d32", "#d1d5db"
_PALE: Final = {"passed": "#c8e6c9", "failed": "#f5b7b1", "unplayed": "#f3f4f6"}
_MARK: Final = {"passed": "pass", "failed": "FAIL", "unplayed": "-"}
_LETTER: Final = 7.4  # points that one letter takes
_WIDTH, _LEFT, _RIGHT = 1_060, 230, 40
_DAY: Final = 86_400.0
_MOST_PARTS: Final = 20
_MOST_MARKS: Final = 3_000
_MOST_DAYS: Final = 60


def grid(card: Scorecard) -> Element:
    """A field for each scenario and source."""
    sources = sorted({each.source for each in card.cells})
    rows = list(dict.fromkeys((each.scenario, each.name) for each in card.cells))
    width = max(60, int((_WIDTH - _LEFT) / max(len(sources), 1)))
    root = _svg(_LEFT + width * len(sources), 40 + 24 * len(rows), "which scenario passed on which source within a week")
    for column, source in enumerate(sources):
        _text(root, _LEFT + column * width + 4, 26, source[: int(width / _LETTER)])
    for row, (scenario, name) in enumerate(rows):
        _text(root, 16, 40 + row * 24 + 16, f"{scenario:<5}{name}")
    places = {key: number for number, key in enumerate(rows)}
    for cell in card.cells:
        x, y = _LEFT + sources.index(cell.source) * width, 40 + places[cell.scenario, cell.name] * 24
        box = {"x": str(x), "y": str(y), "width": str(width - 4), "height": "20", "rx": "3", "fill": _PALE[cell.state], "stroke": _LINE}
        field = SubElement(root, "rect", box)
        when = f", last played {iso(cell.last)}" if cell.last else ", not played within a week"
        SubElement(field, "title").text = f"{cell.scenario} on {cell.source}: {cell.state}{when}"
        _text(root, x + 6, y + 15, _MARK[cell.state], colour=_RED if cell.state == "failed" else _INK, bold=cell.state == "failed")
    return root


def days(card: Scorecard) -> Element:
    """A bar for each day: passed at the bottom, failed on top of it."""
    passed = Counter(int(each.began // _DAY) for each in card.drills if each.passed)
    failed = Counter(int(each.began // _DAY) for each in card.drills if not each.passed)
    last = int(card.as_of // _DAY)
    shown = list(range(max(int(card.since // _DAY), last - _MOST_DAYS + 1), last + 1))
    most = max((passed[day] + failed[day] for day in shown), default=0) or 1
    root = _svg(_WIDTH, 200, "results of each day")
    step = (_WIDTH - 100) / len(shown)
    SubElement(root, "path", {"d": f"M 60 150 L {_WIDTH - 40} 150", "stroke": _GREY})
    _text(root, 52, 34, f"{most:,}", end=True)
    _text(root, 52, 154, "0", end=True)
    for number, day in enumerate(shown):
        x, bottom = 60 + number * step, 150.0
        for count, colour, word in ((passed[day], _GREEN, "passed"), (failed[day], _RED, "failed")):
            if not count:
                continue
            height = max(count / most * 120, 3.0)  # one that failed is seen beside thousands
            bottom -= height
            bar = {"x": _n(x + step * 0.1), "y": _n(bottom), "width": _n(step * 0.8), "height": _n(height), "fill": colour}
            SubElement(SubElement(root, "rect", bar), "title").text = f"{iso(day * _DAY)[:10]}: {count:,} {word}"
            if word == "failed":
                _text(root, x + step / 2, bottom - 4, f"{count:,}", colour=_RED, middle=True)
        if number % max(1, len(shown) // 8) == 0:
            _text(root, x + step / 2, 170, iso(day * _DAY)[5:10], middle=True)
    for x, colour, word in ((60, _GREEN, "passed"), (160, _RED, "failed")):
        SubElement(root, "rect", {"x": str(x), "y": "184", "width": "12", "height": "10", "fill": colour})
        _text(root, x + 18, 193, word)
    return root


def timeline(card: Scorecard) -> Element:
    """Results as marks in one lane, and below it a lane for each part that was blind."""
    parts = sorted({each.part for each in card.stretches})[:_MOST_PARTS]
    height = 80 + 22 * len(parts)
    root = _svg(_WIDTH, height + 30, "when what was blind")
    since, until = card.since, max(card.as_of, card.since + 1)
    # A week of which one hour has drills is an hour.
    first = min([each.began for each in card.drills] + [each.since for each in card.stretches], default=since)
    since = max(since, first - max((until - first) * 0.02, 1.0))

    def at(time: float) -> float:
        return _LEFT + (min(max(time, since), until) - since) / (until - since) * (_WIDTH - _LEFT - _RIGHT)

    _text(root, 16, 40, "results")
    drawn: set[tuple[int, bool]] = set()
    for each in card.drills:
        place = (int(at(each.began)), each.passed)
        if place in drawn or len(drawn) >= _MOST_MARKS:
            continue
        drawn.add(place)
        x = at(each.began)
        look = {"d": f"M {_n(x)} {28 if each.passed else 20} L {_n(x)} {44 if each.passed else 52}", "stroke-width": "2"}
        mark = SubElement(root, "path", look | {"stroke": _GREEN if each.passed else _RED})
        SubElement(mark, "title").text = f"{iso(each.began)} {each.scenario} on {each.source}: {'passed' if each.passed else 'failed'}"
    for lane, part in enumerate(parts):
        y = 66 + lane * 22
        _text(root, 16, y + 12, visible(part, 30), colour=_RED)
        for stretch in (each for each in card.stretches if each.part == part and each.until > since):
            x, end = at(stretch.since), at(stretch.until)
            bar = {"x": _n(x), "y": str(y), "width": _n(max(end - x, 2)), "height": "14", "fill": "#f5b7b1", "stroke": _RED}
            SubElement(SubElement(root, "rect", bar), "title").text = f"{part}: {iso(stretch.since)} to {iso(stretch.until)}"
    if not parts:
        _text(root, _LEFT, 74, "nothing was blind", colour=_GREEN)
    SubElement(root, "path", {"d": f"M {_LEFT} {height} L {_WIDTH - _RIGHT} {height}", "stroke": _GREY})
    _text(root, _LEFT, height + 18, iso(since)[:16].replace("T", " "))
    _text(root, _WIDTH - _RIGHT, height + 18, iso(until)[:16].replace("T", " "), end=True)
    return root


def taken(card: Scorecard) -> Element:
    """A lane for each source, with a mark for each finding that came; the axis is a logarithm."""
    misuses = [each for each in card.drills if not each.twin and not each.shadow and each.passed and each.seconds >= 0]
    sources = sorted({each.source for each in misuses})
    longest = max((each.seconds for each in misuses), default=1.0)
    low, high = -2.0, max(1.0, math.ceil(math.log10(max(longest, 0.01)) + 0.01))
    height = 30 + 26 * max(len(sources), 1)
    root = _svg(_WIDTH, height + 30, "detection times by source")

    def at(value: float) -> float:
        return _LEFT + (math.log10(max(value, 0.01)) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    for power in range(int(low), int(high) + 1):
        x = at(10.0**power)
        SubElement(root, "path", {"d": f"M {_n(x)} 16 L {_n(x)} {height}", "stroke": _LINE})
        _text(root, x, height + 18, f"{10.0**power:g} s", middle=True)
    by = {(each.name, each.of): each.value for each in card.metrics}
    for lane, source in enumerate(sources):
        y = 34 + lane * 26
        _text(root, 16, y + 4, source)
        for place in sorted({int(at(each.seconds) * 2) for each in misuses if each.source == source})[:_MOST_MARKS]:
            SubElement(root, "circle", {"cx": _n(place / 2), "cy": str(y), "r": "3", "fill": _GREEN})
        for name in ("p50", "p95"):
            value = by.get((f"detection_time_{name}", source))
            if value is not None:
                x = at(value)
                line = SubElement(root, "path", {"d": f"M {_n(x)} {y - 9} L {_n(x)} {y + 9}", "stroke": _INK, "stroke-width": "2"})
                SubElement(line, "title").text = f"{source}: {name} {value:.2f} s"
    if not sources:
        _text(root, _LEFT, 34, "no finding of a drill came", colour=_RED)
    return root


def _svg(width: int, height: int, title: str) -> Element:
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    SubElement(root, "title").text = title
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    return root


def _text(
    root: Element, x: float, y: float, said: str, *, colour: str = _INK, bold: bool = False, end: bool = False, middle: bool = False
) -> None:  # fmt: skip
    look = {"x": _n(x), "y": _n(y), "fill": colour, "font-family": _FONT, "font-size": "12"}
    look |= {"font-weight": "bold"} if bold else {}
    look |= {"text-anchor": "end"} if end else {"text-anchor": "middle"} if middle else {}
    SubElement(root, "text", look).text = said


def _n(value: float) -> str:
    return f"{value:.1f}"
