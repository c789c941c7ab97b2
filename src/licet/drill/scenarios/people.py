"""People with what is a machine's, machines that are nobody's, and who does not say who he is."""

from __future__ import annotations

from licet.drill.natives import cloudtrail, entra, kubernetes, okta
from licet.drill.scenario import Play, Record, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import DAY, HOUR, Stage

_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{0}.0.0.0 Safari/537.36 Edg/{0}.0.0.0",
)
_ASKED = ("core:list/secrets", "core:list/pods", "core:list/configmaps", "core:create/pods", "apps:list/deployments")
_SEEN = ("s3:ListBuckets", "ec2:DescribeInstances", "rds:DescribeDBInstances", "sns:ListTopics", "sqs:ListQueues")


def _browser(stage: Stage) -> str:
    return stage.rng.choice(_BROWSERS).format(stage.rng.randrange(118, 140))


def _later(stage: Stage, time: float, step: int) -> float:
    return float(int(time + HOUR + step * stage.rng.uniform(1, 5) * HOUR))


def human_use(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001 - of all plays
    """A person at a browser or a console uses what is a machine's. In the twin its program does the same."""
    records: list[Record]
    credential, shown = "", ""
    if source == "cloudtrail":
        who, credential = cloudtrail.user(stage), stage.access_key()
        shown = stage.rng.choice(_SEEN)
        records = [cloudtrail.called(stage, who, time, shown, credential)[0] for time in stage.habit(4, 2)]
        credential = stage.access_key(temporary=True)
        at_console = {"sessionCredentialFromConsole": "true"} if stage.rng.random() < 0.5 else {}
        browser = _browser(stage)
        program = stage.rng.choice(("console.amazonaws.com", browser)) if at_console else browser
        live, cited = cloudtrail.called(
            stage, who, stage.now + 1, shown, credential, program="" if twin else program, more=None if twin else at_console, live=True
        )
        uid = who.uid
    elif source == "okta":
        account, shown = okta.user(stage), stage.rng.choice(("user.session.start", "user.authentication.sso"))
        records = [okta.happened(stage, account, time, "user.authentication.sso")[0] for time in stage.habit(4, 2)]
        browser = _browser(stage)
        live, cited = okta.happened(stage, account, stage.now + 1, shown, program="" if twin else browser, live=True)
        uid, shown = account.uid, f"okta:{shown}"
    else:
        person, shown, program = (
            entra.person(stage),
            "entra:sign-in",
            f"python/3.{stage.rng.randrange(10, 14)} (linux) AZURECLI/2.{stage.rng.randrange(50, 70)}",
        )
        records = [entra.signed_in(stage, person, time, program=program)[0] for time in stage.habit(4, 2)]
        browser = _browser(stage)
        live, cited = entra.signed_in(stage, person, stage.now + 1, program=program if twin else browser, interactive=not twin, live=True)
        uid = person.uid
    declared = {"identities": [owned(stage, uid, "service_account")]}
    if twin:
        return Play(uid, credential, (*records, live), declared, differs="its own program did it")
    return Play(
        uid, credential, (*records, live), declared, frozenset({"HUMAN_USE"}), shows=(shown,), cites=(cited,), owner=stage.owner,
    )  # fmt: skip


def orphan(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001
    """A new machine's identity, made by a person days ago, acts, and nobody owns it. The twin's has an owner."""
    made = stage.before(4 * DAY, 3 * DAY)
    if source == "okta":
        admin = okta.user(stage)._replace(id=f"00u{stage.letters(17)}")
        new = okta.client(stage)
        target = okta.target(stage, "PublicClientAppEntity", new.name, id=new.id)
        records = [okta.happened(stage, admin, made, "app.oauth2.client.lifecycle.create", program=_browser(stage), targets=[target])[0]]
        event = stage.rng.choice(("app.oauth2.as.token.grant.access_token", "group.user_membership.add", "user.account.update_profile"))
        uses = [okta.happened(stage, new, _later(stage, made, step), event) for step in range(3)]
        live = okta.happened(stage, new, stage.now + 1, event, live=True)
        uid = new.uid
        others = [{"identity": admin.uid, "kind": "human"}]
    else:
        role, key = cloudtrail.role(stage), stage.access_key(temporary=True)
        boss = cloudtrail.administrator(stage, role.account)
        response = {"role": {"path": "/", "roleName": role.name, "roleId": role.principal, "arn": role.uid}}
        records = [cloudtrail.called(
            stage, boss, made, "iam:CreateRole", stage.access_key(temporary=True), parameters={"roleName": role.name}, response=response
        )[0]]  # fmt: skip
        operation = stage.rng.choice(_SEEN)
        uses = [cloudtrail.called(stage, role, _later(stage, made, step), operation, key) for step in range(3)]
        live = cloudtrail.called(stage, role, stage.now + 1, operation, key, live=True)
        uid, others = role.uid, []
    records += [*(record for record, _ in uses), live[0]]
    # Somebody answers for something here; where nobody ever did, that nobody answers for this says nothing.
    somebody = f"bot:{stage.name()}"
    rows = [owned(stage, somebody, "bot"), *others, *([owned(stage, uid, "bot")] if twin else ())]
    if twin:
        return Play(uid, "", tuple(records), {"identities": rows}, differs="it has an owner")
    return Play(
        uid, "", tuple(records), {"identities": rows}, frozenset({"UNOWNED_ACTIVE"}), cites=(uses[0][1], live[1]), owner="",
    )  # fmt: skip


def anonymous(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001
    """A cluster lets in who shows no credential, and shows him what is not for everybody. The twin is denied."""
    cluster, operation, namespace, address = kubernetes.cluster_name(stage), stage.rng.choice(_ASKED), stage.name(), stage.stranger()
    who, token = kubernetes.account(stage)._replace(cluster=cluster), kubernetes.jti(stage)
    records = [kubernetes.called(stage, who, time, "core:list/endpoints", token)[0] for time in stage.habit(2, 3)]
    live, cited = kubernetes.by_nobody(
        stage, stage.now + 1, operation, namespace=namespace, cluster=cluster, address=address, denied=twin, live=True
    )
    declared = {"identities": [owned(stage, who.uid, "service_account")]}
    if twin:
        return Play("system:anonymous", "", (*records, live), declared, differs="it was denied")
    # Who says nothing of himself has no owner who could be called.
    return Play(
        "system:anonymous", "", (*records, live), declared, frozenset({"ANONYMOUS_USE"}), shows=(operation, cluster, address),
        cites=(cited,), owner="",
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D15", "human-use", "a person uses a machine's identity", ("cloudtrail", "okta", "entra"), human_use,
        references=("NHI10", "DE.CM-03", "T1078.004"),
    ),
    Scenario(
        "D16", "orphan", "a new machine acts, and nobody owns it", ("okta", "cloudtrail"), orphan,
        references=("NHI1", "PR.AA-01", "DE.AE-07", "T1136.003"),
    ),
    Scenario(
        "D22", "anonymous", "a cluster lets in who shows no credential", ("kubernetes",), anonymous,
        references=("NHI4", "PR.AA-03", "DE.CM-09", "T1133"), apart=True,
    ),
)  # fmt: skip
