"""Where `licet ledger show` takes records from: a ledger's folder, from either end, or a file of evidence. Nothing is verified."""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from licet.canonical import canonical
from licet.errors import UsageError
from licet.ledger import LedgerFiles, layout

EVERY_SECONDS = 0.2  # between two looks at what has come
MAX_EVIDENCE = 100_000_000  # bytes
_BLOCK = 4_096  # records that are read at once from the end

Numbered = tuple[int, bytes]
"""A record's number, from 1, and its bytes as they stand."""


def folder_of(path: Path) -> Path:
    """The ledger's folder: `path`, or the one in it if `path` is a state folder.

    Raises:
        UsageError: there is no ledger.
    """
    for each in (path, path / "ledger"):
        if any((each / name).exists() for name in (layout.LIVE, layout.CHECKPOINT, layout.HASHES)):
            return each
    raise UsageError(f"{path}: is no folder of a ledger: it has none of {layout.LIVE}/, {layout.HASHES}/ and {layout.CHECKPOINT}")


def forward(files: LedgerFiles, first: int, last: int | None, *, follow: bool) -> Iterator[Numbered]:
    """From record `first` on, to `last` or the end; with `follow`, what comes after it too."""
    at = first
    while True:
        for raw in files.records(at - 1, last):
            yield at, raw
            at += 1
        if not follow or (last is not None and at > last):
            return
        time.sleep(EVERY_SECONDS)


def newest(files: LedgerFiles, first: int, last: int | None, number: int, wanted: Callable[[Numbered], bool]) -> Iterator[Numbered]:
    """The newest `number` that are wanted, in their order. Read in blocks from the end, and no more blocks than are needed."""
    found: deque[Numbered] = deque()
    size = files.size()
    stop = size if last is None else min(last, size)
    while stop >= first and len(found) < number:
        start = max(first - 1, stop - _BLOCK)
        block = [row for row in enumerate(files.records(start, stop), start + 1) if wanted(row)]
        found.extendleft(reversed(block[max(0, len(block) - (number - len(found))) :]))
        stop = start
    yield from found


def of_evidence(path: Path) -> list[Numbered]:
    """The records in a file of evidence, in its order, whoever signed it.

    Raises:
        UsageError: it cannot be read, or is no evidence.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_EVIDENCE + 1)
        if len(data) > MAX_EVIDENCE:
            raise UsageError(f"{path}: is longer than {MAX_EVIDENCE} bytes")
        statement = json.loads(base64.b64decode(json.loads(data)["payload"], validate=True))
        rows = [(row["index"], row["record"]) for row in statement["predicate"]["records"]]
        return [(_seq(index), _line(record)) for index, record in rows]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; check path and rights") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path}: is neither a ledger's folder nor a whole file of evidence") from error


def parsed(raw: bytes) -> dict[str, Any]:
    """The record; empty for what is none."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seq(index: object) -> int:
    if type(index) is not int or index < 0:
        raise ValueError("an index is a whole number")
    return index + 1


def _line(record: object) -> bytes:
    if not isinstance(record, dict):
        raise TypeError("a record is an object")
    return canonical(record)
