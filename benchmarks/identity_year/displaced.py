"""Misuse in the wrong place: environments, holders, purposes, regions, networks, people, shared credentials, nobody's identities."""

from __future__ import annotations

from typing import Any

from benchmarks.identity_year.actors import DAY, HOUR, MINUTE, Actor, Operation
from benchmarks.identity_year.doing import address_of, begun
from benchmarks.identity_year.drawn import address, browser, strange_agent, stranger
from benchmarks.identity_year.places import ENVIRONMENTS, REGIONS
from benchmarks.identity_year.scripts import Script, lasting

ODD: dict[str, tuple[Operation, ...]] = {
    "aws": (("rds", "DescribeDBInstances"), ("kms", "Decrypt"), ("organizations", "ListAccounts"), ("lambda", "Invoke"),
    ("ses", "SendEmail")),
    "kubernetes": (("core", "get/secrets"), ("batch", "create/jobs"), ("core", "create/pods/exec")),
    "github": (("github", "repo.download_zip"), ("github", "org.add_member"), ("github", "repo.access")),
    "okta": (("okta", "system.api_token.create"), ("okta", "user.account.privilege.grant")),
    "entra": (("entra", "Add member to group"), ("entra", "Update user")),
}  # fmt: skip
INSIDE: dict[str, tuple[str, ...]] = {
    "s3": ("GetBucketLocation", "GetObjectTagging"), "dynamodb": ("BatchGetItem", "DescribeTimeToLive"), "sqs": ("GetQueueUrl",),
    "ssm": ("DescribeInstanceInformation",),
    "logs": ("DescribeLogStreams",), "ec2": ("DescribeTags",), "ecr": ("DescribeImages",), "bedrock": ("ListFoundationModels",),
    "github": ("git.push", "git.fetch"),
    "okta": ("group.user_membership.remove",),
}  # fmt: skip


def running(script: Script, time: float) -> dict[str, Any]:
    """The actor runs at that time, as it always does."""
    common, records = begun(script.world, script.actor, time - 20 * MINUTE, script.rng)
    script.keep_all(records)
    script.credential = common.get("credential", "") or script.actor.version_at(time)
    return common


def runs_in_aws(actor: Actor) -> bool:
    return actor.platform == "aws" and actor.shape in ("service", "key", "cron", "ai_agent")


def environment_crossing(script: Script) -> None:
    script.expected = ("ENV_CROSSING",)
    rng, time = script.rng, script.when()
    if not script.twin and rng.random() < 0.25:
        script.take(lambda one: one.shape == "bot" and one.environment == "dev")
        common = running(script, time)
        for step in range(rng.randrange(1, 4)):
            script.use(time + step * MINUTE, cite=True, account=ENVIRONMENTS["prod"]["orgs"][0], **common)
        return
    script.take(lambda one: runs_in_aws(one) and one.environment in (("dev",) if script.twin else ("dev", "stage")))
    common = running(script, time)
    target = "stage" if script.twin else "prod"
    script.differs = "dev to stage is a declared edge" if script.twin else ""
    account = rng.choice(ENVIRONMENTS[target]["accounts"])
    for step in range(rng.randrange(1, 4)):
        script.use(time + step * MINUTE, cite=True, account=account, **common)


def two_holders(script: Script) -> None:
    """The owner and a thief use one credential in turns, minutes apart. The twin's are one network, or one program."""
    script.expected = ("CONCURRENT_HOLDERS",)
    rng, time = script.rng, script.when()
    actor = script.take(lambda one: one.shape in ("key", "bot", "okta", "service") and (not script.twin or len(one.networks) > 1))
    common = running(script, time)
    thief: dict[str, Any] = {**common, "ip": stranger(rng), "agent": strange_agent(rng)}
    if script.twin:
        same_place = rng.random() < 0.5
        script.differs = "two programs, in one network" if same_place else "two networks, both declared, and one program"
        thief = {**common, "agent": strange_agent(rng)} if same_place else {**common, "ip": address(rng, actor.networks[1])}
        common["ip"] = common["ip"] if same_place else address(rng, actor.networks[0])
    for step in range(rng.randrange(2, 5)):
        script.use(time + step * 5 * MINUTE, **common)
        script.use(time + step * 5 * MINUTE + 90 + rng.random() * 60, cite=True, **thief)


def outside_purpose(script: Script) -> None:
    script.expected = ("OUT_OF_PURPOSE_USE",)
    rng, time = script.rng, script.when()
    if script.twin:
        actor = script.take(lambda one: one.declares and (runs_in_aws(one) or one.shape in ("bot", "okta")))
        service = rng.choice([name.partition(":")[0] for name in actor.uses])
        chosen: Operation = (service, rng.choice(INSIDE[service]))
        script.differs = "it was never done before, but is declared"
    else:
        actor = script.take(lambda one: one.declares and (runs_in_aws(one) or one.shape in ("pod", "bot", "okta", "app")))
        chosen = rng.choice(ODD[actor.platform])
    common = running(script, time)
    for step in range(rng.randrange(1, 4)):
        script.use(time + step * 40, chosen, cite=True, **common)


