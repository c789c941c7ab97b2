"""Contents that the manifest's `record:` lets out: named arguments, outputs, the user's words. Scrubbed, and cut to what fits.

Without `record:` nothing here is called: records have digests.
"""

from __future__ import annotations

import json
from typing import Any

from licet.canonical import Plain, recordable
from licet.guard.task import GuardedTask
from licet.guard.ticket import Ticket
from licet.manifest import Manifest
from licet.secretlike import scrubbed
from licet.snapshot import BYTES
from licet.telemetry import semconv

MOST = 50  # entries of a list or an object, and outputs of a generator
DEEPEST = 8
MORE = "…"  # the key behind which stands how many entries are not told
_LOOKED_AT = 4 * semconv.LONGEST  # characters of one text: what is shown of it is scrubbed with what comes behind it


def shown_arguments(ticket: Ticket, manifest: Manifest) -> dict[str, Any]:
    """The attribute with the arguments that are opted in, as JSON by name; nothing if there are none.

    How many others the call had stands with them: who reads it must not take them for missing.
    """
    tool = manifest.tools.get(ticket.call.tool)
    names = tool.record.arguments if tool is not None and tool.record is not None else ()
    opted = {name: ticket.plain[name] for name in names if name in ticket.plain}
    others: dict[str, Plain] = {MORE: len(ticket.plain) - len(opted)} if len(ticket.plain) > len(opted) else {}
    return {semconv.TOOL_ARGUMENTS: within(opted | others)} if opted else {}


def shown_outputs(ticket: Ticket) -> dict[str, Any]:
    """The attribute with what the tool returned, if that is opted in: the output as JSON, or a list of all that was yielded."""
    if not ticket.outputs:
        return {}
    *yielded, last = ticket.outputs
    # What a generator returns when it is done is an output too, and mostly nothing.
    told: Plain = last if not yielded else yielded if last is None else [*yielded, last]
    return {semconv.TOOL_RESULT: within(told)}


def keep_output(ticket: Ticket, output: Plain, manifest: Manifest) -> None:
    """Remember an output for the span's end, if the manifest opts in to it."""
    tool = manifest.tools.get(ticket.call.tool)
    if tool is not None and tool.record is not None and tool.record.output and len(ticket.outputs) < MOST:
        ticket.outputs.append(_bounded(output, _LOOKED_AT, 0))


def shown_intent(task: GuardedTask, manifest: Manifest) -> dict[str, Any]:
    """The attribute with the user's own words, if the task kind opts in to them; what was filled into them is not his."""
    if "intent" not in manifest.tasks[task.record.kind].record:
        return {}
    text = task.record.intent
    for start, end in sorted(task.filled, reverse=True):
        text = f"{text[:start]}…{text[end:]}"
    return {semconv.INTENT_TEXT: recordable(text, semconv.LONGEST - 100)}


def within(value: Plain, limit: int = semconv.LONGEST) -> str:
    """Scrubbed JSON of at most `limit` characters: long texts are cut until the whole fits, as half a document is none."""
    looked_at = scrubbed(_bounded(value, _LOOKED_AT, 0))
    for longest in (limit, 400, 100, 20):
        text = json.dumps(_bounded(looked_at, longest, 0), ensure_ascii=False, separators=(",", ":"))
        if len(text) <= limit:
            return text
    return json.dumps(f"… ({len(text):,} characters)", ensure_ascii=False)


def _bounded(value: Plain, longest: int, depth: int) -> Plain:
    """Its first entries, its first characters; bytes by their number, as nobody can see what they hold."""
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[:longest]}…"
    if depth >= DEEPEST and isinstance(value, (list, dict)):
        return "…"
    if isinstance(value, list):
        return [_bounded(item, longest, depth + 1) for item in value[:MOST]] + (["…"] if len(value) > MOST else [])
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(encoded := value.get(BYTES), str):
            return f"<{len(encoded) * 3 // 4 - encoded.count('=')} bytes>"
        entries = list(value.items())[:MOST]
        more: dict[str, Plain] = {MORE: len(value) - MOST} if len(value) > MOST else {}
        return {str(_bounded(name, longest, 0)): _bounded(item, longest, depth + 1) for name, item in entries} | more
    return value
