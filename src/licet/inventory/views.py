"""What `licet inventory` shows: a line for each identity with its faces, all that is known of one, and the sums over all of them.

Counts are made in the file, so that a role with a million sessions takes no more memory than one with two.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from licet.inventory.life import LONGEST_TEMPORARY, LONGEST_TOKEN, TEMPORARY, TOKEN, status_with
from licet.inventory.model import Credential, Declared, Identity, Owner, Ownership, needs_owner
from licet.inventory.owners import confirmed, is_stated, owners_of, stated
from licet.inventory.rows import IDENTITY_COLUMNS, SELECT_CREDENTIAL, credential_of, identity_of
from licet.inventory.shapes import Shape
from licet.inventory.store import Inventory

STALE: Final = 90 * 86_400.0
"""Seconds without use, after which an identity is at rest, and a credential that still counts is stale."""

_PAGE: Final = 500
_ROOT: Final = "(same_as='' OR NOT EXISTS (SELECT 1 FROM identities AS whole WHERE whole.uid=identities.same_as AND whole.same_as=''))"
_STATUS: Final = (  # as `licet.inventory.life.status_at` has it
    "CASE WHEN revoked>0 THEN iif(status IN ('suspended', 'deleted'), status, 'revoked') WHEN rotated>0 THEN 'superseded'"
    " WHEN ended>0 AND ended<=?2 THEN 'ended' WHEN expires>0 THEN iif(expires<=?2, 'expired', 'active')"
    f" WHEN kind='{TEMPORARY}' AND last_used>0 AND last_used+{LONGEST_TEMPORARY}<=?2 THEN 'expired'"
    f" WHEN kind='{TOKEN}' AND name='' AND max(last_used, issued)>0 AND max(last_used, issued)+{LONGEST_TOKEN}<=?2 THEN 'expired'"
    " ELSE 'active' END"
)
# Of what was only seen in use nobody knows whether somebody keeps it: temporary keys and pods' tokens come and go. The plus keeps SQLite
# from the index of workloads, where nearly every credential stands under the empty one.
_KEPT: Final = (
    f"(issued>0 OR rotate_every>0 OR name<>'' OR declared<>'{{}}') AND +workload='' AND kind NOT LIKE 'temporary%'"
    f" AND (kind<>'{TOKEN}' OR name<>'' OR rotate_every>0)"
)
_SHARED: Final = (
    "SELECT credential FROM holders JOIN identities ON identities.id=subject WHERE kind<>'service' GROUP BY credential"
    " HAVING count(DISTINCT iif(same_as='', uid, same_as))>1"
)


class Line(NamedTuple):
    """One identity.

    Attributes:
        faces: its other names.
        owner: who was said to answer for it.
        guess: who may, where nobody was said to.
        environment: what was declared, else that of its account.
        credentials: how many there are, by status.
        first, last, uses: over all its names; seconds since the epoch.
        stale: it, or a credential of it that still counts, has not been used for 90 days.
        shared: of a credential that it uses, others are users too.
    """

    identity: Identity
    faces: tuple[Identity, ...]
    owner: tuple[Owner, Ownership] | None
    guess: tuple[Owner, Ownership] | None
    environment: str
    credentials: Mapping[str, int]
    first: float
    last: float
    uses: int
    stale: bool
    shared: bool


class Viewer:
    """Looks into an inventory as of `now` (seconds since the epoch)."""

    def __init__(self, inventory: Inventory, now: float) -> None:
        self._inventory, self._now = inventory, now
        self._places = {account: each.uid for each in inventory.environments() for account in each.accounts}
        self._shared = frozenset(
            uid for (uid,) in inventory.rows(
                f"SELECT DISTINCT uid FROM holders JOIN identities ON identities.id=subject WHERE credential IN ({_SHARED})"  # noqa: S608 - texts of our own
            )
        )  # fmt: skip

    def lines(self) -> Iterator[Line]:
        """Every identity that is no other's face, by uid."""
        after, query = "", f"SELECT {IDENTITY_COLUMNS} FROM identities WHERE uid>? AND {_ROOT} ORDER BY uid LIMIT ?"  # noqa: S608 - texts of our own
        while page := self._inventory.rows(query, (after, _PAGE)):
            yield from (self.line(identity_of(row)) for row in page)
            after = page[-1][0]

    def line(self, identity: Identity) -> Line:
        """One identity."""
        rows = self._inventory.rows(
            f"SELECT {IDENTITY_COLUMNS} FROM identities WHERE same_as=? AND uid<>? ORDER BY uid",  # noqa: S608 - names of our own
            (identity.uid, identity.uid),
        )
        faces = tuple(map(identity_of, rows)) if not identity.same_as else ()
        names = (identity, *faces)
        owner = next(filter(None, (stated(self._inventory, each.uid) for each in names)), None)
        last = max(each.last_seen for each in names)
        return Line(
            identity, faces, owner, None if owner else self._guess(identity.uid), self.environment_of(identity),
            sum((self._credentials(each) for each in names), Counter()),
            min((each.first_seen for each in names if each.first_seen), default=0.0), last, sum(each.uses for each in names),
            bool(last and self._now - last > STALE) or any(self._stale(each.uid) for each in names),
            any(each.uid in self._shared for each in names),
        )  # fmt: skip

    def environment_of(self, identity: Identity) -> str:
        """What was declared of it, else where its account is."""
        return identity.declared.environment or self.place(identity.account)

    def place(self, account: str) -> str:
        """The environment of an account; empty if none was declared."""
        return self._places.get(account, "")

    def _guess(self, uid: str) -> tuple[Owner, Ownership] | None:
        return next((each for each in owners_of(self._inventory, uid) if not is_stated(each[1])), None)

    def _credentials(self, of: Identity) -> Counter[str]:
        query = f"SELECT {_STATUS}, count(*) FROM credentials WHERE identity=?1 GROUP BY 1 ORDER BY 1"  # noqa: S608 - texts of our own
        found = Counter[str]()
        for status, number in self._inventory.rows(query, (of.uid, self._now)):
            found[status_with(status, of.status)] += number
        return found

    def _stale(self, uid: str) -> bool:
        query = f"SELECT 1 FROM credentials WHERE identity=?1 AND {_STATUS}='active' AND {_KEPT} AND max(last_used, issued)<?3 LIMIT 1"  # noqa: S608 - texts of our own
        return bool(self._inventory.rows(query, (uid, self._now, self._now - STALE)))

    def credentials(self, uid: str, limit: int) -> list[Credential]:
        """The credentials of an identity: the active ones first, of them what stays before what is temporary, and the most used first."""
        query = (
            f"{SELECT_CREDENTIAL} WHERE identity=?1 ORDER BY {_STATUS}<>'active', kind LIKE 'temporary%', uses DESC,"
            " max(last_used, issued) DESC, uid LIMIT ?3"
        )
        return [credential_of(row) for row in self._inventory.rows(query, (uid, self._now, limit))]


