"""The company: its environments, accounts, networks, teams, and its identities with their habits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.identity_year.actors import DAY, Actor, Operation, Version
from benchmarks.identity_year.drawn import BASE32, access_key, letters, token_hash, uuid

ENVIRONMENTS = {
    "prod": {"accounts": ["111122223333", "111122224444", "111122225555"], "clusters": ["eks-prod"], "orgs": ["acme"]},
    "stage": {"accounts": ["222233334444", "222233335555"], "clusters": ["eks-stage"], "orgs": []},
    "dev": {"accounts": ["333344445555", "333344446666", "333344447777"], "clusters": ["eks-dev"], "orgs": ["acme-sandbox"]},
}
EDGES = [["dev", "stage"]]
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2")
TEAMS = [
    f"team-{name}"
    for name in ("payments", "search", "orders", "identity", "platform", "data", "ml", "support", "web", "mobile", "billing", "ops")
]
OFFICE = "198.51.100.0/24"
NODES = "10.40.0.0/16"
MODELS = (
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "anthropic.claude-3-7-sonnet-20250219-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "amazon.nova-pro-v1:0",
)

AWS_WORK: tuple[tuple[Operation, ...], ...] = (
    (("s3", "GetObject"), ("s3", "PutObject"), ("s3", "ListObjects"), ("s3", "HeadObject"), ("s3", "DeleteObject"), ("s3", "ListBuckets")),
    (("dynamodb", "GetItem"), ("dynamodb", "PutItem"), ("dynamodb", "Query"), ("dynamodb", "DescribeTable"), ("dynamodb", "UpdateItem")),
    (("sqs", "ReceiveMessage"), ("sqs", "DeleteMessage"), ("sqs", "SendMessage"), ("sqs", "GetQueueAttributes"), ("sqs", "ListQueues")),
    (("ssm", "GetParameter"), ("ssm", "DescribeParameters"), ("ssm", "GetParametersByPath")),
    (("logs", "PutLogEvents"), ("logs", "CreateLogStream"), ("logs", "DescribeLogGroups")),
    (
        ("ec2", "DescribeInstances"),
        ("ec2", "DescribeVolumes"),
        ("ec2", "CreateSnapshot"),
        ("ec2", "CreateTags"),
        ("ec2", "DescribeSnapshots"),
    ),
    (("ecr", "GetAuthorizationToken"), ("ecr", "PutImage"), ("ecr", "BatchGetImage"), ("ecr", "DescribeRepositories")),
)
KUBERNETES_WORK: tuple[Operation, ...] = (
    ("core", "get/configmaps"), ("core", "list/pods"), ("core", "watch/pods"), ("coordination.k8s.io", "update/leases"),
    ("core", "list/services"),
    ("apps", "list/deployments"), ("core", "get/pods"), ("core", "list/endpoints"), ("core", "create/events"),
    ("apps", "watch/deployments"),
)  # fmt: skip
GITHUB_WORK: tuple[Operation, ...] = (
    ("github", "git.clone"), ("github", "git.fetch"), ("github", "git.push"), ("github", "pull_request.create"),
    ("github", "pull_request.merge"),
    ("github", "workflows.created_workflow_run"),
)  # fmt: skip
OKTA_WORK: tuple[Operation, ...] = (
    ("okta", "group.user_membership.add"), ("okta", "application.user_membership.add"), ("okta", "user.account.update_profile"),
    ("okta", "user.lifecycle.create"),
)  # fmt: skip
ENTRA_RESOURCES = (
    "Microsoft Graph",
    "Azure Storage",
    "Azure Key Vault",
    "Office 365 SharePoint Online",
    "Windows Azure Service Management API",
)
AWS_AGENTS = (
    "Boto3/1.{minor}.{patch} md/Botocore#1.{minor}.{patch} ua/2.0 os/linux#5.10 lang/python#3.11.9 Botocore/1.{minor}.{patch}",
    "aws-sdk-go-v2/1.{minor}.{patch} os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64",
    "aws-sdk-java/2.{minor}.{patch} Linux/5.10 OpenJDK_64-Bit_Server_VM/21 Java/21 vendor/Amazon",
    "aws-sdk-js/3.{minor}.{patch} ua/2.0 os/linux#5.10 lang/js md/nodejs#20.15.0",
)
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
        uses=("entra:Sign-in*", "entra:Add service principal credentials"),
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


def shared(number: int, environment: str, rng: random.Random) -> dict[str, Any]:
    return {"number": number, "environment": environment, "rate": rng.choice((0.4, 0.6, 1.0, 1.6)), "declares": rng.random() < 0.8}


def nat(account: str, region: str, number: int) -> str:
    """One of the four networks from which an account's things in a region come."""
    return f"52.{16 + sum(map(int, account)) % 60 + REGIONS.index(region) * 61}.{number % 4 * 16 + 3}.0/24"


