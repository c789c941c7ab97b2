"""A log in memory, with what real guards write into theirs, and evidence from it that can be changed and signed again."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from licet.canonical import canonical
from licet.ledger.evidence.bundle import verify_bundle
from licet.ledger.evidence.covered import of_task
from licet.ledger.evidence.dsse import sealed
from licet.ledger.evidence.statement import PAYLOAD_TYPE, Beside, bundle, evidence
from licet.ledger.evidence.verdict import BundleVerdict
from licet.ledger.merkle import leaf_hash, root_of
from licet.ledger.note import Checkpoint, NoteKey, signed
from licet.pseudonym import content_digest

ROOT, CHILD, OTHER = "a" * 32, "b" * 32, "c" * 32
CONTENT_KEY = b"k" * 16


class Key:
    """A key in memory. See `Signs`."""

    def __init__(self, seed: int = 1, name: str = "licet.test/ledger") -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.name = name

    def public(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    @property
    def note_key(self) -> NoteKey:
        return NoteKey(self.name, self.public())


class MemoryLog:
    """Records that follow each other, and the tree over them."""

    def __init__(self, key: Key) -> None:
        self.key, self.lines = key, list[bytes]()

    def add(self, kind: str, **fields: Any) -> int:
        prev = leaf_hash(self.lines[-1]).hex() if self.lines else "0" * 64
        envelope = {"kind": kind, "prev": f"sha256:{prev}", "seq": len(self.lines) + 1, "time": "2026-11-22T10:00:00.000Z", "writer": "w"}
        self.lines.append(canonical({**fields, **envelope}))
        return len(self.lines)

    def call(self, call: str, *, task: str, step: int, tool: str = "send", **more: Any) -> dict[str, Any]:
        return {"call": call, "task": task, "txn": ROOT, "step": step, "tool": tool, "args": f"hmac-sha256:{call}", **more}

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        part = self.lines[:size]
        return Checkpoint(self.key.name, len(part), root_of(map(leaf_hash, part)))

    def note(self, size: int | None = None) -> str:
        return signed(self.checkpoint(size).text(), [self.key])

    def subtree(self, low: int, high: int) -> bytes:
        return root_of(map(leaf_hash, self.lines[low:high]))

    def statement(self, beside: Beside, kept: Sequence[int] = ()) -> dict[str, Any]:
        about, entries = of_task(lambda: self.lines, ROOT, ROOT)
        made: dict[str, Any] = json.loads(
            json.dumps(
                evidence(
                    about, entries, note=self.note(), checkpoint=self.checkpoint(), keys=[self.key.note_key], subtree=self.subtree,
                    made="2026-11-22T10:01:00Z", by="a test", beside=beside, kept=kept,
                )
            )
        )  # fmt: skip
        return made


def a_log(key: Key) -> MemoryLog:
    """One task with a sub-task: allowed, denied, asked, failed and suspended calls; and records of others around and among them."""
    log = MemoryLog(key)
    log.add("ledger.begin", origin=key.name)
    log.add("task.begin", task=OTHER, txn=OTHER, parent=None)
    log.add("task.begin", task=ROOT, txn=ROOT, parent=None)
    one = log.call("1" * 32, task=ROOT, step=1, tool="read")
    log.add("call.intent", **one, outcome="allow", contents={"argument.to": content_digest(CONTENT_KEY, b'"ada"')})
    log.add("call.denied", **log.call("9" * 32, task=OTHER, step=1) | {"txn": OTHER}, outcome="deny")
    log.add("call.outcome", **one, outcome="allow", status="done")
    denied = log.call("2" * 32, task=ROOT, step=2)
    log.add("call.denied", **denied, outcome="deny", reasons=[{"check": "origin.argument", "sentence": "`to` came from elsewhere"}])
    log.add("delegation", task=ROOT, txn=ROOT, outcome="allow")
    log.add("task.begin", task=CHILD, txn=ROOT, parent=ROOT)
    log.add("ledger.repaired", lost="sha256:00")
    asked = log.call("3" * 32, task=CHILD, step=1, reasons=[{"check": "flow.leak", "effect": "ask", "sentence": "it leaves our control"}])
    log.add("call.asked", **asked, outcome="ask")
    log.add("approval", **asked, outcome="ask", approved=True)
    log.add("call.intent", **asked, outcome="allow")
    log.add("call.outcome", **asked, outcome="allow", status="suspended")
    log.add("call.intent", **asked, outcome="allow", resumed=True)
    log.add("call.outcome", **asked, outcome="allow", status="failed")
    log.add("task.end", task=CHILD, txn=ROOT, calls=1, delegated=0)
    log.add("task.end", task=ROOT, txn=ROOT, calls=2, delegated=1)
    log.add("task.end", task=OTHER, txn=OTHER)
    return log


def span(call: str, outcome: str, tool: str = "send", task: str = ROOT) -> dict[str, Any]:
    """A span as OTLP's JSON has it."""
    told = {
        "licet.call.id": call, "licet.task.id": task, "gen_ai.tool.name": tool, "licet.decision.outcome": outcome,
        "licet.args.digest": f"hmac-sha256:{call}",
    }  # fmt: skip
    return {"name": "x", "attributes": [{"key": name, "value": {"stringValue": value}} for name, value in told.items()]}


def beside() -> Beside:
    """What a store has of it."""
    spans = [span("1" * 32, "allow", "read"), span("2" * 32, "deny"), span("3" * 32, "allow", task=CHILD)]
    nodes = [
        {"id": f"task:{ROOT}", "kind": "intent", "label": "answer", "outcome": "", "status": ""},
        {"id": f"call:{'2' * 32}", "kind": "call", "label": "send", "outcome": "deny", "status": "denied"},
    ]
    return Beside(
        spans={"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]},
        graph={"nodes": nodes, "edges": []},
        findings=[{"id": "f1", "call_id": "2" * 32, "task_id": ROOT, "check": "origin.argument", "ledger": 7}],
        contents=[{"record": 4, "name": "argument.to", "key": CONTENT_KEY.hex(), "value": "ada"}],
    )


class Evidence:
    """Evidence of the task of `a_log`, and what a change of it is found to be."""

    def __init__(self) -> None:
        self.key, self.stranger = Key(1), Key(2)
        self.log = a_log(self.key)
        self.statement = self.log.statement(beside(), kept=[5])
        self.text = bundle(self.statement, self.key)

    def fresh(self) -> dict[str, Any]:
        copied: dict[str, Any] = json.loads(json.dumps(self.statement))
        return copied

    def changed(self, change: Callable[[dict[str, Any]], object], **how: Any) -> BundleVerdict:
        """What is found where whoever has the ledger's own key changes the statement and signs it anew."""
        statement = self.fresh()
        change(statement)
        return self.check(bundle(statement, self.key), **how)

    def signed_as(self, payload: bytes) -> BundleVerdict:
        return self.check(sealed(PAYLOAD_TYPE, payload, self.key))

    def check(self, text: str | bytes, **how: Any) -> BundleVerdict:
        return verify_bundle(text, how.pop("keys", [self.key.note_key]), **how)


def payload_of(text: str) -> bytes:
    return base64.b64decode(json.loads(text)["payload"])
