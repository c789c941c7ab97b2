"""`licet keys jwks`: the public half of the signing key."""

from __future__ import annotations

import argparse

from licet.cli import output
from licet.cli.state import add_state, existing
from licet.tokens import load_or_create

EXAMPLE = """\
Anybody can verify call tokens with this set, by any JWT library. It holds no secret.

example: licet keys jwks > jwks.json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("what", metavar="jwks", choices=["jwks"], help="a JWK set (RFC 7517)")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Print the set."""
    output.data(load_or_create(existing(options, "key").key).jwks())
    return 0
