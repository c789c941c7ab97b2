"""`licet ledger key`: the public half of the key that signs checkpoints, to be handed to whoever verifies."""

from __future__ import annotations

import argparse

from licet.cli import output
from licet.cli.state import add_state, existing
from licet.ledger import LedgerKey

EXAMPLE = """\
Whoever verifies must have it from you, and not from the ledger's folder: who could exchange the one could exchange the other.

example: licet ledger key > guard.vkey
         licet ledger verify copy/ledger --key guard.vkey
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a line")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    key = LedgerKey.of(existing(options, "ledger").keys, create=False).note_key
    if options.json:
        output.data({"vkey": str(key), "origin": key.name, "id": key.id.hex(), "public": key.public.hex()})
    else:
        output.say(str(key))
    return 0
