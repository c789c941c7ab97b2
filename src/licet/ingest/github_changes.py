"""What a record of GitHub's audit log says of credentials, apps, members and runs that it changes.

An app is its bot's login, as it acts by that; an OAuth app, which acts as a user, is `github:oauth_app/` and its id, or its name where
the record has none. A revocation whose credential the record does not name is left out: to say of the identity that it is revoked would
say more than is known.
"""

from __future__ import annotations

from typing import Any, Final

from licet.events import LifecycleEvent, LifecycleKind, UseEvent
from licet.ingest.fields import clean, id_in, raw_in, uid_of
from licet.ingest.forms import told_of
from licet.ingest.recognised import Place, Record

_TOKENS: Final[dict[str, LifecycleKind]] = {
    "personal_access_token.create": "issued",
    "personal_access_token.access_granted": "granted",
    "personal_access_token.access_revoked": "revoked",
    "personal_access_token.destroy": "revoked",
    "personal_access_token.expired": "expired",
    "oauth_access.create": "issued",
    "oauth_access.regenerate": "issued",
    "oauth_access.destroy": "revoked",
    "oauth_access.revoke": "revoked",
    "org_credential_authorization.grant": "granted",
    "org_credential_authorization.revoke": "revoked",
    "org_credential_authorization.deauthorize": "revoked",
}
_KEYS: Final[dict[str, LifecycleKind]] = {
    "public_key.create": "issued",
    "public_key.delete": "revoked",
    "deploy_key.create": "issued",
    "deploy_key.destroy": "revoked",
}
_APPS: Final[dict[str, LifecycleKind]] = {
    "integration.create": "created",
    "integration.destroy": "deleted",
    "integration.generate_client_secret": "issued",
    "integration.generate_private_key": "issued",
    "integration_installation.create": "granted",
    "integration_installation.repositories_added": "scope_widened",
    "integration_installation.version_updated": "scope_widened",
    "integration_installation.repositories_removed": "ungranted",
    "integration_installation.destroy": "ungranted",
    "integration_installation.suspend": "suspended",
    "integration_installation.unsuspend": "activated",
}
_OAUTH_APPS: Final[dict[str, LifecycleKind]] = {
    "oauth_application.create": "created",
    "oauth_application.destroy": "deleted",
    "oauth_application.generate_client_secret": "issued",
    "oauth_application.reset_secret": "issued",
    "oauth_authorization.create": "granted",
    "oauth_authorization.update": "scope_widened",
    "oauth_authorization.destroy": "ungranted",
    "org.oauth_app_access_approved": "granted",
    "org.oauth_app_access_denied": "ungranted",
}
_MEMBERS: Final[dict[str, LifecycleKind]] = {
    "org.add_member": "granted",
    "org.update_member": "granted",
    "org.remove_member": "ungranted",
    "repo.add_member": "granted",
    "repo.update_member": "granted",
    "repo.remove_member": "ungranted",
    "team.add_member": "granted",
    "team.remove_member": "ungranted",
    "organization_moderators.add_user": "granted",
    "organization_moderators.remove_user": "ungranted",
    "organization_role.assign": "granted",
    "organization_role.revoke": "ungranted",
    "business.add_admin": "granted",
    "business.remove_admin": "ungranted",
}
_RUNS: Final[dict[str, LifecycleKind]] = {
    "workflows.created_workflow_run": "job_started",
    "workflows.completed_workflow_run": "job_ended",
}
_LOGGING: Final[dict[str, LifecycleKind]] = {
    "audit_log_streaming.create": "logging_started",
    "audit_log_streaming.destroy": "logging_stopped",
}
_ALL: Final = _TOKENS | _KEYS | _APPS | _OAUTH_APPS | _MEMBERS | _RUNS | _LOGGING
_SCOPES: Final = (
    "permissions_added", "permissions_upgraded", "permissions", "repositories_added", "scopes", "token_scopes", "new_repo_permission",
    "permission", "repository_selection",
)  # fmt: skip
_LONGEST: Final = 300  # characters of a list of scopes


