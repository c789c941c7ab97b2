"""Everybody in the company, and what becomes of them in the year."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.identity_year.actors import DAY, Actor, Version
from benchmarks.identity_year.drawn import access_key, letters, token_hash, uuid
from benchmarks.identity_year.people import MAKERS
from benchmarks.identity_year.places import ENVIRONMENTS, TEAMS, nat

MIX = (
    ("service", 0.24), ("pod", 0.20), ("key", 0.13), ("pipeline", 0.12), ("cron", 0.08), ("app", 0.08), ("bot", 0.06), ("okta", 0.05),
    ("human", 0.02),
    ("ai_agent", 0.02),
)  # fmt: skip
"""Shares of the shapes; `okta` is a bot there. What two-thousandths are missing become services."""


@dataclass
class World:
    """Everybody, and the year they live in.

    Attributes:
        start: when the year begins, in seconds since the epoch; `days` long.
        credentials: rows of the inventory for what is beside `Actor.versions`.
        rotators: who makes the keys of an account, and the secrets of `entra`. `admin`: who gives apps their scopes.
    """

    seed: int
    start: float
    days: int
    load: float
    actors: list[Actor] = field(default_factory=list)
    credentials: list[dict[str, Any]] = field(default_factory=list)
    rotators: dict[str, Actor] = field(default_factory=dict)
    admin: Actor = field(init=False)

    def rng(self, *parts: object) -> random.Random:
        """A source of chance of its own for each purpose, so that what is drawn in one place moves nothing elsewhere."""
        return random.Random("/".join(map(str, (self.seed, *parts))))

    def at(self, day: float) -> float:
        return self.start + day * DAY

    @property
    def end(self) -> float:
        return self.at(self.days)


def made(seed: int, start: float, days: int, identities: int, load: float) -> World:
    world = World(seed, start, days, load)
    rng = world.rng("actors")
    shapes = [shape for shape, share in MIX for _ in range(round(share * identities))]
    shapes = (shapes + ["service"] * identities)[:identities]
    for shape in shapes:
        add(world, shape, rng)
    for name, about in ENVIRONMENTS.items():
        for account in about["accounts"]:
            world.rotators[account] = rotator(world, name, account, rng)
    made_up = {"planted": True, "third_party": False, "declares": True, "first_day": 0, "last_day": days}
    world.rotators["entra"] = add(
        world,
        "app",
        rng,
        environment="prod",
        name="Acme Secret Rotation",
        uses=("entra:Sign-in*", "entra:sign-in", "entra:Add*"),
        **made_up,
    )
    world.admin = human_of(world, "entra", rng)
    return world


def rotator(world: World, environment: str, account: str, rng: random.Random) -> Actor:
    """The role that makes an account's keys and ends them, and looks at them once a week."""
    actor = add(
        world, "service", rng, environment=environment, planted=True, account=account, name="key-rotation",
        uid=f"arn:aws:iam::{account}:role/key-rotation",
        uses=("iam:*",), operations=(("iam", "ListUsers"), ("iam", "ListAccessKeys")), begun=2, every=7, deploys=(), moves=(),
        failover=None, first_day=0,
        last_day=world.days, regions=("eu-west-1",), networks=(), purpose="Rotates access keys",
    )  # fmt: skip
    actor.networks = tuple(nat(account, "eu-west-1", actor.number + step) for step in (0, 1))
    return actor


def human_of(world: World, platform: str, rng: random.Random) -> Actor:
    """A colleague on one platform."""
    while (actor := add(world, "human", rng, planted=True, first_day=0, last_day=world.days)).platform != platform:
        world.actors.pop()
    return actor


def add(world: World, shape: str, rng: random.Random, **fixed: Any) -> Actor:
    """One more identity of a shape. `fixed`: what is not drawn."""
    number = len(world.actors)
    environment = fixed.pop("environment", None) or rng.choices(("prod", "stage", "dev"), (6, 2, 2))[0]
    actor: Actor = MAKERS[shape](number=number, environment=environment, rng=rng)
    actor.owner = rng.choice(TEAMS)
    changes(world, actor, rng)
    for key, value in fixed.items():
        setattr(actor, key, value)
    world.actors.append(actor)
    return actor


