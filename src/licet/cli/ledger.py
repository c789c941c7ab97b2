"""`licet ledger`: verify the record of what was done, show it, and hand its key out."""

from __future__ import annotations

import argparse

from licet.cli.verbs import add_verbs, run_verb

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
    add_verbs(parser, "ledger", VERBS)


run = run_verb
