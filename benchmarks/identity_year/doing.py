"""An act written down by its platform, with what the act leaves open as the actor has it."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

from benchmarks.identity_year import aws, kubernetes, saas
from benchmarks.identity_year.actors import DAY, Act, Actor, Emitted, Operation
from benchmarks.identity_year.drawn import access_key, address, browser, letters, seconds, uuid
from benchmarks.identity_year.places import OFFICE, nat
from benchmarks.identity_year.world import World

WRITERS = {"aws": aws.record, "kubernetes": kubernetes.record, "github": saas.github, "okta": saas.okta, "entra": saas.entra}


def day_of(world: World, time: float) -> int:
    return int((time - world.start) // DAY)


def agent_of(world: World, actor: Actor, time: float) -> str:
    """The user agent: a deploy raises the patch, every third the minor version."""
    number = actor.deployed(day_of(world, time))
    return actor.agent.format(minor=actor.about["minor"] + number // 3, patch=number)


def address_of(world: World, actor: Actor, time: float, rng: random.Random) -> str:
    """An address in the networks of the actor, a steady one for each stretch between two moves."""
    day = day_of(world, time)
    if actor.platform == "aws" and actor.shape not in ("human", "pipeline"):
        moved = sum(move <= day for move in actor.moves)
        network = nat(actor.account, actor.region_on(day), actor.number + moved % 2)
        if not actor.declares and moved:
            network = nat(actor.account, actor.region_on(day), actor.number + 2)
        return steady_address(world.seed, actor.number, moved, rng.randrange(3), network)
    if actor.shape == "human":
        home = f"86.{40 + actor.number % 60}.{actor.number % 250}.0/24"
        return address(rng, OFFICE if rng.random() < 0.7 else home)
    if actor.shape == "pipeline":
        return f"{rng.choice((4, 13, 20, 40, 52, 64, 74, 104))}.{rng.randrange(1, 250)}.{rng.randrange(250)}.{rng.randrange(2, 250)}"
    if actor.platform == "kubernetes":
        return f"10.40.{rng.randrange(8)}.{actor.number % 250 + 2}"
    moved = sum(move <= day for move in actor.moves)
    return steady_address(world.seed, actor.number, moved, 0, actor.networks[moved % len(actor.networks)])


@lru_cache(20_000)
def steady_address(seed: int, number: int, moved: int, machine: int, network: str) -> str:
    """The address of one machine between two moves."""
    return address(random.Random(f"{seed}/address/{number}/{moved}/{machine}"), network)


def do(world: World, actor: Actor, time: float, rng: random.Random, operation: Operation | None = None, **more: Any) -> Emitted:
    """One act. `more`: fields of `Act` that are other than usual."""
    day = day_of(world, time)
    chosen = operation or rng.choice(actor.operations_on(day))
    more.setdefault("ip", address_of(world, actor, time, rng))
    if not more.get("agent"):
        more["agent"] = browser(rng) if actor.agent == "browser" else agent_of(world, actor, time)
    more.setdefault("region", actor.region_on(day))
    if actor.shape == "human":
        more.setdefault("interactive", True)
    if actor.versions:
        more.setdefault("credential", actor.version_at(time))
    act = Act(time, actor, chosen, **more)
    if actor.platform == "aws" and act.parameters is None:
        asked, target = aws.parameters(act, rng)
        act = act._replace(parameters=asked, target=act.target or target)
    if actor.platform == "aws" and not act.credential and chosen[1] != "ConsoleLogin":
        act = act._replace(credential=access_key(rng, temporary=True), session=act.session or f"i-0{rng.getrandbits(64):016x}")
    return WRITERS[actor.platform](act, rng)


def told(time: float, kind: str, rng: random.Random, **fields: Any) -> Emitted:
    """A line of the lifecycle, whose clock is up to two minutes off."""
    shown = time + rng.uniform(-120, 120)
    native = f"lc-{letters(rng, 16)}"
    for key in ("expires",):
        if key in fields:
            fields[key] = seconds(fields[key])
    return Emitted(shown, "lifecycle", native, {"id": native, "time": seconds(shown), "kind": kind, **fields})


def begun(world: World, actor: Actor, time: float, rng: random.Random, hours: float = 6.0) -> tuple[dict[str, Any], list[Emitted]]:
    """A run of it: a session of a role, a pipeline's run, a pod's token. What its acts have in common, and the records of its beginning."""
    day = day_of(world, time)
    common: dict[str, Any]
    if actor.platform == "kubernetes":
        node = f"ip-10-40-{rng.randrange(8)}-{actor.number % 250 + 2}.eu-west-1.compute.internal"
        ip = node.split(".", maxsplit=1)[0][3:].replace("-", ".")
        common = {"credential": uuid(rng), "session": f"{actor.name}-{letters(rng, 5).lower()}", "workload": uuid(rng), "ip": ip}
        act = Act(time, actor, ("core", "create/serviceaccounts/token"), **common)
        return common, [kubernetes.token(act, rng, node)]
    if actor.platform != "aws":
        return {"ip": address_of(world, actor, time, rng)}, []
    if ":user/" in actor.uid:
        return {"ip": address_of(world, actor, time, rng), "region": actor.region_on(day)}, []
    key = access_key(rng, temporary=True)
    common = {"credential": key, "region": actor.region_on(day), "ip": address_of(world, actor, time, rng)}
    if actor.shape == "pipeline":
        common["session"] = f"GitHubActions-{rng.randrange(10**9, 10**10)}"
        act = Act(time, actor, ("sts", "AssumeRoleWithWebIdentity"), agent=agent_of(world, actor, time), **common)
        return common, [aws.federated(act, rng, key, time + 3600, actor.about["repository"])]
    common["session"] = f"i-0{rng.getrandbits(64):016x}"
    act = Act(time, actor, ("sts", "AssumeRole"), **common)
    return common, [
        aws.assumed(act, rng, key, time + hours * 3600, "ec2.amazonaws.com" if actor.shape != "cron" else "ecs-tasks.amazonaws.com")
    ]
