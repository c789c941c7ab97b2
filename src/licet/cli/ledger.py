"""`licet ledger`: verify the record of what was done, show it, and hand its key out."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from licet.cli.main import Command

# One line per verb. `verify` lives in `licet/cli/ledger_verify.py`, and offers what a command offers.
VERBS = {
    "verify": "check a ledger, or a file of evidence from one; public keys are enough",
    "export": "put all about one task, finding or call into one file that can be checked offline",
    "show": "print records",
    "key": "print the public key, which whoever verifies must have",
    "witness": "cosign checkpoints of many ledgers, and refuse forks and rollbacks",
    "cosign": "have the newest checkpoint cosigned by a witness",
}

EXAMPLE = """\
example: licet ledger verify
         licet ledger show --task 3f2a
         licet ledger key
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    verbs = parser.add_subparsers(metavar="|".join(VERBS), required=True)
    for verb, summary in VERBS.items():
        part = cast("Command", importlib.import_module(f"licet.cli.ledger_{verb}"))
        own = verbs.add_parser(
            verb, help=summary, description=summary, epilog=part.EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        part.add(own)
        own.set_defaults(run_verb=part.run)


def run(options: argparse.Namespace) -> int:
    """Do what the second word says."""
    code: int = options.run_verb(options)
    return code