def outside_regions(script: Script) -> None:
    script.expected = ("OUT_OF_REGION_USE",)
    rng, time = script.rng, script.when()
    actor = script.take(lambda one: runs_in_aws(one) and one.declares and (not script.twin or len(one.regions) > 1))
    common = running(script, time)
    common["region"] = (
        actor.regions[1]
        if script.twin
        else rng.choice([name for name in (*REGIONS, "ap-southeast-1", "sa-east-1") if name not in actor.regions])
    )
    script.differs = "the region is declared, though new to it" if script.twin else ""
    for step in range(rng.randrange(1, 4)):
        script.use(time + step * 40, cite=True, **common)


def outside_networks(script: Script) -> None:
    script.expected = ("OUT_OF_NETWORK_USE",)
    rng, time = script.rng, script.when()
    actor = script.take(lambda one: one.declares and bool(one.networks) and one.shape not in ("human", "pipeline"))
    common = running(script, time)
    common["ip"] = address(rng, rng.choice(actor.networks)) if script.twin else stranger(rng)
    script.differs = "the address is new, in a declared network" if script.twin else ""
    for step in range(rng.randrange(1, 4)):
        script.use(time + step * 40, cite=True, **common)


def unowned_active(script: Script) -> None:
    """Nobody's identity acts. The twin's has an owner six hours after its first act."""
    script.expected = ("UNOWNED_ACTIVE",)
    rng, time = script.rng, script.when()
    actor = script.newcomer(rng.choice(("service", "key", "pod", "bot", "app")), environment=rng.choice(("prod", "stage", "dev")))
    if actor.versions:
        actor.versions = actor.versions[:1]
        actor.versions[0].start = time - HOUR
    if script.twin:
        script.differs = "it has an owner six hours after its first act"
        script.tell(time + 6 * HOUR, "owner_changed", identity=actor.uid, by=actor.owner, reason=f"owned by {actor.owner}")
    else:
        actor.owner = ""
        actor.about["unlisted"] = rng.random() < 0.5
    for _ in range(rng.randrange(1, 4)):
        common = running(script, time + 21 * MINUTE)
        for step in range(rng.randrange(1, 4)):
            script.use(time + 22 * MINUTE + step * 50, cite=True, **common)
        time += rng.uniform(2, 40) * HOUR


def human_use(script: Script) -> None:
    """A person at a browser uses what machines are for, from the machines' own network. The twin's is a person's own account, at night."""
    script.expected = ("HUMAN_USE",)
    rng, time = script.rng, script.when()
    if script.twin:
        actor = script.take(lambda one: one.shape == "human" and one.platform in ("aws", "okta", "github"))
        script.differs = "the identity is a person's"
    else:
        actor = script.take(lambda one: one.shape in ("key", "service", "bot", "okta"))
    common = running(script, time) if actor.shape != "human" else {"ip": address_of(script.world, actor, time, rng)}
    common |= {"agent": browser(rng), "interactive": True}
    for step in range(rng.randrange(1, 5)):
        script.use(time + step * 70, cite=True, **common)


def shared_credential(script: Script) -> None:
    """Two workloads hold one credential at once: bound to both, or in the runs of two repositories. The twin's have it in turn."""
    script.expected = ("SHARED_CREDENTIAL",)
    rng, time = script.rng, script.when()
    actor = script.take(lasting)
    runs = actor.platform == "github" and rng.random() < 0.6
    shown = script.another_credential(time - 20 * DAY)
    names = (
        [str(rng.randrange(10**9, 10**10)) for _ in range(2)]
        if runs
        else [f"host/{actor.name.replace(' ', '-')}-{letter}" for letter in "ab"]
    )
    script.differs = "one after the other" if script.twin else ""
    order = (0, 0, 1, 1) if script.twin else (0, 1, 0, 1)
    spread = 2 * HOUR if not runs else 3 * MINUTE
    if not runs:
        script.tell(time, "bound", credential=shown, identity=actor.uid, workload=names[0])
        if script.twin:
            script.tell(time + 1.5 * spread + 30 * MINUTE, "job_ended", workload=names[0])
        script.tell(
            time + (0.5 if not script.twin else 1.5) * spread + 40 * MINUTE,
            "bound",
            cite=True,
            credential=shown,
            identity=actor.uid,
            workload=names[1],
        )
    for step, which in enumerate(order):
        more: dict[str, Any] = {"workload": names[which], "target": f"{actor.account}/{actor.about['store']}-{which}"} if runs else {}
        script.use(time + 5 * MINUTE + step * spread, credential=shown, cite=runs or not script.twin, **more)


KINDS = {
    "environment_crossing": environment_crossing, "two_holders": two_holders, "outside_purpose": outside_purpose,
    "outside_regions": outside_regions,
    "outside_networks": outside_networks, "unowned_active": unowned_active, "human_use": human_use, "shared_credential": shared_credential,
}  # fmt: skip
