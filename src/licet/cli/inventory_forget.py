"""`licet inventory forget`: what an identity did and what was found of it goes, as when a person's data must."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from licet.cli import output
from licet.cli.inventory_opened import found_in
from licet.cli.state import add_state, existing
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.inventory.forgotten import Forgotten, forget
from licet.inventory.store import FILE, Inventory
from licet.store.purge import shrink

EXAMPLE = """\
Under all its names: uses, lifecycle events, credentials that nobody else used, risk signals, findings and what was said of them, owners.
A name that is only likely to be its own is named, and stays. What others did to it or for it stands in their records, and stays, as does
what happened to a credential that others used too. Write findings that must be kept as proof somewhere else first: `licet findings
--json`. Nothing goes of the ledger or of `licet.db` (`licet purge`).

A log that is read from its start brings it back.

Exit codes: 0 done, 2 nothing is called so, or you did not agree.

example: licet inventory forget okta:00u1a2b3c4 --dry-run
         licet inventory forget github:grace --yes
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("identity", metavar="IDENTITY", help="by its uid, its name or the last part of its uid")
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Forget it."""
    folder = existing(options)
    path = folder.path / FILE
    if not path.exists():
        raise UsageError(f"{path}: is not there: nothing was taken in yet")
    with closing(Inventory(path)) as inventory:
        uid, is_credential = found_in(folder, inventory, options.identity, None)
        if is_credential:
            raise UsageError("this is a credential; name the identity that it belongs to (`licet inventory show` says which)")
        found = forget(inventory, uid, counting=True)
        if not options.dry_run:
            if not options.yes and not _confirmed(found):
                raise UsageError("nothing was forgotten")
            found = forget(inventory, uid)
            for sentence in shrink(inventory, compact=False):
                output.error(sentence)
    _say(options, found)
    return 0


def _confirmed(found: Forgotten) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"this would forget {_in_words(found)}: look with `--dry-run`, and give `--yes`")
    output.write(f"forget {_in_words(found)}? It cannot be undone. [y/N] ", stream=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _in_words(found: Forgotten) -> str:
    numbers = (("use", found.uses), ("lifecycle event", found.lifecycle), ("credential", found.credentials), ("signal", found.signals))
    told = [counted(number, what) for what, number in (*numbers, ("finding", found.findings)) if number]
    return f"{', '.join(map(_shown, found.names))}: {', '.join(told) or 'nothing but the name'}"


def _shown(name: str) -> str:
    return visible(name, 200)


def _say(options: argparse.Namespace, found: Forgotten) -> None:
    if options.json:
        output.data({"dry_run": options.dry_run, **found._asdict(), "names": list(found.names), "likely": list(found.likely)})
        return
    output.say(f"{'would forget' if options.dry_run else 'forgotten'} {_in_words(found)}")
    if found.likely:
        output.say(f"what stays: {', '.join(map(_shown, found.likely))}, which is likely another name of it; forget it by itself")
    if found.stays:
        output.say(f"what stays: {counted(found.stays, 'lifecycle event')} of credentials that others used too, without its name")