def changes(world: World, actor: Actor, rng: random.Random) -> None:
    """What becomes of it in the year: deploys, addresses, failovers, rotations, joining and leaving."""
    days = world.days
    actor.deploys = tuple(sorted(rng.sample(range(days), min(days, rng.choice((0, 2, 4, 6)) if actor.kind != "human" else 0))))
    actor.moves = tuple(sorted(rng.sample(range(days), rng.choice((0, 0, 1, 2)))))
    if len(actor.regions) > 1 and rng.random() < 0.3:
        begin = rng.randrange(20, max(21, days - 10))
        actor.failover = (begin, begin + rng.randrange(1, 6), actor.regions[1])
    joins = rng.random()
    if joins < 0.08 and actor.shape != "cron":
        actor.first_day = rng.randrange(days // 2)
    elif joins < 0.12:
        actor.last_day = rng.randrange(days // 2, days)
    if actor.shape == "cron":
        irregular(world, actor, rng)
    if actor.shape in ("key", "bot", "okta", "app"):
        versions(world, actor, rng)
    if actor.shape == "ai_agent":
        switches = sorted(rng.sample(range(days), 2))
        start = world.start
        actor.about["model"] = partial(passed, start, switches)


def passed(start: float, switches: list[int], time: float) -> int:
    return sum(time >= start + day * DAY for day in switches)


def irregular(world: World, actor: Actor, rng: random.Random) -> None:
    """Weekly, monthly and quarterly jobs, and those that a naive rule calls dormant: idle for over 90 days, after having been so for 40."""
    cadence = actor.about["cadence"] = rng.choices(("weekly", "monthly", "twelve-weeks", "uneven", "quarterly"), (40, 35, 12, 10, 3))[0]
    day, found = rng.randrange(7), []
    while day < world.days:
        found.append(day)
        if cadence == "weekly":
            day += 7
        elif cadence == "monthly":
            day += rng.choice((30, 30, 31))
        elif cadence == "twelve-weeks":
            day += 84
        elif cadence == "quarterly":
            day += rng.choice((91, 92))
        else:
            day += (40, 100, 45, 112)[(len(found) - 1) % 4] + rng.randrange(3)
    actor.days = frozenset(found)


def versions(world: World, actor: Actor, rng: random.Random) -> None:
    """Long-lived credentials, rotated every three months or never."""
    every = rng.choice((85, 90, 0)) if actor.shape != "app" else rng.choice((120, 170, 0))
    begin = world.at(-rng.randrange(1, every or 300))
    limits = [begin]
    while every and limits[-1] + every * DAY < world.end:
        limits.append(limits[-1] + every * DAY + rng.uniform(-2, 2) * DAY)
    actor.about["every"] = every
    actor.versions = [Version(new_id(actor, rng), first, last) for first, last in zip(limits, [*limits[1:], world.end + DAY], strict=True)]


def new_id(actor: Actor, rng: random.Random) -> str:
    """A credential's id, as the platform's log shows it."""
    if actor.platform == "aws":
        return access_key(rng, temporary=False)
    if actor.platform == "github":
        return token_hash(rng)
    return f"00T{letters(rng, 17)}" if actor.platform == "okta" else uuid(rng)


def rows(world: World) -> Iterator[dict[str, Any]]:
    """The inventory's rows of identities; of some that are nobody's there is none."""
    for actor in world.actors:
        if actor.about.get("unlisted"):
            continue
        row: dict[str, Any] = {"identity": actor.uid, "kind": actor.kind, "name": actor.name}
        if actor.owner:
            row |= {"owner": actor.owner, "owner_contact": f"{actor.owner}@acme.example", "owner_confidence": 0.9}
        if actor.kind != "human":
            row |= {"environment": actor.environment, "purpose": actor.purpose}
        if actor.declares:
            row |= {"uses": list(actor.uses)}
            if actor.regions and actor.platform == "aws":
                row["regions"] = list(actor.regions)
            if actor.networks:
                row["networks"] = list(actor.networks)
        if actor.third_party:
            row["third_party"] = True
        yield row
        if actor.shape == "pipeline":  # what begins its sessions is another face of it
            provider = f"arn:aws:iam::{actor.account}:oidc-provider/token.actions.githubusercontent.com"
            yield {**row, "identity": f"{provider}:repo:{actor.about['repository']}:ref:refs/heads/main", "same_as": actor.uid}
