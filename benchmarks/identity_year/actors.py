"""Who acts: one identity with its habits, and one thing that it does."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, NamedTuple

DAY = 86_400.0
HOUR = 3_600.0
MINUTE = 60.0

Operation = tuple[str, str]
"""Service and operation, as in `service:operation`."""


class Emitted(NamedTuple):
    """One record on its way to a file: `time` is when it happened, by the source's clock."""

    time: float
    stream: str
    native_id: str
    record: dict[str, Any]


@dataclass(slots=True)
class Version:
    """A credential that lives longer than a run, from when to when it is the one in use."""

    shown: str
    start: float
    end: float


@dataclass(slots=True)
class Actor:
    """One identity.

    Attributes:
        shape: how it works: service, key, cron, pipeline, pod, bot, app, ai_agent, human.
        days: on which days of the year it acts; empty: by `every`.
        every: acts each so many days, at `phase`.
        rests: from which day to which it does nothing.
        operations: what it does, the usual first; the first `begun` of them from the beginning, one more after each deploy.
        uses: what it is declared for.
        regions, networks: where it works from. `declares`: whether the inventory says so.
        moves: on which days its address changes; a deploy changes its user agent.
    """

    number: int
    platform: str
    shape: str
    uid: str
    name: str
    environment: str
    account: str
    owner: str = ""
    kind: str = "service_account"
    purpose: str = ""
    uses: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    begun: int = 3
    regions: tuple[str, ...] = ()
    failover: tuple[int, int, str] | None = None
    networks: tuple[str, ...] = ()
    declares: bool = True
    agent: str = ""
    deploys: tuple[int, ...] = ()
    moves: tuple[int, ...] = ()
    rate: float = 2.0
    days: frozenset[int] = frozenset()
    every: int = 1
    phase: int = 0
    first_day: int = 0
    last_day: int = 10_000
    rests: list[tuple[int, int]] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    third_party: bool = False
    told: bool = False
    renews: int = 0
    planted: bool = False
    about: dict[str, Any] = field(default_factory=dict)

    def acts_on(self, day: int) -> bool:
        """Whether it does anything on this day."""
        if not self.first_day <= day <= self.last_day or any(begin <= day <= end for begin, end in self.rests):
            return False
        return day in self.days if self.days else (day - self.phase) % self.every == 0

    def deployed(self, day: int) -> int:
        """How often it was deployed until this day."""
        return bisect_right(self.deploys, day)

    def operations_on(self, day: int) -> tuple[Operation, ...]:
        """What it does by then."""
        return self.operations[: self.begun + self.deployed(day)]

    def region_on(self, day: int) -> str:
        """Where it works: at home, or in the other region while it has failed over."""
        if self.failover and self.failover[0] <= day <= self.failover[1]:
            return self.failover[2]
        return self.regions[0] if self.regions else ""

    def version_at(self, time: float) -> str:
        """The long-lived credential that is in use at a time."""
        for version in reversed(self.versions):
            if version.start <= time:
                return version.shown
        return self.versions[0].shown if self.versions else ""


class Act(NamedTuple):
    """One thing that an actor does, before a platform writes it down. Empty: as the platform and the actor have it."""

    time: float
    actor: Actor
    operation: Operation
    credential: str = ""
    ip: str = ""
    agent: str = ""
    region: str = ""
    session: str = ""
    workload: str = ""
    account: str = ""
    outcome: str = "success"
    interactive: bool = False
    parameters: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    target: str = ""
