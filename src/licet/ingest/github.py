"""Audit log of GitHub: of an organisation or an enterprise, as exported, streamed or from the REST API.

All records are of what was done, so that each use is a success. Who is `github:LOGIN`; for an app that is its bot's login. A web session
has no credential; a token has `hashed_token` (Base64 of its SHA-256), else `token_id`.
Source: https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from licet.events import AccessLevel, IdentityKind, UseEvent
from licet.ingest.fields import (
    address_of,
    agent_of,
    clean,
    id_in,
    id_of,
    interactive_agent,
    name_in,
    network_of,
    raw_in,
    time_of,
    time_of_millis,
    uid_of,
)
from licet.ingest.github_changes import changes, numbered
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable, part, text

_READS: Final = frozenset({
    "git.clone", "git.fetch", "repo.download_zip", "audit_log_export.create", "org.audit_log_export", "org.audit_log_git_event_export",
})  # fmt: skip
_ADMIN: Final = frozenset({
    "audit_log_streaming", "business", "deploy_key", "enterprise", "hook", "integration", "integration_installation", "ip_allow_list",
    "ip_allow_list_entry", "oauth_access", "oauth_application", "oauth_authorization", "org", "org_credential_authorization",
    "organization_moderators", "organization_role", "personal_access_token", "protected_branch", "public_key", "repository_ruleset",
    "repository_secret_scanning", "repository_secret_scanning_push_protection", "role", "secret_scanning",
    "secret_scanning_push_protection", "security_key", "ssh_certificate_authority", "two_factor_authentication",
})  # fmt: skip
"""Categories of which each action changes permissions, credentials, trust or logging."""

_ADMIN_ACTIONS: Final = frozenset({
    "repo.access", "repo.add_member", "repo.remove_member", "repo.update_member", "repo.transfer", "repo.transfer_start",
    "repo.actions_enabled", "repo.set_actions_default_workflow_permissions", "repo.register_self_hosted_runner",
    "team.add_member", "team.add_repository", "team.change_privilege", "team.update_repository_permission", "team.promote_maintainer",
})  # fmt: skip
_TOKEN_EVENTS: Final = frozenset({"personal_access_token", "oauth_access", "org_credential_authorization"})
"""Of these a token is the subject: where nothing says that the request itself was made with a token, the one that the record names."""


def read(record: Record, place: Place) -> Recognised:
    """One record of the audit log."""
    action = name_in(record, "action")
    if not action:
        raise Unreadable("is missing", "action")
    native = id_of(text(record, "_document_id"), record, place)
    time = _time(record)
    shown = text(record, "hashed_token")
    number = "" if shown else id_in(record, "token_id")
    credential = place.fingerprint(shown) if shown else numbered("token_id", number, place) if number else ""
    actor = name_in(record, "actor")
    if not actor and not credential:
        return Recognised(passed="no actor")
    ip, agent = text(record, "actor_ip"), text(record, "user_agent")
    repo, org = _repo(record), name_in(record, "org")
    run = id_in(record, "workflow_run_id")
    kind = _credential_kind(text(record, "programmatic_access_type")[:80])
    is_subject = not kind and action.partition(".")[0] in _TOKEN_EVENTS
    use = UseEvent(
        "github", native, time, uid_of(f"github:{raw_in(record, 'actor') or credential}", place), f"github:{action}", "success",
        _access(record, action),
        identity_kind=_kind_of(record, actor),
        identity_name=actor,
        credential="" if is_subject else credential,
        credential_kind="" if is_subject else kind,
        session=clean(run),
        workload=uid_of(f"run:{_raw_repo(record) or raw_in(record, 'org')}/{run}", place) if run else "",
        account=org or name_in(record, "business") or place.account,
        ip=address_of(ip) if ip else "",
        network=network_of(address_of(ip)) if ip else "",
        country=name_in(part(record, "actor_location"), "country_code"),
        agent=agent_of(agent) if agent else "",
        interactive=interactive_agent(agent) if agent else False,
        resource=repo or org,
        resource_kind="repository" if repo else "organization" if org else "",
    )  # fmt: skip
    return Recognised((use,), changes(record, use, place, credential if is_subject else ""))


@lru_cache(2_048)
def access_of(action: str) -> AccessLevel:
    """What an action does, by its category and name."""
    category, _, done = action.partition(".")
    if action in _READS:
        return "read"
    if category in _ADMIN or action in _ADMIN_ACTIONS or done.endswith("_secret"):
        return "admin"
    return "write"


def _access(record: Record, action: str) -> AccessLevel:
    if action == "api.request":
        return "read" if text(record, "request_method") in ("GET", "HEAD") else "write"
    return access_of(action)


def _time(record: Record) -> float:
    """When it happened: milliseconds, or the text that some collectors make of them."""
    key = "@timestamp" if record.get("@timestamp") is not None else "created_at"
    found = record.get(key)
    return time_of(found, key) if isinstance(found, str) else time_of_millis(found, key)


def _raw_repo(record: Record) -> str:
    return raw_in(record, "repo") or raw_in(record, "repository")


def _repo(record: Record) -> str:
    return name_in(record, "repo") or name_in(record, "repository")


@lru_cache(1_024)
def _credential_kind(said: str) -> str:
    """`Personal access token (classic)` is `personal_access_token_classic`."""
    words = "".join(sign if sign.isalnum() else " " for sign in clean(said).lower()).split()
    return "_".join(words)


def _kind_of(record: Record, actor: str) -> IdentityKind:
    if record.get("actor_is_agent") is True:
        return "ai_agent"
    if actor == "github-actions[bot]":
        return "pipeline"
    if record.get("actor_is_bot") is True or actor.endswith("[bot]"):
        return "bot"
    return "human" if record.get("actor_is_bot") is False else "unknown"


SOURCE: Final = Source("github", "GitHub audit log", read, lag=3600.0)
"""`lag`: streaming takes minutes; what is polled comes later."""
