"""`licet break-glass`: let one task kind run unenforced for some minutes. It is recorded, its owners are told, and it ends by itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from licet.canonical import Plain
from licet.cli import output
from licet.cli.owners import Relay
from licet.cli.state import add_state, existing, store_of
from licet.clock import SystemClock, iso
from licet.errors import UsageError
from licet.escape import visible
from licet.guard.recorder import Recorder
from licet.guard.state import open_ledger, secret
from licet.machine import user_name
from licet.manifest import Manifest, load
from licet.pseudonym import Pseudonyms
from licet.records import Reason
from licet.telemetry import Telemetry
from licet.version import VERSION

CHECK = "break-glass"
MINUTES = range(1, 241)
_LONGEST_REASON = 500

EXAMPLE = """\
Until the time is over, tasks of this kind run in observe mode: everything is decided and recorded, and nothing is refused or asked.
The owner of each agent that may run it gets a finding, and a mail if LICET_SMTP=smtp://host:port names a relay.

example: licet break-glass answer-ticket --reason "CRM moved, tickets pile up; INC-4312" --minutes 30 -m licet.yaml
"""


@dataclass(frozen=True, slots=True)
class _Owner:
    name: str
    contact: str
    failure: str  # why the owner was not told; empty: was told


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("kind", metavar="TASK-KIND", help="the task kind, as the manifest names it")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why: it goes to the owners and into the ledger")
    parser.add_argument("--minutes", metavar="M", type=_minutes, default=30, help="for how long, 1 to 240 (default: 30)")
    parser.add_argument("-m", "--manifest", metavar="FILE", default="licet.yaml", help="the manifest (default: licet.yaml)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a line")
    add_state(parser)


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) in MINUTES):
        raise argparse.ArgumentTypeError(f"must be a whole number from {MINUTES[0]} to {MINUTES[-1]}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Break the glass, tell the owners, record both."""
    manifest = load(options.manifest)
    if options.kind not in manifest.tasks:
        raise UsageError(f"task kind {options.kind!r} is not in {options.manifest}; declared: {', '.join(manifest.tasks)}")
    why = visible(options.reason.strip(), _LONGEST_REASON)
    if not why or len(options.reason) > _LONGEST_REASON:
        raise UsageError(f"--reason must say something, in at most {_LONGEST_REASON} characters")
    relay = Relay.from_environment()
    folder, clock, by = existing(options, "store"), SystemClock(), user_name()
    ledger = open_ledger(folder, origin=manifest.ledger.origin or "", clock=clock)
    with store_of(folder) as store:
        telemetry = Telemetry(None, version=VERSION, environment=manifest.environment)
        recorder = Recorder(ledger, store, clock, telemetry, unsafe=False, keyed=Pseudonyms(secret(folder)).digest)
        now = clock.now()
        until = now + 60.0 * options.minutes
        fields: dict[str, Plain] = {
            "kind_of_task": options.kind,
            "until": iso(until),
            "why": why,
            "by": by,
            "by_is": "user of the machine",
            "manifest": manifest.digest,
        }
        # On the disk before it holds: a glass that breaks without a trace would be a back door.
        seq = recorder.before("break-glass", fields, durable=True)
        store.break_glass(options.kind, until, why, by, now)
        sentence = f"`{options.kind}` runs unenforced until {iso(until)}: {why} (broken by {by})"
        owners = [_tell(relay, owner, manifest, sentence) for owner in _owners(manifest, options.kind)] or [
            _Owner("", "", "nobody owns an agent of it")
        ]
        for owner in owners:
            recorder.finding(_finding(sentence, owner), "high", owner=owner.name, ledger=seq)
            told: dict[str, Plain] = {**fields, "owner": owner.name, "told": not owner.failure, "failure": owner.failure}
            recorder.after("break-glass.told", told)
    telemetry.close()
    ledger.close()
    _say(options, owners, iso(until))
    return 0


def _owners(manifest: Manifest, kind: str) -> Sequence[str]:
    """Each owner of an agent that may run this kind, once."""
    able = [agent.owner for agent in manifest.agents.values() if kind in agent.tasks]
    return list(dict.fromkeys(owner for owner in able if owner is not None))


def _tell(relay: Relay | None, owner: str, manifest: Manifest, sentence: str) -> _Owner:
    contact = manifest.owner_contact(owner)
    if relay is None:
        return _Owner(owner, contact, "LICET_SMTP is not set")
    text = f"{visible(sentence)}\n\nIt ends by itself. `licet tasks` shows what runs meanwhile, and `licet findings` what was let pass.\n"
    return _Owner(owner, contact, relay.tell(contact, "Licet: the glass was broken", text))


def _finding(sentence: str, owner: _Owner) -> Reason:
    told = f"{owner.name} was told by e-mail" if not owner.failure else f"{owner.name or 'no owner'} was not told: {owner.failure}"
    return Reason(CHECK, "flag", f"{sentence}; {told}")


def _say(options: argparse.Namespace, owners: Sequence[_Owner], until: str) -> None:
    for owner in owners:
        if owner.failure:
            who = f"tell {owner.name} ({owner.contact}) yourself" if owner.name else "give the agents of this kind an `owner:`"
            output.error(output.paint("nobody was told automatically", "yellow"), f" ({owner.failure}): {who}")
    if options.json:
        rows: list[dict[str, object]] = [
            {"owner": o.name, "contact": o.contact, "told": not o.failure, "failure": o.failure} for o in owners
        ]
        output.data({"task_kind": options.kind, "until": until, "owners": rows})
    else:
        output.say(output.paint(options.kind, "bold"), f" runs unenforced until {until}; it ends by itself")
