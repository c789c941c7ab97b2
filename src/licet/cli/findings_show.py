"""`licet findings show`: one finding, with all that explains it."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterator, Mapping

from licet.cli import output
from licet.cli.findings_explained import Said, explained, said_of, since_then
from licet.cli.findings_found import Found, all_found, name_beside, one_like, owners_of, sources_of, with_drills
from licet.cli.findings_signals import STYLES
from licet.cli.state import add_state, said_source
from licet.clock import iso
from licet.escape import visible
from licet.inventory.life import status_at
from licet.inventory.model import Credential, Owner
from licet.inventory.store import Inventory

_SHOWN = 10  # pieces of evidence, and reasons that are alike

EXAMPLE = """\
`confidence` is how sure it is that this is what it is called, and nothing harmless that looks like it; that it happened, the log says.

example: licet findings show 3f2a
         licet findings show 3f2a --json | jq '.evidence[].place'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the finding; a unique beginning of its id is enough")
    parser.add_argument("--all", action="store_true", help=f"all of its evidence, and not the first {_SHOWN} pieces")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object, as `licet findings --json` has it")
    parser.add_argument("--trust", metavar="NAME", default=argparse.SUPPRESS, help="the name of the drills' key, else LICET_DRILL_TRUST")
    add_state(parser, again=True)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    with sources_of(options) as sources:
        [found] = with_drills(sources, [one_like(all_found(sources), options.id)])
        finding = found.finding
        words = said_of(finding.explanation, sources.inventory)
        if options.json:
            _data(found, words)
            return 0
        output.say(
            output.paint(finding.severity, STYLES.get(finding.severity, "dim")),
            f"  {iso(finding.time)}  {', '.join(found.codes)}  {found.status}  finding {finding.id}",
        )
        output.say(f"  {visible(finding.sentence, 1_000)}")
        if found.drill:
            output.say(f"drill:       {found.drill}: nobody misused anything; it was let in to see that it is found, and is taken back")
        for line in _whose(found, sources.inventory, owners_of(sources.inventory)(finding.owner)):
            output.say(line)
        for each in found.said:
            until = f" until the end of {iso(each.until - 1)[:10]}" if each.until else ""
            output.say(f"{f'{each.verdict}:':<12} {iso(each.time)} by {each.by}{until}{f': {each.reason}' if each.reason else ''}")
        if finding.explanation is None:
            output.say(f"  evidence: licet ledger export --finding {finding.id} -o FILE{said_source(options)}")
        else:
            for line in explained(finding.explanation, words, None if options.all else _SHOWN):
                output.say(line)
        if finding.references:
            output.say(f"references: {', '.join(finding.references)}")
    return 0


def _data(found: Found, words: Mapping[str, Said]) -> None:
    from licet.monitor.told import finding_data, stamp

    said = [
        {"time": stamp(each.time), "verdict": each.verdict, "by": each.by, "reason": each.reason, "until": stamp(each.until)}
        for each in found.said
    ]
    told = finding_data(found.finding, found.status, identity=found.identity, codes=found.codes)
    told["evidence"] = [each | words[each["uid"]]._asdict() if each["uid"] in words else each for each in told["evidence"]]
    output.data(told | {"said": said} | ({"drill": found.drill} if found.drill else {}))


def _whose(found: Found, inventory: Inventory | None, owner: Owner | None) -> Iterator[str]:
    finding, why = found.finding, found.finding.explanation
    if found.identity:
        yield f"identity:    {visible(found.identity, 500)}{name_beside(inventory, found.identity)}"
    if owner is not None and (owner.contact or owner.name):
        yield f"owner:       {visible(owner.uid, 80)}  {visible(owner.name, 80)}  {visible(owner.contact, 200)}".rstrip()
    else:
        how = f"; `licet inventory set-owner {shlex.quote(found.identity)} NAME` says who" if found.identity and found.monitored else ""
        yield f"owner:       {visible(finding.owner, 80) or f'nobody{how}'}"
    for uid in why.credentials if why is not None else ():
        yield f"credential:  {_credential(uid, inventory.credential(uid) if inventory is not None else None)}"
    if why is not None:
        last = max((each.last for each in why.because), default=0.0)
        yield f"since:       {iso(finding.time)}{f', last seen {iso(last)}' if last > finding.time else ''}"
        for line in since_then(why, inventory) if inventory is not None else ():
            yield f"since then:  {visible(line, 1_000)}"
        points = f", {why.points:.0f} points" if why.points else ""
        yield f"confidence:  {why.confidence:.0%}{points}"


def _credential(uid: str, known: Credential | None) -> str:
    if known is None:
        return visible(uid, 80)
    parts = (uid, known.name, known.kind, f"…{known.shown}" if known.shown else "", status_at(known, time.time()))
    return visible("  ".join(part for part in parts if part), 300)
