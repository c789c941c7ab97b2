"""A guarded agent of an hour ago, and what two others wrote down at that time.

`accepted.jsonl` is what the mail service accepted: the token of the guarded call, and one that no guard gave to a call. `trail.jsonl` is
the platform's log of the CRM's key: the use of the guarded call, and one of half an hour later.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import licet
from licet.testing import FakeClock
from licet.tokens.jws import claims_of, parse

HOUR_AGO = time.time() - 3_600


def lookup(number: int) -> str:
    """Look an order up, with the CRM's key."""
    return f"order {number} is late"


def send(to: str) -> str:  # noqa: ARG001 - the token is for it
    """Send a message: what the mail service would get is the call's token."""
    call = licet.current_call()
    token = call.token if call is not None else None
    return str(claims_of(parse(token or ""))["jti"])


def used(number: int, at: float) -> dict[str, object]:
    """A record of CloudTrail about a use of the key."""
    return {
        "eventVersion": "1.09", "eventID": f"8f000000-0000-4000-8000-{number:012d}", "eventSource": "s3.amazonaws.com",
        "eventTime": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "eventName": "GetObject", "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.24", "userAgent": "aws-sdk-go-v2/1.30.3", "readOnly": True, "eventType": "AwsApiCall",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDACRM", "arn": "arn:aws:iam::111122223333:user/crm", "accountId": "111122223333",
            "accessKeyId": "AKIACRMEXAMPLE000001", "userName": "crm",
        },
        "requestParameters": {"bucketName": "crm", "key": "orders"}, "responseElements": None, "managementEvent": False,
        "recipientAccountId": "111122223333",
    }  # fmt: skip


def write(name: str, rows: list[dict[str, object]]) -> None:
    """Write them, one a line."""
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    guard = licet.Guard.from_file(Path(__file__).with_name("licet.yaml"), clock=FakeClock(HOUR_AGO))
    with guard, guard.task("answer", intent="Look order 7 up and write to ada@acme.example", agent="bot", principal="user:grace"):
        guard.wrap(lookup)(number=7)
        jti = guard.wrap(send)(to="ada@acme.example")
    write("accepted.jsonl", [{"jti": jti, "tool": "send"}, {"jti": "8d1f0c55b6e94a0e", "tool": "send"}])
    write("trail.jsonl", [used(1, HOUR_AGO + 1), used(2, HOUR_AGO + 1_800)])
