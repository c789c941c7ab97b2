"""Reading OTLP JSON lines back: what is well is read whole, what is not is named, counted and passed over."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hostile import HOSTILE, acting
from licet.cli import main
from licet.errors import UsageError
from licet.telemetry.reader import BadSpan, ReadLink, ReadLog, ReadMetric, ReadSpan, read_all, read_spans

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
SPAN = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "n", "kind": 1, "startTimeUnixNano": "1", "endTimeUnixNano": "2"}


def line(*spans: Any, **resource: Any) -> str:
    return json.dumps({"resourceSpans": [{**resource, "scopeSpans": [{"scope": {"name": "s"}, "spans": list(spans)}]}]})


def pair(value: Any) -> dict[str, Any]:
    return {"key": "k", "value": value}


def read(path: Path, *lines: str | bytes) -> list[ReadSpan | BadSpan]:
    path.write_bytes(b"".join((each if isinstance(each, bytes) else each.encode()) + b"\n" for each in lines))
    return list(read_spans(path))


@pytest.mark.parametrize(
    "given, value",
    [
        ({"stringValue": "x"}, "x"), ({"boolValue": False}, False), ({"intValue": "-7"}, -7), ({"intValue": 7}, 7), ({"doubleValue": 1.5}, 1.5),
        ({"doubleValue": "NaN"}, "NaN"), ({"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": "1"}]}}, ["x", 1]), ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": True}}]}}, {"a": True}), ({}, None),
    ],
)  # fmt: skip
def test_a_value_of_each_kind_is_read(given: Any, value: Any, tmp_path: Path) -> None:
    (span,) = read(tmp_path / "t", line({**SPAN, "attributes": [pair(given)]}))
    assert isinstance(span, ReadSpan)
    assert span.attributes == {"k": value}


def test_a_span_is_read_whole(tmp_path: Path) -> None:
    """Ids in lower case, a parent of zeros is none, unknown fields are passed over, texts of events and links are kept;
    a link whose ids are none is one to nowhere."""
    span = {
        **SPAN, "traceId": "A" * 32, "parentSpanId": "0" * 16, "status": {"code": 2, "message": "m"}, "novel": [1],
        "events": [{"name": "e", "attributes": [pair({"stringValue": "x"})]}], "links": [{"traceId": "C" * 32, "spanId": "d" * 16, "attributes": [pair({"intValue": "3"})]}, {"traceId": "x"}],
    }  # fmt: skip
    (found,) = read(tmp_path / "t", line(span, resource={"attributes": [pair({"stringValue": "r"})]}))
    assert found == ReadSpan(
        f"{tmp_path / 't'}:1", "a" * 32, "b" * 16, "", "n", 1, 2, 1, 2, {}, {"k": "r"}, "s",
        {"status.message": "m", "events[0].name": "e", "events[0].k": "x", "links[0].k": "3"}, (),
        (ReadLink("c" * 32, "d" * 16, {"k": 3}), ReadLink("", "", {})),
    )  # fmt: skip


def deep(depth: int) -> Any:
    value: Any = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


BAD = [
    ("{", "", "not JSON"), ("[1]", "", "no object with `resourceSpans`"), ('{"resourceLogs": []}', "", "holds `resourceLogs`"),
    (b"\xff", "", "not UTF-8 at byte 0"), ("[" * 100_000, "", "nested too deep"), ('{"resourceSpans": NaN}', "", "`NaN` is not JSON"),
    ('{"resourceSpans": {}}', "resourceSpans", "is no list"), ('{"resourceSpans": [1]}', "resourceSpans[0]", "is no object"),
    (line(resource=[]), "resourceSpans[0].resource", "is no object"), (line(1), "resourceSpans[0].scopeSpans[0].spans[0]", "is no object"),
    (line({**SPAN, "traceId": "0" * 32}), "resourceSpans[0].scopeSpans[0].spans[0].traceId", "is not an id in hex"),
    (line({**SPAN, "spanId": "b" * 15}), "resourceSpans[0].scopeSpans[0].spans[0].spanId", "is not an id in hex"),
    (line({**SPAN, "parentSpanId": "x"}), "resourceSpans[0].scopeSpans[0].spans[0].parentSpanId", "is not an id in hex"),
    (line({**SPAN, "name": 1}), "resourceSpans[0].scopeSpans[0].spans[0].name", "is no text"),
    (line({**SPAN, "kind": "SPAN_KIND_INTERNAL"}), "resourceSpans[0].scopeSpans[0].spans[0].kind", "is no whole number"),
    (line({**SPAN, "startTimeUnixNano": "9" * 20}), "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano", "is no whole number"),
    (line({**SPAN, "attributes": [pair({"stringValue": 1})]}), "resourceSpans[0].scopeSpans[0].spans[0].attributes[0]", "no OTLP value"),
    (line({**SPAN, "attributes": [pair(deep(30))]}), "resourceSpans[0].scopeSpans[0].spans[0].attributes[0]", "nested too deep"),
    (line({**SPAN, "events": [{"name": 1}]}), "resourceSpans[0].scopeSpans[0].spans[0].events[0].name", "is no text"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_what_is_no_span_is_named_and_reading_goes_on(bad: Any, tmp_path: Path) -> None:
    found = read(tmp_path / "t", bad[0], line(SPAN))
    assert [type(each) for each in found] == [BadSpan, ReadSpan]
    assert isinstance(found[0], BadSpan)
    assert (found[0].place, found[0].key) == (f"{tmp_path / 't'}:1", bad[1])
    assert bad[2] in found[0].why


def test_the_other_spans_of_a_line_are_read(tmp_path: Path) -> None:
    found = read(tmp_path / "t", line(SPAN, {**SPAN, "spanId": ""}, {**SPAN, "spanId": "c" * 16}))
    assert [type(each) for each in found] == [ReadSpan, BadSpan, ReadSpan]


def test_a_gzip_file_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    packed = gzip.compress((line(SPAN) + "\n").encode() * 2)
    (tmp_path / "t").write_bytes(packed[:-9])
    found = list(read_spans(tmp_path / "t"))
    assert isinstance(found[-1], BadSpan)
    assert found[-1].why == "the gzip file is cut off"


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_spans(tmp_path / "none"))


# Metrics and log records -----------------------------------------------------------------------------------------------


def metrics_line(*metrics: Any) -> str:
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"scope": {"name": "s"}, "metrics": list(metrics)}]}]})


def logs_line(*logs: Any) -> str:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"scope": {"name": "s"}, "logRecords": list(logs)}]}]})


COUNTER = {
    "name": "m",
    "unit": "{x}",
    "sum": {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": [{"asInt": "3", "attributes": [pair({"stringValue": "v"})]}]},
}
LOG = {"eventName": "e", "severityNumber": 9, "body": {"stringValue": "b"}, "traceId": "A" * 32, "spanId": "b" * 16, "timeUnixNano": "5"}


def test_metrics_and_log_records_are_read_whole(tmp_path: Path) -> None:
    """A file may hold any signal; a histogram has its buckets, and the texts of its exemplars are kept."""
    buckets = {"count": "2", "sum": 1.5, "bucketCounts": ["1", "1"], "explicitBounds": [0.5], "timeUnixNano": "7"}
    exemplar = {"filteredAttributes": [pair({"stringValue": "seen"})]}
    histogram = {"name": "h", "histogram": {"aggregationTemporality": 1, "dataPoints": [{**buckets, "exemplars": [exemplar]}]}}
    (tmp_path / "t").write_text("\n".join([line(SPAN), metrics_line(COUNTER, histogram), logs_line(LOG)]), encoding="utf-8")
    span, counter, timed, log = read_all(tmp_path / "t")
    assert isinstance(span, ReadSpan)
    assert isinstance(counter, ReadMetric)
    assert isinstance(timed, ReadMetric)
    assert isinstance(log, ReadLog)
    assert (counter.name, counter.unit, counter.kind, counter.monotonic, counter.temporality, counter.scope) == (
        "m",
        "{x}",
        "sum",
        True,
        2,
        "s",
    )
    assert (counter.points[0].value, counter.points[0].attributes) == (3.0, {"k": "v"})
    (point,) = timed.points
    assert (timed.kind, point.count, point.value, point.counts, point.bounds, point.time) == ("histogram", 2, 1.5, (1, 1), (0.5,), 7)
    assert point.texts == {"exemplars[0].k": "seen"}
    assert (log.event, log.severity, log.body, log.trace_id, log.span_id, log.time) == ("e", 9, "b", "a" * 32, "b" * 16, 5)


def test_the_name_of_an_event_is_read_where_older_sdks_have_it(tmp_path: Path) -> None:
    older = {**LOG, "attributes": [{"key": "event.name", "value": {"stringValue": "old"}}], "eventName": ""}
    (tmp_path / "t").write_text(logs_line(older), encoding="utf-8")
    (log,) = read_all(tmp_path / "t")
    assert isinstance(log, ReadLog)
    assert (log.event, log.attributes) == ("old", {})


BAD_OTHERS = [
    ('{"x": 1}', "", "no object with `resourceSpans`, `resourceMetrics` or"), ("[]", "", "is no object"), ("{", "", "not JSON"),
    (metrics_line({"name": "m"}), "resourceMetrics[0].scopeMetrics[0].metrics[0]", "of 0 kinds"),
    (metrics_line({"name": "m", "sum": {}, "gauge": {}}), "resourceMetrics[0].scopeMetrics[0].metrics[0]", "of 2 kinds"),
    (metrics_line({"name": "m", "sum": {"dataPoints": [1]}}), "resourceMetrics[0].scopeMetrics[0].metrics[0].sum.dataPoints[0]", "no object"),
    (metrics_line({"name": "m", "sum": {"dataPoints": [{"asDouble": "x"}]}}), "resourceMetrics[0].scopeMetrics[0].metrics[0].sum.dataPoints[0].asDouble", "no number"),
    (metrics_line({"name": "m", "sum": {"dataPoints": [{"asInt": 1.5}]}}), "resourceMetrics[0].scopeMetrics[0].metrics[0].sum.dataPoints[0].asInt", "no whole number"),
    (metrics_line({"name": "m", "histogram": {"dataPoints": [{"bucketCounts": 1}]}}), "resourceMetrics[0].scopeMetrics[0].metrics[0].histogram.dataPoints[0].bucketCounts", "no list"),
    (logs_line({**LOG, "traceId": "x"}), "resourceLogs[0].scopeLogs[0].logRecords[0].traceId", "is not an id in hex"),
    (logs_line({**LOG, "body": {"stringValue": 1}}), "resourceLogs[0].scopeLogs[0].logRecords[0].body", "no OTLP value"),
    (logs_line({**LOG, "severityNumber": "INFO"}), "resourceLogs[0].scopeLogs[0].logRecords[0].severityNumber", "no whole number"),
    (logs_line(1), "resourceLogs[0].scopeLogs[0].logRecords[0]", "is no object"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_OTHERS, ids=range(len(BAD_OTHERS)))
def test_what_is_no_metric_and_no_log_record_is_named_and_reading_goes_on(bad: Any, tmp_path: Path) -> None:
    (tmp_path / "t").write_text(f"{bad[0]}\n{logs_line(LOG)}\n", encoding="utf-8")
    found = list(read_all(tmp_path / "t"))
    assert [type(each) for each in found] == [BadSpan, ReadLog]
    assert isinstance(found[0], BadSpan)
    assert (found[0].place, found[0].key) == (f"{tmp_path / 't'}:1", bad[1])
    assert bad[2] in found[0].why


# The command -----------------------------------------------------------------------------------------------------------


def test_the_command_counts_and_exits_1(tmp_path: Path, capsys: Out) -> None:
    """A span of ours with problems, one of others, and a line that is none."""
    own = {**SPAN, "attributes": [{"key": "licet.mode", "value": {"stringValue": "enforce"}}]}
    read(tmp_path / "t", line(own, {**SPAN, "spanId": "c" * 16}), "{")
    assert main(["spans", "check", str(tmp_path / "t")]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{tmp_path / 't'}:2: not JSON")
    assert any("`gen_ai.operation.name` is missing" in each and "[span.operation]" in each for each in out)
    assert out[-1].startswith("1 span of Licet's, 1 of others: ")
    assert out[-1].endswith(": 1 problem, 1 unreadable")
    assert main(["spans", "check", str(tmp_path / "t"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["spans"], told["others"], len(told["unreadable"])) == (1, 1, 1)
    assert "span.operation" in {problem["code"] for problem in told["problems"]}


@pytest.mark.parametrize("lines", [["span"], [], ["[]"]], ids=["others", "empty", "unreadable"])
def test_files_with_nothing_of_ours_are_not_well_unless_that_is_wanted(lines: list[str], tmp_path: Path, capsys: Out) -> None:
    """An exporter that is broken would else be a green check."""
    read(tmp_path / "t", *(line(SPAN) if each == "span" else each for each in lines))
    assert main(["spans", "check", str(tmp_path / "t")]) == 1
    out, err = capsys.readouterr()
    assert "0 spans of Licet's" in out
    assert err.startswith("nothing of Licet's is in this file: ")
    assert "--allow-none" in err
    assert main(["spans", "check", "--json", str(tmp_path / "t"), str(tmp_path / "t")]) == 1
    assert "in these files" in capsys.readouterr().err
    assert main(["spans", "check", "--allow-none", str(tmp_path / "t")]) == (1 if lines == ["[]"] else 0)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("words", [["spans"], ["spans", "check"], ["spans", "check", "none.jsonl"], ["spans", "chek", "x"]])
def test_wrong_usage_exits_2(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2


def test_its_help_ends_with_an_example(capsys: Out) -> None:
    assert main(["spans", "check", "--help"]) == 0
    assert "example: licet spans check" in capsys.readouterr().out


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_that_a_span_says_acts_on_the_terminal(text: str, tmp_path: Path, capsys: Out) -> None:
    span = {**SPAN, "name": text, "attributes": [{"key": f"licet.{text}", "value": {"stringValue": text}}]}
    read(tmp_path / "t", line(span), line({**SPAN, "attributes": [pair({text: 1})]}))
    assert main(["spans", "check", str(tmp_path / "t")]) == 1
    assert acting(capsys.readouterr().out) == []
    assert main(["spans", "check", str(tmp_path / "t"), "--json"]) == 1
    assert capsys.readouterr().out.isascii()
