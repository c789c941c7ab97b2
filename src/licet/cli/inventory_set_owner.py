"""`licet inventory set-owner`: who answers for an identity or a credential."""

from __future__ import annotations

import argparse
import time
from contextlib import closing

from licet.cli import output
from licet.cli.inventory_opened import found_in
from licet.cli.state import add_state, existing
from licet.errors import UsageError
from licet.escape import visible
from licet.events import LifecycleEvent
from licet.inventory.declared import SOURCE
from licet.inventory.exchange import own_of
from licet.inventory.model import CONFIDENCE, Owner, Ownership
from licet.inventory.store import FILE, Inventory
from licet.machine import user_name
from licet.secretlike import secret_in

EXAMPLE = """\
The surest word counts; what was known before stays, and `licet inventory show` shows all of it. Said again, it is confirmed anew: only who
was confirmed in the last 90 days counts as an owner in the sums of `licet inventory list`.

example: licet inventory set-owner arn:aws:iam::111122223333:role/invoices billing --contact billing@acme.example
         licet inventory set-owner AKIAIOSFODNN7EXAMPLE ops --by ada
"""
_LONGEST = 256  # characters
_SOURCES = ("confirmed", "imported", "issuer", "creator", "tag")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("identity", metavar="IDENTITY|CREDENTIAL", help="the identity, or a credential by id, fingerprint or name")
    parser.add_argument("owner", metavar="OWNER", help="who answers for it: a team, a person, a vendor")
    parser.add_argument("--contact", metavar="TEXT", default="", help="how to reach the owner")
    parser.add_argument("--source", choices=_SOURCES, default="confirmed", help="where that is known from (default: confirmed)")
    parser.add_argument("--confidence", metavar="NUMBER", type=_confidence, help="above 0, at most 1 (default: that of the source)")
    parser.add_argument("--by", metavar="NAME", help="who says so (default: the user of this machine)")
    add_state(parser)


def _confidence(text: str) -> float:
    try:
        found = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a number above 0, and at most 1") from error
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError("must be a number above 0, and at most 1")
    return found


def run(options: argparse.Namespace) -> int:
    """Write it down."""
    by = options.by if options.by is not None else user_name()
    for key, text in (("OWNER", options.owner), ("--contact", options.contact), ("--by", by)):
        if len(text) > _LONGEST or secret_in(text):
            raise UsageError(f"{key}: {'holds what looks like a secret' if secret_in(text) else f'is longer than {_LONGEST} characters'}")
    if not options.owner.strip() or not by.strip():
        raise UsageError("OWNER and --by must say something")
    folder, now = existing(options), time.time()
    path = folder.path / FILE
    if not path.exists():
        raise UsageError(f"{path}: is not there: nothing was taken in yet; `licet ingest` and `licet inventory import` do that")
    confidence = CONFIDENCE[options.source] if options.confidence is None else options.confidence
    with closing(Inventory(path)) as inventory:
        uid, is_credential = found_in(folder, inventory, options.identity, None)
        before = own_of(inventory, uid)
        said = Ownership(uid, options.owner, options.source, confidence, now, by)
        changed = LifecycleEvent(
            SOURCE, f"owner {uid} {now}", now, "owner_changed", "" if is_credential else uid, uid if is_credential else "", by=by,
            reason=options.owner,
        )  # fmt: skip
        inventory.declare(owners=[Owner(options.owner, contact=options.contact)], ownerships=[said], lifecycle=[changed])
        after, found = own_of(inventory, uid), inventory.rows("SELECT 1 FROM findings LIMIT 1")
    told = f" (before: {visible(before[0].uid, 100)}, {before[1].source}, {before[1].confidence:g})" if before else ""
    output.say(f"{visible(uid, 300)}: ", output.paint(visible(options.owner, 100), "green"), f", {options.source}, {confidence:g}{told}")
    if found:
        output.say(output.paint("findings name the owner after the next `licet monitor`", "dim"))
    if after is not None and after[1].owner != options.owner:
        output.error(f"still counts: {visible(after[0].uid, 100)} ({after[1].source}, {after[1].confidence:g}), which is surer")
    return 0
