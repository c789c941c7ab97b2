"""`licet monitor`, as a security team runs it on its first day: only logs."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from licet.cli.main import main

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

KEY = "AKIAIOSFODNN7EXAMPLE"


MANIFEST = f"""
licet: 1
environment: prod
owners: {{ops: {{name: Operations, contact: ops@acme.example}}}}
agents: {{bot: {{owner: ops, tasks: [work]}}}}
credentials: {{queue: {{owner: ops, ids: [{KEY}], uses: ["sqs:*"]}}}}
tools: {{look: {{access: read, egress: false, credential: queue}}}}
tasks: {{work: {{intent: Work, ttl: 10m, tools: {{look: {{}}}}}}}}
"""


def record(number: int, time: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08", "eventID": f"e-{number}", "eventTime": time, "eventSource": "iam.amazonaws.com" if "Key" in name else "s3.amazonaws.com",
        "eventName": name, "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.7", "userAgent": "Boto3/1.34", "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/worker", "accountId": "111122223333", "accessKeyId": KEY,
                         "userName": "worker"},
        "requestParameters": None, "responseElements": None,
    } | more  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def ingested(state: Path, records: list[dict[str, Any]], name: str = "log.jsonl") -> None:
    log = state.parent / name
    log.write_text("".join(f"{json.dumps(each)}\n" for each in records))
    assert main(["ingest", "cloudtrail", str(log), "--state", str(state)]) == 0


REVOKED = [
    record(1, "2026-03-01T08:00:00Z", "GetObject"),
    record(2, "2026-03-01T09:00:00Z", "DeleteAccessKey", requestParameters={"userName": "worker", "accessKeyId": KEY}),
    record(3, "2026-03-01T12:00:00Z", "GetObject"),
]


def test_a_key_that_was_deleted_and_is_used_is_said_and_a_second_run_changes_nothing(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(state, REVOKED)
    capsys.readouterr()
    assert main(["monitor", "--state", str(state)]) == 0
    said = capsys.readouterr().out
    assert "POST_REVOCATION_USE: used after it was revoked" in said
    assert "1 identity judged, 4 events" in said
    assert main(["monitor", "--state", str(state), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["identities"], found["events"], found["changed"]) == (0, 0, 0)
    assert found["signals"]["POST_REVOCATION_USE"]["number"] == 1
    assert found["signals"]["POST_REVOCATION_USE"]["severities"] == {"critical": 1}


def test_signals_are_counted_by_the_severity_that_was_found_and_not_by_that_of_the_code(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new permission is low; the right to everything is high, and stands in its own line."""
    policies = ("arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    asked = [{"userName": "ci", "policyArn": each} for each in policies]
    iam = {"eventSource": "iam.amazonaws.com"}
    ingested(
        state, [record(at, f"2026-03-01T0{at}:00:00Z", "AttachUserPolicy", requestParameters=each, **iam) for at, each in enumerate(asked)]
    )
    capsys.readouterr()
    assert main(["monitor", "--state", str(state)]) == 0
    told = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert [line for line in told if "GRANT_ADDED:" in line] == [["high", "1", "GRANT_ADDED:"], ["low", "1", "GRANT_ADDED:"]]
    assert main(["monitor", "--state", str(state), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["signals"]["GRANT_ADDED"]
    assert (found["number"], found["severities"]) == (2, {"high": 1, "low": 1})


def test_rebuild_judges_everybody_anew(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingested(state, REVOKED)
    for options in ([], ["--rebuild"]):
        capsys.readouterr()
        assert main(["monitor", "--state", str(state), "--json", *options]) == 0
        assert json.loads(capsys.readouterr().out)["events"] == 4


def test_what_a_manifest_declares_counts_and_is_declared_once(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingested(state, REVOKED[:1])
    manifest = tmp_path / "licet.yaml"
    manifest.write_text(MANIFEST)
    first = main(["monitor", "--state", str(state), "--json", "-m", str(manifest)])
    out, err = capsys.readouterr()
    assert first == 0, err
    assert json.loads(out[out.index("{") :])["signals"]["OUT_OF_PURPOSE_USE"]["number"] == 1
    assert main(["monitor", "--state", str(state), "--json", "-m", str(manifest)]) == 0
    assert json.loads(capsys.readouterr().out)["identities"] == 0


def test_without_an_inventory_it_says_what_to_do(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "--state", str(state)]) == 2
    assert "`licet ingest` does that" in capsys.readouterr().err


def test_two_runs_at_once_are_refused(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingested(state, REVOKED)
    descriptor = os.open(state / "monitor.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert main(["monitor", "--state", str(state)]) == 2
    finally:
        os.close(descriptor)
    assert "another `licet monitor` is at work" in capsys.readouterr().err
    assert main(["monitor", "--state", str(state)]) == 0


def test_neither_the_key_nor_anything_like_it_is_in_the_signals(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingested(state, REVOKED)
    assert main(["monitor", "--state", str(state), "--json"]) == 0
    assert KEY not in capsys.readouterr().out
    assert KEY.encode() not in (state / "inventory.db").read_bytes()


def test_what_was_only_ever_old_is_no_finding_and_is_said_each_time(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is found of it, and nothing is known of how it is now."""
    ingested(state, [record(number, f"2020-03-0{number}T08:00:00Z", "GetObject") for number in range(1, 9)])
    said = "cloudtrail of 111122223333: history: no event since 2020-03-08T08:00:00.000Z"
    for command in ("monitor", "monitor", "findings"):
        capsys.readouterr()
        assert main([command, "--state", str(state)]) == 0
        assert said in capsys.readouterr().out
    assert main(["findings", "--json", "--state", str(state)]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