# One identity ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Doings:
    """What was done, by what: how often.

    `denied` is what was not permitted, `failed` what went wrong otherwise. `acted_for` has for whom it acted, where a log says it; an
    operation that was denied or failed for somebody else says so.
    """

    operations: Counter[str] = field(default_factory=Counter)
    denied: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    acted_for: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)
    networks: Counter[str] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)


def doings(inventory: Inventory, names: Sequence[str]) -> Doings:
    """What an identity did under all its names.

    Raises:
        StoreError: the inventory cannot be read.
    """
    found = Doings()
    query = (
        "SELECT shapes.shape, word, many FROM (SELECT shape AS number, network AS place, count(*) AS many FROM uses WHERE subject="
        "(SELECT id FROM identities WHERE uid=?) GROUP BY shape, network) JOIN shapes ON shapes.id=number JOIN words ON words.id=place"
    )
    for name in names:
        for row, network, number in inventory.rows(query, (name,)):
            shape = Shape(*json.loads(row))
            acted_for = ", ".join(shape.on_behalf_of)
            operation = f"{shape.operation} (for {acted_for})" if acted_for and shape.outcome != "success" else shape.operation
            {"success": found.operations, "denied": found.denied}.get(shape.outcome, found.failed)[operation] += number
            for counts, value in (
                (found.regions, shape.region), (found.networks, network), (found.accounts, shape.account), (found.agents, shape.agent),
                (found.acted_for, acted_for),
            ):  # fmt: skip
                if value:
                    counts[value] += number
    return found


