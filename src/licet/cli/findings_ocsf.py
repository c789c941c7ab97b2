"""`licet findings --ocsf`: findings, and what they cite, as OCSF events, one JSON object a line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from licet.cli import output
from licet.cli.findings_found import Found, Sources, owners_of
from licet.inventory.model import Owner
from licet.inventory.store import Inventory
from licet.monitor.findings import Seen, finding_of
from licet.monitor.known import Known
from licet.monitor.ocsf import POSTURE, About, Event, finding_event
from licet.monitor.ocsf_events import cited_events, event_of, evidence_of
from licet.monitor.signal import Signal
from licet.monitor.world import Settings
from licet.records import Explanation
from licet.version import VERSION

_CREDENTIALS: Final = 100  # of one identity that are told


def write(options: argparse.Namespace, sources: Sources, found: Sequence[Found], signals: Sequence[tuple[Signal, str]]) -> None:
    """Print them, or write the file that `-o` names."""
    lines = (json.dumps(each, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n" for each in events(sources, found, signals))
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
