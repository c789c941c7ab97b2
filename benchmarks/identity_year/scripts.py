"""A misuse or its benign twin, put together act by act; and who it happens to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.identity_year.actors import DAY, Actor, Emitted, Operation
from benchmarks.identity_year.doing import do, told
from benchmarks.identity_year.drawn import seconds
from benchmarks.identity_year.world import World, add, new_id


class NobodyLeft(ValueError):
    """Too few identities for what is to be planted."""


@dataclass
class Script:
    """What happens, and what of it is the misuse.

    Attributes:
        twin: it is the benign one; `differs` then says in which one factor.
        cited: native ids of what is the misuse; a twin has those there too that look like it.
        others: identities under which a finding would be as right as under the actor's.
    """

    world: World
    kind: str
    number: int
    twin: bool
    rng: random.Random
    actor: Actor = field(init=False)
    records: list[Emitted] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    credential: str = ""
    expected: tuple[str, ...] = ()
    differs: str = ""
    left: list[str] = field(default_factory=list)

    def take(self, wanted: Callable[[Actor], bool]) -> Actor:
        """Somebody to whom nothing else is done, there for the whole year.

        Raises:
            NobodyLeft: there is nobody.
        """
        free = [
            actor for actor in self.world.actors
            if not actor.planted and actor.first_day == 0 and actor.last_day >= self.world.days and actor.owner and wanted(actor)
        ]  # fmt: skip
        if not free:
            raise NobodyLeft(f"{self.kind}: no identity is left to plant number {self.number} on; make more identities, or fewer misuses")
        self.actor = self.rng.choice(free)
        self.actor.planted = True
        return self.actor

    def newcomer(self, shape: str, **fixed: Any) -> Actor:
        """Somebody made for this, who does nothing else."""
        self.actor = add(self.world, shape, self.rng, planted=True, first_day=0, last_day=-1, **fixed)
        return self.actor

    def when(self, low: float = 0.1, high: float = 0.9) -> float:
        """Some time in that part of the year."""
        return self.world.start + self.rng.uniform(low, high) * self.world.days * DAY

    def use(self, time: float, operation: Operation | None = None, *, by: Actor | None = None, cite: bool = False, **more: Any) -> Emitted:
        return self.keep(do(self.world, by or self.actor, time, self.rng, operation, **more), cite=cite)

    def tell(self, time: float, kind: str, *, cite: bool = False, **fields: Any) -> Emitted:
        return self.keep(told(time, kind, self.rng, **fields), cite=cite)

    def keep(self, record: Emitted, *, cite: bool = False) -> Emitted:
        self.records.append(record)
        if cite:
            self.cited.append(record.native_id)
            self.times.append(record.time)
        return record

    def keep_all(self, records: Iterable[Emitted]) -> None:
        self.records += records

    def another_credential(self, since: float, **declared: Any) -> str:
        """A second long-lived credential of the actor, with its issuance and its line in the inventory."""
        shown = new_id(self.actor, self.rng)
        self.tell(since, "issued", credential=shown, identity=self.actor.uid)
        self.world.credentials.append({"credential": shown, "identity": self.actor.uid, "credential_kind": kind_of(self.actor), **declared})
        self.credential = shown
        return shown

    def truth(self) -> dict[str, Any]:
        """Its line of `truth.jsonl`."""
        line: dict[str, Any] = {
            "id": f"{'t' if self.twin else 'm'}-{self.kind}-{self.number:03d}", "what": "twin" if self.twin else "misuse",
            "kind": self.kind,
            "platform": self.actor.platform, "identity": self.actor.uid, "credential": self.credential, "events": self.cited,
        }  # fmt: skip
        if self.others:
            line["or_identities"] = self.others
        if self.times:
            line |= {"from": seconds(min(self.times)), "until": seconds(max(self.times))}
        return line | ({"differs": self.differs} if self.twin else {"expected": list(self.expected)})


def kind_of(actor: Actor) -> str:
    return {"aws": "access-key", "github": "personal-access-token", "okta": "api-token", "entra": "client-secret"}.get(
        actor.platform, "token"
    )


def lasting(actor: Actor) -> bool:
    """It authenticates with something that lives long."""
    return actor.shape in ("key", "bot", "okta", "app")
