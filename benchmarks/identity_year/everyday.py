"""What everybody does on a day like any other, deploys, rotations, failovers and on-call nights among it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from benchmarks.identity_year.actors import DAY, HOUR, MINUTE, Actor, Emitted, Version
from benchmarks.identity_year.doing import begun, do, told
from benchmarks.identity_year.drawn import access_key, created, letters, poisson, uuid
from benchmarks.identity_year.world import World

RENEWING = 1_000_000  # the first number that stands in names of instances


def a_day(world: World, actor: Actor, day: int) -> Iterator[Emitted]:
    """All that one identity does on one day, in no order."""
    if not actor.acts_on(day):
        return
    rng = world.rng("day", actor.number, day)
    if actor.renews and day % actor.renews == 0:
        yield renewed(world, actor, day, rng)
    if actor.shape == "human":
        yield from human(world, actor, day, rng)
    elif actor.shape == "pipeline":
        yield from pipeline(world, actor, day, rng)
    elif actor.shape == "pod":
        yield from pod(world, actor, day, rng)
    elif actor.shape in ("key", "bot", "okta", "app"):
        yield from steady(world, actor, day, rng)
    else:
        yield from sessions(world, actor, day, rng)


def times(begin: float, length: float, number: int, rng: random.Random) -> list[float]:
    return [begin + rng.random() * length for _ in range(number)]


def sessions(world: World, actor: Actor, day: int, rng: random.Random) -> Iterator[Emitted]:
    """A role behind one to three machines, each with a session of its own, for six hours at the most."""
    machines = 1 if actor.shape == "cron" else 1 + min(2, poisson(rng, 0.2 * actor.rate))
    for _ in range(machines):
        begin = world.at(day) + rng.random() * 17.9 * HOUR
        common, records = begun(world, actor, begin, rng)
        yield from records
        for time in times(
            begin + 5, 5.5 * HOUR if actor.shape != "cron" else 20 * MINUTE, 1 + poisson(rng, 0.8 * actor.rate * world.load), rng
        ):
            yield do(world, actor, time, rng, **common)


def steady(world: World, actor: Actor, day: int, rng: random.Random) -> Iterator[Emitted]:
    """A long-lived credential at work; for two hours before a rotation the new one is tried out; two minutes after it the old one ends."""
    for time in times(world.at(day), DAY, 1 + poisson(rng, actor.rate * world.load), rng):
        later = [version for version in actor.versions[1:] if time < version.start <= time + 2 * HOUR]
        before = [old for old, new in zip(actor.versions, actor.versions[1:], strict=False) if new.start <= time < new.start + 2 * MINUTE]
        chosen = (later or before)[0].shown if (later or before) and rng.random() < 0.5 else actor.version_at(time)
        yield do(world, actor, time, rng, credential=chosen)


def pipeline(world: World, actor: Actor, day: int, rng: random.Random) -> Iterator[Emitted]:
    """Runs on hosted runners: another address for each, a session for an hour at the most, and the end of the run."""
    for _ in range(poisson(rng, 0.45 * actor.rate)):
        begin = world.at(day) + rng.random() * (DAY - HOUR)
        yield from a_run(
            world, actor, begin, 3 * MINUTE + rng.random() * 20 * MINUTE, number=1 + poisson(rng, actor.rate * world.load), rng=rng
        )[0]


def a_run(
    world: World, actor: Actor, begin: float, length: float, *, number: int, rng: random.Random
) -> tuple[list[Emitted], dict[str, Any]]:
    """One run, and what its acts have in common, `workload` apart."""
    run = str(rng.randrange(10**9, 10**10))
    common, records = begun(world, actor, begin, rng)
    if actor.told:
        records.append(told(begin, "job_started", rng, identity=actor.uid, workload=f"run/{run}"))
        records.append(told(begin + 5, "bound", rng, credential=common["credential"], identity=actor.uid, workload=f"run/{run}"))
        records.append(told(begin + length, "job_ended", rng, workload=f"run/{run}", reason="completed"))
    records += [do(world, actor, time, rng, **common) for time in times(begin + 10, length - 10, number, rng)]
    return records, {**common, "run": f"run/{run}"}


def pod(world: World, actor: Actor, day: int, rng: random.Random) -> Iterator[Emitted]:
    """A pod that lives for some days, with a token for an hour at a time."""
    life = 2 + actor.number % 9
    which = world.rng("pod", actor.number, day // life)
    workload, session = uuid(which), f"{actor.name}-{letters(which, 5).lower()}"
    for begin in times(world.at(day), 22 * HOUR, 1 + min(1, poisson(rng, 0.2 * actor.rate)), rng):
        common, records = begun(world, actor, begin, rng)
        common |= {"workload": workload, "session": session}
        yield from records
        if actor.told:
            yield told(
                begin,
                "bound",
                rng,
                credential=common["credential"],
                identity=actor.uid,
                workload=f"pod:{actor.account}/{actor.about['namespace']}/{session}",
            )
        for time in times(begin + 1, 55 * MINUTE, 1 + poisson(rng, 0.7 * actor.rate * world.load), rng):
            yield do(world, actor, time, rng, **common)
    if actor.told and (day + 1) % life == 0:
        yield told(
            world.at(day) + 23.5 * HOUR,
            "job_ended",
            rng,
            workload=f"pod:{actor.account}/{actor.about['namespace']}/{session}",
            reason="pod deleted",
        )


def human(world: World, actor: Actor, day: int, rng: random.Random) -> Iterator[Emitted]:
    """Working days, and a week of nights on call every six weeks."""
    on_call = (day // 7 + actor.number) % 6 == 0
    if day % 7 > 4 and not on_call:
        return
    hour = rng.uniform(0, 23) if on_call and rng.random() < 0.4 else rng.uniform(8, 16)
    begin = world.at(day) + hour * HOUR
    common: dict[str, Any] = {}
    if actor.platform == "aws":
        common = {"credential": access_key(rng, temporary=True), "ip": begun(world, actor, begin, rng)[0]["ip"]}
        yield do(world, actor, begin, rng, ("signin", "ConsoleLogin"), ip=common["ip"], response={"ConsoleLogin": "Success"}, parameters={})
    for time in times(begin + 30, 0.9 * HOUR, 1 + poisson(rng, actor.rate * world.load), rng):
        yield do(world, actor, time, rng, **common)


def renewed(world: World, actor: Actor, day: int, rng: random.Random) -> Emitted:
    """A short certificate is renewed: who shows the last generation gets the next."""
    number = day // actor.renews + 1
    fields = {
        "credential": f"instance-{RENEWING + actor.number}",
        "identity": actor.uid,
        "generation": number + 1,
        "presented_generation": number,
    }
    return told(world.at(day) + 6 * HOUR + actor.number, "renewed", rng, **fields)


def rotations(world: World, actor: Actor, rotator: Actor | None, *, left: frozenset[str]) -> Iterator[Emitted]:
    """The issuance of long-lived credentials and their rotations. `left`: old versions that nobody switches off."""
    rng = world.rng("rotations", actor.number)
    for number, version in enumerate(actor.versions):
        by = {"by": rotator.uid} if rotator and not actor.third_party else {}
        if number == 0:
            yield told(version.start, "issued", rng, credential=version.shown, identity=actor.uid, **by)
            continue
        if not world.start + 3 * HOUR < version.start < world.end - HOUR:
            continue
        yield from one_rotation(
            world, actor, rotator, actor.versions[number - 1], version, rng=rng, leave=actor.versions[number - 1].shown in left
        )


def one_rotation(
    world: World, actor: Actor, rotator: Actor | None, old: Version, new: Version, *, rng: random.Random, leave: bool
) -> Iterator[Emitted]:
    made = new.start - 2 * HOUR - 5 * MINUTE
    by = {"by": rotator.uid} if rotator and not actor.third_party else {}
    yield told(made, "issued", rng, credential=new.shown, identity=actor.uid, **by)
    yield told(new.start, "rotated", rng, credential=new.shown, supersedes=old.shown, identity=actor.uid, **by)
    if rotator and actor.platform == "aws":
        common, records = begun(world, rotator, made - MINUTE, rng)
        yield from records
        response = {"accessKey": {"userName": actor.name, "status": "Active", "accessKeyId": new.shown, "createDate": created(made)}}
        yield do(world, rotator, made, rng, ("iam", "CreateAccessKey"), parameters={"userName": actor.name}, response=response, **common)
        if not leave:
            off = {"userName": actor.name, "status": "Inactive", "accessKeyId": old.shown}
            yield do(world, rotator, new.start + 10 * MINUTE, rng, ("iam", "UpdateAccessKey"), parameters=off, **common)
            if new.start + 7 * DAY < world.end:
                common, records = begun(world, rotator, new.start + 7 * DAY, rng)
                yield from records
                gone = {"userName": actor.name, "accessKeyId": old.shown}
                yield do(world, rotator, new.start + 7 * DAY + MINUTE, rng, ("iam", "DeleteAccessKey"), parameters=gone, **common)
    if rotator and actor.platform == "entra" and not actor.third_party:
        yield do(world, rotator, made, rng, ("entra", "Add service principal credentials"), parameters=secret_added(actor, new.shown))


def secret_added(actor: Actor, key: str) -> dict[str, object]:
    """What Entra's audit log shows of a new secret."""
    text = f'["[KeyIdentifier={key},KeyType=Password,KeyUsage=Verify,DisplayName=rotation]"]'
    return {
        "id": actor.about["principal"], "displayName": actor.name, "type": "ServicePrincipal",
        "modifiedProperties": [{"displayName": "KeyDescription", "oldValue": "[]", "newValue": text}], "administrativeUnits": [],
    }  # fmt: skip
