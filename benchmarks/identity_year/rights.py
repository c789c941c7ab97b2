"""Misuse of rights: apps whose scopes or secrets grow, grants and keys that somebody gives himself, canaries, logging that is cut."""

from __future__ import annotations

from typing import Any

from benchmarks.identity_year.actors import DAY, HOUR, MINUTE, Actor, Version
from benchmarks.identity_year.aws import new_key
from benchmarks.identity_year.displaced import running, runs_in_aws
from benchmarks.identity_year.doing import begun
from benchmarks.identity_year.drawn import strange_agent, stranger, uuid
from benchmarks.identity_year.everyday import secret_added
from benchmarks.identity_year.scripts import Script

GRAPH = "Microsoft Graph"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
SCOPES = (
    "Mail.ReadWrite",
    "Directory.ReadWrite.All",
    "Files.ReadWrite.All",
    "RoleManagement.ReadWrite.Directory",
    "Mail.Read",
    "Sites.FullControl.All",
)


def assignment(app: Actor, scope: str, rng: Any) -> dict[str, Any]:
    """What the audit log shows of an app role that is assigned."""
    properties = [
        {"displayName": "AppRole.Id", "oldValue": None, "newValue": f'"{uuid(rng)}"'},
        {"displayName": "AppRole.Value", "oldValue": None, "newValue": f'"{scope}"'},
        {"displayName": "AppRole.DisplayName", "oldValue": None, "newValue": f'"{scope} in all mailboxes"'},
        {"displayName": "ServicePrincipal.ObjectID", "oldValue": None, "newValue": f'"{app.about["principal"]}"'},
        {"displayName": "ServicePrincipal.DisplayName", "oldValue": None, "newValue": f'"{app.name}"'},
        {"displayName": "ServicePrincipal.AppId", "oldValue": None, "newValue": f'"{app.about["app"]}"'},
    ]
    return {"targets": [
        {"id": uuid(rng), "displayName": GRAPH, "type": "ServicePrincipal", "modifiedProperties": properties, "administrativeUnits": []},
        {"id": app.about["principal"], "displayName": app.name, "type": "ServicePrincipal", "modifiedProperties": [],
        "administrativeUnits": []},
    ]}  # fmt: skip


def delegated(app: Actor, scope: str, rng: Any) -> dict[str, Any]:
    """What it shows of a delegated permission that grows."""
    properties = [
        {"displayName": "DelegatedPermissionGrant.Scope", "oldValue": '"User.Read"', "newValue": f'"User.Read {scope}"'},
        {"displayName": "DelegatedPermissionGrant.ConsentType", "oldValue": '"AllPrincipals"', "newValue": '"AllPrincipals"'},
        {"displayName": "ServicePrincipal.ObjectID", "oldValue": None, "newValue": f'"{app.about["principal"]}"'},
    ]
    return {"targets": [
        {"id": uuid(rng), "displayName": GRAPH, "type": "ServicePrincipal", "modifiedProperties": properties, "administrativeUnits": []},
        {"id": app.about["principal"], "displayName": None, "type": "ServicePrincipal", "modifiedProperties": [],
        "administrativeUnits": []},
    ]}  # fmt: skip


def scope_widened(script: Script) -> None:
    script.expected = ("APP_SCOPE_WIDENED",)
    rng, time = script.rng, script.when()
    actor = script.take(lambda one: one.shape == "app" and one.third_party)
    way, name = rng.choice(((assignment, "Add app role assignment to service principal"), (delegated, "Add delegated permission grant")))
    outcome = "failed" if script.twin else "success"
    script.differs = "the change failed" if script.twin else ""
    script.others = [script.world.admin.uid]
    script.use(time, ("entra", name), by=script.world.admin, cite=True, parameters=way(actor, rng.choice(SCOPES), rng), outcome=outcome)
    if not script.twin:
        script.use(time + rng.uniform(1, 40) * HOUR, target=GRAPH)


def secret_grown(script: Script) -> None:
    """A secret is put on an app of somebody else's, and used. The twin's app is ours, and its rotation is told."""
    script.expected = ("APP_CREDENTIAL_ADDED",)
    rng, time, world = script.rng, script.when(), script.world
    actor = script.take(lambda one: one.shape == "app" and one.third_party is not script.twin)
    key = uuid(rng)
    script.credential = key
    script.others = [world.admin.uid]
    first = time + rng.uniform(0.3, 20) * HOUR
    if script.twin:
        script.differs = "the app is ours, and its rotation is told"  # by `everyday.rotations`
        old = actor.versions[0].shown
        actor.versions = [Version(old, actor.versions[0].start, first), Version(key, first, world.end + DAY)]
        script.use(first + 3 * HOUR, credential=key, cite=True)
        return
    script.use(time, ("entra", "Add service principal credentials"), by=world.admin, cite=True, parameters=secret_added(actor, key))
    for step in range(rng.randrange(1, 4)):
        script.use(first + step * HOUR, credential=key, cite=True, ip=stranger(rng), region=rng.choice(("NL", "RO", "SG")))


