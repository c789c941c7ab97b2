"""`licet token`: read a call token, see why it is refused, refuse tokens from now on."""

from __future__ import annotations

import argparse

from licet.cli import token_revoke, token_show, token_verify

EXAMPLE = """\
A token from standard input stands in no history of the shell, and in no list of processes.

example: licet token show < token.txt
         licet token verify --tool pay --arguments @arguments.json --no-proof < token.txt
         licet token revoke --agent support-bot --reason "INC-4312"
         licet token revoked
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    verbs = parser.add_subparsers(metavar="show|verify|revoke|revoked", required=True)
    for name, summary, part in (
        ("show", "decode a token, and verify nothing", token_show),
        ("verify", "hold a token against a call, step by step; it is not used up", token_verify),
        ("revoke", "refuse tokens by task, agent, key or id from now on", token_revoke),
        ("revoked", "print the deny list", token_revoke),
    ):
        is_list = name == "revoked"
        example = token_revoke.LIST_EXAMPLE if is_list else part.EXAMPLE
        own = verbs.add_parser(
            name, help=summary, description=summary, epilog=example, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        (token_revoke.add_list if is_list else part.add)(own)
        own.set_defaults(run_verb=token_revoke.run_list if is_list else part.run)


def run(options: argparse.Namespace) -> int:
    """Do what the second word says."""
    code: int = options.run_verb(options)
    return code
