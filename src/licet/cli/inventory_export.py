"""`licet inventory export`: the inventory into a file."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from licet.cli import output
from licet.cli.inventory_import import format_of
from licet.cli.inventory_opened import add_manifest, opened
from licet.cli.state import add_state
from licet.inventory.exchange import exported

EXAMPLE = """\
What was imported and declared, and every identity that logs show, so that owners can be filled in and imported again. Credentials
stand in it by fingerprint, which only this state folder can make of an id. CSV has no place for environments and edges; cells that a
spreadsheet would take for a formula begin with an apostrophe. The file is made with mode 0600.

example: licet inventory export --format csv -o identities.csv
         licet inventory export -o identities.json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--format", choices=("json", "csv"), help="what to write (default: by the file's name, else json)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to (default: standard output)")
    parser.add_argument("--all-credentials", action="store_true", help="with credentials that live for a job or some hours")
    add_manifest(parser)
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Write it."""
    form = format_of(options.output, options.format) if options.output else (options.format or "json")
    with opened(options, time.time()) as (_, inventory):
        if form == "csv" and (inventory.environments() or inventory.edges()):
            output.error("environments and edges have no place in CSV and are left out; JSON has them")
        with _out(options.output) as write:
            for piece in exported(inventory, form, every=options.all_credentials):
                write.write(piece)
    if options.output:
        output.error("wrote ", options.output)
    return 0


@contextmanager
def _out(name: str | None) -> Iterator[TextIO]:
    if not name:
        yield sys.stdout
        return
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
    except (OSError, ValueError) as error:
        raise output.unwritten(name, error) from error
