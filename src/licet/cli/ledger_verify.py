"""`licet ledger verify`: whether each record still follows the one before it."""

from __future__ import annotations

import argparse
import dataclasses

from licet.cli import output
from licet.cli.state import add_state, existing
from licet.escape import counted
from licet.ledger.lines import check_lines

EXAMPLE = """\
Exit codes: 0 whole, 1 broken, 2 cannot be read. Links show a line that was changed, taken out or put in; a tail that was cut off, or a
file that was written anew, they do not show: keep `head` elsewhere and compare it.

example: licet ledger verify
         licet ledger verify copy/ledger.jsonl --json | jq .head
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="a ledger file (default: that of the state folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a line")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Verify; 1 if the chain is broken."""
    path = options.file if options.file is not None else existing(options, "ledger").ledger
    check = check_lines(path)
    if options.json:
        output.data(dataclasses.asdict(check) | {"ok": not check.broken})
    elif check.broken:
        output.say(
            f"{check.path}: ", output.paint("broken", "red"), f": {check.broken} ({counted(check.records, 'record')} before it well)"
        )
    else:
        output.say(f"{check.path}: ", output.paint("whole", "green"), f" ({counted(check.records, 'record')}, head {check.head})")
    return 1 if check.broken else 0