def aws(number: int, environment: str, rng: random.Random, *, shape: str) -> Actor:
    account = rng.choice(ENVIRONMENTS[environment]["accounts"])
    regions = tuple(rng.sample(REGIONS, rng.choice((1, 2))))
    work = rng.choice(AWS_WORK)
    second = rng.choice(AWS_WORK)
    operations = (*work[:2], second[0], *work[2:])
    if shape == "ai_agent":
        operations = (("bedrock", "InvokeModel"), *operations)
    if shape == "pipeline":
        operations = (*AWS_WORK[6], *AWS_WORK[0][:3])
    subject = rng.choice(("orders", "search", "billing", "mail", "feed", "cart", "report", "stock", "audit", "media"))
    name = f"{subject}-{shape.replace('_', '-')}-{number}"
    user = shape == "key"
    services = sorted({service for service, _ in operations})
    return Actor(
        platform="aws", shape=shape, uid=f"arn:aws:iam::{account}:{'user' if user else 'role'}/{name}", name=name, account=account,
        kind={"key": "service_account", "ai_agent": "ai_agent", "pipeline": "pipeline"}.get(shape, "role"), purpose=f"Runs {name}",
        uses=tuple(f"{service}:*" for service in services), operations=tuple(dict.fromkeys(operations)), regions=regions,
        networks=() if shape == "pipeline" else tuple(nat(account, region, number + step) for region in regions for step in (0, 1)),
        agent=rng.choice(AWS_AGENTS), about={
            "principal": ("AIDA" if user else "AROA") + letters(rng, 17, BASE32), "store": f"acme-{environment}-{name}",
            "minor": rng.randrange(20, 60),
            "models": list(MODELS), "repository": f"acme/{name}",
        }, told=shape == "pipeline" and rng.random() < 0.5, renews=2 if user and rng.random() < 0.15 else 0,
        **shared(number, environment, rng),
    )  # fmt: skip


def pod(number: int, environment: str, rng: random.Random) -> Actor:
    namespace = rng.choice(("shop", "search", "data", "infra", "mail", "ml"))
    name = f"{rng.choice(('controller', 'worker', 'sync', 'exporter', 'indexer'))}-{number}"
    operations = tuple(rng.sample(KUBERNETES_WORK, 7))
    return Actor(
        platform="kubernetes", shape="pod", uid=f"system:serviceaccount:{namespace}:{name}", name=name,
        account=ENVIRONMENTS[environment]["clusters"][0], purpose=f"Runs {name}", operations=operations,
        uses=tuple(sorted({f"{group}:{action}" for group, action in operations})), networks=(NODES,),
        agent=f"{name.split('-', maxsplit=1)[0]}/v1.{{minor}}.{{patch}} (linux/amd64) kubernetes/9f2b3c1",
        about={"namespace": namespace, "uid": uuid(rng), "store": name, "minor": rng.randrange(2, 20)}, told=rng.random() < 0.34,
        **shared(number, environment, rng),
    )  # fmt: skip


def bot(number: int, environment: str, rng: random.Random) -> Actor:
    if environment == "stage":
        environment = "prod"
    org = ENVIRONMENTS[environment]["orgs"][0]
    name = f"acme-{rng.choice(('release', 'docs', 'deps', 'mirror', 'labels'))}-bot-{number}"
    return Actor(
        platform="github", shape="bot", uid=f"github:{name}", name=name, account=org, kind="bot", purpose="Keeps repositories in order",
        uses=("github:git.*", "github:pull_request.*", "github:workflows.*"), operations=GITHUB_WORK,
        networks=(f"34.{number % 200 + 20}.7.0/24", f"34.{number % 200 + 20}.9.0/24"),
        agent=rng.choice(("octokit-core.js/{minor}.{patch} Node.js/20.15.0 (linux; x64)", "git/2.{minor}.{patch}", "go-github/v{minor}")),
        about={"id": 900_000 + number, "store": f"repo-{number}", "minor": rng.randrange(20, 60)}, renews=3 if rng.random() < 0.2 else 0,
        **shared(number, environment, rng),
    )  # fmt: skip


