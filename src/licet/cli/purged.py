"""What a purge took away, for commands that find nothing: nothing yet, or nothing any more."""

from __future__ import annotations

from pathlib import Path

from licet.errors import LedgerError
from licet.escape import counted
from licet.guard.purges import KIND, record_of, text_of
from licet.ledger import LedgerFiles


def by_records(ledger: Path, what: str, principal: str = "") -> list[int]:
    """The numbers of the records that say that `what` (contents, spans, rows; empty: any of them) was purged.

    `principal`: a pseudonym; then only those of that person. What cannot be read says nothing: this is a hint, and no verification.
    """
    needle = f'"kind":"{KIND}"'.encode()
    try:
        found = [record_of(line) for line in LedgerFiles(ledger).records() if needle in line]
    except LedgerError:
        return []
    return [
        record["seq"]
        for record in found
        if record.get("kind") == KIND and type(record.get("seq")) is int
        and (not what or what in _texts(record.get("what"))) and (not principal or text_of(record, "principal") == principal)
    ]  # fmt: skip


def said(records: list[int]) -> str:
    """Those records in words; empty if there are none."""
    if not records:
        return ""
    more = f", and {counted(len(records) - 1, 'record')} before it" if len(records) > 1 else ""
    return f"on record as {records[-1]}{more}"


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
