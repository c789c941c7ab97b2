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
from licet.drill.audit import Audit, audited
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.errors import LedgerError, StoreError
from licet.guard.state import StateFolder
from licet.inventory.store import Inventory
from licet.ledger import LedgerFiles
from licet.manifest import Manifest
from licet.monitor.codes import CODES

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
    audit, doubt = _audit(folder, ledger, now)
    known = inventoried(inventory, now) if inventory is not None else Inventoried(State(), (), {}, {})
    stated = manifested(manifest) if manifest is not None else {}
    seen = Counter(known.seen) + Counter(seen_in(ledger)) + Counter(_findings(findings))
    # What the manifest declares may have been taken into the inventory: the larger of the two numbers is no sum of both.
    declared = {name: max(known.declared.get(name, 0), stated.get(name, 0)) for name in {*known.declared, *stated}}
    codes, checks = _sightings(findings, inventory)
    return Facts(
        now, known.state, findings, known.drifts, seen, declared, codes, checks, audit, doubt, ledger,
        manifest.digest if manifest is not None else "",
    )  # fmt: skip


def _audit(folder: StateFolder, ledger: Ledger, now: float) -> tuple[Audit | None, str]:
    """The drills of the window; none where the ledger does not hold, as nothing can be held against it then."""
    path = folder.path / BOOK
    if not path.exists():
        return None, "no drill was ever played: `licet drill run`"
    if ledger.wrong:
        return None, f"the ledger does not hold, and no drill can be held against it: {ledger.wrong[0]}"
    try:
        with closing(Book(path, reading=True)) as book:
            return audited(book, LedgerFiles(folder.ledger), now, now - WINDOW), ""
    except (LedgerError, StoreError) as error:
        return None, f"the drills cannot be held against the ledger: {error}"


def _findings(findings: Iterable[Listed]) -> dict[str, int]:
    found = Counter[str]()
    for each in findings:
        why = each.finding.explanation
        sources = {cited.uid.partition("/")[0] for cited in why.evidence} if why is not None else set()
        found.update(findings=1, agent_findings=each.identity.startswith("agent:"), correlated=len(sources) > 1)
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
