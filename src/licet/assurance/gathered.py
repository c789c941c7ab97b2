"""All that the report says of a state folder, read once. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing

from licet.assurance.cells import WINDOW
from licet.assurance.facts import Facts, Ledger, Listed, Sighting, State
from licet.assurance.inventoried import Inventoried, inventoried
from licet.assurance.manifested import manifested
from licet.assurance.recorded import recorded, seen_in
from licet.catalogue import CHECKS
from licet.drill.audit import COMMIT, Audit, audited
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.drill.keys import pinned
from licet.drill.revealed import drills_of
from licet.drill.scenarios import SCENARIOS
from licet.drill.score import Scorecard, scorecard
from licet.drill.standing import standing
from licet.drill.waiting import waiting
from licet.errors import LedgerError, StoreError
from licet.guard.state import StateFolder
from licet.ingest.sources import SOURCES
from licet.inventory.declared import agent_uid
from licet.inventory.store import Inventory
from licet.ledger import LedgerFiles
from licet.manifest import Manifest
from licet.monitor.codes import CODES
from licet.monitor.kept import kept

_AGENT = agent_uid("")
_SIGNALS = "SELECT code, count(*), max(time), id FROM signals GROUP BY code"  # with a single `max`, SQLite's `id` is of that row


def gathered(
    folder: StateFolder, inventory: Inventory | None, found: Iterable[Listed], manifest: Manifest | None, now: float
) -> Facts:  # fmt: skip
    """What is known of a state.

    Args:
        inventory: None where there is none yet.
        found: the findings that stand, of the guard and of the monitor.
        now: seconds since the epoch.

    Raises:
        StoreError: the inventory cannot be read.
    """
    findings = sorted(found, key=lambda each: each.finding.time)
    ledger = recorded(folder.ledger, folder.keys)
    audit, card, doubt = _drills(folder, ledger, inventory, now)
    known = inventoried(inventory, now) if inventory is not None else Inventoried(State(), (), {}, {})
    stated = manifested(manifest) if manifest is not None else {}
    seen = Counter(known.seen) + Counter(seen_in(ledger, _drawn(folder))) + Counter(_findings(findings))
    # What the manifest declares may have been taken into the inventory: the larger of the two numbers is no sum of both.
    declared = {name: max(known.declared.get(name, 0), stated.get(name, 0)) for name in {*known.declared, *stated}}
    codes, checks = _sightings(findings, inventory)
    return Facts(
        now, known.state, findings, known.drifts, seen, declared, codes, checks, audit, card, doubt, ledger,
        manifest.digest if manifest is not None else "",
    )  # fmt: skip


def _drills(
    folder: StateFolder, ledger: Ledger, inventory: Inventory | None, now: float
) -> tuple[Audit | None, Scorecard | None, str]:  # fmt: skip
    """The drills of the window, and their scorecard; none where the ledger does not hold: nothing can be held against it then."""
    path, files = folder.path / BOOK, LedgerFiles(folder.ledger)
    if not path.exists() and COMMIT not in ledger.kinds:
        return None, None, ""
    if ledger.wrong:
        return None, None, f"the ledger does not hold, and no drill can be held against it: {ledger.wrong[0]}"
    try:
        if not path.exists():  # the ledger has drills, and somebody took the book away
            audit = audited(None, files, now, now - WINDOW, trusted=pinned())
            return audit, scorecard(audit, None, now, scenarios=SCENARIOS), ""
        with closing(Book(path, reading=True)) as book:
            audit = audited(book, files, now, now - WINDOW, whole=True, trusted=pinned())
            real = still = None
            if inventory is not None:
                still = waiting(inventory, now, audit.drills)
                since = [each.finding for each in kept(inventory) if each.finding.time >= now - WINDOW]
                lags = {name: each.lag for name, each in SOURCES.items()}
                real = standing(inventory, now, now - WINDOW, lags, drills_of(since, book, files, now, pinned()))
    except (LedgerError, StoreError) as error:
        return None, None, f"the drills cannot be held against the ledger: {error}"
    return audit, scorecard(audit, real, now, scenarios=SCENARIOS, waiting=still), ""


def _drawn(folder: StateFolder) -> frozenset[str]:
    """The agents that were drawn for drills through the guard. What they did stays in its ledger."""
    path = folder.path / BOOK
    if not path.exists():
        return frozenset()
    try:
        with closing(Book(path, reading=True)) as book:
            return frozenset(uid.removeprefix(_AGENT) for uid in book.enrolled() if uid.startswith(_AGENT))
    except StoreError:  # what is wrong with it is said of the drills
        return frozenset()


def _findings(findings: Iterable[Listed]) -> dict[str, int]:
    found = Counter[str]()
    for each in findings:
        why = each.finding.explanation
        sources = {cited.uid.partition("/")[0] for cited in why.evidence} if why is not None else set()
        found.update(findings=1, agent_findings=each.identity.startswith(_AGENT), correlated=len(sources) > 1)
    return found


def _sightings(findings: Iterable[Listed], inventory: Inventory | None) -> tuple[Mapping[str, Sighting], Mapping[str, Sighting]]:
    """By code and by check, what was seen. Findings come oldest first."""
    found: dict[str, Sighting] = {}
    for name, number, time, uid in inventory.rows(_SIGNALS) if inventory is not None else ():
        found[name] = Sighting(name, 0, number, uid, time)
    for each in findings:
        for name in each.codes:
            before, of = found.get(name, Sighting(name)), each.finding
            found[name] = Sighting(name, before.findings + 1, before.signals, of.id, of.time, of.ledger)
    return {name: each for name, each in found.items() if name in CODES}, {name: each for name, each in found.items() if name in CHECKS}
