"""The scorecard of a state folder: the book is held against the ledger, and the inventory is looked into."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from licet.drill.audit import Audit, audited
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.drill.revealed import drills_of
from licet.drill.scenarios import SCENARIOS
from licet.drill.score import WEEK, Scorecard, scorecard
from licet.drill.standing import standing
from licet.drill.waiting import waiting
from licet.guard.state import StateFolder
from licet.ingest.sources import SOURCES
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.monitor.kept import kept
from licet.records import Finding


def status(
    folder: Path, now: float, *, within: float = WEEK, whole: bool = False, trusted: str = "", figures: bool = True
) -> Scorecard:  # fmt: skip
    """The scorecard. Where no drill was ever played, that is what it says.

    Args:
        now: seconds since the epoch.
        within: seconds before it that rates, times and blind seconds are about.
        whole, trusted: see `licet.drill.audit.audited`.
        figures: with those of the inventory, on which the verdict does not rest.

    Raises:
        LedgerError: the ledger cannot be read.
        StoreError: the book or the inventory cannot be read.
    """
    files = LedgerFiles(StateFolder(folder).ledger)
    if not (folder / BOOK).exists():
        # Whether there never was a book, or somebody took it away, the ledger knows.
        since = now - max(within, WEEK)
        audit = audited(None, files, now, since, trusted=trusted) if files.path.exists() else Audit((), ())
        return scorecard(audit, None, now, scenarios=SCENARIOS, within=within)
    with ExitStack() as stack:
        book = stack.enter_context(closing(Book(folder / BOOK, reading=True)))
        audit = audited(book, files, now, now - max(within, WEEK), whole=whole, trusted=trusted)
        real = still = None
        if (folder / FILE).exists():
            inventory = stack.enter_context(closing(Inventory(folder / FILE, reading=True)))
            still = waiting(inventory, now, audit.drills)
        if still is not None and figures:
            found = [each.finding for each in kept(inventory) if each.finding.time >= now - within]
            drills = drills_of(found, book, files, now, trusted)
            real = standing(inventory, now, now - within, {name: each.lag for name, each in SOURCES.items()}, drills)
        return scorecard(audit, real, now, scenarios=SCENARIOS, within=within, waiting=still)


def tests_of(folder: Path, findings: list[Finding], now: float, trusted: str) -> dict[str, str]:
    """Of these findings, which were drills of a state folder, and which drill each was. `trusted`: as `licet.drill.audit.audited` has it.

    Raises:
        LedgerError: the ledger cannot be read.
        StoreError: the book cannot be read.
    """
    if not findings or not (folder / BOOK).exists():
        return {}
    with closing(Book(folder / BOOK, reading=True)) as book:
        return drills_of(findings, book, LedgerFiles(StateFolder(folder).ledger), now, trusted)