def missing(identity: Identity, declared: Declared, *, owned: bool, environment: str = "") -> list[str]:
    """What nobody has said of an identity that somebody should. `environment`: the one that its account is in."""
    if not needs_owner(identity.uid, identity.kind):
        return []
    asked = (
        ("an owner", owned),
        ("a purpose", declared.purpose),
        ("what it is for (`uses`)", declared.uses),
        ("an environment", declared.environment or environment),
    )
    return [what for what, there in asked if not there]


# Sums --------------------------------------------------------------------------------------------------------------------


class Attribution(NamedTuple):
    """Of one source: uses by others than the platform itself, and how many of them name a credential that is one identity's, name where
    they ran, and are of an identity with an owner.
    """

    source: str
    of: int
    credential: int
    workload: int
    owner: int


@dataclass(slots=True)
class Sums:
    """Over all identities.

    Attributes:
        as_of: the latest event of any source.
        machines: identities of machines. `active`: those that did something in the 90 days before `as_of`. `owned`: those of them with an
            owner that somebody confirmed in the 90 days before now.
        unknown: identities of which nothing says whether they are a machine's or a person's, such as IAM users with access keys.
        uses: by machines and by those; `unknown_uses`: by those; `owned_uses`: by whichever of both has an owner.
    """

    as_of: float = 0.0
    identities: int = 0
    machines: int = 0
    active: int = 0
    owned: int = 0
    unknown: int = 0
    uses: int = 0
    unknown_uses: int = 0
    owned_uses: int = 0
    by_source: dict[str, int] = field(default_factory=dict)  # uses of identities with an owner

    def add(self, line: Line, now: float) -> None:
        """One more line."""
        self.identities += 1
        if line.owner is not None:
            for each in (line.identity, *line.faces):
                self.by_source[each.source] = self.by_source.get(each.source, 0) + each.uses
        unknown, needed = line.identity.kind == "unknown", needs_owner(line.identity.uid, line.identity.kind)
        if unknown or needed:
            self.uses += line.uses
            self.owned_uses += line.uses if line.owner is not None else 0
        if unknown:
            self.unknown += 1
            self.unknown_uses += line.uses
        if not needed:
            return
        self.machines += 1
        if line.last and self.as_of - line.last <= STALE:
            self.active += 1
            self.owned += line.owner is not None and confirmed(line.owner[1], now)


def sums(inventory: Inventory, now: float) -> Sums:
    """Empty, but with the day that they are as of.

    Raises:
        StoreError: the inventory cannot be read.
    """
    found = inventory.rows("SELECT max(last) FROM sources WHERE first<=last")[0][0]
    return Sums(min(now, found or 0.0))


def attributions(inventory: Inventory, owned: Mapping[str, int]) -> list[Attribution]:
    """How well the uses of each source are attributed. `owned`: by source, uses of identities with an owner.

    A use with a credential that several identities use is nobody's for certain.

    Raises:
        StoreError: the inventory cannot be read.
    """
    shared = dict(inventory.rows(
        "SELECT source, sum(holders.uses) FROM holders JOIN identities ON identities.id=subject"  # noqa: S608 - texts of our own
        f" WHERE kind<>'service' AND credential IN ({_SHARED}) GROUP BY source"
    ))  # fmt: skip
    rows: list[tuple[Any, ...]] = inventory.rows(
        "SELECT source, sum(events)-sum(services), sum(credential), sum(workload) FROM sources WHERE first<=last GROUP BY source"
        " ORDER BY source"
    )
    return [
        Attribution(source, of, max(0, credential - shared.get(source, 0)), workload, min(of, owned.get(source, 0)))
        for source, of, credential, workload in rows
        if of > 0
    ]
