"""`licet ledger cosign`: have the newest checkpoint cosigned by a witness."""

from __future__ import annotations

import argparse
import logging

from licet.cli import output
from licet.cli.ledger_keys import witness_key
from licet.cli.state import add_state, existing
from licet.clock import iso
from licet.errors import LedgerError
from licet.escape import counted
from licet.ledger.cosigning.cosign import Asked, Cosigned, Misbehaved, WitnessAt, WitnessIn, cosign
from licet.ledger.reader import LedgerFiles

EXAMPLE = """\
The witness learns the checkpoint and the proof that it continues the last one, and nothing of the records. Its line is put into the
ledger's `checkpoint`, and into `cosigned` beside it, which stays when a newer checkpoint follows.

Exit codes: 0 cosigned, 1 refused: the witness has seen a ledger that this one does not continue, 2 it cannot be asked.

example: licet ledger cosign --witness https://witness.acme.example --witness-key witness.acme.example+1a2b3c4d+BF...
         licet ledger cosign --witness /var/lib/witness
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--witness", metavar="URL|DIR", required=True, help="the witness: its address, or its state folder on this machine")
    parser.add_argument(
        "--witness-key",
        metavar="VKEY|FILE",
        help="its verifier key, from elsewhere, or a file with it; without it, who signed is not checked",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Ask; 1 if the witness has seen another ledger."""
    key = witness_key(options.witness_key) if options.witness_key is not None else None
    logging.getLogger("licet").addHandler(logging.NullHandler())  # what a witness in a folder refuses is printed
    asked: Asked = WitnessAt(options.witness) if "://" in options.witness else WitnessIn(options.witness)
    files = LedgerFiles(existing(options, "ledger").ledger)
    note = files.checkpoint()
    if note is None:
        raise LedgerError(f"{files.path}: has no checkpoint; a guard signs the first one soon after its first record")
    try:
        found = cosign(files, note, asked, key=key)
    except Misbehaved as error:
        if options.json:
            output.data({"cosigned": False, "why": str(error)})
        else:
            output.say(output.paint("refused", "red"), ": ", str(error))
        return 1
    _show(found, options)
    return 0


def _show(found: Cosigned, options: argparse.Namespace) -> None:
    checkpoint = found.checkpoint
    if options.json:
        witnesses = [{"name": each.key.name, "time": iso(each.time)} for each in found.witnesses]
        output.data(
            {
                "cosigned": True, "origin": checkpoint.origin, "size": checkpoint.size, "names": list(found.names), "checked": witnesses,
                "current": found.current,
            }
        )  # fmt: skip
        return
    output.say(
        output.paint("cosigned", "green"), f": {counted(checkpoint.size, 'record')} of {checkpoint.origin} by {', '.join(found.names)}"
    )
    if not found.witnesses:
        output.say("who signed was not checked: give --witness-key")
    if not found.current:
        output.say("a newer checkpoint followed meanwhile; the line stands in `cosigned` only")
