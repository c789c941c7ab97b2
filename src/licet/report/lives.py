"""A credential's life as a picture, and as a page with the picture: a lane for each version, from its issuance to its end.

Plain shapes and text, nothing from elsewhere, nothing that runs. Red is what was used after its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from licet.clock import iso
from licet.escape import visible
from licet.inventory.spoken import late_words, made_words, times_words, title_of, version_words
from licet.inventory.trace import Trace, Version
from licet.report.page import document, table, written

_FONT: Final = "ui-monospace, Menlo, Consolas, monospace"
_RED, _GREY, _INK, _GREEN, _AMBER = "#b3261e", "#9ca3af", "#1f2937", "#2e7d32", "#b26a00"
_LEFT, _WIDTH, _LANE, _TOP, _LINE = 24, 900, 92, 64, 18
_LETTER: Final = 7.4  # points that one letter takes
_SHORTEST: Final = 60.0  # seconds of a picture's width
_MOST_MARKS: Final = 2_000  # uses that are drawn in one lane; more lie over each other
_MOST_ROWS: Final = 5_000
_COLOURS: Final = {"after": _RED, "grace": _AMBER, "denied": _AMBER, "failed": _AMBER, "": _GREEN}


def life_svg(found: Trace) -> str:
    """A whole SVG file."""
    return tostring(_picture(found), encoding="unicode") + "\n"


def life_page(found: Trace) -> str:
    """A whole HTML file: the picture, and below it what it shows, line by line."""
    title = visible(title_of(found), 300)
    root, body = document(title)
    SubElement(body, "h1").text = title
    if found.owner is not None:
        SubElement(body, "p").text = visible(f"Owner: {found.owner[0].name or found.owner[0].uid} {found.owner[0].contact}", 500)
    SubElement(body, "div", {"class": "picture"}).append(_picture(found))
    for version in found.versions:
        SubElement(body, "p").text = visible(version_words(version), 500)
    for made in found.lineage:
        SubElement(body, "p").text = visible(f"{made_words(made)}, {iso(made.time)}", 500)
    for hole in found.holes:
        SubElement(body, "p").text = visible(f"Not known: {hole.said}.", 500)
    rows = table(body, ("Time", "What", "", "Where", "How late", "Record"))
    for line in found.lines[:_MOST_ROWS]:
        row = SubElement(rows, "tr", {"class": "blocked"} if line.late == "after" else {})
        where = " ".join(filter(None, (line.identity, line.account, line.region, line.ip or line.network, line.agent)))
        outcome = "" if line.outcome == "success" else line.outcome
        for text, look in (
            (iso(line.time), "short"), (line.kind, "short"), (f"{times_words(line)}{line.what} {outcome}", "long"),
            (where if line.kind == "used" else "", "long"), (late_words(line), "word"), (line.uid, "long"),
        ):  # fmt: skip
            SubElement(row, "td", {"class": look}).text = visible(text, 500)
    if len(found.lines) > _MOST_ROWS:
        SubElement(body, "p").text = f"{len(found.lines) - _MOST_ROWS:,} more lines: `licet trace --json --all` has them."
    return written(root)


def _picture(found: Trace) -> Element:
    times = [time for line in found.lines for time in (line.time, line.last)] or [0.0]
    first, last = min(times), max(*times, min(times) + _SHORTEST)
    holes = list(_legend(found))
    width, height = _LEFT * 2 + _WIDTH, _TOP + _LANE * len(found.versions) + _LINE * (len(holes) + 2)
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    title = visible(title_of(found), 300)
    SubElement(root, "title").text = title
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    _text(root, _LEFT, 26, title, bold=True, wide=_WIDTH)

    def at(time: float) -> float:
        return round(_LEFT + (min(max(time, first), last) - first) / (last - first) * _WIDTH, 1)

    for each in (hole for hole in found.holes if hole.what == "silence"):
        box = {"x": str(at(each.since)), "y": str(_TOP - 14), "height": str(_LANE * len(found.versions))}
        SubElement(root, "rect", {**box, "width": str(max(at(each.until) - at(each.since), 2)), "fill": "#f3f4f6"})
    for number, version in enumerate(found.versions):
        _lane(root, found, version, _TOP + _LANE * number, at)
    bottom = _TOP + _LANE * len(found.versions)
    SubElement(root, "path", {"d": f"M {_LEFT} {bottom - 8} L {_LEFT + _WIDTH} {bottom - 8}", "stroke": _GREY})
    _text(root, _LEFT, bottom + 8, iso(first)[:19].replace("T", " "))
    _text(root, _LEFT + _WIDTH, bottom + 8, iso(last)[:19].replace("T", " "), end=True)
    for row, (colour, said) in enumerate(holes):
        y = bottom + _LINE * (row + 2)
        SubElement(root, "path", {"d": f"M {_LEFT} {y - 4} L {_LEFT + 24} {y - 4}", "stroke": colour, "stroke-width": "4"})
        _text(root, _LEFT + 34, y, said, wide=_WIDTH - 34)
    return root


def _lane(root: Element, found: Trace, version: Version, top: int, at: Callable[[float], float]) -> None:
    life = version.credential
    y = top + 34
    _text(root, _LEFT, top + 6, visible(version_words(version), 200), wide=_WIDTH)
    lines = [line for line in found.lines if line.credential == life.uid]
    times = [time for line in lines for time in (line.time, line.last)]
    if not times:
        return
    ends = [time for time in (life.rotated, life.revoked, life.ended, life.expires) if time]
    begin, end = life.issued or min(times), min([*ends, max(times)])
    bar = {"y": str(y - 4), "height": "8", "rx": "4"}
    SubElement(root, "rect", {"x": str(at(begin)), "width": str(max(at(end) - at(begin), 1)), "fill": "#c8e6c9", **bar})
    if max(times) > end:
        SubElement(root, "path", {"d": f"M {at(end)} {y} L {at(max(times))} {y}", "stroke": _RED if version.late else _GREY,
                                  "stroke-width": "2", "stroke-dasharray": "6 4"})  # fmt: skip
    drawn: set[tuple[float, str]] = set()
    words_end = 0.0
    for line in lines:
        x = at(line.time)
        if line.kind != "used":
            look = {"d": f"M {x} {y - 14} L {x} {y + 14}", "stroke": _INK, "stroke-width": "2"}
            mark = SubElement(root, "path", look)
            SubElement(mark, "title").text = visible(f"{iso(line.time)} {line.kind} {line.what}", 300)
            at_end, long = x > _LEFT + _WIDTH - 80, len(line.kind) * _LETTER
            near = (x - long if at_end else x) < words_end  # what is near is written a line lower, so that no word lies on another
            _text(root, x, y + (40 if near else 27), line.kind.replace("_", " "), end=at_end)
            words_end = 0.0 if near else (x if at_end else x + long) + _LETTER
        elif (x, line.late) not in drawn and len(drawn) < _MOST_MARKS:
            drawn.add((x, line.late))
            size = {"r": "6" if line.late == "after" else "4" if line.number < 100 else "5"}
            mark = SubElement(root, "circle", {"cx": str(x), "cy": str(y), "fill": _COLOURS[line.late], **size})
            told = f"{iso(line.time)} {times_words(line)}{line.what} {line.outcome} {line.ip or line.network} {late_words(line)}"
            SubElement(mark, "title").text = visible(told, 300)


def _legend(found: Trace) -> Iterator[tuple[str, str]]:
    late = {line.late for line in found.lines}
    for word, said in (
        ("", "used"), ("grace", "used within the grace after its end"), ("denied", "tried after its end, and denied"),
    ):  # fmt: skip
        if any(line.kind == "used" for line in found.lines) and word in late:
            yield _COLOURS[word], said
    for line in [line for line in found.lines if line.late == "after"][:5]:
        yield _RED, visible(f"{iso(line.time)[:19].replace('T', ' ')}: {times_words(line)}{line.what}, {late_words(line)}", 200)
    if (more := sum(line.late == "after" for line in found.lines) - 5) > 0:
        yield _RED, f"and {more:,} more after its end"
    for hole in found.holes[:5]:
        yield _GREY, visible(f"not known: {hole.said}", 200)


def _text(root: Element, x: float, y: float, said: str, *, bold: bool = False, end: bool = False, wide: int = 0) -> None:
    look = {"x": str(x), "y": str(y), "fill": _INK, "font-family": _FONT, "font-size": "12"}
    look |= ({"font-weight": "bold"} if bold else {}) | ({"text-anchor": "end"} if end else {})
    most = int(wide / _LETTER)
    SubElement(root, "text", look).text = f"{said[: most - 1]}…" if wide and len(said) > most else said
