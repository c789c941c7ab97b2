"""Ledgers from before there were checkpoints: one file of lines, each with the plain SHA-256 of the line before it. Only read.

The links show a line that was changed, taken out or put in. A tail that was cut off, or a file that was written anew, they do not show.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from licet.canonical import canonical
from licet.errors import LedgerError
from licet.escape import visible

FIRST = "sha256:" + "0" * 64
_MAX_LINE = 1024 * 1024  # bytes; that release wrote none that is longer


@dataclass(frozen=True, slots=True)
class LineCheck:
    """What was found. `broken` is empty, or says which line first breaks the chain, and how."""

    path: str
    records: int
    head: str
    broken: str = ""


def looks_like_lines(head: bytes) -> bool:
    """Whether the beginning of a file is that of such a ledger: a record, which names the one before it."""
    return head.startswith(b"{") and b'"prev":' in head.partition(b"\n")[0]


def check_lines(path: str | Path) -> LineCheck:
    """Read the whole file and check form, numbering and every link. Never raises for bad content.

    Raises:
        LedgerError: the file cannot be read.
    """
    head, count = FIRST, 0
    try:
        with Path(path).open("rb") as file:
            while raw := file.readline(_MAX_LINE + 1):
                broken = _broken(raw, count + 1, head)
                if broken:
                    return LineCheck(str(path), count, head, broken)
                head, count = "sha256:" + hashlib.sha256(raw[:-1]).hexdigest(), count + 1
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read: {error.strerror}; check path and rights") from error
    return LineCheck(str(path), count, head)


def _broken(raw: bytes, number: int, head: str) -> str:
    if not raw.endswith(b"\n"):
        return f"line {number} is longer than {_MAX_LINE} bytes" if len(raw) > _MAX_LINE else f"line {number} is cut off"
    try:
        record: Any = json.loads(raw, object_pairs_hook=_no_duplicates)
        form = canonical(record)
    except (ValueError, RecursionError):
        return f"line {number} is not a record"
    if not isinstance(record, dict) or form != raw[:-1]:
        return f"line {number} is not in canonical form"
    if type(record.get("seq")) is not int or record["seq"] != number:
        return f"line {number} has number {visible(str(record.get('seq')), 40)}"
    if record.get("prev") != head:
        return f"line {number - 1} or {number} was changed" if number > 1 else "line 1 was changed, or is not the first"
    return ""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice")
    return record
