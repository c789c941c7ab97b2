"""`licet keys jwks`: the public half of the signing key."""

from __future__ import annotations

import argparse
import time

from licet.cli.state import add_state, existing
from licet.tokens import KeyRing
from licet.tokens.keys import jwks_text

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
    now = time.time()
    print(jwks_text(KeyRing(existing(options, "keys").keys, now=now).published(now)))
    return 0
