"""`licet findings show`: one finding, with all that explains it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from licet.cli import output
from licet.cli.findings_found import Found, all_found, name_beside, one_like, owners_of, sources_of
from licet.cli.output import Style
from licet.cli.state import add_state, said_source
from licet.clock import iso
from licet.escape import counted, visible
from licet.inventory.life import status_at
from licet.inventory.model import Credential, Owner
from licet.inventory.store import Inventory
from licet.monitor.codes import CODES
from licet.records import Because, Evidence, Explanation

_STYLES: dict[str, Style] = {"critical": "red", "high": "red", "medium": "yellow"}

_SHOWN = 12  # pieces of evidence; what is seen each day has up to 64

EXAMPLE = """\
`confidence` is how sure it is that this is what it is called, and nothing harmless that looks like it; that it happened, the log says.

example: licet findings show 3f2a
         licet findings show 3f2a --json | jq '.evidence[].place'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the finding; a unique beginning of its id is enough")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object, as `licet findings --json` has it")
    add_state(parser, again=True)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    with sources_of(options) as sources:
        found = one_like(all_found(sources), options.id)
        finding = found.finding
        if options.json:
            _data(found)
            return 0
        output.say(
            output.paint(finding.severity, _STYLES.get(finding.severity, "dim")),
            f"  {iso(finding.time)}  {', '.join(found.codes)}  {found.status}  finding {finding.id}",
        )
        output.say(f"  {visible(finding.sentence, 1_000)}")
        for line in _whose(found, sources.inventory, owners_of(sources.inventory)(finding.owner)):
            output.say(line)
        if finding.explanation is None:
            output.say(f"  evidence: licet ledger export --finding {finding.id} -o FILE{said_source(options)}")
        else:
            for line in _explained(finding.explanation):
                output.say(line)
        if finding.references:
            output.say(f"references: {', '.join(finding.references)}")
        for each in found.said:
            until = f" until {iso(each.until)}" if each.until else ""
            output.say(f"{iso(each.time)}  {each.verdict} by {each.by}{until}{f': {each.reason}' if each.reason else ''}")
    return 0


def _data(found: Found) -> None:
    from licet.monitor.told import finding_data

    said = [
        {"time": each.time, "verdict": each.verdict, "by": each.by, "reason": each.reason, "until": each.until or None}
        for each in found.said
    ]
    output.data(finding_data(found.finding, found.status, identity=found.identity, codes=found.codes) | {"said": said})


def _whose(found: Found, inventory: Inventory | None, owner: Owner | None) -> Iterator[str]:
    finding, why = found.finding, found.finding.explanation
    if found.identity:
        yield f"identity:    {visible(found.identity, 500)}{name_beside(inventory, found.identity)}"
    if owner is not None and (owner.contact or owner.name):
        yield f"owner:       {visible(owner.uid, 80)}  {visible(owner.name, 80)}  {visible(owner.contact, 200)}".rstrip()
    else:
        yield f"owner:       {visible(finding.owner, 80) or 'nobody'}"
    for uid in why.credentials if why is not None else ():
        yield f"credential:  {_credential(uid, inventory.credential(uid) if inventory is not None else None)}"
    if why is not None:
        points = f", {why.points:.0f} points" if why.points else ""
        yield f"confidence:  {why.confidence:.0%}{points}"


def _credential(uid: str, known: Credential | None) -> str:
    if known is None:
        return visible(uid, 80)
    parts = (uid, known.name, known.kind, f"…{known.shown}" if known.shown else "", status_at(known, time.time()))
    return visible("  ".join(part for part in parts if part), 300)


def _explained(why: Explanation) -> Iterator[str]:
    yield "because:"
    for each in why.because:
        yield from _because(each)
    yield "evidence:"
    for cited in why.evidence[:_SHOWN]:
        yield f"  {_evidence(cited)}"
    if len(why.evidence) > _SHOWN:
        yield f"  and {len(why.evidence) - _SHOWN} more, which `licet findings --json` has"
    for title, lines in (("what speaks against it:", why.counter), ("what to do:", why.actions)):
        if lines:
            yield title
            yield from (f"  {visible(line, 1_000)}" for line in lines)


def _because(each: Because) -> Iterator[str]:
    yield f"  {iso(each.time)}  {each.code}: {CODES[each.code].title if each.code in CODES else ''}"
    yield f"    observed: {visible(each.observed, 1_000)}"
    since = f", since {iso(each.since)}" if each.since else ""
    sample = f", on {counted(each.sample, 'event')}" if each.sample else ""
    yield f"    expected: {visible(each.expected, 1_000)} ({each.basis}{since}{sample})"
    if each.number > 1:
        yield f"    seen {each.number:,} times, last at {iso(each.last)}"


def _evidence(cited: Evidence) -> str:
    when = f"{iso(cited.time)}  " if not cited.body else ""
    digest = f"  sha256:{cited.digest[:16]}…" if cited.digest else ""
    return visible(f"{when}{cited.role}: {cited.uid}{digest}{f'  {cited.place}' if cited.place else ''}", 1_000)
