"""The intent trace as one HTML page: self-contained, without scripts, and under a policy that would not let one run."""

from __future__ import annotations

import base64
import hashlib
from xml.etree.ElementTree import Element, SubElement, tostring

from licet.clock import iso
from licet.escape import counted, visible
from licet.records import CallRecord, TaskRecord
from licet.report.layout import is_blocked, words
from licet.report.story import Story
from licet.report.svg import picture_of

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2937; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; }
td { border-top: 1px solid #d1d5db; overflow-wrap: break-word; } tr.blocked td { background: #fdecea; color: #7a1712; font-weight: 600; }
th, td.short { white-space: nowrap; } td.word { min-width: 7rem; } td.long { overflow-wrap: anywhere; min-width: 9rem; }
.picture { overflow-x: auto; border: 1px solid #d1d5db; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"


def page(story: Story) -> str:
    """A whole HTML file."""
    root = Element("html", {"lang": "en"})
    head = SubElement(root, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": POLICY})
    SubElement(head, "meta", {"name": "referrer", "content": "no-referrer"})
    intent, kind = visible(story.task.intent), visible(story.task.kind, 80)
    SubElement(head, "title").text = f"{visible(story.task.intent, 100)} ({kind})"
    SubElement(head, "style").text = _STYLE
    body = SubElement(root, "body")
    SubElement(body, "h1").text = intent
    blocked = sum(is_blocked(node) for node in story.graph.nodes)
    calls = sum(map(len, story.calls.values()))
    subtasks, findings = counted(len(story.tasks) - 1, "sub-task"), counted(len(story.findings), "finding")
    SubElement(body, "p").text = f"{kind}: {counted(calls, 'call')}, {blocked} blocked, {subtasks}, {findings}."
    SubElement(body, "div", {"class": "picture"}).append(picture_of(story))
    for task in story.tasks:
        _task(body, story, task)
    return f"<!DOCTYPE html>\n{tostring(root, encoding='unicode', method='html')}\n"


def _task(body: Element, story: Story, task: TaskRecord) -> None:
    SubElement(body, "h2").text = f"{visible(task.kind, 80)}: {visible(task.intent, 200)}"
    facts = SubElement(body, "dl")
    state = story.state(task) + (f", {iso(task.ended)}" if task.ended is not None else "")
    for name, value in (
        ("Intent", task.intent),
        ("Agent", f"{task.agent} for {task.principal} (asserted)"),
        ("Task", task.id),
        ("Began", iso(task.started)),
        ("State", state),
        ("Manifest", task.manifest_digest),
    ):
        SubElement(facts, "dt").text = name
        SubElement(facts, "dd").text = visible(value)
    table = SubElement(body, "table")
    heads = SubElement(SubElement(table, "thead"), "tr")
    for name in ("", "Tool", "Decision", "Why", "Arguments (digest)"):
        SubElement(heads, "th").text = name
    rows = SubElement(table, "tbody")
    outcomes = {node.id: (words(node), is_blocked(node)) for node in story.graph.nodes}
    for call in story.calls.get(task.id, ()):
        outcome, blocked = outcomes[f"call:{call.id}"]
        _row(rows, call, outcome, blocked=blocked)


def _row(rows: Element, call: CallRecord, outcome: str, *, blocked: bool) -> None:
    row = SubElement(rows, "tr", {"class": "blocked"} if blocked else {})
    why = "; ".join(
        f"{found.told} [{found.check}]{' (observed, not enforced)' if found.observed else ''}" for found in call.decision.reasons
    )
    error = f" ({call.error_type})" if call.error_type else ""
    for text, look in (
        (str(call.seq), "short"),
        (call.tool, "short"),
        (outcome + error, "word"),
        (why, "long"),
        (call.args_digest, "long"),
    ):
        SubElement(row, "td", {"class": look}).text = visible(text, 2_000 if look == "long" else 100)
