"""Four months at Acme: everyday work of a dozen machines and three people, and what nobody there has noticed yet.

`DAYS` days that end today. What is wrong happens on fixed days, in `misuse`; everything in `everyday` is in order, and nothing of it may
become a finding: a new pod each day, keys that are renewed, a secret that its owner replaces, a pipeline that works at night.
"""

from __future__ import annotations

from records import BROWSER, GRAPH, PROD, STAGE, Logs, made_up

DAYS = 120
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0

OLD_KEY, NEW_KEY = "AKIACIDEPLOYEXAMPL01", "AKIACIDEPLOYEXAMPL02"
OPS_KEY, SLEEPING_KEY, CANARY = "AKIAOPSADMINEXAMPL01", "AKIAMIGRATIONEXAMPL1", "AKIABACKUPSEXAMPLE01"
STRANGER = "203.0.113.77"
"""Whoever has the old key. The same address comes again elsewhere."""

OFFICE, CI, PODS, NAT = "198.51.100.20", "198.51.100.140", "10.40.3.17", "192.0.2.60"
SDK, CLI = "aws-sdk-go-v2/1.30.3", "aws-cli/2.17.9"
PEOPLE = ("ada", "grace", "m.okoro")
NOTES, MAILER = "MeetNotes", "Orders mailer"
HR_SYNC = {"id": "0oa7hrsyncEXAMPLE001", "type": "PublicClientAppEntity", "alternateId": "HR sync"}
OKORO = {"id": "00u3okoroEXAMPLE0001", "type": "User", "alternateId": "m.okoro@acme.example"}


def temporary(role: str, day: int) -> str:
    """The id of a key that a role has for one day."""
    return "ASIA" + made_up(f"{role} {day}").replace("-", "").upper()[:16]


def everyday(logs: Logs, start: float) -> None:
    """What is in order."""
    for day in range(DAYS + 1):
        at = start + day * DAY
        _shop(logs, at, day)
        _reports(logs, at, day)
        _pipelines(logs, at, day)
        _people(logs, at, day)
        for hour in (1, 7, 13, 19):
            logs.okta(at + hour * HOUR, HR_SYNC, "app.oauth2.token.grant.access_token", ip=NAT, agent="hr-sync/2.4")
        logs.sign_in(at + 6 * HOUR, NOTES, made_up("secret of MeetNotes"), ip="192.0.2.200")
        for number in range(3):
            logs.graph(at + 6.1 * HOUR + number * MINUTE, NOTES, f"/users/{made_up(PEOPLE[number])}/events", ip="192.0.2.200")
    secret, client = {"id": "ocs5newEXAMPLE000001", "type": "ClientSecret"}, {"id": HR_SYNC["id"], "type": "PublicClientApp"}
    logs.okta(
        start + 61 * DAY + 10 * HOUR, OKORO, "app.oauth2.credentials.lifecycle.create", ip=OFFICE, agent=BROWSER, targets=(secret, client)
    )


def _shop(logs: Logs, at: float, day: int) -> None:
    """One workload in three places: a service account in the cluster, its role at AWS, and an application that sends its mail."""
    pod, key = f"orders-{made_up(f'pod {day}')[:5]}", temporary("orders", day)
    for hour in (2.0, 8.0, 14.0, 20.0):
        when = at + hour * HOUR + 11 * MINUTE
        logs.kubernetes(when, "eks-prod", "shop:orders", made_up(f"token orders {day}"), "get", "configmaps", pod=pod, ip=PODS)
        for call in ("dynamodb:Query", "dynamodb:PutItem"):
            logs.aws(when + 20, "role/orders", key, call, ip=NAT, agent=SDK, parameters={"tableName": "orders"})
    logs.pod_began(at + 1.8 * HOUR, "eks-prod", "shop:orders", made_up(f"token orders {day}"), pod)
    logs.pod_ended(at + 1.9 * HOUR, "eks-prod", "shop", f"orders-{made_up(f'pod {day - 1}')[:5]}")
    logs.sign_in(at + 9 * HOUR, MAILER, made_up("secret of the mailer"), ip=NAT)
    key = temporary("invoices", day)
    for hour, call in ((3.0, "s3:GetObject"), (3.1, "s3:PutObject"), (15.0, "s3:GetObject")):
        logs.aws(at + hour * HOUR, "role/invoices", key, call, ip=NAT, agent=SDK, parameters={"bucketName": "acme-invoices"})
    if day < 20:
        logs.aws(at + 3.2 * HOUR, "role/invoices", key, "ses:SendEmail", ip=NAT, agent=SDK)


