"""What reaches further than it should: into another environment, out of its purpose by a new right, to all rights by its own hand."""

from __future__ import annotations

import json
from typing import Any

from licet.drill.natives import cloudtrail, kubernetes
from licet.drill.scenario import Play, Record, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import DAY, HOUR, Stage

_ALL = "arn:aws:iam::aws:policy/AdministratorAccess"
_EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
_WRITES = ("s3:PutObject", "dynamodb:PutItem", "sqs:SendMessage", "lambda:UpdateFunctionConfiguration", "ecs:UpdateService")
_DEPLOYS = ("apps:patch/deployments", "core:update/configmaps", "batch:create/jobs", "apps:update/statefulsets")
_LOOKS = ("secretsmanager:GetSecretValue", "iam:ListUsers", "organizations:ListAccounts", "ssm:GetParameter", "rds:DescribeDBInstances")
_LOOKS_IN = ("core:list/secrets", "core:get/secrets", "core:list/serviceaccounts", "rbac.authorization.k8s.io:list/clusterroles")


def crossing(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001 - of all plays
    """Who works in one environment writes in another. In the twin an edge leads there."""
    origin, target = stage.name(), stage.name()
    if source == "kubernetes":
        account = kubernetes.account(stage)
        token, there, kind = kubernetes.jti(stage), kubernetes.cluster_name(stage), "service_account"
        operation = stage.rng.choice(_DEPLOYS)
        uid, credential, home, key = account.uid, token, account.cluster, "clusters"
        records = [kubernetes.called(stage, account, time, operation, token)[0] for time in stage.habit(5, 2)]
        use, use_id = kubernetes.called(stage, account, stage.now + 1, operation, token, cluster=there, live=True)
    else:
        who, credential, there, kind = cloudtrail.role(stage), stage.access_key(temporary=True), stage.account(), "role"
        operation, uid, home, key = stage.rng.choice(_WRITES), who.uid, who.account, "accounts"
        records = [
            cloudtrail.called(stage, who, time, operation, stage.access_key(temporary=True))[0] for time in stage.habit(5, 2, until=DAY)
        ]
        use, use_id = cloudtrail.called(stage, who, stage.now + 1, operation, credential, account=there, live=True)
    declared: dict[str, Any] = {
        "environments": {origin: {key: [home]}, target: {key: [there]}}, "edges": [[origin, target]] if twin else [],
        "identities": [owned(stage, uid, kind, environment=origin)],
    }  # fmt: skip
    if twin:
        return Play(uid, credential, (*records, use), declared, owner=stage.owner, differs="an edge leads there")
    return Play(
        uid, credential, (*records, use), declared, frozenset({"ENV_CROSSING"}), shows=(origin, target, there, operation),
        cites=(use_id,), owner=stage.owner,
    )  # fmt: skip


def granted(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """Somebody gives it all rights, and it does at once what it is not for. In the twin both are denied."""
    begin = stage.now + 1
    if source == "kubernetes":
        account, token = kubernetes.account(stage), kubernetes.jti(stage)
        person, operation, odd = kubernetes.person(stage), "core:get/configmaps", stage.rng.choice(_LOOKS_IN)
        uid, credential, kind, by, privilege = account.uid, token, "service_account", f"k8s:{person}", "cluster-admin"
        records = [kubernetes.called(stage, account, time, operation, token, name=stage.name())[0] for time in stage.habit(5, 2)]
        grant, grant_id = kubernetes.by_hand(
            stage, person, begin, "rbac.authorization.k8s.io:create/clusterrolebindings", name=f"{account.name}-admin",
            cluster=account.cluster, body=kubernetes.admin_binding(account), live=True, denied=twin,
        )  # fmt: skip
        use, use_id = kubernetes.called(stage, account, begin + 2, odd, token, denied=twin, live=True)
    else:
        who, credential, kind = cloudtrail.role(stage), stage.access_key(temporary=True), "role"
        boss, operation, odd = cloudtrail.administrator(stage, who.account), "s3:GetObject", stage.rng.choice(_LOOKS)
        uid, by = who.uid, boss.uid
        records = [
            cloudtrail.called(stage, who, time, operation, stage.access_key(temporary=True))[0] for time in stage.habit(5, 2, until=DAY)
        ]
        privilege, asked, error = _ALL, {"roleName": who.name, "policyArn": _ALL}, "AccessDenied" if twin else ""
        grant, grant_id = cloudtrail.called(
            stage, boss, begin, "iam:AttachRolePolicy", stage.access_key(temporary=True), parameters=asked, error=error, live=True
        )
        use, use_id = cloudtrail.called(stage, who, begin + 2, odd, credential, error=error, live=True)
    declared = {"identities": [owned(stage, uid, kind, uses=[operation], purpose=stage.rng.choice(("reports", "exports", "its queue")))]}
    if twin:
        return Play(
            uid, credential, (*records, grant, use), declared, owner=stage.owner, differs="both were denied",
            signals=frozenset({"OUT_OF_PURPOSE_USE"}),
        )  # fmt: skip
    return Play(
        uid, credential, (*records, grant, use), declared, frozenset({"GRANT_ADDED", "OUT_OF_PURPOSE_USE"}),
        shows=(privilege, by, odd, operation), cites=(grant_id, use_id), owner=stage.owner,
    )  # fmt: skip


def self_escalation(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001
    """A user gives itself all rights and a new key, which is used from elsewhere. In the twin its owner's pipeline does both."""
    who, old, new = cloudtrail.user(stage), stage.access_key(), stage.access_key()
    maker = cloudtrail.role(stage)._replace(account=who.account)
    begin, name = stage.now + 1, who.name.rpartition("/")[2]
    verb, privilege, asked = _grant(stage)
    response = {"accessKey": {"userName": name, "status": "Active", "accessKeyId": new}}
    by, key = (maker, stage.access_key(temporary=True)) if twin else (who, old)
    records: list[Record] = [
        cloudtrail.called(stage, who, time, stage.rng.choice(("s3:GetObject", "s3:PutObject")), old)[0]
        for time in stage.habit(5, 2, until=HOUR)
    ]
    grant, grant_id = cloudtrail.called(stage, by, begin, verb, key, parameters={"userName": name, **asked}, live=True)
    issue, issue_id = cloudtrail.called(
        stage, by, begin + 1, "iam:CreateAccessKey", key, parameters={"userName": name}, response=response, live=True
    )
    address, program = stage.stranger(), stage.strange_program()
    looks = [
        cloudtrail.called(stage, who, begin + 3 + at, operation, new, address=address, program=program, live=True)
        for at, operation in enumerate(stage.rng.sample(("s3:ListBuckets", "sts:GetCallerIdentity", *_LOOKS), stage.rng.randrange(2, 4)))
    ]
    records += [grant, issue, *(record for record, _ in looks)]
    declared = {"identities": [owned(stage, who.uid, "service_account"), owned(stage, maker.uid, "pipeline")]}
    if twin:
        return Play(
            who.uid, new, tuple(records), declared, owner=stage.owner, differs="its owner's pipeline gave it both",
            signals=frozenset({"GRANT_ADDED"}),
        )  # fmt: skip
    network = ".".join(address.split(".")[:3]) + ".0/24"
    return Play(
        who.uid, new, tuple(records), declared, frozenset({"SELF_GRANT", "SELF_ISSUE"}), shows=(privilege, network),
        cites=(grant_id, issue_id, looks[0][1]), owner=stage.owner,
    )  # fmt: skip


def _grant(stage: Stage) -> tuple[str, str, dict[str, str]]:
    """A call that gives a user all rights, what it gives, and its parameters without to whom."""
    if stage.rng.random() < 0.5:
        return "iam:AttachUserPolicy", _ALL, {"policyArn": _ALL}
    name = stage.name()
    return "iam:PutUserPolicy", name, {"policyName": name, "policyDocument": _EVERYTHING}


SCENARIOS = (
    Scenario(
        "D6", "crossing", "an identity of one environment writes in another", ("cloudtrail", "kubernetes"), crossing,
        references=("NHI8", "ASI03", "DE.CM-09", "T1078.004", "T1199"),
    ),
    Scenario(
        "D7", "privilege-drift", "an identity gets all rights, and uses them", ("cloudtrail", "kubernetes"), granted,
        references=("NHI5", "ASI03", "PR.AA-05", "T1098.003"),
    ),
    Scenario(
        "D8", "self-escalation", "an identity gives itself rights and a key", ("cloudtrail",), self_escalation,
        references=("NHI5", "ASI03", "DE.AE-02", "T1098.001"),
    ),
)  # fmt: skip
