"""A recorded session says on which model it ran and when, as far as the record does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from licet.replay import Bad, Session, read

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z


def one(tmp_path: Path, **changes: Any) -> Session | Bad:
    record = {"id": "s", "suite": "s", "prompt": None, "calls": [{"name": "t", "args": {}, "output": "x", "error": None}]} | changes
    file = tmp_path / "runs.jsonl"
    file.write_text(json.dumps(record), encoding="utf-8")
    [found] = read(file)
    return found


@pytest.mark.parametrize(
    "given",
    [NOON, int(NOON), "2026-11-23T12:00:00Z", "2026-11-23T12:00:00", "2026-11-23T13:00:00+01:00", "2026-11-23 12:00:00.000"],
    ids=["seconds", "whole", "utc", "no-offset", "offset", "space"],
)
def test_a_time_is_seconds_or_iso_8601(given: Any, tmp_path: Path) -> None:
    call = {"name": "t", "args": {}, "output": "x", "error": None, "time": given}
    found = one(tmp_path, time=given, calls=[call])
    assert isinstance(found, Session)
    assert (found.time, found.calls[0].time) == (NOON, NOON)


def test_what_is_not_said_is_not_known(tmp_path: Path) -> None:
    """`model` and `time` may be left out or null."""
    for changes in ({}, {"model": None, "time": None}):
        found = one(tmp_path, **changes)
        assert isinstance(found, Session)
        assert (found.model, found.time, found.calls[0].time, found.calls[0].decided, found.findings) == ("", None, None, "", ())


def test_the_model_is_as_recorded(tmp_path: Path) -> None:
    found = one(tmp_path, model="gpt-4o-2024-05-13")
    assert isinstance(found, Session)
    assert found.model == "gpt-4o-2024-05-13"


@pytest.mark.parametrize(
    "key, value, why",
    [
        ("time", "yesterday", "is no time"), ("time", True, "must be a number or a text"), ("time", [], "must be a number or a text"),
        ("time", 1_795_435_200_000, "not milliseconds"), ("time", -1, "between the years"), ("time", "0001-01-01", "between the years"),
        ("time", 10**400, "between the years"), ("model", 4, "must be a text or null"),
    ],
    ids=["word", "true", "list", "milliseconds", "before", "year-1", "huge", "model"],
)  # fmt: skip
def test_what_is_no_time_or_model_is_named_with_its_key(key: str, value: Any, why: str, tmp_path: Path) -> None:
    found = one(tmp_path, **{key: value})
    assert isinstance(found, Bad)
    assert (found.key, found.line) == (key, 1)
    assert why in found.why


def test_the_mark_that_some_editors_put_before_the_first_line_costs_no_session(tmp_path: Path) -> None:
    record = {"id": "s", "suite": "k", "prompt": "Go", "calls": []}
    (tmp_path / "marked.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(record).encode() + b"\n" + json.dumps(record).encode())
    assert [type(each) for each in read(tmp_path / "marked.jsonl")] == [Session, Session]
