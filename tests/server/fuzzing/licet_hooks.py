"""What schemathesis loads: requests that come from a registered client, and often with a live task's token, so that they get far."""

from __future__ import annotations

import json
import os
import zlib
from types import SimpleNamespace
from typing import Any

import schemathesis

from licet.clock import SystemClock
from licet.server.clients import ASSERTION_TYPE
from licet.server.token import GRANT_TYPE
from licet.tokens import SigningKey
from running import ACCESS, CALL, ID, TASK, Asker

GIVEN = json.loads(os.environ["LICET_FUZZ"])
KEYS = {name: SigningKey.of_pem(GIVEN[name].encode(), name) for name in ("client", "holder")}
ASKER = Asker(SimpleNamespace(url=GIVEN["url"], clock=SystemClock()), key=KEYS["client"], holder=KEYS["holder"])
DETAILS = [
    {"type": "urn:licet:tool-call", "identifier": "send", "arguments": {"to": "ada@acme.example"}},
    {"type": "urn:licet:tool-call", "identifier": "crm", "arguments": {"id": 1}},
    {"type": "urn:licet:task", "kind": "work", "agent": "helper", "intent": "More"},
    {"type": "urn:licet:task", "kind": "work", "agent": "bot", "intent": "More", "tools": ["send"], "ttl": "1m"},
]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Put in what no generator finds by itself; how much of it follows from what was generated, so that a seed repeats a run."""
    if case.method.upper() != "POST" or not isinstance(case.body, dict):
        return
    chance = zlib.crc32(repr(sorted(case.body.items(), key=repr)).encode("utf-8", "replace"))
    if chance % 8:
        case.body |= {"client_assertion_type": ASSERTION_TYPE, "client_assertion": ASKER.assertion()}
        case.body.pop("client_id", None)
    if not case.path.endswith("/token"):
        if chance % 3:
            case.body["token"] = GIVEN["revoked"] if case.path.endswith("/revoke") else GIVEN["task"]
        return
    subject = GIVEN["task"] if chance % 5 else GIVEN["person"]
    if chance % 7:
        case.body |= {"grant_type": GRANT_TYPE, "subject_token": subject, "subject_token_type": TASK if chance % 5 else ID}
        case.headers = dict(case.headers or {}) | {"DPoP": ASKER.proof(subject)}
        for name, among in (("resource", 2), ("scope", 2), ("audience", 3), ("actor_token", 4), ("actor_token_type", 4), ("dpop_jkt", 5)):
            if chance % 11 and chance // among % 2:
                case.body.pop(name, None)
    if chance % 13 > 4:
        case.body["authorization_details"] = json.dumps([DETAILS[chance // 13 % len(DETAILS)]])
        case.body["requested_token_type"] = (CALL, ACCESS, TASK, ID)[chance // 17 % 4]
