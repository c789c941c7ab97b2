"""Applications of OAuth that get more than they had, and take what they can then."""

from __future__ import annotations

from licet.drill.natives import entra, m365
from licet.drill.scenario import Play, Record, Scenario
from licet.drill.scenarios.declaring import owned
from licet.drill.stage import HOUR, Stage

_SCOPES = ("Mail.Read", "Mail.ReadWrite")
_FILES = "https://{}.sharepoint.com/sites/{}/{}.xlsx"


def mail_read(stage: Stage, source: str, twin: bool) -> Play:  # noqa: FBT001 - of all plays
    """An application gets a wider scope and a new secret, and reads mail. The twin's scope came days before."""
    app = entra.app(stage)
    admin = entra.person(stage, app.tenant)
    scope, new, mailbox = stage.rng.choice(_SCOPES), stage.uuid(), f"{stage.name()}@{admin.name.partition('@')[2]}"
    earlier = stage.before(74 * HOUR, 70 * HOUR)
    widening = earlier if twin else stage.now
    records: list[Record] = []
    if source == "entra":
        old = stage.uuid()
        records += [entra.signed_in(stage, app, time, key=old)[0] for time in stage.habit(4, 2)]
        operation, targets = entra.widened(stage, app, scope)
        wider, wider_id = entra.changed(stage, admin, widening, operation, targets, live=not twin)
        operation, targets = entra.secret_added(app, new, (old,))
        secret, secret_id = entra.changed(stage, admin, stage.now + 2, operation, targets, live=True)
        read, read_id = entra.asked(stage, app, stage.now + 5, f"users/{mailbox}/messages?$top={stage.rng.randrange(5, 50)}", live=True)
    else:
        site = stage.name()
        for time in stage.habit(4, 2):
            file = _FILES.format(site, stage.name(), stage.name())
            records.append(m365.did(stage, app, time, "FileAccessed", file)[0])
        wider, wider_id = m365.changed(stage, admin, widening, *m365.widened(scope, "Sites.Read.All"), app=app, live=not twin)
        secret, secret_id = m365.changed(stage, admin, stage.now + 2, *m365.secret_added(new), app=app, live=True)
        read, read_id = m365.did(stage, app, stage.now + 5, "MailItemsAccessed", mailbox, live=True)
    records += sorted((wider, secret, read), key=lambda each: each.time)
    declared = {"identities": [owned(stage, app.uid, "oauth_app"), {"identity": admin.uid, "kind": "human"}]}
    if twin:
        return Play(app.uid, new, tuple(records), declared, differs="the scope and the secret came days apart")
    return Play(
        app.uid, new, tuple(records), declared, frozenset({"APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED", "APP_FIRST_RESOURCE"}),
        shows=(f"graph:{scope}",), cites=(wider_id, secret_id, read_id), owner=stage.owner,
    )  # fmt: skip


def mail_read_for_a_person(stage: Stage, source: str, twin: bool) -> Play:  # noqa: ARG001, FBT001
    """The same, but no record has both of its names: it is changed by one, and reads the mail of who changed it by the other."""
    app = entra.app(stage)
    admin = entra.person(stage, app.tenant)
    scope, new = stage.rng.choice(_SCOPES), stage.uuid()
    earlier = stage.before(74 * HOUR, 70 * HOUR)
    operation, targets = entra.delegated(stage, app.principal, scope)
    wider, wider_id = entra.changed(stage, admin, earlier if twin else stage.now, operation, targets, live=not twin)
    operation, targets = entra.secret_added(app, new)
    secret, secret_id = entra.changed(stage, admin, stage.now + 2, operation, targets, live=True)
    read, read_id = m365.did(stage, app, stage.now + 5, "MailItemsAccessed", admin.name, person=admin.name, live=True)
    declared = {"identities": [
        owned(stage, app.uid, "oauth_app"), owned(stage, f"entra:{app.id}", "oauth_app"), {"identity": admin.uid, "kind": "human"},
    ]}  # fmt: skip
    if twin:
        return Play(app.uid, new, (wider, secret, read), declared, differs="the scope and the secret came days apart")
    return Play(
        app.uid, new, (wider, secret, read), declared, frozenset({"APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED", "APP_FIRST_RESOURCE"}),
        shows=(f"graph:{scope}", f"entra:{app.id}", admin.uid), cites=(wider_id, secret_id, read_id), owner=stage.owner,
    )  # fmt: skip


SCENARIOS = (
    Scenario(
        "D11", "app-reads-mail", "an application gets a scope and a secret, and reads mail", ("entra", "m365"), mail_read,
        references=("NHI3", "ASI04", "DE.CM-06", "T1098.001", "T1528"),
    ),
    Scenario(
        "D11b", "app-by-two-names", "an application gets a scope and a secret by one name, and reads mail by another", ("m365",),
        mail_read_for_a_person, references=("NHI3", "ASI04", "DE.CM-06", "T1098.001", "T1528"),
    ),
)  # fmt: skip
