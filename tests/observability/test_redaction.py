"""A secret in every place that OTLP has for a text, through the real Collector: none is in what it writes.

It needs no Jaeger, and is skipped where there is no Collector.
"""

from __future__ import annotations

import base64
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "observability"))
import programs
import redaction
import stack as running

COLLECTOR = programs.find_collector()
real = pytest.mark.skipif(
    COLLECTOR is None, reason="otelcol-contrib: neither on the PATH nor built before; `make jaeger` builds it with Go"
)
Json = dict[str, Any]


def secret(place: str) -> str:
    return f"ghp_abcdEFGH1234567890abcd{place.replace(' ', '')}"


def text(place: str) -> Json:
    return {"stringValue": f"before {secret(place)} after"}


def raw(place: str) -> Json:
    return {"bytesValue": base64.b64encode(secret(place).encode()).decode()}


def pair(key: str, value: Json) -> Json:
    return {"key": key, "value": value}


def parts(*pairs: Json) -> Json:
    return {"kvlistValue": {"values": list(pairs)}}


def items(*values: Json) -> Json:
    return {"arrayValue": {"values": list(values)}}


def attributes(of: str) -> list[Json]:
    """What attributes can hold, each with a secret; and what stays."""
    return [
        pair("kept", {"stringValue": "as it is"}),
        pair("value", text(f"{of} value")),
        pair(secret(f"{of} key"), {"stringValue": "x"}),
        pair("list", items(text(f"{of} in a list"))),
        pair("map", parts(pair("x", text(f"{of} in a map")), pair(secret(f"{of} key in a map"), {"intValue": "1"}))),
        pair("password", {"stringValue": "hunter2"}),
    ]


def with_bytes(of: str) -> list[Json]:
    """Bytes in every depth, beside keys that are hard to read in JSON."""
    return [
        pair("kept", {"stringValue": "as it is"}),
        pair("number", {"intValue": "7"}),
        pair(":", raw(f"{of} bytes of a colon")),
        pair(":x", {"stringValue": "as it is"}),
        pair('a":"b', raw(f"{of} bytes of quotes")),
        pair("a,}", raw(f"{of} bytes of a brace")),
        pair("bytes", raw(f"{of} bytes")),
        pair("deep", parts(pair("x", items(raw(f"{of} bytes deep"), parts(pair("y", raw(f"{of} bytes deeper"))))))),
        pair("deep.x", raw(f"{of} bytes beside")),
    ]


def span(number: int, **more: Any) -> Json:
    ids = {"traceId": f"{number:032x}", "spanId": f"{number:016x}"}
    return ids | {"kind": 1, "startTimeUnixNano": "1", "endTimeUnixNano": "2", "name": "plain"} | more


def scope(of: str) -> Json:
    return {
        "scope": {
            "name": f"a {secret(f'{of} scope name')}",
            "version": secret(f"{of} scope version"),
            "attributes": attributes(f"{of} scope"),
        },
        "schemaUrl": f"https://acme.example/{secret(f'{of} scope schema')}",
    }


def resource(of: str) -> Json:
    return {
        "resource": {"attributes": attributes(f"{of} resource")},
        "schemaUrl": f"https://acme.example/{secret(f'{of} schema')}",
    }


LINK = {"traceId": "3" * 32, "spanId": "4" * 16}
OWN = [span(5, links=[LINK], traceState="ours=1", name="execute_tool pay")]
OWN[0]["attributes"] = [pair("licet.decision.path", items({"stringValue": "to"}))]


def spans() -> Json:
    state, status = f"k={secret('state')}", {"code": 2, "message": f"m {secret('message')}"}
    link = LINK | {"traceState": f"k={secret('state of a link')}", "attributes": attributes("link")}
    events = [{"name": f"e {secret('event')}", "attributes": attributes("event")}, {"name": "bytes", "attributes": with_bytes("event")}]
    theirs = [
        # Without events: statements for these must not be all that there is.
        span(1, name=f"call {secret('name')}", traceState=state, status=status, attributes=attributes("span"), links=[link]),
        span(3, attributes=[pair("odd", {"doubleValue": "NaN"}), pair("bytes", raw("bytes beside what is no JSON"))]),
        span(2, events=events, attributes=with_bytes("span")),
    ]
    bare = {"resource": {"attributes": with_bytes("resource")}, "scopeSpans": [{"scope": {"name": "licet", "version": "1"}, "spans": OWN}]}
    return {"resourceSpans": [resource("trace") | {"scopeSpans": [scope("trace") | {"spans": theirs}]}, bare]}


