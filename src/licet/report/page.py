"""The intent trace as one HTML page: self-contained, without scripts, and under a policy that would not let one run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from itertools import zip_longest
from xml.etree.ElementTree import Element, SubElement, tostring

from licet.chain import CallGraph, Node
from licet.clock import iso
from licet.escape import counted, visible
from licet.records import CallRecord, TaskRecord
from licet.report.layout import words
from licet.report.sources import Sources
from licet.report.story import Story, cited
from licet.report.svg import picture_of
from licet.report.tree import principal_of

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2937; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; }
td { border-top: 1px solid #d1d5db; overflow-wrap: break-word; } tr.blocked td { background: #fdecea; color: #7a1712; font-weight: 600; }
h3 { font-size: 1rem; margin: 1.6rem 0 .2rem 0; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
th, td.short { white-space: nowrap; } td.word { min-width: 7rem; } td.long { overflow-wrap: anywhere; min-width: 9rem; }
.wide { overflow-x: auto; } .picture { overflow-x: auto; border: 1px solid #d1d5db; }
@media print { body { margin: 0; max-width: none; } .wide, .picture { overflow: visible; } svg { max-width: 100%; height: auto; }
  h1, h2, h3 { break-after: avoid; } tr, .picture { break-inside: avoid; } }
"""
_BEFORE_STYLE = "default-src 'none'; style-src 'sha256-"


def document(title: str, style: str = "") -> tuple[Element, Element]:
    """A page with nothing in it yet: its root and its body. `title` is visible text; `style` stands behind the style of all pages."""
    style = _STYLE + style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"{_BEFORE_STYLE}{digest}'; base-uri 'none'; form-action 'none'"
    root = Element("html", {"lang": "en"})
    head = SubElement(root, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    SubElement(head, "meta", {"name": "referrer", "content": "no-referrer"})
    SubElement(head, "title").text = title
    SubElement(head, "style").text = style
    return root, SubElement(root, "body")


def written(root: Element) -> str:
    """The page as text."""
    return f"<!DOCTYPE html>\n{tostring(root, encoding='unicode', method='html')}\n"


def is_page(text: str) -> bool:
    """Whether a file that begins so is a page of ours, of any release."""
    return text.startswith("<!DOCTYPE html>") and f'content="{_BEFORE_STYLE}' in text[:1_000]


def table(body: Element, heads: Sequence[str], look: Sequence[str] = ()) -> Element:
    """A table with a head; the answer takes the rows. `look` are the classes of the columns."""
    made = SubElement(body, "table")
    row = SubElement(SubElement(made, "thead"), "tr")
    for name, look_of in zip_longest(heads, look[: len(heads)], fillvalue=""):
        SubElement(row, "th", {"class": look_of} if look_of else {}).text = name
    return SubElement(made, "tbody")


def page(story: Story, part: CallGraph | None = None) -> str:
    """A whole HTML file of a story; with `part`, the picture shows that part of its graph."""
    kind = visible(story.task.kind, 80)
    root, body = document(f"{visible(story.task.intent, 100)} ({kind})" if story.task.intent else kind)
    SubElement(body, "h1").text = visible(story.task.intent) or kind
    blocked = sum(node.blocked for node in story.graph.nodes)
    calls = sum(map(len, story.calls.values()))
    others, findings = counted(len(story.tasks) - 1, "sub-task"), counted(len(story.findings), "finding")
    if any(task.id != story.task.id for task in story.roots):
        others = counted(len(story.tasks) - 1, "other task")
    SubElement(body, "p").text = f"{kind}: {counted(calls, 'call')}, {blocked} blocked, {others}, {findings}."
    SubElement(body, "div", {"class": "picture"}).append(picture_of(story, part))
    for task in story.tasks:
        _task(body, story, task)
    return written(root)


def _task(body: Element, story: Story, task: TaskRecord) -> None:
    SubElement(body, "h2").text = f"{visible(task.kind, 80)}: {visible(story.intent(task), 200)}"
    facts = SubElement(body, "dl")
    state = story.state(task) + (f", {iso(task.ended)}" if task.ended is not None else "")
    for name, value in (
        ("Intent", story.intent(task)),
        ("Agent", f"{task.agent} ({task.agent_is}) for {principal_of(task)} ({task.principal_is})"),
        ("Task", task.id),
        ("Began", iso(task.started)),
        ("State", state),
        ("Manifest", task.manifest_digest),
        ("Record", cited(task.ledger) or "not known here"),
    ):
        SubElement(facts, "dt").text = name
        SubElement(facts, "dd").text = visible(value)
    rows = table(body, ("", "Tool", "Decision", "Why", "Where its values came from", "Arguments (digest)", "Record"))
    nodes, sources = story.graph.by_id, Sources(story)
    for call in story.calls.get(task.id, ()):
        _row(rows, call, nodes[f"call:{call.id}"], "; ".join(sources.of(call, 12)))


def _row(rows: Element, call: CallRecord, node: Node, came: str) -> None:
    row = SubElement(rows, "tr", {"class": "blocked"} if node.blocked else {})
    why = "; ".join(
        f"{found.told} [{found.check}]{' (observed, not enforced)' if found.observed else ''}" for found in call.decision.reasons
    )
    error = f" ({call.error_type})" if call.error_type else ""
    for text, look in (
        (str(call.seq), "short"),
        (call.tool, "short"),
        (words(node) + error, "word"),
        (why, "long"),
        (came, "long"),
        (call.args_digest, "long"),
        (cited(call.ledger), "short"),
    ):
        SubElement(row, "td", {"class": look}).text = visible(text, 2_000 if look == "long" else 100)