def _reports(logs: Logs, at: float, day: int) -> None:
    pod = f"report-builder-{made_up(f'report {day}')[:5]}"
    logs.pod_began(at + 3.8 * HOUR, "eks-stage", "reports:report-builder", made_up(f"token reports {day}"), pod)
    logs.pod_ended(at + 3.9 * HOUR, "eks-stage", "reports", f"report-builder-{made_up(f'report {day - 1}')[:5]}")
    for hour in (4.0, 12.0, 18.0):
        when = at + hour * HOUR
        logs.kubernetes(
            when, "eks-stage", "reports:report-builder", made_up(f"token reports {day}"), "list", "pods", pod=pod, ip="10.50.1.9"
        )
        logs.aws(when + 30, "role/report-builder", temporary("reports", day), "s3:PutObject", ip="192.0.2.90", agent=SDK, account=STAGE,
                 parameters={"bucketName": "acme-stage-reports"})  # fmt: skip
    if day < 6:
        logs.aws(at + 11 * HOUR, "user/migration", SLEEPING_KEY, "rds:DescribeDBInstances", ip=OFFICE, agent=CLI)
        logs.aws(
            at + 11.1 * HOUR,
            "user/migration",
            SLEEPING_KEY,
            "s3:PutObject",
            ip=OFFICE,
            agent=CLI,
            parameters={"bucketName": "acme-migration"},
        )


def _pipelines(logs: Logs, at: float, day: int) -> None:
    """A deployment each fourth night with the CI key, the newer of two from day 82 on; a bot that opens pull requests; the deployer."""
    if day in {0, 82}:
        key = OLD_KEY if day == 0 else NEW_KEY
        answer = {"accessKey": {"accessKeyId": key, "status": "Active", "userName": "ci-deployer"}}
        logs.aws(at + 1 * HOUR, "user/ops-admin", OPS_KEY, "iam:CreateAccessKey", ip=OFFICE, agent=CLI,
                 parameters={"userName": "ci-deployer"}, answer=answer)  # fmt: skip
    if day % 4 == 2:
        key = OLD_KEY if day < 82 else NEW_KEY
        for number, call in enumerate(("s3:PutObject", "ecs:UpdateService")):
            logs.aws(at + 22 * HOUR + number * MINUTE, "user/ci-deployer", key, call, ip=CI, agent=SDK)
    logs.pod_began(at + 22.1 * HOUR, "eks-prod", "argocd:deployer", made_up(f"token deployer {day}"), "deployer-0")
    logs.kubernetes(at + 22.2 * HOUR, "eks-prod", "argocd:deployer", made_up(f"token deployer {day}"), "patch", "apps/deployments",
                    pod="deployer-0", ip="10.40.9.2")  # fmt: skip
    logs.github(at + 21.9 * HOUR, "github-actions[bot]", "git.push", bot=True, ip=CI, agent="git/2.45", repo="acme/shop")
    if day == 70:
        logs.github(at + 9.3 * HOUR, "m-okoro", "integration.create", bot=False, ip=OFFICE, agent=BROWSER, integration="Tidy Deps")
        logs.github(at + 9.4 * HOUR, "m-okoro", "integration_installation.create", bot=False, ip=OFFICE, agent=BROWSER,
                    integration="Tidy Deps", repository_selection="all")  # fmt: skip
    if day >= 70:
        for number, action in enumerate(("git.clone", "git.push", "pull_request.create")):
            logs.github(at + 5 * HOUR + number * MINUTE, "tidy-deps[bot]", action, bot=True, ip="192.0.2.150", agent="tidy-deps/1.2",
                        repo="acme/shop")  # fmt: skip