def self_grant(script: Script) -> None:
    script.expected = ("SELF_GRANT",)
    rng, time = script.rng, script.when()
    in_cluster = rng.random() < 0.3
    actor = script.take(lambda one: one.shape == "pod" if in_cluster else runs_in_aws(one))
    outcome = "denied" if script.twin else "success"
    script.differs = "the grant was denied" if script.twin else ""
    common = running(script, time)
    if in_cluster:
        actor.uses += ("rbac.authorization.k8s.io:*", "core:*")
        subject = {"kind": "ServiceAccount", "name": actor.name, "namespace": actor.about["namespace"]}
        binding = {
            "kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": f"{actor.name}-admin"},
            "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        }  # fmt: skip
        script.use(
            time,
            ("rbac.authorization.k8s.io", "create/clusterrolebindings"),
            cite=True,
            parameters=binding,
            target=f"{actor.name}-admin",
            outcome=outcome,
            **common,
        )
        if not script.twin:
            script.use(time + 4 * MINUTE, ("core", "list/secrets"), cite=True, **common)
        return
    actor.uses += ("iam:*", "s3:*")
    user = ":user/" in actor.uid
    name, asked = rng.choice((
        ("AttachUserPolicy" if user else "AttachRolePolicy", {"policyArn": ADMIN}),
        ("PutUserPolicy" if user else "PutRolePolicy", {
            "policyName": "maintenance",
            "policyDocument": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
        }),
    ))  # fmt: skip
    asked = {"userName" if user else "roleName": actor.name, **asked}
    script.use(time, ("iam", name), cite=True, parameters=asked, outcome=outcome, **common)
    if not script.twin:
        for step in range(rng.randrange(1, 4)):
            script.use(
                time + (step + 2) * MINUTE,
                rng.choice((("iam", "ListUsers"), ("iam", "ListRoles"), ("s3", "ListBuckets"))),
                cite=True,
                parameters={},
                **common,
            )


def self_issue(script: Script) -> None:
    """A key is made and used from a new place. The twin's is made by who makes keys, and used where its user always is."""
    script.expected = ("SELF_ISSUE",)
    rng, time, world = script.rng, script.when(), script.world
    if script.twin:
        user = script.take(lambda one: one.shape == "key")
        maker = world.rotators[user.account]
        script.differs = "who makes keys made it, and it is used where its user is"
    else:
        user = script.take(lambda one: one.shape == "key")
        maker = user
        if rng.random() < 0.6:
            maker = script.take(lambda one: runs_in_aws(one) and one.account == user.account)
            script.others = [user.uid]
        maker.uses += ("iam:*",)
    script.actor = maker if not script.twin else user
    common, records = begun(world, maker, time - 20 * MINUTE, rng)
    script.keep_all(records)
    key, response = new_key(rng, user.name, time)
    script.use(time, ("iam", "CreateAccessKey"), by=maker, cite=True, parameters={"userName": user.name}, response=response, **common)
    script.credential = key
    elsewhere: dict[str, Any] = {} if script.twin else {"ip": stranger(rng), "agent": strange_agent(rng)}
    first = time + rng.uniform(0.2, 30) * HOUR
    for step in range(rng.randrange(1, 4)):
        script.use(first + step * 4 * MINUTE, by=user, cite=True, credential=key, **elsewhere)


def canary_touched(script: Script) -> None:
    """What nobody may use is used, with or without success. The twin's is only rotated."""
    script.expected = ("CANARY_TOUCHED",)
    rng, time = script.rng, script.when(0.15, 0.9)
    actor = script.newcomer(
        rng.choice(("key", "bot", "okta")), environment="prod", purpose="Nothing: a canary", deploys=(), moves=(), renews=0
    )
    actor.about["every"] = 0
    actor.versions = [Version(actor.versions[0].shown, actor.versions[0].start, script.world.end + DAY)]
    actor.about["canary"] = True
    script.credential = actor.versions[0].shown
    if script.twin:
        script.differs = "it was rotated, and not used"
        actor.versions = [
            Version(script.credential, actor.versions[0].start, time),
            Version(actor.versions[0].shown[::-1], time, script.world.end + DAY),
        ]
        return
    outcome = rng.choice(("success", "denied")) if actor.platform != "github" else "success"
    for step in range(rng.randrange(1, 3)):
        script.use(time + step * 30, cite=True, ip=stranger(rng), agent=strange_agent(rng), outcome=outcome)


def logging_cut(script: Script) -> None:
    """A trail is stopped or deleted, a stream of logs switched off. The twin starts one, or names one that is not there."""
    script.expected = ("LOGGING_DISABLED",)
    rng, time = script.rng, script.when()
    in_okta = rng.random() < 0.2 and not script.twin
    actor = script.take(lambda one: one.platform == "okta" and one.shape == "okta" if in_okta else runs_in_aws(one))
    common = running(script, time)
    if in_okta:
        actor.uses += ("okta:system.log_stream.*",)
        stream = {"id": f"0oa{uuid(rng)[:17]}", "type": "LogStream", "alternateId": "unknown", "displayName": "siem", "detailEntry": None}
        script.use(time, ("okta", "system.log_stream.lifecycle.deactivate"), cite=True, parameters=stream, **common)
        return
    actor.uses += ("cloudtrail:*",)
    trail = {"name": f"arn:aws:cloudtrail:eu-west-1:{actor.account}:trail/organisation"}
    name, outcome = rng.choice((("StopLogging", "success"), ("DeleteTrail", "success")))
    if script.twin:
        name, outcome = rng.choice((("StartLogging", "success"), ("StopLogging", "failed")))
        script.differs = "logging was started" if outcome == "success" else "there is no such trail"
    script.use(time, ("cloudtrail", name), cite=True, parameters=trail, outcome=outcome, **common)


KINDS = {
    "app_scope_widened": scope_widened, "app_secret_added": secret_grown, "self_grant": self_grant, "self_issue": self_issue,
    "canary_touched": canary_touched, "logging_cut": logging_cut,
}  # fmt: skip
