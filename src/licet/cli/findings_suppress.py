"""`licet findings suppress`: a finding is hidden for a time, for a reason."""

from __future__ import annotations

import argparse
import time

from licet.cli.findings_acknowledge import said
from licet.cli.state import add_state
from licet.cli.times import end_of_day
from licet.clock import iso
from licet.errors import UsageError

EXAMPLE = """\
It is hidden until the end of that day, UTC, at most a year ahead; then it is open again. If another reason comes to it, it is open at once.

example: licet findings suppress 3f2a --until 2026-12-31 --reason 'the migration runs until then' --by ann
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the finding; a unique beginning of its id is enough")
    parser.add_argument("--until", metavar="DATE", required=True, type=end_of_day, help="the last day, UTC, at most a year ahead")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why it may be hidden")
    parser.add_argument("--by", metavar="NAME", required=True, help="who says so")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a line")
    add_state(parser, again=True)


def run(options: argparse.Namespace) -> int:
    """Write it down."""
    if options.until <= time.time():
        raise UsageError(f"--until {iso(options.until - 1)[:10]}: that day is over; give today's or a later one, UTC")
    return said(options, "suppressed", options.until)