def okta(number: int, environment: str, rng: random.Random) -> Actor:
    user = f"00u{letters(rng, 17)}"
    return Actor(
        platform="okta", shape="okta", uid=f"okta:{user}", name=f"svc-provisioning-{number}@acme.example", account="",
        purpose="Keeps groups as HR has them",
        uses=("okta:group.*", "okta:application.*", "okta:user.account.update_profile", "okta:user.lifecycle.*"), operations=OKTA_WORK,
        networks=(f"34.{number % 200 + 20}.40.0/24",), agent="okta-sdk-python/2.{minor}.{patch} python/3.11.9 Linux/5.10",
        about={"id": user, "type": "User", "store": "staff", "minor": rng.randrange(2, 10)}, **shared(number, environment, rng),
    )  # fmt: skip


def app(number: int, environment: str, rng: random.Random) -> Actor:
    principal, third = uuid(rng), rng.random() < 0.5
    vendor = rng.choice(("Contoso", "Fabrikam", "Northwind", "Tailspin")) if third else "Acme"
    name = f"{vendor} {rng.choice(('Signatures', 'Backup', 'Insights', 'Sync', 'Archive'))} {number}"
    return Actor(
        platform="entra", shape="app", uid=f"entra:{principal}", name=name, account="", kind="oauth_app",
        purpose=f"{name} reads what it backs up",
        uses=("entra:Sign-in*",), operations=(("entra", "Sign-in activity"),), begun=1, networks=(f"52.{number % 90 + 160}.20.0/24",),
        agent="",
        about={"principal": principal, "app": uuid(rng), "resource": rng.choice(ENTRA_RESOURCES), "minor": 1}, third_party=third,
        **shared(number, environment, rng),
    )  # fmt: skip


def human(number: int, environment: str, rng: random.Random) -> Actor:
    del environment
    login = f"{rng.choice(('ada', 'grace', 'alan', 'edsger', 'barbara', 'donald', 'leslie', 'tony', 'radia', 'ken'))}{number}"
    platform = rng.choice(("aws", "okta", "github", "entra"))
    id_ = f"00u{letters(rng, 17)}" if platform == "okta" else uuid(rng) if platform == "entra" else 100_000 + number
    account = ENVIRONMENTS["prod"]["accounts"][number % 3] if platform == "aws" else "acme" if platform == "github" else ""
    uid = f"arn:aws:iam::{account}:user/{login}" if platform == "aws" else f"{platform}:{login if platform == 'github' else id_}"
    operations: tuple[Operation, ...] = {
        "aws": (("ec2", "DescribeInstances"), ("logs", "FilterLogEvents"), ("s3", "ListBuckets"), ("cloudwatch", "GetMetricData"),
        ("ecs", "DescribeServices")),
        "okta": (("okta", "user.session.start"), ("okta", "user.authentication.sso")), "github": GITHUB_WORK,
        "entra": (("entra", "Add member to group"), ("entra", "Update user")),
    }[platform]  # fmt: skip
    return Actor(
        platform=platform, shape="human", uid=uid, name=login, account=account, kind="human", purpose="A colleague",
        operations=operations, begun=5,
        regions=("eu-west-1",) if platform == "aws" else (), networks=(OFFICE,), agent="browser",
        about={"principal": "AIDA" + letters(rng, 17, BASE32), "id": id_, "type": "User", "store": f"repo-{number % 7}", "minor": 1,
        "app": uuid(rng), "country": "IE"},
        **{**shared(number, "prod", rng), "declares": False},
    )  # fmt: skip


MAKERS = {
    "service": partial(aws, shape="service"), "cron": partial(aws, shape="cron"), "key": partial(aws, shape="key"),
    "pipeline": partial(aws, shape="pipeline"),
    "ai_agent": partial(aws, shape="ai_agent"), "pod": pod, "bot": bot, "okta": okta, "app": app, "human": human,
}  # fmt: skip


def rows(world: World) -> Iterator[dict[str, Any]]:
    """The inventory's rows of identities."""
    for actor in world.actors:
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
