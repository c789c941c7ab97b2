"""Since when records wait to be judged: when some came in, and when whoever judges last did.

What a drill lets in and judges by itself counts for neither of the two: it would hide that nobody else does.
"""

from __future__ import annotations

from typing import Final

from licet.inventory.store import Inventory

_SOURCE: Final = "monitor"
_LAST, _WAITS = "last", "waits"
_SINCE: Final = "SELECT min(intake) FROM sources WHERE first<=last AND source<>'declared' AND intake>?"


def judged(inventory: Inventory, begun: float) -> None:
    """Whoever judges did, and came to the end. `begun`: when that run began (seconds since the epoch): what came after it may wait.

    Raises:
        StoreError: it cannot be written.
    """
    inventory.keep((), cursors=[(_SOURCE, _LAST, {"time": begun})], now=begun)


def came(inventory: Inventory, number: int, now: float) -> None:
    """So many events came in, and wait. The first that do are the ones that count.

    Raises:
        StoreError: it cannot be written.
    """
    if number and not _time(inventory, _WAITS) > _time(inventory, _LAST):
        inventory.keep((), cursors=[(_SOURCE, _WAITS, {"time": now})], now=now)


def waiting_since(inventory: Inventory) -> float:
    """Since when records wait, in seconds since the epoch; 0: none do.

    Where it was not noted, as an intake was cut off or is of an earlier version, by when each source had its last one.

    Raises:
        StoreError: the inventory cannot be read.
    """
    last, waits = _time(inventory, _LAST), _time(inventory, _WAITS)
    [(intake,)] = inventory.rows(_SINCE, (last,))
    return min((each for each in (waits if waits > last else 0.0, intake or 0.0) if each), default=0.0)


def _time(inventory: Inventory, what: str) -> float:
    time = (inventory.cursor(_SOURCE, what) or {}).get("time")
    return float(time) if isinstance(time, int | float) else 0.0
