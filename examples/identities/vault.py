"""HashiCorp Vault's audit log as lines of the lifecycle format: which access key was made under which lease, and when the lease ended.

    tail -F /var/log/vault/audit.log | python examples/identities/vault.py | licet ingest lifecycle -

A lease is to Licet the job that a key is for: with the lease it ends. Vault hashes what it hands out; that it shows the id of an access
key is to be said once: `vault secrets tune -audit-non-hmac-response-keys=access_key aws/`. Never let it show `secret_key`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

REVOKE = ("sys/leases/revoke/", "sys/revoke/")  # where `vault lease revoke ID` puts the id; one that stands in the body is hashed


def lines_of(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What one entry of the audit log says of credentials."""
    request, response = entry.get("request") or {}, entry.get("response") or {}
    if entry.get("type") != "response" or entry.get("error"):
        return
    said = {"id": request["id"], "time": entry["time"], "by": f"vault:{(entry.get('auth') or {}).get('display_name', '')}"}
    lease, path = (response.get("secret") or {}).get("lease_id", ""), request.get("path", "")
    key = (response.get("data") or {}).get("access_key", "")
    if lease and key and not key.startswith("hmac-"):
        yield said | {"kind": "issued", "credential": key}
        yield said | {"id": f"{request['id']}-lease", "kind": "bound", "credential": key, "workload": lease}
    ended = next((path.removeprefix(start) for start in REVOKE if path.startswith(start)), "")
    if ended:
        yield said | {"kind": "job_ended", "workload": ended, "reason": "lease revoked"}


if __name__ == "__main__":
    for text in sys.stdin:
        for line in lines_of(json.loads(text)):
            print(json.dumps(line), flush=True)
