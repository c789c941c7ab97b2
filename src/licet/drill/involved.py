"""Whom a play involves, read off its records by the readers themselves, before anything is let in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from licet.drill.scenario import PROBE, Play
from licet.errors import UsageError
from licet.ingest.recognised import Unreadable
from licet.ingest.sources import source_of
from licet.inventory.store import Inventory

_ANYBODY: Final = "system:anonymous"


class Involved(NamedTuple):
    """Who and what a play names.

    Attributes:
        identities: uids; not those that are `shared`.
        credentials: fingerprints.
        workloads: that began or ended in it.
        shared: uses of the platforms' own services, and of who does not say who he is: of the uids that no play draws. The uid, time and
            uid of the use.
        counts: by source and account, how many uses it has.
        environments, edges: that it declares.
    """

    identities: frozenset[str]
    credentials: frozenset[str]
    workloads: frozenset[str]
    shared: tuple[tuple[str, float, str], ...]
    counts: Mapping[tuple[str, str], int]
    environments: frozenset[str]
    edges: frozenset[tuple[str, str]]


class _Place:
    def __init__(self, fingerprint: Callable[[str], str], account: str) -> None:
        self.fingerprint, self.account = fingerprint, account


def involved(play: Play, fingerprint: Callable[[str], str]) -> Involved:
    """All of them.

    Raises:
        UsageError: a reader refuses a record: the play was badly written.
    """
    said = play.declared
    rows = [*said.get("identities", ()), *said.get("credentials", ())]
    identities = {play.identity, *(str(row.get("identity", "")) for row in rows)}
    credentials = {fingerprint(str(row["credential"])) for row in said.get("credentials", ())}
    credentials |= {fingerprint(play.credential)} if play.credential else set()
    workloads: set[str] = set()
    shared: list[tuple[str, float, str]] = []
    counts: Counter[tuple[str, str]] = Counter()
    for record in dict.fromkeys(
        each for each in play.records if each.source != PROBE and not each.refused
    ):  # what comes twice is there once
        try:
            found = source_of(record.source).read(json.loads(record.body), _Place(fingerprint, record.account))
        except (Unreadable, ValueError) as error:
            raise UsageError(f"a drill's record is refused by the reader of {record.source}: {error}") from error
        for use in found.uses:
            counts[use.source, use.account] += 1
            identities.add(use.identity)
            credentials.add(use.credential)
            if use.identity_kind == "service" or use.identity == _ANYBODY:
                shared.append((use.identity, use.time, use.uid))
        for event in found.lifecycle:
            counts[event.source, event.account] += 0
            identities |= {event.identity, event.by}
            credentials |= {event.credential, event.supersedes}
            workloads.add(event.workload)
    edges = frozenset((str(pair[0]), str(pair[1])) for pair in said.get("edges", ()))
    identities -= {uid for uid, *_ in shared} | {""}
    environments = frozenset(said.get("environments", ()))
    return Involved(
        frozenset(identities), frozenset(credentials - {""}), frozenset(workloads - {""}), tuple(shared), dict(counts), environments, edges
    )


def known_already(inventory: Inventory, whom: Involved) -> list[str]:
    """Those that are in the inventory already: a play that names one is drawn anew, as nothing real may be taken back with it."""
    found = [uid for uid in sorted(whom.identities) if inventory.identity(uid) is not None]
    found += [uid for uid in sorted(whom.credentials) if inventory.credential(uid) is not None]
    declared = {each.uid for each in inventory.environments()}
    return found + sorted(declared & whom.environments)
