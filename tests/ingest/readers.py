"""What tests of readers share: a place, real records, and records with a canary in each of their texts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from licet.ingest.recognised import Place, Read, Recognised, Unreadable
from licet.inventory.fingerprints import Fingerprints

SHARED = Path(__file__).parents[3] / "shared" / "data" / "nhi"
CANARY = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2

needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the third-party logs are not here")


class InTests:
    """A place with a key of its own."""

    def __init__(self, account: str = "") -> None:
        self.fingerprint: Callable[[str], str] = Fingerprints(b"k" * 32).of
        self.account = account


def place(account: str = "") -> Place:
    return InTests(account)


def panther(log_type: str) -> list[dict[str, Any]]:
    """The records of one platform among the inline tests of panther-analysis."""
    with gzip.open(SHARED / "panther_rule_tests.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["log"] for row in rows if log_type in (row["log_types"] or ())]


def read_or_refused(read: Read, record: Any, at: Place) -> Recognised | Unreadable:
    """What a reader says of a record. Whatever else it raises fails the test."""
    try:
        found = read(record, at)
    except Unreadable as error:
        return error
    assert isinstance(found, Recognised)
    assert bool(found.passed) is not bool(found.uses or found.lifecycle)
    return found


def with_canary(record: Any, canary: str = CANARY) -> Iterator[Any]:
    """The record, again and again, each time with the canary in place of, or behind, another of its texts."""
    for path, text in _texts(record, ()):
        for value in (canary, f"{text} {canary}"):
            yield _put(record, path, value)


def _texts(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))


def _put(value: Any, path: tuple[Any, ...], text: str) -> Any:
    if not path:
        return text
    first, *rest = path
    if isinstance(value, dict):
        return {**value, first: _put(value[first], tuple(rest), text)}
    return [*value[:first], _put(value[first], tuple(rest), text), *value[first + 1 :]]
