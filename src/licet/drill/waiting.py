"""What stands still of the real monitoring, whatever drills say: they judge and deliver by themselves, and prove nobody else's runs.

Records wait that `licet monitor` has not judged; findings wait for a sink that does not take them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from licet.drill.audit import Audited
from licet.inventory.judged import waiting_since
from licet.inventory.store import Inventory
from licet.monitor.deliveries import LONGEST_WAIT, wait_after
from licet.monitor.kept import finding_of, version_of
from licet.monitor.verdicts import reasons_of, status_of, verdicts

LIMIT: Final = 3_600.0
"""Seconds for which records, and findings, may wait."""

_GIVEN_UP: Final = 4 * LONGEST_WAIT  # seconds after a try was due: nobody hands anything to that sink any more
_REAL: Final = "SELECT 1 FROM sources WHERE first<=last AND source<>'declared' LIMIT 1"
_TRIED: Final = "SELECT sink, finding, min(next), max(tries) FROM deliveries WHERE delivered=0 AND tries>0 AND finding<>'' GROUP BY 1, 2"


class Unsent(NamedTuple):
    """Findings that a sink does not take: how many, and since when the oldest waits (seconds since the epoch)."""

    sink: str
    number: int
    since: float


class Waiting(NamedTuple):
    """What stands still.

    Attributes:
        unjudged: since when records wait to be judged (seconds since the epoch); 0: none do.
        unsent: by sink, what waits there, if it waits longer than `LIMIT`.
    """

    unjudged: float = 0.0
    unsent: tuple[Unsent, ...] = ()


def waiting_in(path: Path, now: float, drills: Iterable[Audited] = ()) -> Waiting | None:
    """As `waiting`, of a file; None: it is not there.

    Raises:
        StoreError: it cannot be read.
    """
    if not path.exists():
        return None
    with closing(Inventory(path, reading=True)) as inventory:
        return waiting(inventory, now, drills)


def waiting(inventory: Inventory, now: float, drills: Iterable[Audited] = ()) -> Waiting:
    """What stands still in it. Where no real record ever came, nothing does.

    Args:
        now: seconds since the epoch.
        drills: what the guard found in these is nobody's.

    Raises:
        StoreError: it cannot be read.
    """
    if not inventory.rows(_REAL):
        return Waiting()
    results = [each.row.result for each in drills if each.row.result is not None and not each.wrong]
    found: dict[str, list[float]] = {}
    for sink, since in _unsent(inventory, now, {uid for each in results for uid in (*each.found, each.finding)}):
        found.setdefault(sink, []).append(since)
    return Waiting(waiting_since(inventory), tuple(Unsent(sink, len(times), min(times)) for sink, times in sorted(found.items())))


def _unsent(inventory: Inventory, now: float, drills: Collection[str]) -> Iterator[tuple[str, float]]:
    """By sink, since when each finding waits for it."""
    said = verdicts(inventory)
    for sink, uid, due, tries in inventory.rows(_TRIED):
        taken = inventory.rows("SELECT sink, version FROM deliveries WHERE finding=? AND delivered>0", (uid,))
        # Where nobody tries any more, another sink has taken its place, if that took it.
        if uid in drills or (now - due > _GIVEN_UP and any(name != sink for name, _ in taken)):
            continue
        since = due - sum(wait_after(number) for number in range(1, tries + 1))
        row = inventory.rows("SELECT body, status, updated FROM findings WHERE id=?", (uid,))
        if row:
            body, status, since = row[0]
            finding, gone = finding_of(body), status == "withdrawn"
            told = {version for name, version in taken if name == sink}
            stands = status_of(reasons_of(finding), said.get(uid, ()), now, withdrawn=gone)
            if stands == "suppressed" or (gone and not told) or version_of(finding, withdrawn=gone) in told:
                continue
        if now - since > LIMIT:
            yield sink, since
