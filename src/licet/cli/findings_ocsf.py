"""`licet findings --ocsf`: findings, and what they cite, as OCSF events, one JSON object a line."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from typing import Final

from licet.cli import output
from licet.cli.findings_found import Found, Sources, owners_of
from licet.cli.state import existing
from licet.errors import StateError, StoreError
from licet.ingest.aws_actions import action_of
from licet.inventory.model import Owner
from licet.inventory.permissions import Shown
from licet.inventory.privileges import drift, is_over_scoped
from licet.inventory.store import FILE, Inventory
from licet.monitor.findings import Seen, finding_of
from licet.monitor.known import Known
from licet.monitor.ocsf import POSTURE, About, Event, finding_event
from licet.monitor.ocsf_drift import drift_event
from licet.monitor.ocsf_events import cited_events, event_of, evidence_of
from licet.monitor.ocsf_told import Told, activity, note, told, version
from licet.monitor.signal import Signal
from licet.monitor.world import Settings
from licet.records import Explanation
from licet.version import VERSION

_CREDENTIALS: Final = 100  # of one identity that are told


def changed(sources: Sources) -> Callable[[Found], bool]:
    """Which findings were told before, and stand otherwise now: those that were withdrawn or suppressed since are told once more."""
    before = told(sources.inventory) if sources.inventory is not None else {}

    def is_changed(found: Found) -> bool:
        last = before.get(found.finding.id)
        return last is not None and last.version != version(found.finding, found.status)

    return is_changed


def write(options: argparse.Namespace, sources: Sources, found: Sequence[Found], signals: Sequence[tuple[Signal, str]]) -> None:
    """Print them, or write the file that `-o` names; then note what was told."""
    export = Export(sources)
    made = chain(export.events(found, signals), export.drifts() if options.drift else ())
    lines = (json.dumps(each, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n" for each in made)
    if options.output is not None:
        output.file(options.output, "".join(lines))
    else:
        for line in lines:
            output.write(line)
        sys.stdout.flush()
    _note(options, sources, export.told)


def _note(options: argparse.Namespace, sources: Sources, these: Mapping[str, Told]) -> None:
    """Only what is new of it is written, so that an export of what was told already needs no right to write."""
    if sources.inventory is None:
        return
    before = told(sources.inventory)
    new = {uid: each for uid, each in these.items() if before.get(uid) != each}
    if not new:
        return
    try:
        with closing(Inventory(existing(options).path / FILE)) as inventory:
            note(inventory, new, time.time())
    except (StateError, StoreError) as error:
        output.error(f"licet: {error}; the next export says Create again of what is new in this one")


class Export:
    """One export. `told`: what it says of each finding, by its id, once it was said."""

    def __init__(self, sources: Sources) -> None:
        self._inventory = sources.inventory
        self._owner = owners_of(sources.inventory)
        self._before = told(sources.inventory) if sources.inventory is not None else {}
        self._events: set[str] = set()
        self.told: dict[str, Told] = {}

    def events(self, found: Sequence[Found], signals: Sequence[tuple[Signal, str]] = ()) -> Iterator[Event]:
        """What is cited stands before who cites it, and once."""
        for each in found:
            yield from self._finding(each)
        if self._inventory is not None:
            world = Known(self._inventory, Settings(), 0.0)
            for signal, finding in signals:
                if not finding and signal.code in POSTURE and signal.identity:
                    made = finding_of(signal.identity, Seen(signal, signal.time), world)
                    yield from self._finding(Found(made, "open", signal.identity, (signal.code,), (), signal.time))

    def drifts(self) -> Iterator[Event]:
        """One for each identity that has a permission that it does not use, or does what it is not for."""
        if self._inventory is None:
            return
        shown, after, now = Shown.of(self._inventory, action_of), "", time.time()
        while page := self._inventory.identities(after):
            after = page[-1].uid
            for identity in page:
                if identity.kind in ("human", "service") or identity.same_as:
                    continue
                found = drift(self._inventory, identity.uid, shown, action_of, now=now)
                if is_over_scoped(found) or found.outside:
                    owned = self._inventory.owner_of(identity.uid)
                    name = owned[0].uid if owned is not None else ""
                    credentials = self._inventory.credentials_of(identity.uid)[:_CREDENTIALS]
                    event, now_is = drift_event(found, About(identity, self._owner(name), credentials), name, VERSION, self._before)
                    self.told[event["finding_info"]["uid"]] = now_is
                    yield event

    def _finding(self, found: Found) -> Iterator[Event]:
        why, related, evidences = found.finding.explanation, dict[str, int](), list[Event]()
        if why is not None and self._inventory is not None:
            for cited in why.evidence:
                event = cited_events(self._inventory, cited)
                evidences.append(evidence_of(cited, event))
                if event is not None:
                    made = event_of(event, VERSION)
                    related[cited.uid] = made["type_uid"]
                    if cited.uid not in self._events:
                        self._events.add(cited.uid)
                        yield made
        uid, edition = found.finding.id, version(found.finding, found.status)
        does = activity(self._before.get(uid), edition, closed=found.status == "withdrawn")
        self.told[uid] = Told(edition, does)
        updated = max([found.updated, *(each.time for each in found.said)])  # what people said of it is a change too
        yield finding_event(
            found.finding, found.status, updated, _about(found, why, self._inventory, self._owner), VERSION, evidences=evidences,
            identity=found.identity, related=related, activity=does, edition=edition, drill=found.drill,
        )  # fmt: skip


def _about(found: Found, why: Explanation | None, inventory: Inventory | None, owner: Callable[[str], Owner | None]) -> About:
    identity = inventory.identity(found.identity) if inventory is not None and found.identity else None
    credentials = inventory.credentials_of(found.identity)[:_CREDENTIALS] if inventory is not None and why is not None else []
    return About(identity, owner(found.finding.owner), credentials)
