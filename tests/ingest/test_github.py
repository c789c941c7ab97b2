"""The audit log of GitHub: who did what with which token, and what that changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.events import LifecycleEvent, UseEvent
from licet.ingest import github, github_changes
from licet.ingest.recognised import Recognised, Unreadable
from readers import CANARY, needs_data, panther, place, read_or_refused, with_canary

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

HASH = "EH4L8o6PfCqipALbL+QT62lyqUtnI7ql0SPbkaQnjv8="
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/113.0.0.0 Safari/537.36"


def event(action: str = "repo.create", **changed: Any) -> dict[str, Any]:
    """A repository that the bot `deployer` makes with a token, in a run."""
    record: dict[str, Any] = {
        "@timestamp": 1772366400250, "created_at": 1772366400250, "_document_id": "KsQ2Yb3dXk9aQbKq9LmZtA", "action": action,
        "actor": "deployer", "actor_id": 42, "actor_is_bot": True, "actor_ip": "203.0.113.7", "actor_location": {"country_code": "DE"},
        "user_agent": "octokit-core.js/3.6.0 Node.js/18", "org": "acme", "repo": "acme/shop", "workflow_run_id": 77, "hashed_token": HASH,
        "programmatic_access_type": "Personal access token (classic)", "token_id": 1234, "token_scopes": "repo,workflow",
    }  # fmt: skip
    return {key: value for key, value in {**record, **changed}.items() if value is not None}


def web(action: str, **changed: Any) -> dict[str, Any]:
    """The same by a person at a browser, which is authenticated by no token."""
    by_hand = {"programmatic_access_type": None, "token_id": None, "token_scopes": None, "hashed_token": None, "workflow_run_id": None}
    return event(action, **{**by_hand, "actor": "ann", "actor_is_bot": False, "user_agent": CHROME, "repo": None, **changed})


def used(record: dict[str, Any]) -> UseEvent:
    return github.read(record, place("acme-corp")).uses[0]


def changed(record: dict[str, Any]) -> LifecycleEvent:
    (found,) = github.read(record, place()).lifecycle
    return found


def test_a_use_has_the_token_the_run_and_the_place() -> None:
    use = used(event())
    assert (use.identity, use.identity_kind, use.identity_name) == ("github:deployer", "bot", "deployer")
    assert (use.credential, use.credential_kind) == (place().fingerprint(HASH), "personal_access_token_classic")
    assert (use.workload, use.session, use.account, use.resource) == ("run:acme/shop/77", "77", "acme", "acme/shop")
    assert (use.operation, use.outcome, use.time) == ("github:repo.create", "success", 1772366400.25)
    assert (use.ip, use.network, use.country, use.agent) == ("203.0.113.7", "203.0.113.0/24", "DE", "octokit-core.js/3")
    assert use.native_id == "KsQ2Yb3dXk9aQbKq9LmZtA"
    assert not use.interactive


def test_a_person_at_a_browser_is_interactive_and_has_no_credential() -> None:
    use = used(web("repo.create"))
    assert (use.interactive, use.identity_kind, use.credential) == (True, "human", "")


@pytest.mark.parametrize(
    "actor, fields, kind",
    [
        ("github-actions[bot]", {}, "pipeline"),
        ("renovate[bot]", {"actor_is_bot": None}, "bot"),
        ("copilot", {"actor_is_agent": True}, "ai_agent"),
        ("ann", {"actor_is_bot": False}, "human"),
        ("ann", {"actor_is_bot": None}, "unknown"),
    ],
)
def test_the_kind_of_an_actor(actor: str, fields: dict[str, Any], kind: str) -> None:
    assert used(event(actor=actor, **fields)).identity_kind == kind


@pytest.mark.parametrize(
    "action, access",
    [
        ("git.clone", "read"),
        ("git.push", "write"),
        ("repo.create", "write"),
        ("repo.add_member", "admin"),
        ("org.update_member", "admin"),
        ("repo.create_actions_secret", "admin"),
        ("personal_access_token.access_granted", "admin"),
        ("protected_branch.destroy", "admin"),
        ("audit_log_streaming.destroy", "admin"),
    ],
)
def test_what_an_action_gives_access_to(action: str, access: str) -> None:
    assert used(event(action)).access == access


def test_a_request_reads_or_writes_as_its_method_says() -> None:
    assert [used(event("api.request", request_method=method)).access for method in ("GET", "POST")] == ["read", "write"]


def test_times_are_milliseconds_or_the_text_that_collectors_make_of_them() -> None:
    assert used({**event(), "@timestamp": "2026-03-01 12:00:00.250"}).time == 1772366400.25


def test_what_has_no_actor_and_no_token_is_passed_over_and_a_token_alone_is_an_identity() -> None:
    assert github.read(event("git.clone", actor="", hashed_token=None, token_id=None), place()).passed
    assert used(event("git.clone", actor="")).identity == f"github:{place().fingerprint(HASH)}"


def test_a_record_without_an_id_is_known_by_its_content() -> None:
    one, same, other = (used(event(_document_id=None, repo=repo)).native_id for repo in ("acme/a", "acme/a", "acme/b"))
    assert one == same != other


def test_a_token_is_issued_used_and_revoked_by_the_same_fingerprint() -> None:
    issued = changed(web("oauth_access.create", hashed_token=HASH, user="deployer"))
    revoked = changed(web("oauth_access.destroy", hashed_token=HASH, user="deployer"))
    assert (issued.kind, revoked.kind, issued.identity, issued.by) == ("issued", "revoked", "github:deployer", "github:ann")
    assert issued.credential == revoked.credential == used(event()).credential


def test_a_token_that_is_the_subject_is_not_what_the_request_was_made_with() -> None:
    use = used(web("oauth_access.create", hashed_token=HASH))
    assert (use.credential, use.credential_kind) == ("", "")


def test_the_token_that_a_request_was_made_with_is_not_the_one_that_it_revokes() -> None:
    record = event("personal_access_token.access_revoked", user_programmatic_access_id=9, user="bob")
    assert changed(record).credential == place().fingerprint("github:user_programmatic_access_id:9") != used(record).credential != ""
    assert not github.read(event("personal_access_token.access_revoked", user="bob"), place()).lifecycle


def test_what_a_token_was_granted_is_listed_in_one_form() -> None:
    granted = changed(
        web("personal_access_token.access_granted", user_programmatic_access_id=9, permissions_added={"secrets": "write", "a": "read"})
    )
    assert (granted.kind, granted.privilege, granted.access) == ("granted", "read/a write/secrets", "admin")


@pytest.mark.parametrize(
    "action, kind",
    [
        ("integration_installation.create", "granted"),
        ("integration_installation.version_updated", "scope_widened"),
        ("integration_installation.destroy", "ungranted"),
        ("integration.generate_client_secret", "issued"),
    ],
)
def test_an_app_is_its_bot(action: str, kind: str) -> None:
    found = changed(web(action, name="Datadog CI"))
    assert (found.kind, found.identity, found.by) == (kind, "github:datadog-ci[bot]", "github:ann")


def test_an_oauth_app_is_authorised_and_its_scopes_grow() -> None:
    granted = changed(web("oauth_authorization.create", oauth_application_name="Mailer", scopes=["user", "admin:org"]))
    assert (granted.kind, granted.identity, granted.access) == ("granted", "github:oauth_app/Mailer", "admin")
    assert granted.privilege == "admin:org user"
    assert changed(web("oauth_authorization.update", oauth_application_id=5)).kind == "scope_widened"


def test_things_of_two_kinds_with_one_number_are_two() -> None:
    token = used(event(hashed_token=None, token_id=7, user="bob")).credential
    destroyed = changed(web("deploy_key.destroy", repo="acme/shop", key_id=7)).credential
    assert token == place().fingerprint("github:token_id:7") != destroyed


def test_of_two_oauth_apps_of_one_name_each_is_itself() -> None:
    one, other = (changed(web("oauth_application.destroy", oauth_application_name="CI", oauth_application_id=each)) for each in (5, 6))
    assert one.identity == "github:oauth_app/5" != other.identity


def test_a_deploy_key_is_the_repositorys_and_another_key_its_users() -> None:
    deploy = changed(web("public_key.create", repo="acme/shop", fingerprint="SHA256:abc"))
    own = changed(web("public_key.delete", fingerprint="SHA256:abc", user="bob"))
    assert (deploy.kind, deploy.identity, deploy.credential_kind) == ("issued", "github:deploy_key/acme/shop", "deploy_key")
    assert (own.kind, own.identity, own.credential) == ("revoked", "github:bob", deploy.credential)


def test_a_run_ends_as_the_workload_of_what_was_done_in_it() -> None:
    ended = changed(web("workflows.completed_workflow_run", repo="acme/shop", workflow_run_id=77))
    assert (ended.kind, ended.workload) == ("job_ended", used(event()).workload)


def test_a_member_becomes_an_owner_and_a_stream_is_cut() -> None:
    granted = changed(web("org.update_member", user="bob", permission="admin"))
    assert (granted.kind, granted.identity, granted.privilege, granted.access) == ("granted", "github:bob", "admin", "admin")
    stopped = changed(web("audit_log_streaming.destroy"))
    assert (stopped.kind, stopped.identity) == ("logging_stopped", "github:ann")


@pytest.mark.parametrize(
    "changes, key",
    [
        ({"action": None}, "action"),
        ({"action": 5}, "action"),
        ({"@timestamp": None, "created_at": None}, "created_at"),
        ({"@timestamp": -1}, "@timestamp"),
        ({"actor_location": "DE"}, "actor_location"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(Unreadable) as error:
        github.read(event(**changes), place())
    assert error.value.key == key


@needs_data
def test_the_published_records_are_read_or_refused_by_a_named_cause() -> None:
    found = [read_or_refused(github.read, record, place()) for record in panther("GitHub.Audit")]
    assert sum(isinstance(one, Recognised) and bool(one.uses) for one in found) == 23


@needs_data
def test_no_secret_in_any_text_of_a_real_record_is_in_an_event() -> None:
    lifecycle = [
        web(action, user="bob", name="n", fingerprint="f", scopes=["a"], oauth_application_name="o") for action in github_changes._ALL
    ]
    for record in [*panther("GitHub.Audit"), event(), *lifecycle]:
        for changed_ in with_canary(record):
            assert CANARY not in str(read_or_refused(github.read, changed_, place()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    *event(),
    "user",
    "name",
    "integration",
    "permissions",
    "fingerprint",
    "user_programmatic_access_id",
    "oauth_application_id",
    "scopes",
]


@given(record=st.dictionaries(st.sampled_from(KEYS), JSON), action=st.sampled_from(sorted(github_changes._ALL)))
@settings(max_examples=120)
def test_any_object_is_recognised_or_refused(record: dict[str, Any], action: str) -> None:
    read_or_refused(github.read, record, place())
    read_or_refused(github.read, {**web(action), **record}, place())
    read_or_refused(github.read, {**event(), **record, "action": action}, place())


@pytest.mark.parametrize(
    "said, access", [({}, "read"), ({"permission": "read"}, "read"), ({"permission": "admin"}, "admin")], ids=["joins", "read", "owner"]
)
def test_who_joins_an_organisation_gives_himself_no_right_but_as_its_owner(said: dict[str, str], access: str) -> None:
    """GitHub logs joining as `org.add_member` by and of the same user."""
    found = changed(web("org.add_member", actor="cat", user="cat", **said))
    assert (found.kind, found.identity, found.by, found.access) == ("granted", "github:cat", "github:cat", access)
