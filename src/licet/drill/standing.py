"""What the inventory says of real things, as sums: owners, attribution, traces without a hole, sources, alarms. No drill is in them.

What drills let in is taken back when they are over, so that it is in no count; their findings stay, as withdrawn, and are left out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from licet.events import LifecycleEvent
from licet.inventory.lifeline import BEGINS
from licet.inventory.owners import stated
from licet.inventory.pauses import Pause, pauses
from licet.inventory.store import Inventory
from licet.inventory.trace import GRACE
from licet.inventory.views import Viewer, sums
from licet.monitor.kept import kept
from licet.monitor.verdicts import verdicts

_TOLD: Final = ("licet", "lifecycle", "declared")  # written when something happens, and so silent most of the time
_USES: Final = (
    "SELECT source, account, subject, credential, at, sum(many), min(first), max(last) FROM ("
    "SELECT json_extract(shapes.shape, '$[0]') AS source, json_extract(shapes.shape, '$[5]') AS account, subject, credential, at, many,"
    " first, last FROM (SELECT shape, subject, credential, workload<>'' AS at, count(*) AS many, min(time) AS first, max(time) AS last"
    " FROM uses GROUP BY 1, 2, 3, 4) AS done JOIN shapes ON shapes.id=done.shape) GROUP BY 1, 2, 3, 4, 5"
)
_SHARED: Final = (
    "SELECT credential FROM holders JOIN identities ON identities.id=subject WHERE kind<>'service' GROUP BY credential"
    " HAVING count(DISTINCT iif(same_as='', uid, same_as))>1"
)
_OUTCOME: Final = LifecycleEvent._fields.index("outcome")
_BEGUN: Final = (
    f"SELECT credential, min(time) FROM lifecycle WHERE credential<>'' AND time>0 AND kind IN {BEGINS!r}"  # noqa: S608 - words of our own
    f" AND json_extract(body, '$[{_OUTCOME}]')='success' GROUP BY 1"
)
_LEAST: Final = 23 * 3_600.0  # seconds of a pause within a life, as `pauses` has it


class Attributed(NamedTuple):
    """Of one source: how many uses it has, and how many of them are of exactly one credential, at a named workload, and of an owner.

    `credential`, `workload`, `owner`: each of these alone.
    """

    source: str
    uses: int
    whole: int
    credential: int
    workload: int
    owner: int


class Heard(NamedTuple):
    """When the last event of a source was (seconds since the epoch), and how late its records may come (seconds)."""

    source: str
    last: float
    lag: float


class Standing(NamedTuple):
    """Of real things alone.

    Attributes:
        as_of: the latest event of any source.
        machines: identities of machines; `active`: those that did something in the 90 days before `as_of`; `owned`: those of them whose
            owner people stated in the 90 days before now.
        credentials: that are known; `whole`: those whose story has no hole.
        alarms: findings since a time; `suppressed`: those of them that people suppressed.
    """

    as_of: float = 0.0
    machines: int = 0
    active: int = 0
    owned: int = 0
    attributed: Sequence[Attributed] = ()
    credentials: int = 0
    whole: int = 0
    heard: Sequence[Heard] = ()
    alarms: int = 0
    suppressed: int = 0


def standing(inventory: Inventory, now: float, since: float, lags: Mapping[str, float], drills: Collection[str]) -> Standing:
    """All of it.

    Args:
        now: seconds since the epoch.
        since: of the first finding that counts.
        lags: by source, how late its records may come, in seconds.
        drills: ids of findings that were drills.

    Raises:
        StoreError: the inventory cannot be read.
    """
    viewer, total = Viewer(inventory, now), sums(inventory, now)
    for line in viewer.lines():
        total.add(line, now)
    uses = _uses(inventory)
    credentials, whole = _traced(inventory, uses)
    alarms = [each.finding.id for each in kept(inventory) if each.finding.time >= since and each.finding.id not in drills]
    said = verdicts(inventory)
    suppressed = sum(any(word.verdict == "suppressed" for word in said.get(uid, ())) for uid in alarms)
    heard = inventory.rows("SELECT source, max(last) FROM sources WHERE first<=last GROUP BY source ORDER BY source")
    return Standing(
        total.as_of, total.machines, total.active, total.owned, _attributed(inventory, uses), credentials, whole,
        [Heard(source, last, lags[source]) for source, last in heard if source in lags and source not in _TOLD], len(alarms), suppressed,
    )  # fmt: skip


class _Used(NamedTuple):
    source: str
    account: str
    subject: int
    credential: int | None
    at: int
    number: int
    first: float
    last: float


def _uses(inventory: Inventory) -> list[_Used]:
    """How often who used what where; one walk through all uses."""
    return [_Used(*row) for row in inventory.rows(_USES)]


def _attributed(inventory: Inventory, uses: Sequence[_Used]) -> list[Attributed]:
    shared = {credential for (credential,) in inventory.rows(_SHARED)}
    who = {number: (uid, kind) for number, uid, kind in inventory.rows("SELECT id, uid, kind FROM identities")}
    owned: dict[int, bool] = {}
    counts: dict[str, Counter[str]] = {}
    for each in uses:
        uid, kind = who.get(each.subject, ("", "unknown"))
        if kind == "service":
            continue
        if each.subject not in owned:
            owned[each.subject] = stated(inventory, uid) is not None
        true = {
            "credential": bool(each.credential) and each.credential not in shared, "workload": bool(each.at), "owner": owned[each.subject],
        }  # fmt: skip
        count = counts.setdefault(each.source, Counter())
        count["uses"] += each.number
        count["whole"] += each.number if all(true.values()) else 0
        count.update({name: each.number for name, holds in true.items() if holds})
    names = ("uses", "whole", "credential", "workload", "owner")
    return [Attributed(source, *(count[name] for name in names)) for source, count in sorted(counts.items())]


def _traced(inventory: Inventory, uses: Sequence[_Used]) -> tuple[int, int]:
    """How many credentials there are, and how many have no hole as `licet trace` has it: issued by a record, not used before that, and no
    source of theirs silent while they lived.
    """
    begun = dict(inventory.rows(_BEGUN))
    lived: dict[int, tuple[float, float]] = {}
    places: dict[int, set[tuple[str, str]]] = {}
    for each in uses:
        if each.credential:
            first, last = lived.get(each.credential, (each.first, each.last))
            lived[each.credential] = min(first, each.first), max(last, each.last)
            places.setdefault(each.credential, set()).add((each.source, each.account))
    silent: dict[tuple[str, str], list[Pause]] = {}
    rows = inventory.rows("SELECT id, uid FROM credentials")
    whole = 0
    for number, uid in rows:
        first, last = lived.get(number, (0.0, 0.0))
        start = begun.get(uid, 0.0)
        if not start or (first and first < start - GRACE):
            continue
        whole += not any(_silent(inventory, silent, place, start, max(last, start)) for place in places.get(number, ()))
    return len(rows), whole


def _silent(
    inventory: Inventory, known: dict[tuple[str, str], list[Pause]], place: tuple[str, str], since: float, until: float
) -> bool:  # fmt: skip
    if place[0] in _TOLD:
        return False
    if place not in known:
        known[place] = pauses(inventory, *place, float("-inf"), float("inf"))
    return any(min(each.until, until) - max(each.since, since) >= _LEAST for each in known[place])
