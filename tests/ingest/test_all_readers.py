"""What holds for every reader: any JSON object is read, passed over or refused by name, and one reader does not load another."""

from __future__ import annotations

import copy
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licet.errors import UsageError
from licet.ingest.recognised import Source, Unreadable
from licet.ingest.sources import NAMES, SOURCES, source_of
from readers import SHARED, needs_data, panther, place, read_or_refused

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PLATFORMS = {
    "AWS.CloudTrail": "cloudtrail", "Amazon.EKS.Audit": "kubernetes", "GitHub.Audit": "github", "Okta.SystemLog": "okta", "Azure.Audit": "entra",
    "Microsoft365.Audit.SharePoint": "m365", "Microsoft365.Audit.AzureActiveDirectory": "m365",
}  # fmt: skip
AT = place("here")
ODD = (
    None, True, 0, -1, 2**70, 1.5, float("nan"), "", "x", "\ud800", "[", "{}", "[{}]", '"a"', "[" * 5_000, [], {}, [1], [{}], [[]], {"a": 1},
    "2026-01-01T00:00:00Z", "[KeyIdentifier=a,KeyType=Password",
)  # fmt: skip


def every_record() -> list[dict[str, Any]]:
    with gzip.open(SHARED / "panther_rule_tests.jsonl.gz", "rt") as lines:
        return [json.loads(line)["log"] for line in lines]


@pytest.mark.parametrize("name", NAMES)
def test_a_source_has_the_name_that_it_is_found_by(name: str) -> None:
    source = source_of(name)
    assert isinstance(source, Source)
    assert (source.name, source.lag > 0, bool(source.title)) == (name, True, True)
    assert SOURCES[name] is source


def test_a_source_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="cloudtrail, kubernetes, github, okta, entra, m365, licet, lifecycle"):
        source_of("windows")


def test_one_reader_does_not_load_another() -> None:
    code = (
        "import sys; from licet.ingest.sources import source_of; source_of('lifecycle');"
        "print(sorted(n for n in sys.modules if n in ('licet.ingest.entra', 'licet.ingest.cloudtrail', 'licet.manifest', 'licet.telemetry')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"


@needs_data
@pytest.mark.parametrize("log_type", sorted(PLATFORMS))
def test_each_record_of_a_platform_that_is_read_is_read_or_refused_by_name(log_type: str) -> None:
    records = panther(log_type)
    found = [read_or_refused(source_of(PLATFORMS[log_type]).read, record, AT) for record in records]
    assert records
    assert len([each for each in found if isinstance(each, Unreadable)]) < len(found)


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_each_record_of_any_platform_is_read_or_refused_by_every_reader(name: str) -> None:
    records = every_record()
    assert len(records) == 982
    for record in records:
        read_or_refused(source_of(name).read, record, AT)


def changed(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The record with something odd in one or two places of it."""
    odd: dict[str, Any] = copy.deepcopy(record)
    for _ in range(chance.choice((1, 1, 2))):
        inside, key = chance.choice(list(_places(odd)))
        inside[key] = copy.deepcopy(chance.choice(ODD))
    return odd


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield value, key
        yield from _places(item)


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_a_record_with_something_odd_in_it_is_read_or_refused(name: str) -> None:
    chance = random.Random(name)
    records = [record for log_type, reader in PLATFORMS.items() if reader == name for record in panther(log_type)] or every_record()
    for _ in range(1_500):
        read_or_refused(source_of(name).read, changed(chance.choice(records), chance), AT)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(record=st.dictionaries(st.text(max_size=12), _ANY, max_size=5))
def test_any_object_is_read_or_refused(name: str, record: dict[str, Any]) -> None:
    read_or_refused(source_of(name).read, record, AT)
