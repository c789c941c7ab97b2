"""The System Log of Okta: who did what with which token, and what that changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.events import LifecycleEvent, UseEvent
from licet.ingest import okta, okta_changes
from licet.ingest.recognised import Recognised, Unreadable
from readers import CANARY, needs_data, panther, place, read_or_refused, with_canary

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

TOKEN = "00T94e3cn9kSEO3c51s5"
ANN = {"id": "00u1ann", "type": "User", "alternateId": "ann@example.com", "displayName": "Ann"}
APP = {"id": "0oa1mailer", "type": "PublicClientApp", "alternateId": "unknown", "displayName": "Mailer"}
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/113.0.0.0 Safari/537.36"


def event(kind: str = "user.lifecycle.update", *targets: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A change by a script with Ann's API token."""
    record: dict[str, Any] = {
        "uuid": "44aeb388-08b4-11ef-9cec-73ffcb6f9fdd", "published": "2026-03-01T12:00:00.000Z", "eventType": kind, "actor": ANN,
        "client": {
            "ipAddress": "203.0.113.7", "geographicalContext": {"country": "Germany"},
            "userAgent": {"rawUserAgent": "python-requests/2.31.0", "os": "Unknown"},
        },
        "outcome": {"result": "SUCCESS"}, "securityContext": {"asNumber": 64500, "asOrg": "example"},
        "authenticationContext": {"externalSessionId": "trs-1", "rootSessionId": "root-1"},
        "transaction": {"id": "t-1", "type": "WEB", "detail": {"requestApiTokenId": TOKEN}},
        "debugContext": {"debugData": {"requestUri": "/api/v1/users", "dtHash": "0f"}}, "target": list(targets),
    }  # fmt: skip
    return {**record, **changed}


