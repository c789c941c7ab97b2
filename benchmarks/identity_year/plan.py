"""What is planted on whom: as many of each kind, each with a twin; and the rotations of everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.identity_year import displaced, ended, rights
from benchmarks.identity_year.actors import Emitted
from benchmarks.identity_year.drawn import seconds
from benchmarks.identity_year.everyday import rotations
from benchmarks.identity_year.scripts import Script, kind_of
from benchmarks.identity_year.world import World

KINDS: dict[str, Callable[[Script], None]] = {**ended.KINDS, **displaced.KINDS, **rights.KINDS}
SCARCE = (
    "stale_generation",
    "human_use",
    "app_scope_widened",
    "app_secret_added",
    "use_after_rotation",
    "dormant_revived",
    "self_issue",
    "environment_crossing",
)
"""Kinds that fit few identities: they choose first."""


def planted(world: World, misuses: int) -> list[Script]:
    """`misuses` of them, the kinds in turn, and a twin of each."""
    kinds = [*SCARCE, *(kind for kind in KINDS if kind not in SCARCE)]
    each = {kind: misuses // len(kinds) + (index < misuses % len(kinds)) for index, kind in enumerate(kinds)}
    found = []
    for kind in kinds:
        for number in range(1, each[kind] + 1):
            for twin in (False, True):
                script = Script(world, kind, number, twin, world.rng("plant", kind, number, twin))
                KINDS[kind](script)
                found.append(script)
    return found


def scheduled(world: World, scripts: list[Script]) -> Iterator[Emitted]:
    """All records that belong to no day of their own."""
    left = frozenset(shown for script in scripts for shown in script.left)
    for script in scripts:
        yield from script.records
    for actor in world.actors:
        if actor.versions:
            yield from rotations(world, actor, world.rotators.get(actor.account or actor.platform), left=left)


def credentials(world: World) -> Iterator[dict[str, Any]]:
    """The inventory's rows of credentials: those that live long."""
    yield from world.credentials
    for actor in world.actors:
        if actor.about.get("unlisted"):
            continue
        for version in actor.versions:
            row: dict[str, Any] = {"credential": version.shown, "identity": actor.uid, "credential_kind": kind_of(actor)}
            if actor.about.get("every"):
                row["rotate_every"] = f"{actor.about['every'] + 10}d"
            if actor.number % 5 == 0 and actor.about.get("every") and version is not actor.versions[-1]:
                row["expires"] = seconds(version.end + 14 * 86_400)
            if actor.about.get("canary"):
                row["canary"] = True
            yield row


def churn(world: World) -> Iterator[dict[str, Any]]:
    """What looks like misuse here and there, and is none: one line for each class, with how often, and with whom."""
    days = world.days
    classes: dict[str, Counter[str]] = {}
    for actor in world.actors:
        for kind, number in (
            ("deploy", len([day for day in actor.deploys if actor.acts_on(day) or actor.shape not in ("cron",)])),
            ("address_change", len(actor.moves)),
            ("failover_to_declared_region", int(actor.failover is not None)), ("rotation", max(0, len(actor.versions) - 1)),
            ("model_change", 2 * (actor.shape == "ai_agent")), ("new_identity", int(0 < actor.first_day < days)),
            ("offboarding", int(0 <= actor.last_day < days)),
            (f"rare_job_{actor.about.get('cadence')}", len(actor.days) if actor.shape == "cron" and not actor.planted else 0),
            ("on_call_human", int(actor.shape == "human")), ("hosted_runner", int(actor.shape == "pipeline")),
            ("autoscaling", int(actor.shape in ("service", "pod"))),
        ):  # fmt: skip
            if number:
                classes.setdefault(kind, Counter())[actor.uid] += number
    for kind, who in sorted(classes.items()):
        yield {
            "id": f"c-{kind}",
            "what": "churn",
            "kind": kind,
            "number": sum(who.values()),
            "identities": len(who),
            "some": sorted(who)[:5],
        }
