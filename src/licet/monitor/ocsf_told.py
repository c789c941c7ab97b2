"""What OCSF exports have told of each finding, so that one that changed is told as an Update, and one that went as a Close.

The schema's activities of a finding (https://schema.ocsf.io/1.8.0/classes/detection_finding): 1 Create, 2 Update, 3 Close. What was told
stands in the inventory beside what was delivered, under a sink of its own. As long as a finding stands as it was told, it is told again
in the same words, under the same event id: an export that is lost can be made again. What was suppressed or withdrawn is told once by
itself, and again with `--status all`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from licet.inventory.store import Inventory
from licet.monitor.kept import version_of
from licet.monitor.verdicts import Status
from licet.records import Finding

SINK: Final = "ocsf"
CREATE, UPDATE, CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
_BY_NUMBER: Final = {each[0]: each for each in (CREATE, UPDATE, CLOSE)}


class Told(NamedTuple):
    """How something stood when it was told last, and as which activity."""

    version: str
    activity: tuple[int, str]


def version(finding: Finding, status: Status) -> str:
    """Another one for each thing that is said of a finding, and for each way in which it stands."""
    body = version_of(finding, withdrawn=status == "withdrawn")
    return hashlib.sha256(f"{status} {body}".encode()).hexdigest()[:16]


def told(inventory: Inventory) -> dict[str, Told]:
    """By the id of a finding, what was told of it last."""
    rows = inventory.rows("SELECT finding, version, tries FROM deliveries WHERE sink=?", (SINK,))
    return {uid: Told(of, _BY_NUMBER.get(number, CREATE)) for uid, of, number in rows}


def activity(before: Told | None, now: str, *, closed: bool = False) -> tuple[int, str]:
    """As which activity it is told.

    Args:
        before: what was told of it last; None: nothing.
        now: its version as it stands.
        closed: it is withdrawn.
    """
    if closed:
        return CLOSE
    if before is None:
        return CREATE
    return before.activity if before.version == now else UPDATE


def note(inventory: Inventory, these: Mapping[str, Told], now: float) -> None:
    """Keep what was told. `now`: seconds since the epoch.

    Raises:
        StoreError: the inventory cannot be written.
    """
    with inventory.step() as db:
        db.executemany("DELETE FROM deliveries WHERE sink=? AND finding=?", [(SINK, uid) for uid in these])
        rows = [(SINK, uid, each.version, now, each.activity[0]) for uid, each in these.items()]
        db.executemany("INSERT INTO deliveries VALUES (?,?,?,?,?,0,'')", rows)