def by_hand(kind: str, *targets: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The same by Ann at the console."""
    client = {"ipAddress": "203.0.113.7", "userAgent": {"rawUserAgent": CHROME}}
    return event(kind, *targets, **{"transaction": {"id": "t-1", "detail": {}}, "client": client, **changed})


def used(record: dict[str, Any]) -> UseEvent:
    return okta.read(record, place("acme")).uses[0]


def changed(record: dict[str, Any]) -> LifecycleEvent:
    (found,) = okta.read(record, place()).lifecycle
    return found


def test_a_use_has_the_token_the_session_and_the_place() -> None:
    use = used(event("group.user_membership.add", {"id": "00g1", "type": "UserGroup"}))
    assert (use.identity, use.identity_kind, use.identity_name) == ("okta:00u1ann", "human", "ann@example.com")
    assert (use.credential, use.credential_kind) == (place().fingerprint(TOKEN), "okta_api_token")
    assert (use.operation, use.access, use.outcome, use.time) == ("okta:group.user_membership.add", "admin", "success", 1772366400.0)
    assert (use.ip, use.network, use.country, use.agent) == ("203.0.113.7", "AS64500", "Germany", "python-requests/2")
    assert (use.account, use.session, use.resource, use.resource_kind) == ("acme", "root-1", "00g1", "UserGroup")
    assert not use.interactive


def test_a_person_at_a_browser_is_interactive_and_has_no_token() -> None:
    use = used(by_hand("user.session.start"))
    assert (use.interactive, use.credential, use.access) == (True, "", "read")


def test_a_client_that_acts_by_itself_is_an_app_with_its_id_as_credential() -> None:
    use = used(event("app.oauth2.token.grant.access_token", actor=APP, transaction=None, client={"id": "0oa1mailer"}))
    assert (use.identity, use.identity_kind, use.credential) == ("okta:0oa1mailer", "oauth_app", place().fingerprint("0oa1mailer"))


def test_without_a_number_of_the_network_its_addresses_stand_for_it() -> None:
    assert used(event(securityContext={})).network == "203.0.113.0/24"
    assert used(event(securityContext={"asNumber": -1})).network == "203.0.113.0/24"


@pytest.mark.parametrize(
    "kind, result, outcome",
    [
        ("user.session.start", "SUCCESS", "success"),
        ("policy.evaluate_sign_on", "ALLOW", "success"),
        ("policy.evaluate_sign_on", "DENY", "denied"),
        ("policy.evaluate_sign_on", "CHALLENGE", "failed"),
        ("user.session.start", "FAILURE", "denied"),
        ("user.lifecycle.update", "FAILURE", "failed"),
        ("user.lifecycle.update", "SOMETHING_NEW", "failed"),
    ],
)
def test_what_came_of_it(kind: str, result: str, outcome: str) -> None:
    use = used(event(kind, outcome={"result": result, "reason": "a reason"}))
    assert use.outcome == outcome
    assert use.error == ("" if outcome == "success" else "a reason")


def test_keys_that_a_data_lake_has_lowered_are_read_the_same() -> None:
    assert used({key if key == "uuid" else key.lower(): value for key, value in event().items()}) == used(event())


def test_an_actor_that_okta_does_not_know_is_passed_over() -> None:
    assert okta.read(event(actor={"id": "unknown", "type": "User", "alternateId": "eve"}), place()).passed


def test_a_token_is_issued_used_and_revoked_by_the_same_fingerprint() -> None:
    target = {"id": TOKEN, "type": "Token", "displayName": "ci"}
    issued, revoked = (changed(by_hand(f"system.api_token.{done}", target)) for done in ("create", "revoke"))
    assert (issued.kind, issued.identity, revoked.kind, revoked.identity) == ("issued", "okta:00u1ann", "revoked", "")
    assert issued.credential == revoked.credential == used(event()).credential


def test_a_client_is_made_gets_a_secret_and_ends() -> None:
    client, secret = {"id": "0oa1mailer", "type": "PublicClientApp"}, {"id": "ocs1", "type": "ClientSecret"}
    assert changed(by_hand("app.oauth2.client.lifecycle.create", client)).kind == "created"
    issued = changed(by_hand("app.oauth2.credentials.lifecycle.create", secret, client))
    assert (issued.kind, issued.identity, issued.credential) == ("issued", "okta:0oa1mailer", place().fingerprint("ocs1"))
    ended = changed(by_hand("app.oauth2.client.lifecycle.deactivate", client))
    assert (ended.kind, ended.identity) == ("suspended", "okta:0oa1mailer")


def test_what_an_app_may_do_in_the_organisation_grows_and_a_users_consent_is_a_grant() -> None:
    client, scope = {"id": "0oa1mailer", "type": "PublicClientApp"}, {"id": "s", "type": "Scope", "displayName": "okta.users.manage"}
    widened = changed(by_hand("app.oauth2.client.privilege.grant", scope, client))
    assert (widened.kind, widened.identity, widened.privilege, widened.access) == (
        "scope_widened", "okta:0oa1mailer", "okta.users.manage", "admin",
    )  # fmt: skip
    debug = {"debugData": {"grantedScopes": "openid,email"}}
    granted = changed(by_hand("app.oauth2.as.consent.grant", client, debugContext=debug))
    assert (granted.kind, granted.privilege, granted.access) == ("granted", "email openid", "")


@pytest.mark.parametrize("said", [5, ["openid"], None, {}], ids=["number", "list", "null", "object"])
def test_what_was_granted_may_be_of_any_form_as_okta_promises_none(said: Any) -> None:
    client = {"id": "0oa1mailer", "type": "PublicClientApp"}
    assert changed(by_hand("app.oauth2.as.consent.grant", client, debugContext={"debugData": {"grantedScopes": said}})).privilege == ""


def test_a_person_becomes_an_administrator() -> None:
    debug = {"debugData": {"privilegeGranted": "Super administrator"}}
    granted = changed(by_hand("user.account.privilege.grant", {"id": "00u2bob", "type": "User"}, debugContext=debug))
    assert (granted.kind, granted.identity, granted.privilege, granted.access) == (
        "granted",
        "okta:00u2bob",
        "Super administrator",
        "admin",
    )


def test_a_user_is_suspended_and_a_log_stream_cut() -> None:
    suspended = changed(by_hand("user.lifecycle.suspend", {"id": "00u2bob", "type": "User"}))
    assert (suspended.kind, suspended.identity) == ("suspended", "okta:00u2bob")
    cut = changed(by_hand("system.log_stream.lifecycle.deactivate", {"id": "l", "type": "LogStream", "displayName": "siem"}))
    assert (cut.kind, cut.identity, cut.reason) == ("logging_stopped", "okta:00u1ann", "log stream siem")


def test_a_failed_change_says_so() -> None:
    assert changed(by_hand("user.lifecycle.suspend", {"id": "00u2", "type": "User"}, outcome={"result": "FAILURE"})).outcome == "failed"


@pytest.mark.parametrize(
    "changes, key",
    [
        ({"eventType": None}, "eventType"),
        ({"published": None}, "published"),
        ({"actor": None}, "actor.id"),
        ({"actor": {"id": 5}}, "id"),
        ({"target": {}}, "target"),
        ({"outcome": "SUCCESS"}, "outcome"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(Unreadable) as error:
        okta.read(event(**changes), place())
    assert error.value.key == key


@needs_data
def test_the_published_records_are_read_or_refused_by_a_named_cause() -> None:
    found = [read_or_refused(okta.read, record, place()) for record in panther("Okta.SystemLog")]
    assert sum(isinstance(one, Recognised) and bool(one.uses) for one in found) == 28


BEGINNINGS = [beginning for beginning, _ in okta_changes._OF]


@needs_data
def test_no_secret_in_any_text_of_a_real_record_is_in_an_event() -> None:
    kinds = ("Token", "ClientSecret", "PublicClientApp", "User", "Scope", "LogStream")
    targets = [{"id": "x", "type": kind, "displayName": "n", "alternateId": "a"} for kind in kinds]
    changes = [event(f"{beginning}{done}", *targets) for beginning in BEGINNINGS for done in ("create", "grant")]
    for record in [*panther("Okta.SystemLog"), event(), *changes]:
        for changed_ in with_canary(record):
            assert CANARY not in str(read_or_refused(okta.read, changed_, place()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
TARGETS = st.lists(
    st.fixed_dictionaries({"id": JSON, "type": JSON | st.sampled_from(["Token", "User", "PublicClientApp", "Scope"])}), max_size=3
)


@given(
    record=st.dictionaries(st.sampled_from([*event()]), JSON), targets=TARGETS, debug=JSON,
    beginning=st.sampled_from(BEGINNINGS), done=st.sampled_from(["create", "grant", "revoke", "deactivate", "completed"]),
)  # fmt: skip
@settings(max_examples=120)
def test_any_object_is_recognised_or_refused(record: dict[str, Any], targets: list[Any], debug: Any, beginning: str, done: str) -> None:
    read_or_refused(okta.read, record, place())
    base = event(f"{beginning}{done}", *targets, debugContext={"debugData": debug})
    read_or_refused(okta.read, base, place())
    read_or_refused(okta.read, {**base, **record}, place())
