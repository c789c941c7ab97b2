"""`licet ledger show`: records, one a line, as they stand. It verifies nothing."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.cli.state import add_state, existing
from licet.errors import UsageError
from licet.escape import visible
from licet.ledger import LedgerFiles

EXAMPLE = """\
What stands there is shown, whether it was signed or not: `licet ledger verify` tells. With --json, records come as they stand, one a line.

example: licet ledger show --from 1200
         licet ledger show --task 3f2a --json | jq .reasons
         licet ledger show --follow
"""
_EVERY_SECONDS = 0.2  # between two looks at what has come


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("folder", metavar="DIR", nargs="?", help="a ledger's folder (default: the state folder's ledger)")
    parser.add_argument("--from", dest="first", metavar="SEQ", type=_seq, default=1, help="from this record on (default: 1)")
    parser.add_argument("--task", metavar="ID", help="only those of one task (a beginning of its id is enough)")
    parser.add_argument("--call", metavar="ID", help="only those of one call (a beginning of its id is enough)")
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until interrupted")
    parser.add_argument("--json", action="store_true", help="print the records themselves, one a line")
    add_state(parser)


def _seq(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text)):
        raise argparse.ArgumentTypeError("must be a whole number, from 1")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Print them as they are read."""
    path = Path(options.folder) if options.folder is not None else existing(options, "ledger").ledger
    if not path.is_dir():
        raise UsageError(f"{path}: is no folder of a ledger; check the path")
    for seq, raw in _records(LedgerFiles(path), options.first, follow=options.follow):
        record = _parsed(raw)
        if not _wanted(record, "task", options.task) or not _wanted(record, "call", options.call):
            continue
        if options.json:
            output.write(json.dumps(record, ensure_ascii=True) + "\n")
        else:
            _say(seq, record)
        if options.follow:
            sys.stdout.flush()
    return 0


def _records(files: LedgerFiles, first: int, *, follow: bool) -> Iterator[tuple[int, bytes]]:
    at = first
    while True:
        for raw in files.records(at - 1):
            yield at, raw
            at += 1
        if not follow:
            return
        time.sleep(_EVERY_SECONDS)


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _wanted(record: dict[str, Any], name: str, beginning: str | None) -> bool:
    value = record.get(name)
    return beginning is None or (isinstance(value, str) and value.startswith(beginning))


def _say(seq: int, record: dict[str, Any]) -> None:
    """Number, time, kind, tool and what came of it; then why."""
    if not record:
        output.say(f"{seq:>8}  ", output.paint("is not a record", "red"))
        return
    outcome = _text(record, "status") or _text(record, "outcome")
    ids = [f"{name} {_text(record, name)[:12]}" for name in ("task", "call") if _text(record, name)]
    parts = [_text(record, "time"), _text(record, "kind"), _text(record, "tool"), outcome, _text(record, "error"), *ids]
    output.say(f"{seq:>8}  ", "  ".join(part for part in parts if part))
    for sentence in _why(record):
        output.say(f"{'':8}  ", output.paint(sentence, "dim"))


def _why(record: dict[str, Any]) -> list[str]:
    reasons = record.get("reasons")
    rows = [reason for reason in reasons if isinstance(reason, dict)] if isinstance(reasons, list) else []
    why = _text(record, "why")
    return [f"{_text(reason, 'check')}: {_text(reason, 'sentence')}" for reason in rows] + ([why] if why else [])


def _text(record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    return visible(value, 400) if isinstance(value, str) else ""
