"""`python -m benchmarks.identity_year.generate`: what it writes is the same for the same seed, and is what `truth.jsonl` says."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.dev  # slow, and what it tests depends on no version of a library
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]
from benchmarks.identity_year import plan  # noqa: E402
from benchmarks.identity_year.generate import generate  # noqa: E402
from benchmarks.identity_year.scripts import NobodyLeft  # noqa: E402

from licet.ingest.sources import source_of  # noqa: E402

SIZE = {"identities": 140, "days": 160, "load": 0.1, "misuses": 20}
Year = tuple[Path, list[dict[str, Any]]]


def records(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """File, native id and record of everything that was logged, in the order of the files."""
    for path in sorted((folder / "cloudtrail").iterdir()):
        for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
            yield path.name, record["eventID"], record
    for pattern, key in (
        ("kubernetes/*/*", "auditID"),
        ("github/*", "_document_id"),
        ("okta/*", "uuid"),
        ("entra/*/*", "id"),
        ("*cycle*", "id"),
    ):
        for path in sorted(folder.glob(pattern)):
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                yield str(path), record.get("properties", record)[key], record


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    folder = tmp_path_factory.mktemp("year")
    generate(folder, seed=1, **SIZE)
    return folder, [json.loads(line) for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()]


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_in_another_process(year: Year, tmp_path: Path):
    options = [word for key, value in SIZE.items() for word in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "benchmarks.identity_year.generate", str(tmp_path), "--seed", "1", *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert digests(tmp_path) == digests(year[0])


def test_another_seed_gives_another_year(year: Year, tmp_path: Path):
    generate(tmp_path, seed=4, **SIZE)
    mine, other = digests(year[0]), digests(tmp_path)
    assert not [name for name in mine if mine[name] == other.get(name)]


def test_each_kind_is_planted_as_often_as_asked_and_has_a_twin(year: Year):
    told = Counter((line["what"], line["kind"]) for line in year[1] if line["what"] != "churn")
    assert told == {(what, kind): 1 for what in ("misuse", "twin") for kind in plan.KINDS}
    assert len(plan.KINDS) == 20


def test_what_the_truth_names_is_in_the_logs(year: Year):
    logged = {native for _, native, _ in records(year[0])}
    for line in year[1]:
        assert set(line.get("events", ())) <= logged, line["id"]
        assert line["what"] != "misuse" or (line["events"] and line["expected"]), line["id"]


def test_nobody_suffers_two_misuses_nor_a_misuse_and_a_twin(year: Year):
    who = Counter(line["identity"] for line in year[1] if line["what"] != "churn")
    assert set(who.values()) == {1}


def test_records_are_in_order_in_each_file_but_for_the_few_that_come_late(year: Year):
    late = total = twice = 0
    seen: set[str] = set()
    newest: dict[str, float] = {}
    for file, native, record in records(year[0]):
        time = (
            record.get("eventTime")
            or record.get("published")
            or record.get("time")
            or record.get("requestReceivedTimestamp")
            or record["@timestamp"]
        )
        total, twice = total + 1, twice + (native in seen)
        seen.add(native)
        late += time < newest.get(file, time)
        newest[file] = max(time, newest.get(file, time))
    assert 0.001 < twice / total < 0.006
    assert 0.003 < late / total < 0.02


def test_whoever_acts_in_the_logs_has_an_owner_unless_that_is_the_misuse(year: Year):
    inventory = json.loads((year[0] / "inventory.json").read_text(encoding="utf-8"))
    owned = {row["identity"] for row in inventory["identities"] if "owner" in row}
    unowned = {line["identity"] for line in year[1] if line["what"] == "misuse" and line["kind"] == "unowned_active"}
    assert len(unowned) == 1
    assert not unowned & owned
    for _, _, record in records(year[0]):
        who = record.get("userIdentity") or {}
        uid = who.get("sessionContext", {}).get("sessionIssuer", {}).get("arn") or who.get("arn")
        if "actor_id" in record:
            uid = f"github:{record['actor']}"
        if "auditID" in record:
            uid = record["user"]["username"]
        assert uid is None or uid in owned | unowned or uid.startswith("system:node:"), uid


def test_too_few_identities_are_told(tmp_path: Path):
    with pytest.raises(NobodyLeft, match="make more identities, or fewer misuses"):
        generate(tmp_path, seed=1, identities=20, days=160, misuses=40)


def test_a_year_too_short_for_a_rest_is_told(tmp_path: Path):
    with pytest.raises(ValueError, match="take 160 or more"):
        generate(tmp_path, seed=1, identities=200, days=30, misuses=20)


class Told:
    """What a reader is told beside the record."""

    account = ""

    @staticmethod
    def fingerprint(shown: str) -> str:
        return shown and f"cred:{hashlib.sha256(shown.encode()).hexdigest()[:32]}"


def test_each_record_is_one_that_the_readers_know(year: Year):
    """As the formats are the platforms': none is refused, and none is of no interest."""
    readers = {
        "json.gz": "cloudtrail",
        "kubernetes": "kubernetes",
        "github": "github",
        "okta": "okta",
        "entra": "entra",
        "lifecycle": "lifecycle",
    }
    for file, native, record in records(year[0]):
        [name] = [name for part, name in readers.items() if part in file.removeprefix(str(year[0]))]
        found = source_of(name).read(record, Told())
        assert not found.passed, native
        assert (len(found.uses), len(found.lifecycle)) == (0, 1) if name == "lifecycle" else len(found.uses) == 1, native
