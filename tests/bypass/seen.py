"""Spans of frameworks and looks of the guard, made by hand."""

from __future__ import annotations

from typing import Any

from licet.bypass.looks import Look
from licet.bypass.ran import Running, ran_in
from licet.telemetry.reader import ReadSpan

INSTRUMENTATION = "some.instrumentation"
DAY = 1_800_000_000.0


def span(
    number: int, tool: str = "read", *, at: float = 0.0, lasts: float = 1.0, trace: int = 1, under: int = 0, call_id: str = "",
    scope: str = INSTRUMENTATION, kind: int = 1, failed: bool = False, service: str = "desk", **attributes: Any,
) -> ReadSpan:  # fmt: skip
    """One `execute_tool` span, which begins `at` seconds after `DAY`. With `tool=""` any other span."""
    told: dict[str, Any] = dict(attributes)
    if tool:
        told |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    if call_id:
        told["gen_ai.tool.call.id"] = call_id
    start = round((DAY + at) * 1e9)
    return ReadSpan(
        f"here:{number}", f"{trace:032x}", f"{number:016x}", f"{under:016x}" if under else "", f"execute_tool {tool}", kind, 2 if failed else 0,
        start, start + round(lasts * 1e9), told, {"service.name": service}, scope, {},
    )  # fmt: skip


def running(*spans: ReadSpan) -> Running:
    """What of them ran."""
    return ran_in(spans)


def look(
    number: int, tool: str = "read", *, at: float = 0.0, lasts: float = 1.0, trace: int = 0, place: int = 0, call_id: str = "",
    args: str = "", denied: bool = False, task: str = "t" * 32,
) -> Look:  # fmt: skip
    """One look, by the store; without `trace` there was no span."""
    return Look(
        f"{number:032x}", task, "bot", tool, call_id, DAY + at, DAY + at + lasts,
        (f"{trace:032x}", f"{place or 1000 + number:016x}") if trace else ("", ""), args, "", not denied, denied,
    )  # fmt: skip
