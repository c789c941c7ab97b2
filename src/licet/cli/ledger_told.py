"""One record of a ledger as a line for people: when, what, who and for whom, and what came of it; then why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from licet.escape import counted, visible

_LONGEST = 400  # characters of one value


def told(record: Mapping[str, Any]) -> str:
    """The line, without its number. Control characters are made visible."""
    ids = [f"{name} {text(record, name)[:12]}" for name in ("task", "call") if text(record, name)]
    parts = [text(record, "time"), text(record, "kind"), *_what(record), *ids]
    return "  ".join(part for part in parts if part)


def whys(record: Mapping[str, Any]) -> list[str]:
    """The reasons, a sentence each."""
    reasons = record.get("reasons")
    rows = [reason for reason in reasons if isinstance(reason, dict)] if isinstance(reasons, list) else []
    why = text(record, "why")
    return [f"{text(reason, 'check')}: {text(reason, 'sentence')}" for reason in rows] + ([why] if why else [])


def text(record: Mapping[str, Any], name: str) -> str:
    """A value that is a text, made visible; empty where it is none."""
    value = record.get(name)
    return visible(value, _LONGEST) if isinstance(value, str) else ""


def _what(record: Mapping[str, Any]) -> list[str]:
    kind = text(record, "kind")
    tool_or_kind = text(record, "tool") or text(record, "kind_of_task")
    if kind == "task.begin":
        return [tool_or_kind, _after("agent", text(record, "agent")), _after("for", text(record, "sub"))]
    if kind == "delegation":
        return [text(record, "outcome"), tool_or_kind, _after("by", text(record, "by")), _after("to", text(record, "agent"))]
    if kind in ("task.end", "task.end.unstored"):
        return [_after("by", text(record, "by")), _number(record, "calls", "call")]
    if kind == "approval":
        answer = "approved" if record.get("approved") is True else "not approved"
        return [tool_or_kind, answer, _after("by", text(record, "by")), text(record, "how"), text(record, "failure")]
    if kind in ("purge", "purge.done"):
        return _purge(record)
    if kind == "ledger.begin":
        return [text(record, "origin")]
    said = text(record, "status") or text(record, "outcome")
    mark = f"{text(record, 'mark')} {text(record, 'value')}".strip()
    if kind.startswith("call."):
        return [tool_or_kind, said, text(record, "error")]
    return [tool_or_kind, said, mark, _after("by", text(record, "by")), _after("until", text(record, "until"))]


def _purge(record: Mapping[str, Any]) -> list[str]:
    """What was purged, whose, by whom. The principal is a pseudonym."""
    what, counts, tasks = record.get("what"), record.get("counts"), record.get("tasks")
    found = [", ".join(visible(str(each), 40) for each in what)] if isinstance(what, list) else []
    if isinstance(counts, dict):
        found.append(", ".join(f"{visible(str(number), 20)} {visible(str(name), 40)}" for name, number in list(counts.items())[:20]))
    if type(record.get("purge")) is int:
        found.append(f"of record {record['purge']}")
    if isinstance(tasks, list):
        found.append(f"of {counted(len(tasks), 'task')}")
    whose = [_after("of principal", text(record, "principal")), _after("older than", text(record, "before"))]
    return [*found, *whose, _after("by", text(record, "by"))]


def _number(record: Mapping[str, Any], name: str, mass: str) -> str:
    value = record.get(name)
    return counted(value, mass) if type(value) is int else ""


def _after(word: str, said: str) -> str:
    return f"{word} {said}" if said else ""
