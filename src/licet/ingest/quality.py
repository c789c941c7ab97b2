"""How good a source is: how much of it could be used, how well its uses are attributed, how fresh it is. Each number with what it is of."""

from __future__ import annotations

from dataclasses import dataclass

from licet.inventory.store import Inventory


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of one source in one account.

    Attributes:
        uses: events of use that were kept.
        services: those of the platform's own services, which have no credential of ours: they are in no denominator below.
        with_credential, with_workload: how many of the others name a credential, and where they ran.
        first, last: times of its earliest and latest event; 0: there is none.
        age: seconds from its latest event until now.
        intake: when something of it was last taken in.
    """

    source: str
    account: str
    uses: int
    services: int
    with_credential: int
    with_workload: int
    first: float
    last: float
    age: float
    intake: float

    @property
    def of(self) -> int:
        """The denominator: uses by others than the platform itself."""
        return self.uses - self.services


@dataclass(frozen=True, slots=True)
class Refusal:
    """Records of one source that were refused for one cause, and where the first stands in the file that has most of them."""

    source: str
    cause: str
    number: int
    first: str


@dataclass(frozen=True, slots=True)
class Flow:
    """How many events of a source stood there already, and how many of its records were none of our affair."""

    source: str
    again: int
    passed: int


def qualities(inventory: Inventory, now: float) -> list[Quality]:
    """Each source and account of which there are events, by name. `now`: seconds since the epoch."""
    rows = inventory.rows(
        "SELECT source, account, events, services, credential, workload, first, last, intake FROM sources WHERE first<=last"
        " ORDER BY source, account"
    )
    return [
        Quality(source, account, events, services, credential, workload, first, last, max(0.0, now - last), intake)
        for source, account, events, services, credential, workload, first, last, intake in rows
    ]


def flows(inventory: Inventory) -> list[Flow]:
    """Each source, by name."""
    rows = inventory.rows("SELECT source, sum(again), sum(passed) FROM sources GROUP BY source ORDER BY source")
    return [Flow(*row) for row in rows]


def refusals(inventory: Inventory) -> list[Refusal]:
    """What was refused since the inventory began, the most frequent cause of each source first."""
    rows = inventory.rows(
        "SELECT source, cause, sum(number), file, line, max(number) FROM refusals GROUP BY source, cause ORDER BY source, 3 DESC, cause"
    )
    return [Refusal(source, cause, number, f"{file}:{line}") for source, cause, number, file, line, _ in rows]
