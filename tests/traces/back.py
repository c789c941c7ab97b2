"""What was live, held against what is read back; and Jaeger's JSON of spans, for where no Jaeger is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from licet.guard.state import StateFolder
from licet.records import Finding
from licet.report import collect
from licet.store import SqliteStore, Store

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


def stores_under(folder: Path) -> list[Path]:
    """Every store that a program left under a folder; not those of drills, whose spans go nowhere."""
    return sorted(path for path in folder.rglob(StateFolder(folder).store.name) if not path.with_name("drill.db").exists())


def held_against(live: Store, read: Store) -> int:
    """The graph of every task and all findings are the same; the answer is how many calls were compared."""
    calls = 0
    for task in live.tasks(1_000_000):
        assert graph_of(read, task.id) == graph_of(live, task.id)
        assert of_guard(read.findings(task.id)) == of_guard(live.findings(task.id))
        assert set(read.findings(task.id)) <= set(live.findings(task.id))
        calls += len(live.calls(task.id))
    assert {task.id for task in read.tasks(1_000_000)} == {task.id for task in live.tasks(1_000_000)}
    return calls


def graph_of(store: Store, task_id: str) -> dict[str, Any]:
    """The whole graph."""
    return collect(store, task_id, connected=True).graph.as_dict()


def of_guard(findings: Iterable[Finding]) -> list[Finding]:
    """Those that a guard has found. What a tool's side finds by itself (a token presented again) stands on no span; its ids are longer."""
    return [finding for finding in findings if len(finding.id) == 16]


def all_held_against(folder: Path, read: Store) -> int:
    """As `held_against`, for programs with a store."""
    [path] = stores_under(folder)
    live = SqliteStore(path)
    try:
        return held_against(live, read)
    finally:
        live.close()


def jaegers(documents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """OTLP JSON as Jaeger 2.13 exports it (`/api/traces`): tags, processes, microseconds."""
    traces: dict[str, dict[str, Any]] = {}
    for document in documents:
        for resource in document["resourceSpans"]:
            tags = _tags(resource.get("resource", {}))
            service = next((tag["value"] for tag in tags if tag["key"] == "service.name"), "")
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    trace = traces.setdefault(span["traceId"], {"traceID": span["traceId"], "spans": [], "processes": {}, "warnings": None})
                    process = f"p{len(trace['processes']) + 1}"
                    trace["processes"][process] = {"serviceName": service, "tags": [tag for tag in tags if tag["key"] != "service.name"]}
                    trace["spans"].append(_span(span, scope.get("scope", {}).get("name", ""), process))
    return {"data": list(traces.values()), "total": 0, "limit": 0, "offset": 0, "errors": None}


def _span(span: dict[str, Any], scope: str, process: str) -> dict[str, Any]:
    parent = span.get("parentSpanId")
    start, end = int(span["startTimeUnixNano"]) // 1_000, int(span["endTimeUnixNano"]) // 1_000
    status = span.get("status", {})
    tags = _tags(span)
    tags.append({"key": "otel.scope.name", "type": "string", "value": scope})
    tags.append({"key": "span.kind", "type": "string", "value": KINDS[span.get("kind", 1)]})
    if status.get("code") == 2:
        tags.append({"key": "otel.status_code", "type": "string", "value": "ERROR"})
        tags.append({"key": "error", "type": "bool", "value": True})
        tags.append({"key": "otel.status_description", "type": "string", "value": status.get("message", "")})
    return {
        "traceID": span["traceId"], "spanID": span["spanId"], "operationName": span["name"], "startTime": start, "duration": end - start,
        "references": [{"refType": "CHILD_OF", "traceID": span["traceId"], "spanID": parent}] if parent else [],
        "tags": tags, "logs": [], "processID": process, "warnings": None,
    }  # fmt: skip


def _tags(owner: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for each in owner.get("attributes", []):
        [(kind, value)] = each["value"].items()
        if kind == "arrayValue":
            kind, value = "stringValue", json.dumps([item["stringValue"] for item in value.get("values", [])])
        if kind == "intValue":
            value = int(value)
        types = {"stringValue": "string", "intValue": "int64", "boolValue": "bool", "doubleValue": "float64"}
        found.append({"key": each["key"], "type": types[kind], "value": value})
    return found