def changes(record: Record, use: UseEvent, place: Place, subject: str) -> tuple[LifecycleEvent, ...]:
    """What the record changed. `subject` is the fingerprint of the token that it is about, if that is known already.

    Raises:
        Unreadable: a key that names the subject is no text.
    """
    action = use.operation.removeprefix("github:")
    kind = _ALL.get(action)
    if kind is None:
        return ()
    event = LifecycleEvent(use.source, use.native_id, use.time, kind, by=use.identity, account=use.account)
    if action in _TOKENS:
        shown = () if use.credential else ("token_id",)
        credential = subject or _shown(record, place, "user_programmatic_access_id", *shown)
        if not credential and kind in ("revoked", "expired"):
            return ()
        return (_scoped(event._replace(identity=_user(record, use, place), credential=credential), record),)
    if action in _KEYS:
        credential = _shown(record, place, "fingerprint", "key_id", "public_key_id")
        return (_key(event, record, use, credential, place),) if credential else ()
    if action in _RUNS:
        return (event._replace(workload=use.workload),) if use.workload else ()
    if action in _LOGGING:
        return (event._replace(identity=use.identity, reason="audit log streaming"),)
    whom = _app(record) if action in _APPS else _oauth_app(record) if action in _OAUTH_APPS else raw_in(record, "user")
    if not whom:
        return ()
    return (_scoped(event._replace(identity=uid_of(f"github:{whom}", place)), record, action if action in _MEMBERS else ""),)


def _user(record: Record, use: UseEvent, place: Place) -> str:
    """The user whom the record names, else who did it."""
    return uid_of(f"github:{user}", place) if (user := raw_in(record, "user")) else use.identity


def _key(event: LifecycleEvent, record: Record, use: UseEvent, credential: str, place: Place) -> LifecycleEvent:
    """An SSH key is a user's; in a repository it is a deploy key, which nobody is."""
    if repo := raw_in(record, "repo") or raw_in(record, "repository"):
        return event._replace(identity=uid_of(f"github:deploy_key/{repo}", place), credential=credential, credential_kind="deploy_key")
    return event._replace(identity=_user(record, use, place), credential=credential, credential_kind="ssh_key")


def _app(record: Record) -> str:
    """The login of an app's bot, by its name: `Datadog CI` is `datadog-ci[bot]`; empty without a name."""
    name = raw_in(record, "integration") or raw_in(record, "name")
    slug = "-".join("".join(sign if sign.isalnum() else " " for sign in name.lower()).split())
    return f"{slug}[bot]" if slug else ""


def _oauth_app(record: Record) -> str:
    name = id_in(record, "oauth_application_id")  # its name is anybody's to give to another one
    name = name or raw_in(record, "oauth_application_name") or raw_in(record, "oauth_application")
    return f"oauth_app/{name}" if name else ""


def _scoped(event: LifecycleEvent, record: Record, action: str = "") -> LifecycleEvent:
    """With what was granted: the first list of permissions that the record has."""
    if event.kind not in ("granted", "ungranted", "scope_widened"):
        return event
    privilege = next((words for key in _SCOPES if (words := _words(record.get(key)))), action)
    lowered = privilege.lower()
    is_admin = any(word in lowered for word in ("admin", "owner", "moderators", "write/secrets"))
    # To join an organisation is logged so too, by whoever joins: nobody gives himself a right by it, unless that is an owner's.
    joins = action == "org.add_member"
    return event._replace(privilege=privilege, access="admin" if is_admin else "read" if joins else "")


def _words(found: Any) -> str:
    """A list of permissions in one form, whatever the record has: a text, a list of texts, or an object of levels (`write/secrets`)."""
    if isinstance(found, str):
        words = found.replace(",", " ").split()
    elif isinstance(found, list):
        words = [word for word in found if isinstance(word, str)]
    elif isinstance(found, dict):
        words = [f"{level}/{key}" for key, level in found.items() if isinstance(level, str)]
    else:
        return ""
    return clean(" ".join(sorted(words))[:_LONGEST])


def _shown(record: Record, place: Place, *keys: str) -> str:
    """The fingerprint of the first id that the record has under one of the keys.

    Each kind of thing is numbered for itself, so the key stands before a number: deploy key 7 is not token 7.
    """
    return next((numbered(key, found, place) for key in keys if key and (found := id_in(record, key))), "")


def numbered(key: str, shown: str, place: Place) -> str:
    """The fingerprint of an id that GitHub counts up for what stands under `key`, or of a digest, which needs no key."""
    return told_of("github", f"github:{key}:{shown}" if shown.isdecimal() else shown, place.fingerprint)
