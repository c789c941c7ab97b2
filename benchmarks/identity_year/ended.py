"""Misuse of what should have ended: after revocation, rotation, job end, expiry; dormant and revived; stale generations."""

from __future__ import annotations

from typing import Any

from benchmarks.identity_year.actors import DAY, HOUR, MINUTE, Emitted
from benchmarks.identity_year.doing import begun
from benchmarks.identity_year.drawn import seconds
from benchmarks.identity_year.everyday import a_run, renewed
from benchmarks.identity_year.scripts import Script, lasting


def late_uses(script: Script, ended: float, shown: str, longest: float = 30 * DAY) -> None:
    """The use after the end: somewhere between ten minutes and `longest` after it. The twin's is denied, or inside two minutes."""
    rng, actor = script.rng, script.actor
    if script.twin and (actor.platform == "github" or rng.random() < 0.5):
        script.differs = "the use is inside the grace of five minutes"
        script.use(ended + rng.uniform(5, 120), credential=shown, cite=True)
        return
    first = ended + rng.choice((rng.uniform(12 * MINUTE, 2 * HOUR), rng.uniform(2 * HOUR, longest)))
    first = min(first, script.world.end - HOUR)
    script.differs = "the platform denied the use" if script.twin else ""
    for step in range(rng.randrange(1, 4)):
        script.use(first + step * 7 * MINUTE, credential=shown, cite=True, outcome="denied" if script.twin else "success")


def lived(script: Script, since: float, until: float, shown: str) -> None:
    """It was in honest use before."""
    for _ in range(4):
        script.use(script.rng.uniform(max(since, script.world.start) + MINUTE, until - MINUTE), credential=shown)


def after_revocation(script: Script) -> None:
    script.expected = ("POST_REVOCATION_USE",)
    script.take(lasting)
    ended = script.when(0.2, 0.85)
    shown = script.another_credential(ended - 40 * DAY)
    lived(script, ended - 39 * DAY, ended, shown)
    rotator = script.world.rotators.get(script.actor.account) if script.actor.platform == "aws" else None
    if rotator and script.rng.random() < 0.5:
        common, records = begun(script.world, rotator, ended - MINUTE, script.rng)
        script.keep_all(records)
        name = script.rng.choice(("UpdateAccessKey", "DeleteAccessKey"))
        asked = {"userName": script.actor.name, **({"status": "Inactive"} if name == "UpdateAccessKey" else {}), "accessKeyId": shown}
        script.use(ended, ("iam", name), by=rotator, parameters=asked, **common)
    else:
        script.tell(ended, "revoked", credential=shown, identity=script.actor.uid, reason="lease revoked")
    late_uses(script, ended, shown)


def after_rotation(script: Script) -> None:
    script.expected = ("POST_ROTATION_USE",)
    world = script.world
    actor = script.take(
        lambda one: lasting(one) and any(world.at(8) < version.start < world.end - 15 * DAY for version in one.versions[1:])
    )
    number = next(index for index, version in enumerate(actor.versions) if index and version.start > world.at(8))
    old = actor.versions[number - 1]
    script.credential = old.shown
    script.left.append(old.shown)
    late_uses(script, old.end, old.shown, 10 * DAY)


def after_job_end(script: Script) -> None:
    script.expected = ("POST_JOB_USE",)
    rng, world = script.rng, script.world
    begin = script.when()
    actor = script.take(lambda one: one.shape in ("pipeline", "pod"))
    if actor.shape == "pipeline":
        was, actor.told = actor.told, True
        length = rng.uniform(4, 20) * MINUTE
        records, common = a_run(world, actor, begin, length, number=3, rng=rng)
        actor.told = was
        script.keep_all(records)
        common.pop("run")
    else:
        length = rng.uniform(5, 30) * MINUTE
        common, records = begun(world, actor, begin, rng)
        script.keep_all(records)
        pod: dict[str, Any] = {
            "credential": common["credential"],
            "workload": f"pod:{actor.account}/{actor.about['namespace']}/{common['session']}",
        }
        script.tell(begin, "bound", identity=actor.uid, **pod)
        for _ in range(3):
            script.use(begin + rng.uniform(1, length), **common)
        script.tell(begin + length, "job_ended", workload=pod["workload"], reason="pod deleted")
    script.credential = common["credential"]
    end = begin + length
    if script.twin and rng.random() < 0.5:
        script.differs = "the use is inside the grace of five minutes"
        script.use(end + rng.uniform(2, 100), cite=True, **common)
        return
    outcome = "denied" if script.twin else "success"
    script.differs = "the platform denied the use" if script.twin else ""
    for step in range(rng.randrange(1, 4)):
        script.use(end + rng.uniform(8, 20) * MINUTE + step * MINUTE, cite=True, outcome=outcome, **common)


def after_expiry(script: Script) -> None:
    script.expected = ("EXPIRED_ACCEPTED",)
    script.take(lasting)
    ended = float(int(script.when(0.2, 0.85)))
    shown = script.another_credential(ended - 30 * DAY, expires=seconds(ended))
    lived(script, ended - 29 * DAY, ended, shown)
    late_uses(script, ended, shown)


def revived(script: Script) -> None:
    """Idle for more than 90 days; the twin's last gap was long too, so that a third of this one was usual for it."""
    script.expected = ("REVIVED",)
    rng, world = script.rng, script.world
    if script.twin:
        actor = script.take(lambda one: one.shape == "cron")
        first = rng.randrange(0, max(1, world.days - 155))
        gap = rng.randrange(40, 45)
        day = first + gap + rng.randrange(95, 108)
        actor.days = frozenset((first, first + gap, min(day, world.days - 2)))
        script.differs = "it was idle for 40 days before, a third of this and more"
        actor.last_day = day - 1
        day = min(day, world.days - 2)
    else:
        actor = script.take(lambda one: one.shape in ("service", "key", "bot", "okta", "app") and one.every == 1)
        idle = rng.randrange(96, min(200, world.days - 45))
        last = rng.randrange(30, world.days - idle - 8)
        day = last + idle
        actor.last_day = last
    common, records = begun(world, actor, world.at(day) + 9 * HOUR, rng)
    script.keep_all(records)
    for step in range(rng.randrange(1, 5)):
        script.use(world.at(day) + 9 * HOUR + 5 + step * 3 * MINUTE, cite=True, **common)


def stale_generation(script: Script) -> None:
    """A copy of a renewable credential is shown: its counter is an older one. The twin's is the same renewal, told twice."""
    script.expected = ("GENERATION_MISMATCH",)
    rng, world = script.rng, script.world
    actor = script.take(lambda one: one.renews > 0)
    number = rng.randrange(5, (world.days - 3) // actor.renews)
    day = number * actor.renews
    again: Emitted = renewed(world, actor, day, world.rng("day", actor.number, day))
    script.credential = again.record["credential"]
    if script.twin:
        script.differs = "the same renewal was delivered twice"
        script.keep(again, cite=True)
        return
    reached = number + 2
    shown = reached - rng.randrange(1, 4)
    time = world.at(day) + rng.uniform(8, 22) * HOUR
    script.tell(
        time, "renewed", cite=True, credential=script.credential, identity=actor.uid, generation=reached, presented_generation=shown
    )


KINDS = {
    "use_after_revocation": after_revocation, "use_after_rotation": after_rotation, "use_after_job_end": after_job_end,
    "use_after_expiry": after_expiry,
    "dormant_revived": revived, "stale_generation": stale_generation,
}  # fmt: skip
