"""Findings and signals as data, for `licet findings --json` and for who is told by webhook. Times are RFC 3339, in UTC; null: not known."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, Final

from licet.clock import iso
from licet.events import LIFECYCLE_KINDS
from licet.monitor.signal import Cited, Signal
from licet.records import Because, Evidence, Finding

_PART: Final = re.compile(r"#(?:[0-9]+|stale)\Z")
_STAGE: Final = re.compile(r"/(?:ResponseComplete|Panic)\Z")
_OURS: Final = ("lifecycle", "declared")  # whose ids are any text


def native(uid: str) -> tuple[str, str]:
    """The source of an event, and the id that the record has there: without what a reader added to tell apart what one record did."""
    source, _, rest = uid.partition("/")
    head, mark, kind = rest.rpartition("!")
    if mark and kind in LIFECYCLE_KINDS:
        rest = head if source in _OURS else _PART.sub("", head)
    return source, _STAGE.sub("", rest) if source == "kubernetes" else rest


def finding_data(finding: Finding, status: str, *, identity: str = "", codes: tuple[str, ...] = ()) -> dict[str, Any]:
    """A finding. `identity` and `codes`: of one that explains nothing, as the guard's."""
    why = finding.explanation
    return {
        "id": finding.id, "time": stamp(finding.time), "check": finding.check, "severity": finding.severity, "status": status,
        "codes": list(why.codes if why else codes), "identity": why.identity if why else identity,
        "credentials": list(why.credentials) if why else [], "owner": finding.owner or None, "sentence": finding.sentence,
        "because": [_because(each) for each in why.because] if why else [],
        "evidence": [_evidence(each) for each in why.evidence] if why else [],
        "counter": list(why.counter) if why else [], "actions": list(why.actions) if why else [],
        "confidence": why.confidence if why else 1.0, "points": why.points if why else 0.0, "references": list(finding.references),
        "task_id": finding.task_id, "call_id": finding.call_id, "ledger": finding.ledger,
    }  # fmt: skip


def stamp(time: float) -> str | None:
    """RFC 3339; None where there is no time, and where there is none that can be written."""
    return iso(time) if 0 < time < 2**36 else None


def _because(each: Because) -> dict[str, Any]:
    return asdict(each) | {"time": stamp(each.time), "since": stamp(each.since), "last": stamp(each.last)}


def _evidence(cited: Evidence) -> dict[str, Any]:
    source, native_id = native(cited.uid)
    return {
        "uid": cited.uid, "source": source, "native_id": native_id, "role": cited.role, "identity": cited.identity,
        "time": stamp(cited.time),
        "digest": cited.digest, "place": cited.place,
    } | ({"body": cited.body} if cited.body else {})  # fmt: skip


def signal_data(signal: Signal, finding: str = "") -> dict[str, Any]:
    """A signal. `finding`: in which it is; empty if in none."""
    return {
        "id": signal.id, "code": signal.code, "points": signal.points, "alert": signal.alert, "severity": signal.severity,
        "identity": signal.identity, "credential": signal.credential, "time": stamp(signal.time), "finding": finding or None,
        "observed": signal.observed, "expected": signal.expected, "basis": signal.basis, "since": stamp(signal.since),
        "sample": signal.sample, "counter": list(signal.counter), "evidence": [_cited(each) for each in signal.evidence],
    }  # fmt: skip


def _cited(cited: Cited) -> dict[str, Any]:
    source, native_id = native(cited.uid)
    return {"uid": cited.uid, "source": source, "native_id": native_id, "role": cited.role, "time": stamp(cited.time)}
