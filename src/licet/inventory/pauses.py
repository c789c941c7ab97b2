"""When a source of logs was silent: what happened then is not known."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

from licet.inventory.store import Inventory

_HOUR: Final = 3_600
_LEAST: Final = 24  # whole hours; a source of little may be silent for a night
_TIMES: Final = 3  # times its usual pause, which is the longest of nine in ten
_SHARE: Final = 0.9
_OF: Final = "shape IN (SELECT id FROM shapes WHERE json_extract(shape, '$[0]')=?1 AND json_extract(shape, '$[5]')=?2)"


class Pause(NamedTuple):
    """A time in which nothing came, in seconds since the epoch, to the hour."""

    since: float
    until: float


def pauses(inventory: Inventory, source: str, account: str, since: float, until: float) -> list[Pause]:
    """When nothing at all came of a source and account, for at least a day of this time and three times as long as it usually pauses."""
    rows = inventory.rows(f"SELECT DISTINCT CAST(time/{_HOUR} AS INTEGER) FROM uses WHERE {_OF} ORDER BY 1", (source, account))  # noqa: S608
    gaps = [(earlier, later) for (earlier,), (later,) in pairwise(rows) if later - earlier > 1]
    lengths = sorted(later - earlier for earlier, later in gaps)
    usual = lengths[int((len(lengths) - 1) * _SHARE)] if len(lengths) >= 10 else 0
    long = max(_LEAST, _TIMES * usual)
    silent = [Pause(float((earlier + 1) * _HOUR), float(later * _HOUR)) for earlier, later in gaps if later - earlier > long]
    return [each for each in silent if min(each.until, until) - max(each.since, since) >= (_LEAST - 1) * _HOUR]


def heard_until(inventory: Inventory, source: str) -> float:
    """When the last event of a source was, of any account; 0: there is none."""
    found = inventory.rows("SELECT max(last) FROM sources WHERE source=?", (source,))
    return float(found[0][0] or 0.0)
