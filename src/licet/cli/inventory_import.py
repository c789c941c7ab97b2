"""`licet inventory import`: what a file says of identities and credentials."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path

from licet.cli import output
from licet.cli.state import add_state
from licet.errors import UsageError
from licet.escape import counted
from licet.guard.state import open_state, secret
from licet.inventory.exchange import File, Format, taken
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.lines import MAX_LINE, opened

EXAMPLE = """\
A file of JSON has lists `identities`, `credentials`, `owners`, `edges` and an object `environments`; of CSV one line for each identity or
credential. docs/inventory.md lists the keys. Empty says nothing, and changes nothing. An id of a credential is kept as a fingerprint only,
and a secret in its place is refused.

Each row that cannot be used is named, and the rest goes on. Exit codes: 0 well, 1 a row could not be used, 2 nothing could be read.

example: licet inventory import identities.csv
         licet inventory import - --format json < identities.json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", help="`.json`, `.csv`, or `-`")
    parser.add_argument("--format", choices=("json", "csv"), help="what it is (default: by its name)")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Take it; 1 if a row could not be used."""
    form = format_of(options.file, options.format)
    file = File(options.file, _read(options.file), form)
    folder = open_state(options.state)
    with closing(Inventory(folder.path / FILE)) as inventory:
        told = taken(inventory, file, Fingerprints(secret(folder)).of, time.time(), lambda each: output.problem(each, stream=sys.stderr))
    identities = "1 identity" if told.identities == 1 else f"{told.identities:,} identities"
    wrong = f"; {counted(told.wrong, 'row')} could not be used" if told.wrong else ""
    output.say(f"{options.file}: {identities} and {counted(told.credentials, 'credential')} declared{wrong}")
    return 1 if told.wrong else 0


def format_of(name: str, said: str | None) -> Format:
    """What a file is, by its name if nobody says it.

    Raises:
        UsageError: neither tells it.
    """
    found = said or Path(name).suffix.lower().removeprefix(".")
    if found == "json":
        return "json"
    if found == "csv":
        return "csv"
    raise UsageError(f"{name}: is it JSON or CSV? say it with `--format`")


def _read(name: str) -> bytes:
    """At most one byte more than may be."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_LINE + 1)
        with opened(name) as file:
            return file.read(MAX_LINE + 1)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}; check path and rights") from error
