"""The report as data: what `licet report --json` prints, and what the page is made of. Times are RFC 3339, in UTC; null: there is none."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from licet.assurance.catalogues import CATALOGUES
from licet.assurance.cells import Cell
from licet.assurance.facts import Drifted, Facts, Listed
from licet.assurance.rows import STANDINGS, Evidence, Row
from licet.escape import counted
from licet.monitor.told import stamp
from licet.version import VERSION

MOST: Final = 500
"""Findings, and identities with drift, that are listed; of more their number is said."""

_SENTENCES: Final = 10  # of drills that do not hold
_DAY: Final = 86_400.0
_AGES: Final = ((1, "under 1 day"), (7, "1 to 7 days"), (30, "7 to 30 days"), (90, "30 to 90 days"))
_OLDEST: Final = "over 90 days"
AGES: Final = (*(name for _, name in _AGES), _OLDEST)
"""In the order of the report."""
SEVERITIES: Final = ("critical", "high", "medium", "low", "info")
STATUSES: Final = ("open", "acknowledged", "suppressed")


def told(facts: Facts, drilled: Sequence[Cell], rows: Sequence[Row]) -> dict[str, Any]:
    """All of it. `drilled`, `rows`: as `licet.assurance.cells.cells` and `licet.assurance.rows.rows` have them."""
    return {
        "report": 1, "licet": VERSION, "made": stamp(facts.now), "manifest": facts.manifest or None,
        "catalogues": _catalogues(rows), "inventory": _state(facts), "findings": _findings(facts), "drift": _drift(facts.drifts),
        "drills": _drills(facts, drilled),
        "scorecard": facts.card.plain() if facts.card is not None else None, "evidence": _evidence(facts),
    }  # fmt: skip


def _catalogues(rows: Sequence[Row]) -> list[dict[str, Any]]:
    found = []
    for of in CATALOGUES:
        own = [each for each in rows if each.catalogue == of.key]
        counts = Counter(each.standing for each in own)
        found.append({
            "key": of.key, "name": of.name, "whole": of.whole, "counts": {name: counts[name] for name in STANDINGS},
            "rows": [_row(each) for each in own],
        })  # fmt: skip
    return found


def _row(row: Row) -> dict[str, Any]:
    return {
        "id": row.entry.id, "title": row.entry.title, "standing": row.standing, "behaviour": row.behaviour,
        "evidence": [_cited(each) for each in row.evidence], "fails": list(row.fails), "drillable": row.drillable,
    }  # fmt: skip


def _cited(cited: Evidence) -> dict[str, Any]:
    return {
        "kind": cited.kind, "name": cited.name, "says": cited.says, "number": cited.number, "id": cited.id or None,
        "of": cited.of or None, "ledger": list(cited.ledger), "time": stamp(cited.time),
    }  # fmt: skip


def _state(facts: Facts) -> dict[str, Any]:
    plain = facts.state._asdict() | {"as_of": stamp(facts.state.as_of)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in plain.items()}


def _findings(facts: Facts) -> dict[str, Any]:
    """Those that are hidden for a time are counted, and in no other sum."""
    standing = [each for each in facts.findings if each.status != "suppressed"]
    statuses = Counter(each.status for each in facts.findings)
    severities = Counter(each.finding.severity for each in standing)
    codes = Counter(code for each in standing for code in dict.fromkeys(each.codes))
    ages = Counter(_age(facts.now - each.finding.time) for each in standing)
    newest = sorted(standing, key=lambda each: (SEVERITIES.index(each.finding.severity), -each.finding.time, each.finding.id))
    return {
        "statuses": {name: statuses[name] for name in STATUSES},
        "severities": {name: severities[name] for name in SEVERITIES},
        "ages": {name: ages[name] for name in AGES},
        "codes": dict(sorted(codes.items(), key=lambda each: (-each[1], each[0]))),
        "unowned": sum(not each.finding.owner for each in standing),
        "listed": [_listed(each) for each in newest[:MOST]], "left_out": max(0, len(newest) - MOST),
    }  # fmt: skip


def _age(seconds: float) -> str:
    return next((name for days, name in _AGES if seconds < days * _DAY), _OLDEST)


def _listed(each: Listed) -> dict[str, Any]:
    of, why = each.finding, each.finding.explanation
    return {
        "id": of.id, "time": stamp(of.time), "severity": of.severity, "status": each.status, "codes": list(each.codes),
        "identity": each.identity or None, "owner": of.owner or None, "sentence": of.sentence, "ledger": of.ledger or None,
        "digests": [cited.digest for cited in why.evidence if cited.digest] if why is not None else [],
    }  # fmt: skip


def _drift(drifts: Sequence[Drifted]) -> dict[str, Any]:
    doubtful = sorted(
        (each for each in drifts if each.proposals or each.added or each.outside),
        key=lambda each: (-each.outside, -each.added, -each.proposals, each.identity),
    )
    return {
        "identities": len(drifts), "used": sum(each.used for each in drifts), "granted": sum(each.granted for each in drifts),
        "added_without_use": sum(each.added for each in drifts), "outside": sum(each.outside for each in drifts),
        "listed": [
            {"identity": each.identity, "used": each.used, "granted": each.granted, "added_without_use": each.added,
             "outside": each.outside, "proposals": each.proposals}
            for each in doubtful[:MOST]
        ],
        "left_out": max(0, len(doubtful) - MOST),
    }  # fmt: skip


def _drills(facts: Facts, drilled: Sequence[Cell]) -> dict[str, Any]:
    played = [each for each in drilled if each.drill is not None]
    return {
        "cells": len(drilled), "played": len(played), "passed": sum(each.passed for each in drilled),
        "never": facts.audit is None and not facts.doubt, "wrong": list(_wrong(facts)),
        "listed": [_cell(each) for each in drilled],
    }  # fmt: skip


def _wrong(facts: Facts) -> Iterator[str]:
    """What does not hold of the drills as they are told, a sentence each."""
    if facts.doubt:
        yield facts.doubt
    if facts.audit is not None:
        yield from facts.audit.wrong
        wrong = [each for each in facts.audit.drills if each.wrong]
        yield from (f"drill {each.row.id}: {each.wrong}" for each in wrong[:_SENTENCES])
        if len(wrong) > _SENTENCES:
            yield f"and {counted(len(wrong) - _SENTENCES, 'drill')} more of which what is told does not hold"


def _cell(cell: Cell) -> dict[str, Any]:
    row = cell.drill.row if cell.drill is not None else None
    result = row.result if row is not None else None
    return {
        "scenario": cell.scenario.id, "name": cell.scenario.name, "title": cell.scenario.title, "source": cell.source,
        "passed": cell.passed, "why": cell.why or None, "drill": row.id if row is not None else None,
        "time": stamp(result.began) if result is not None else None,
        "seconds": result.seconds if result is not None and result.seconds >= 0 else None,
        "finding": result.finding or None if result is not None else None,
        "ledger": [row.seq, row.revealed] if row is not None else [],
        "beside": [each.row.id for each in cell.beside],
    }  # fmt: skip


def _evidence(facts: Facts) -> dict[str, Any]:
    of = facts.ledger
    digest = hashlib.sha256(of.checkpoint.encode()).hexdigest() if of.checkpoint else None
    return {
        "checkpoint": of.checkpoint or None, "checkpoint_sha256": digest,
        "origin": of.origin or None, "signed_records": of.size, "root": of.root or None, "records": of.records, "kinds": dict(of.kinds),
        "wrong": list(of.wrong), "manifest": facts.manifest or None,
    }  # fmt: skip