def _people(logs: Logs, at: float, day: int) -> None:
    for number, person in enumerate(PEOPLE):
        user = {"id": f"00u{number + 1}{person.replace('.', '')}EXAMPLE", "type": "User", "alternateId": f"{person}@acme.example"}
        user = OKORO if person == "m.okoro" else user
        logs.okta(at + (8 + number / 4) * HOUR, user, "user.session.start", ip=OFFICE, agent=BROWSER)
        logs.github(
            at + (10 + number) * HOUR, person.replace(".", "-"), "git.clone", bot=False, ip=OFFICE, agent="git/2.45", repo="acme/shop"
        )
        upn = f"{person}@acme.example"
        logs.mail(at + (9 + day % 3) * HOUR, upn, upn, "MailItemsAccessed", ip=OFFICE)


def misuse(logs: Logs, start: float) -> None:
    """What is not."""

    def at(day: int, hour: float) -> float:
        return start + day * DAY + hour * HOUR

    # The old CI key: revoked where keys are handed out. Nobody told AWS, and somebody has a copy.
    logs.vault(at(84, 10), "revoked", OLD_KEY, "user:ada", "a laptop was stolen; INC-4312")
    for minute, call, denied in ((0, "s3:ListBuckets", False), (2, "s3:GetObject", False), (9, "secretsmanager:ListSecrets", True)):
        logs.aws(at(97, 2.3) + minute * MINUTE, "user/ci-deployer", OLD_KEY, call, ip=STRANGER, agent="Boto3/1.34.2", denied=denied,
                 parameters={"bucketName": "acme-backups", "key": "restore/env"} if call == "s3:GetObject" else None)  # fmt: skip
    # In that file lay a key that nobody has any use for, but him who should not have read it.
    logs.aws(at(97, 2.8), "user/backup-restore", CANARY, "sts:GetCallerIdentity", ip=STRANGER, agent="Boto3/1.34.2")
    # A third party's application gets a permission and a secret, and reads mail.
    named = ("ServicePrincipal.ObjectID", ("", made_up(f"principal {NOTES}"))), ("TargetId.ServicePrincipalNames", ("", GRAPH))
    app = {"id": made_up(f"principal {NOTES}"), "displayName": NOTES, "type": "ServicePrincipal"}
    graph = {"id": made_up("Microsoft Graph"), "displayName": "Microsoft Graph", "type": "ServicePrincipal"}
    person = "m.okoro@acme.example"
    logs.directory(at(103, 19.5), person, "Add app role assignment to service principal", graph,
                   dict((("AppRole.Value", ("", "Mail.Read")), *named)), ip=STRANGER)  # fmt: skip
    key = made_up("another secret of MeetNotes")
    described = f"[KeyIdentifier={key},KeyType=Password,KeyUsage=Verify,DisplayName=tmp]"
    logs.directory(
        at(103, 19.6), person, "Add service principal credentials", app, {"KeyDescription": ("[]", f'["{described}"]')}, ip=STRANGER
    )
    logs.sign_in(at(103, 20.1), NOTES, key, ip=STRANGER)
    for number in range(4):
        logs.mail(at(103, 20.2) + number * MINUTE, "", "finance@acme.example", "MailItemsAccessed", ip=STRANGER, application=NOTES)
    # A job of the test environment reads what customers ordered.
    for number in range(3):
        logs.aws(at(108, 12) + number * MINUTE, "role/report-builder", temporary("reports", 108), "dynamodb:Scan", ip="192.0.2.90",
                 agent=SDK, account=STAGE, into=PROD, parameters={"tableName": "orders"})  # fmt: skip
    # A key that rested since the move of a database, as everybody thought.
    for number, call in enumerate(("rds:DescribeDBInstances", "rds:CreateDBSnapshot")):
        logs.aws(at(114, 23.2) + number * MINUTE, "user/migration", SLEEPING_KEY, call, ip=OFFICE, agent=CLI)
