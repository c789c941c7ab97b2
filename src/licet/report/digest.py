"""Many tasks on one page: tables, and what explains each call that was stopped. Self-contained, without scripts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from licet.chain import explain
from licet.escape import visible
from licet.report.page import document, table, written
from licet.report.sources import Sources
from licet.report.story import Story, cited
from licet.report.svg import picture_of

_LONGEST = 500  # characters of one text


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a heading and a line of text above it. `numbers` are the columns that hold numbers."""

    heading: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str = ""
    numbers: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One call to explain: under which heading it stands, whose session it is, and the story with the call in it."""

    heading: str
    session: str
    story: Story
    call_id: str


def digest_page(title: str, lead: Sequence[str], tables: Sequence[Table], cases: Sequence[Case]) -> str:
    """A whole HTML file. `lead` are paragraphs; cases stand in the order given, under each heading once."""
    root, body = document(visible(title, 100))
    SubElement(body, "h1").text = visible(title, _LONGEST)
    for text in lead:
        SubElement(body, "p").text = visible(text, _LONGEST)
    for each in tables:
        SubElement(body, "h2").text = visible(each.heading, _LONGEST)
        if each.text:
            SubElement(body, "p").text = visible(each.text, _LONGEST)
        look = ["number" if number in each.numbers else "word" for number in range(len(each.heads))]
        rows = table(SubElement(body, "div", {"class": "wide"}), [visible(head, _LONGEST) for head in each.heads], look)
        for row in each.rows:
            line = SubElement(rows, "tr")
            for number, cell in enumerate(row):
                SubElement(line, "td", {"class": look[number]}).text = visible(cell, _LONGEST)
    before = ""
    for case in cases:
        if case.heading != before:
            SubElement(body, "h2").text = visible(case.heading, _LONGEST)
            before = case.heading
        _case(body, case)
    return written(root)


def _case(body: Element, case: Case) -> None:
    story = case.story
    call = next(call for some in story.calls.values() for call in some if call.id == case.call_id)
    outcome = {"deny": "denied", "ask": "waits for a person"}.get(call.decision.outcome, call.decision.outcome)
    head = f"{visible(case.session, 300)}: call {call.seq}, {visible(call.tool, 100)}: {outcome}"
    SubElement(body, "h3").text = f"{head} ({cited(call.ledger)})" if call.ledger else head
    for found in call.decision.reasons:
        observed = " (observed, not enforced)" if found.observed else ""
        SubElement(body, "p").text = f"{visible(found.told, _LONGEST)} [{visible(found.check, 80)}]{observed}"
    if said := Sources(story).of(call, 12):
        SubElement(body, "p").text = "; ".join(said)
    SubElement(body, "div", {"class": "picture"}).append(picture_of(story, explain(story.graph, call.id)))