def logs() -> Json:
    def record(**more: Any) -> Json:
        return {"timeUnixNano": "1"} | more

    records = [
        record(body=text("body"), eventName=secret("event name"), severityText=secret("severity"), attributes=attributes("log")),
        record(body=raw("body of bytes"), attributes=with_bytes("log")),
        record(body=parts(pair("x", text("body map")), pair("password", {"stringValue": "hunter2"}))),
        record(
            body=parts(pair("x", parts(pair(secret("key in a body"), {"intValue": "1"}))), pair("password", {"stringValue": "hunter2"}))
        ),
        record(body=items(text("body list"), parts(pair(secret("key in a body's list"), {"intValue": "1"})))),
        record(body=items(parts(pair("x", raw("bytes in a body"))))),
        record(body=parts(pair("left", {"stringValue": "as it is"}), pair("token", {"boolValue": True}))),
        record(body=parts(pair("odd", {"doubleValue": "NaN"}), pair("bytes", raw("bytes in a body that is no JSON")))),
        record(body={"intValue": "7"}),
        record(body={"doubleValue": 7.5}),
    ]
    return {"resourceLogs": [resource("logs") | {"scopeLogs": [scope("logs") | {"logRecords": records}]}]}


def metrics() -> Json:
    exemplar = {"timeUnixNano": "1", "asInt": "1", "traceId": "1" * 32, "spanId": "2" * 16, "filteredAttributes": attributes("exemplar")}
    point = {"timeUnixNano": "1", "asInt": "1", "attributes": attributes("point"), "exemplars": [exemplar]}
    histogram = {"timeUnixNano": "1", "count": "1", "bucketCounts": ["1"], "attributes": with_bytes("point"), "exemplars": [exemplar]}

    def named(of: str) -> Json:
        told = {"name": f"m.{secret(f'{of} name')}", "description": f"d {secret(f'{of} description')}", "unit": f"u {secret(f'{of} unit')}"}
        return told | {"metadata": attributes(f"{of} metadata")}

    made = [
        named("sum") | {"sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point, point]}},
        named("histogram") | {"histogram": {"aggregationTemporality": 2, "dataPoints": [histogram]}},
        named("no points") | {"gauge": {"dataPoints": []}},
        named("no type"),
        {"name": "calls", "unit": "{call}", "sum": {"aggregationTemporality": 2, "dataPoints": [{"timeUnixNano": "1", "asInt": "1"}]}},
    ]
    return {"resourceMetrics": [resource("metrics") | {"scopeMetrics": [scope("metrics") | {"metrics": made}]}]}


SENT = {"traces": spans(), "logs": logs(), "metrics": metrics()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the Collector wrote of each signal."""
    assert COLLECTOR is not None
    stack = running.Stack(COLLECTOR, COLLECTOR, tmp_path_factory.mktemp("collector"), standard_ports=False)  # Jaeger is not started
    stack.start("collector", stack.health)
    try:
        for signal, data in SENT.items():
            asked = urllib.request.Request(f"{stack.otlp}/v1/{signal}", json.dumps(data).encode(), {"Content-Type": "application/json"})
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
                assert json.load(answer) == {"partialSuccess": {}}
        files = {"traces": stack.spans, "logs": stack.logs, "metrics": stack.numbers}
        ends = time.monotonic() + 30
        while time.monotonic() < ends and not all(path.exists() and path.read_bytes().endswith(b"\n") for path in files.values()):
            time.sleep(0.1)
    finally:
        stack.stop("collector")
    said = (stack.directory / "collector.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in said if "failed to execute statement" in line and "unsupported value: NaN" not in line] == []
    return {signal: path.read_text(encoding="utf-8") for signal, path in files.items()}


def secrets_in(data: Any) -> Iterator[str]:
    """All secrets that were sent, as a file would show them."""
    if isinstance(data, dict):
        for each in data.values():
            yield from secrets_in(each)
    elif isinstance(data, list):
        for each in data:
            yield from secrets_in(each)
    elif isinstance(data, str) and ("ghp_" in data or data.startswith("Z2hw") or data == "hunter2"):
        yield data[data.find("ghp_") :].split(" ")[0] if "ghp_" in data else data


@real
@pytest.mark.parametrize("signal", SENT)
def test_no_secret_is_left_in_any_place(signal: str, written: dict[str, str]) -> None:
    sent = set(secrets_in(SENT[signal]))
    assert len(sent) >= 30
    assert sorted(each for each in sent if each in written[signal]) == []
    assert "ghp_abcd" not in written[signal]
    assert "lifted." not in written[signal]


def found(written: dict[str, str], signal: str) -> list[Json]:
    kind, outer, inner = {
        "traces": ("Spans", "scopeSpans", "spans"), "logs": ("Logs", "scopeLogs", "logRecords"), "metrics": ("Metrics", "scopeMetrics", "metrics"),
    }[signal]  # fmt: skip
    lines = [json.loads(line) for line in written[signal].splitlines()]
    return [each for line in lines for res in line[f"resource{kind}"] for sc in res[outer] for each in sc[inner]]


@real
def test_what_is_no_secret_stays(written: dict[str, str]) -> None:
    """The guard's own spans are as they were, links and all; of others the numbers, the names, and what stands beside a secret."""
    plain, odd, mixed, own = found(written, "traces")
    assert own | {"status": {}} == OWN[0] | {"status": {}}
    assert '"scope":{"name":"licet","version":"1"}' in written["traces"]
    assert (plain["name"], plain["status"]["message"], plain["traceState"]) == ("call ****", "m ****", "k=****")
    assert (plain.get("links"), plain["droppedLinksCount"]) == (None, 1)
    assert "attributes" not in odd, "what cannot be looked through goes"
    assert pair("kept", {"stringValue": "as it is"}) in plain["attributes"]
    for of in (mixed["attributes"], mixed["events"][1]["attributes"]):
        told = {each["key"]: each["value"] for each in of}
        assert told["kept"] == told[":x"] == {"stringValue": "as it is"}
        assert told["number"] == {"intValue": "7"}
        assert told["bytes"] == told[":"] == told['a":"b'] == told["a,}"] == {"stringValue": "****"}
    bodies = [each["body"] for each in found(written, "logs")]
    assert [bodies[6], *bodies[8:]] == [
        parts(pair("left", {"stringValue": "as it is"}), pair("token", {"boolValue": True})),
        {"intValue": "7"},
        {"doubleValue": 7.5},
    ]
    assert bodies[1] == bodies[5] == bodies[7] == {"stringValue": "****"}
    assert bodies[2] == parts(pair("x", {"stringValue": "before **** after"}), pair("password", {"stringValue": "****"}))
    summed, histogram, *nothing, calls = found(written, "metrics")
    assert (calls["name"], calls["unit"]) == ("calls", "{call}")
    assert (summed["name"], summed["description"], summed["unit"]) == ("m.****", "d ****", "u ****")
    assert [each["name"] for each in nothing] == ["empty", "empty"]
    for point in (*summed["sum"]["dataPoints"], *histogram["histogram"]["dataPoints"]):
        [exemplar] = point["exemplars"]
        assert (exemplar["traceId"], exemplar["asInt"], "filteredAttributes" in exemplar) == ("1" * 32, "1", False)


def test_every_pipeline_lifts_masks_redacts_and_lowers_in_this_order() -> None:
    config = running.CONFIG.read_text(encoding="utf-8")
    assert redaction.with_block(config) == config, "run python tools/observability/redaction.py"
    pipelines = YAML(typ="safe").load(config)["service"]["pipelines"]
    assert {name.partition("/")[0] for name in pipelines} == {"traces", "logs", "metrics"}
    for name, pipeline in pipelines.items():
        made = [each for each in pipeline["processors"] if not each.startswith(("filter/", "tail_sampling"))]
        assert made == ["memory_limiter", "transform/lift", "transform/mask", "redaction", "transform/lower"], name
