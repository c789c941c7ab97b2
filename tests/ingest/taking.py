"""What tests of the intake share: made records of CloudTrail, one run over files, and all that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from licet.ingest.batch import Report
from licet.ingest.intake import Intake
from licet.ingest.sources import source_of
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import Inventory

NOW = 1_800_000_000.0


class Still:
    """A clock that stands."""

    def __init__(self, now: float = NOW) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now


def record(number: int, **more: Any) -> dict[str, Any]:
    """A made record of CloudTrail."""
    role = number % 7
    return {
        "eventVersion": "1.08", "eventID": f"{number:08d}-0000-4000-8000-000000000000", "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject", "eventTime": f"2026-03-{1 + number // 80_000:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "awsRegion": "eu-west-1", "sourceIPAddress": f"203.0.113.{role}", "userAgent": "aws-sdk-go/1.44", "recipientAccountId": "111122223333",
        "userIdentity": {
            "type": "AssumedRole", "arn": f"arn:aws:sts::111122223333:assumed-role/r{role}/i-0{role}", "accountId": "111122223333",
            "accessKeyId": f"ASIAQQQQQQQQQQQQQ{role:03}",
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::111122223333:role/r{role}"}},
        },
        "requestParameters": {"bucketName": f"b{number % 3}", "key": f"k{number}"},
    } | more  # fmt: skip


def lines(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in records)


def run(home: Path, *paths: Path, source: str = "cloudtrail", batch: int = 50, from_start: bool = False, now: float = NOW) -> Report:
    """One run of the intake over files."""
    inventory = Inventory(home / "inventory.db")
    intake = Intake(inventory, source_of(source), Fingerprints(b"k" * 32).of, clock=Still(now), batch=batch)
    for path in paths:
        with path.open("rb") as file:
            intake.take(str(path), file, from_start=from_start)
    report = intake.finish()
    inventory.close()
    return report


_HOLDERS = (
    "SELECT credentials.uid, identities.uid, first, last, holders.uses FROM holders JOIN credentials ON credentials.id=credential"
    " JOIN identities ON identities.id=subject ORDER BY 1, 2"
)


def kept(home: Path) -> list[Any]:
    """All that is kept and does not depend on how often and in which files it came."""
    inventory = Inventory(home / "inventory.db")
    out: list[Any] = []
    for identity in inventory.identities():
        out.append(identity)
        out.extend(use._replace(place="") for use in inventory.uses(identity.uid))
        out += inventory.credentials_of(identity.uid)
    out += inventory.rows(_HOLDERS)
    out += inventory.rows("SELECT source, account, first, last, events, credential, workload, services FROM sources ORDER BY 1, 2")
    out += sorted(inventory.dirty())
    inventory.close()
    return out


def places(home: Path) -> list[str]:
    """Lines, by which the uses that are kept are cited."""
    inventory = Inventory(home / "inventory.db")
    found = [use.place.rpartition(":")[2] for each in inventory.identities() for use in inventory.uses(each.uid)]
    inventory.close()
    return sorted(found)
