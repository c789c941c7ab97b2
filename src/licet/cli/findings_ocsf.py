"""`licet findings --ocsf`: findings, and what they cite, as OCSF events, one JSON object a line."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

from licet.cli import output
from licet.cli.findings_found import Found, Sources, owners_of
from licet.ingest.aws_actions import action_of
from licet.inventory.model import Owner
from licet.inventory.permissions import Shown
from licet.inventory.privileges import drift, is_over_scoped
from licet.inventory.store import Inventory
from licet.monitor.findings import Seen, finding_of
from licet.monitor.known import Known
from licet.monitor.ocsf import POSTURE, About, Event, finding_event
from licet.monitor.ocsf_drift import drift_event
from licet.monitor.ocsf_events import cited_events, event_of, evidence_of
from licet.monitor.signal import Signal
from licet.monitor.world import Settings
from licet.records import Explanation
from licet.version import VERSION

_CREDENTIALS: Final = 100  # of one identity that are told


def write(options: argparse.Namespace, sources: Sources, found: Sequence[Found], signals: Sequence[tuple[Signal, str]]) -> None:
    """Print them, or write the file that `-o` names."""
    made = chain(events(sources, found, signals), drifts(sources.inventory) if options.drift and sources.inventory is not None else ())
    lines = (json.dumps(each, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n" for each in made)
    if options.output is not None:
        output.file(options.output, "".join(lines))
        return
    for line in lines:
        output.write(line)


def events(sources: Sources, found: Sequence[Found], signals: Sequence[tuple[Signal, str]] = ()) -> Iterator[Event]:
    """What is cited stands before who cites it, and once."""
    told: set[str] = set()
    owner = owners_of(sources.inventory)
    for each in found:
        yield from _told(each, sources.inventory, owner, told)
    if sources.inventory is not None:
        world = Known(sources.inventory, Settings(), 0.0)
        for signal, finding in signals:
            if not finding and signal.code in POSTURE and signal.identity:
                made = finding_of(signal.identity, Seen(signal, signal.time), world)
                yield from _told(Found(made, "open", signal.identity, (signal.code,), (), signal.time), sources.inventory, owner, told)


def drifts(inventory: Inventory) -> Iterator[Event]:
    """One for each identity that has a permission that it does not use, or does what it is not for."""
    shown, owner, after, now = Shown.of(inventory, action_of), owners_of(inventory), "", time.time()
    while page := inventory.identities(after):
        after = page[-1].uid
        for identity in page:
            if identity.kind in ("human", "service") or identity.same_as:
                continue
            found = drift(inventory, identity.uid, shown, action_of, now=now)
            if is_over_scoped(found) or found.outside:
                owned = inventory.owner_of(identity.uid)
                name = owned[0].uid if owned is not None else ""
                credentials = inventory.credentials_of(identity.uid)[:_CREDENTIALS]
                yield drift_event(found, About(identity, owner(name), credentials), name, VERSION)


def _told(found: Found, inventory: Inventory | None, owner: Callable[[str], Owner | None], told: set[str]) -> Iterator[Event]:
    why, related, evidences = found.finding.explanation, dict[str, int](), list[Event]()
    if why is not None and inventory is not None:
        for cited in why.evidence:
            event = cited_events(inventory, cited)
            evidences.append(evidence_of(cited, event))
            if event is not None:
                made = event_of(event, VERSION)
                related[cited.uid] = made["type_uid"]
                if cited.uid not in told:
                    told.add(cited.uid)
                    yield made
    about = _about(found, why, inventory, owner)
    yield finding_event(
        found.finding, found.status, found.updated, about, VERSION, evidences=evidences, identity=found.identity, related=related
    )


def _about(found: Found, why: Explanation | None, inventory: Inventory | None, owner: Callable[[str], Owner | None]) -> About:
    identity = inventory.identity(found.identity) if inventory is not None and found.identity else None
    credentials = inventory.credentials_of(found.identity)[:_CREDENTIALS] if inventory is not None and why is not None else []
    return About(identity, owner(found.finding.owner), credentials)
