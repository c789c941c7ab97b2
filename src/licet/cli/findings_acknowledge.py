"""`licet findings acknowledge`: somebody looks after a finding."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import Literal

from licet.cli import output
from licet.cli.acts import reason
from licet.cli.findings_found import all_found, one_like, sources_of
from licet.cli.state import add_state, existing
from licet.clock import iso
from licet.errors import UsageError
from licet.inventory.store import FILE, Inventory
from licet.monitor.told import stamp
from licet.monitor.verdicts import Verdict, reasons_of, say

LONGEST_NAME = 200

EXAMPLE = """\
It stays in the list, and says who looks after it. If another reason comes to the finding it is open again.

example: licet findings acknowledge 3f2a --by ann --reason 'INC-1234'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the finding; a unique beginning of its id is enough")
    parser.add_argument("--by", metavar="NAME", required=True, help="who says so")
    parser.add_argument("--reason", metavar="TEXT", help="what there is to say")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a line")
    add_state(parser, again=True)


def run(options: argparse.Namespace) -> int:
    """Write it down."""
    return said(options, "acknowledged", 0.0)


def said(options: argparse.Namespace, verdict: Literal["acknowledged", "suppressed"], until: float) -> int:
    """Keep what somebody says of a finding.

    Raises:
        UsageError: there is no such finding, it is withdrawn, or what is said of it does not do.
    """
    if not options.by.strip() or len(options.by) > LONGEST_NAME:
        raise UsageError(f"--by must be a name, of at most {LONGEST_NAME} characters")
    with sources_of(options) as sources:
        found = one_like(all_found(sources), options.id)
    if found.status == "withdrawn":
        raise UsageError(
            f"{found.finding.id}: is withdrawn: the events as they are known now do not show it any more; nothing is to be said"
        )
    by, why, now = options.by.strip(), reason(options), time.time()
    with closing(Inventory(existing(options).path / FILE)) as inventory:
        say(inventory, Verdict(found.finding.id, now, verdict, by, why, until, reasons_of(found.finding)))
    if options.json:
        told = {"finding": found.finding.id, "time": stamp(now), "verdict": verdict, "by": by, "reason": why, "until": stamp(until)}
        output.data(told)
        return 0
    output.say(f"{found.finding.id}  {verdict} by {by}{f' until the end of {iso(until - 1)[:10]}' if until else ''}")
    return 0
