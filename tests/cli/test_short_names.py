"""A short name in the inventory: it never stands for an identity of its own that hides the one that is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from licet.cli.main import main

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library
Captured = pytest.CaptureFixture[str]

ROLE = "arn:aws:iam::111122223333:role/invoices"
UNOWNED = [
    {"id": f"u{number}", "time": f"2026-0{1 + number}-01T12:00:00Z", "kind": kind, "credential": "AKIAIOSFODNN7EXAMPLE", "identity": ROLE}
    for number, kind in enumerate(("issued", "revoked"))
]
USED = {
    "eventVersion": "1.08", "eventID": "1", "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "eventTime": "2026-03-01T12:00:00Z",
    "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.1", "recipientAccountId": "111122223333",
    "userIdentity": {
        "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/invoices/i-0", "accountId": "111122223333",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}},
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trail.jsonl").write_text(json.dumps(USED) + "\n")
    (tmp_path / "vault.jsonl").write_text("".join(json.dumps(each) + "\n" for each in UNOWNED))
    (tmp_path / "short.csv").write_text("identity,owner\ninvoices,billing\n")
    (tmp_path / "full.csv").write_text(f"identity,owner\n{ROLE},billing\n")
    return tmp_path


def logs() -> None:
    assert main(["ingest", "cloudtrail", "trail.jsonl"]) == 0
    assert main(["ingest", "lifecycle", "vault.jsonl"]) == 0


@pytest.mark.parametrize("row", ["invoices,billing\n", f"{ROLE},billing\ninvoices,\n"])
def test_a_row_with_a_short_name_is_refused_with_the_uid_that_is_meant(row: str, home: Path, capsys: Captured) -> None:
    logs()
    (home / "short.csv").write_text("identity,owner\n" + row)
    assert main(["inventory", "import", "short.csv"]) == 1
    assert f"no record has `invoices`, and {ROLE} is called so; write the uid" in capsys.readouterr().err
    assert main(["inventory", "import", "full.csv"]) == 0
    assert main(["inventory", "show", "invoices"]) == 0
    assert "billing" in capsys.readouterr().out


def test_a_credential_of_a_short_name_is_refused_too_and_another_name_of_it_is_taken(home: Path, capsys: Captured) -> None:
    logs()
    (home / "key.csv").write_text("credential,identity\nAKIAIOSFODNN7EXAMPLE,invoices\n")
    assert main(["inventory", "import", "key.csv"]) == 1
    assert f"{ROLE} is called so" in capsys.readouterr().err
    (home / "face.csv").write_text(f"identity,same_as\ninvoices,{ROLE}\n")
    assert main(["inventory", "import", "face.csv"]) == 0


def test_what_was_declared_by_a_short_name_before_any_record_hides_no_finding(capsys: Captured) -> None:
    assert main(["inventory", "import", "short.csv"]) == 0
    logs()
    assert main(["monitor"]) == 0
    capsys.readouterr()
    assert main(["findings", "--identity", "invoices"]) == 0
    told = capsys.readouterr()
    assert "POST_REVOCATION_USE" in told.out
    assert f"no record names this uid, it is only declared; {ROLE} is called so, and is listed too" in told.err
    assert main(["inventory", "show", "invoices"]) == 0
    assert f"it is only declared; {ROLE} is called so too" in capsys.readouterr().err


def test_a_uid_that_records_have_and_that_ends_anothers_is_told_of_both(home: Path, capsys: Captured) -> None:
    logs()
    (home / "own.jsonl").write_text(
        json.dumps({"id": "o", "time": "2026-01-01T12:00:00Z", "kind": "suspended", "identity": "invoices"}) + "\n"
    )
    assert main(["ingest", "lifecycle", "own.jsonl"]) == 0
    assert main(["monitor"]) == 0
    capsys.readouterr()
    assert main(["findings", "--identity", "invoices"]) == 0
    told = capsys.readouterr()
    assert "POST_REVOCATION_USE" not in told.out
    assert f"--identity invoices: {ROLE} is called so too, and is not listed here" in told.err
