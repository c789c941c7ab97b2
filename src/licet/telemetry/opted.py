"""Which contents a manifest opts in to (`record:`), held against what stands on a span. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from licet.telemetry import semconv
from licet.telemetry.rules import text_of

if TYPE_CHECKING:
    from licet.manifest import Manifest
    from licet.telemetry.reader import ReadSpan

NAMES = tuple(name for name, row in semconv.ATTRIBUTES.items() if "opt-in" in (row.agent, row.tool))
"""The attributes that nobody has who did not ask for them."""
_OTHERS = "…"  # the key behind which stands how many arguments are not told


def lets_out(manifest: Manifest, span: ReadSpan, name: str) -> bool:
    """Whether the manifest lets this attribute of the span out: of arguments, each that is there by its name."""
    if name == semconv.INTENT_TEXT:
        task = manifest.tasks.get(text_of(span.attributes, semconv.TASK_KIND))
        return task is not None and "intent" in task.record
    tool = manifest.tools.get(text_of(span.attributes, semconv.TOOL_NAME))
    if tool is None or tool.record is None:
        return False
    if name == semconv.TOOL_RESULT:
        return tool.record.output
    return name == semconv.TOOL_ARGUMENTS and _names(text_of(span.attributes, name)) <= set(tool.record.arguments)


def _names(text: str) -> set[str]:
    """The arguments in an attribute; what cannot be read is one that no manifest has."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    return set(told) - {_OTHERS} if isinstance(told, dict) else {""}
