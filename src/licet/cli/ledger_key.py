"""`licet ledger key`."""

from __future__ import annotations

import argparse

from licet.cli.state import add_state
from licet.errors import UsageError

EXAMPLE = """\
example: licet ledger key
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_state(parser)


def run(_: argparse.Namespace) -> int:
    """Not there yet."""
    raise UsageError("not there yet")
