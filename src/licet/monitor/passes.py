"""What is judged beside the fold of each identity: over several identities, over sources, over what was tried. A list, as of detectors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from licet.inventory.faces import Face
from licet.monitor.likely import likely
from licet.monitor.probe import probes
from licet.monitor.refusals import refusals
from licet.monitor.shared import shared
from licet.monitor.silence import silence


class Beside(NamedTuple):
    """What a pass may ask.

    Attributes:
        now: seconds since the epoch.
        lags: by source, how late its records may come, in seconds.
        names: the likely names of identities.
        grace: within which a use after an end still counts as in time, in seconds.
    """

    now: float
    lags: Mapping[str, float]
    names: Sequence[Face]
    grace: float


class Pass(NamedTuple):
    """One pass.

    Attributes:
        name: stable, as a drill names it.
        codes: the reason codes that it can give.
        judge: writes what is so now and takes away what is not any more; how many signals changed.
    """

    name: str
    codes: tuple[str, ...]
    judge: Callable[[sqlite3.Connection, Beside], int]


PASSES: Final[tuple[Pass, ...]] = (
    Pass("shared", ("SHARED_CREDENTIAL",), lambda db, _: shared(db)),
    Pass("likely", ("APP_FIRST_RESOURCE",), lambda db, beside: likely(db, beside.names)),
    Pass("silence", ("SOURCE_SILENT",), lambda db, beside: silence(db, beside.now, beside.lags)),
    Pass("refusals", ("RECORDS_REFUSED",), lambda db, beside: refusals(db, beside.now)),
    Pass("probes", ("PROBE_AUTHENTICATES",), lambda db, beside: probes(db, beside.grace)),
)
"""In the order in which they run."""
