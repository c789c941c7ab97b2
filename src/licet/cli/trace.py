"""`licet trace CREDENTIAL`: one credential from its issuance through every use to its end."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path

from licet.cli import output
from licet.cli.acts import seconds
from licet.cli.credential_named import fingerprints_of, ids_of, named
from licet.cli.state import add_state, existing
from licet.cli.trace_told import as_data, tell
from licet.errors import UsageError
from licet.inventory.named import known
from licet.inventory.store import FILE, Inventory
from licet.inventory.trace import GRACE, trace
from licet.report.lives import life_page, life_svg

EXAMPLE = """\
CREDENTIAL is a name of the manifest, an id as logs show it (an access key's id, the `jti` of a call token), a fingerprint (`cred:` and hex,
or its beginning), or `-` or @FILE, where the id stands. Versions that superseded each other are shown together.

A use after the end is red, with how long after it was. What is not known is said: an issuance that nobody recorded, uses before it, days on
which the logs were silent. Of 200 uses and more, those of one day and place are one line, but each operation that
changes rights, credentials or logging, or reads secrets, has its own; `--all` has each use.

Exit codes: 0 well, 1 it was used after its end, 2 wrong usage or nobody knows the credential.

example: licet trace AKIAIOSFODNN7EXAMPLE
         licet trace crm-reader --html crm.html
         licet trace cred:5f1c --json | jq '.lines[] | select(.late == "after")'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("credential", metavar="CREDENTIAL", help="which: see below")
    parser.add_argument("--all", action="store_true", help="each use on a line of its own")
    parser.add_argument("--svg", metavar="FILE", help="write a picture")
    parser.add_argument("--html", metavar="FILE", help="write a page with the picture and the lines")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument(
        "--grace", metavar="TIME", type=seconds, default=GRACE, help="after an end, within which a use is still in time (default: 5m)"
    )
    parser.add_argument("-m", "--manifest", metavar="FILE", help="where names stand (default: licet.yaml, if it is there)")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Print it; 1 if it was used after its end."""
    folder = existing(options)
    file, now, text = folder.path / FILE, time.time(), named(options.credential)
    if not file.exists():
        raise UsageError(
            _own(folder.store, text) or f"{file}: is not there: nothing was taken in yet; `licet ingest SOURCE PATH` does that"
        )
    for name in (options.svg, options.html):
        if name is not None:
            output.writable(name)
    fingerprint = fingerprints_of(folder)
    with closing(Inventory(file, reading=True)) as inventory:
        asked = known(inventory, fingerprint, text, ids_of(options.manifest))
        if not asked:
            raise UsageError(_own(folder.store, text) or _unknown(text))
        found = trace(inventory, asked, now, grace=options.grace, whole=options.all)
    if options.svg is not None:
        output.file(options.svg, life_svg(found))
    if options.html is not None:
        output.file(options.html, life_page(found))
    if options.json:
        output.data(as_data(found))
    elif options.svg is None and options.html is None:
        tell(found)
    return 1 if found.late else 0


def _own(store: Path, text: str) -> str:
    """What to do where this is a call token that stands in the guard's store only; empty if it is none."""
    from licet.store import SqliteStore

    if not store.exists():
        return ""
    with closing(SqliteStore(store, reading=True)) as own:
        known_there = own.issued(("jti", text), 0.0)
    return "this is a call token of this folder that was not taken in yet; run `licet ingest licet`, and this again" if known_there else ""


def _unknown(text: str) -> str:
    why = "in the logs that were taken in, nobody used it and nothing happened to it"
    return f"no credential {text!r} is known: {why}; check the id, name the manifest that has the name (`-m`), or take in more logs"
