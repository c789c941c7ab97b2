"""One identity of each shape, with its habits as they are drawn."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.identity_year.actors import Actor, Operation
from benchmarks.identity_year.drawn import BASE32, letters, uuid
from benchmarks.identity_year.places import ENVIRONMENTS, NODES, OFFICE, REGIONS, nat

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


def shared(number: int, environment: str, rng: random.Random) -> dict[str, Any]:
    return {"number": number, "environment": environment, "rate": rng.choice((0.4, 0.6, 1.0, 1.6)), "declares": rng.random() < 0.8}


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
        uses=(*(f"{service}:*" for service in services), *(("sts:AssumeRole*",) if shape == "pipeline" else ())),
        operations=tuple(dict.fromkeys(operations)), regions=regions,
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
    principal, third = uuid(rng), number % 2 == 0
    vendor = rng.choice(("Contoso", "Fabrikam", "Northwind", "Tailspin")) if third else "Acme"
    name = f"{vendor} {rng.choice(('Signatures', 'Backup', 'Insights', 'Sync', 'Archive'))} {number}"
    return Actor(
        platform="entra", shape="app", uid=f"entra:{principal}", name=name, account="", kind="oauth_app",
        purpose=f"{name} reads what it backs up",
        uses=("entra:Sign-in*", "entra:sign-in"), operations=(("entra", "Sign-in activity"),), begun=1,
        networks=(f"52.{number % 90 + 160}.20.0/24",),
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
    shown = {"github": login, "entra": f"{login}@acme.example"}.get(platform, id_)
    uid = f"arn:aws:iam::{account}:user/{login}" if platform == "aws" else f"{platform}:{shown}"
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


MAKERS: dict[str, Callable[..., Actor]] = {
    "service": partial(aws, shape="service"), "cron": partial(aws, shape="cron"), "key": partial(aws, shape="key"),
    "pipeline": partial(aws, shape="pipeline"),
    "ai_agent": partial(aws, shape="ai_agent"), "pod": pod, "bot": bot, "okta": okta, "app": app, "human": human,
}  # fmt: skip
