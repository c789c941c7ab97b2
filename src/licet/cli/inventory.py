"""`licet inventory ...`: who owns each identity and credential, where they are used, and whether that still fits."""

from __future__ import annotations

import argparse

from licet.cli.verbs import add_verbs, run_verb

EXAMPLE = """\
The inventory is `inventory.db` in the state folder. `licet ingest` fills it from logs; `licet inventory import` and a manifest (`-m`) say
what nobody can see in logs: owners, purposes, environments. Credentials stand in it by a keyed fingerprint, never by value.

example: licet inventory list --unowned
         licet inventory show arn:aws:iam::111122223333:role/invoices
         licet inventory set-owner arn:aws:iam::111122223333:role/invoices billing --contact billing@acme.example
         licet inventory export --format csv -o identities.csv
"""
VERBS = {
    "list": "list identities with owner, environment, credentials and last use",
    "show": "show all that is known of one identity or credential",
    "set-owner": "say who answers for an identity or a credential",
    "import": "take what a file says of identities and credentials",
    "export": "write the inventory into a file",
    "forget": "take away what an identity did and what was found of it",
    "drift": "hold what identities may do against what they do and are for",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the second words."""
    add_verbs(parser, "inventory", VERBS)


run = run_verb
