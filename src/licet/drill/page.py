"""The scorecard as one HTML page: self-contained, without scripts, and fit to be printed."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from licet.clock import iso, lasting
from licet.drill.plots import days, grid, taken, timeline
from licet.drill.receiver import OWN_RECEIVER
from licet.drill.score import Metric, Scorecard
from licet.escape import counted, visible
from licet.report.page import document, table, written

_LONGEST = 500
_MOST = 200  # rows of one table


def page(card: Scorecard) -> str:
    """A whole HTML file."""
    verdict = "PASS" if card.passed else "FAIL"
    root, body = document(f"Drills: {verdict}")
    SubElement(body, "h1").text = f"Drills: {verdict}"
    played = counted(len(card.drills), "result")
    _text(body, f"As of {_time(card.as_of)}, over {lasting(card.as_of - card.since)}: {played}.")
    share = "the share of the time in which nothing was blind"
    _text(body, f"Score {card.score:.2f}: detection coverage, times the lower bound of the pass rate at 95 %, times {share}.")
    if card.reasons:
        rows = table(body, ("Why",))
        for reason in card.reasons[:_MOST]:
            row = SubElement(rows, "tr", {"class": "blocked"})
            SubElement(row, "td").text = visible(reason.said, _LONGEST)
    for each in card.blind:
        _text(body, f"Blind now: {each.part}, since {_time(each.since)}.")
    sinks = "; ".join(f"{name}, {_time(last)}" for name, last in card.sinks.items())
    _text(body, f"Sinks proved: {sinks or 'none'}{'' if set(card.sinks) - {OWN_RECEIVER} else '; no sink of yours'}.")
    long = "From the last record let in to the sink's word that it has the finding; a line at half, and at 95 %."
    for heading, said, plot in (
        ("Which misuse is seen, and where", "Each scenario on each source on which it can be played, within the last week.", grid(card)),
        ("Day by day", "Results of each day: passed, and failed.", days(card)),
        ("When what was blind", "Each result as a mark; a bar where a part was blind.", timeline(card)),
        ("How long it took", long, taken(card)),
    ):  # fmt: skip
        SubElement(body, "h2").text = heading
        _text(body, said)
        SubElement(body, "div", {"class": "picture"}).append(plot)
    SubElement(body, "h2").text = "Figures"
    _figures(body, card)
    if card.stretches:
        SubElement(body, "h2").text = "Blind"
        rows = table(body, ("Part", "Since", "Until", ""))
        for stretch in card.stretches[:_MOST]:
            row = SubElement(rows, "tr")
            length = lasting(stretch.until - stretch.since)
            for text in (stretch.part, _time(stretch.since), _time(stretch.until), length):
                SubElement(row, "td", {"class": "short"}).text = visible(text, _LONGEST)
    failed = [each for each in card.drills if not each.passed]
    if failed:
        SubElement(body, "h2").text = "Failed"
        rows = table(body, ("Time", "Scenario", "Source", "", "Why", "Look at"))
        for one in failed[-_MOST:]:
            row = SubElement(rows, "tr", {"class": "blocked"})
            which = "twin" if one.twin else "beside" if one.shadow else ""
            texts = (_time(one.began), one.scenario, one.source, which, "; ".join(one.failures), ", ".join(one.parts))
            for text, look in zip(texts, ("short", "short", "short", "short", "long", "long"), strict=True):
                SubElement(row, "td", {"class": look}).text = visible(text, _LONGEST)
    return written(root)


def _figures(body: Element, card: Scorecard) -> None:
    look = ("long", "short", "number", "number", "number", "number", "short")
    heads = ("Figure", "Source", "Value", "At least, at 95 %", "Numerator", "Denominator", "As of")
    rows = table(SubElement(body, "div", {"class": "wide"}), heads, look)
    for each in card.metrics:
        row = SubElement(rows, "tr")
        low = f"{each.low:.1%}" if each.low is not None else ""
        texts = (each.title, each.of, _value(each), low, _number(each.numerator), _number(each.denominator), _time(each.as_of))
        for text, how in zip(texts, look, strict=True):
            SubElement(row, "td", {"class": how}).text = visible(text, _LONGEST)


def _value(metric: Metric) -> str:
    if metric.value is None:
        return "not known"
    if metric.unit == "share":
        return f"{metric.value:.1%}"
    return f"{metric.value:,.2f}{' s' if metric.unit == 's' else ''}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _time(seconds: float) -> str:
    return iso(seconds)[:19].replace("T", " ") if seconds else ""


def _text(body: Element, said: str) -> None:
    SubElement(body, "p").text = visible(said, _LONGEST)
