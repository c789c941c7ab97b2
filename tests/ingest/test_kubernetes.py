"""Audit events of Kubernetes: who used what with which token, and what that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.events import LifecycleEvent, UseEvent
from licet.ingest import kubernetes
from licet.ingest.recognised import Recognised, Unreadable
from licet.inventory.used import needed_permissions, used_permissions
from readers import CANARY, SHARED, needs_data, panther, place, read_or_refused, with_canary

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

WEB = "system:serviceaccount:shop:web"
EXTRA = "authentication.kubernetes.io/"


def event(**changed: Any) -> dict[str, Any]:
    """A read of a configmap by the service account `web`, with the token of its pod."""
    record: dict[str, Any] = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "7b1c6c1e-0c57-4ac5-9d8c-2f1d5c3f6a10",
        "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/shop/configmaps/prices", "verb": "get",
        "user": {"username": WEB, "uid": "u-1", "groups": ["system:serviceaccounts"], "extra": {
            f"{EXTRA}credential-id": ["JTI=token-1"], f"{EXTRA}pod-name": ["web-0"], f"{EXTRA}pod-uid": ["p-1"],
        }},
        "sourceIPs": ["203.0.113.7"], "userAgent": "web/1.2 (linux/amd64)",
        "objectRef": {"resource": "configmaps", "namespace": "shop", "name": "prices", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200}, "requestReceivedTimestamp": "2026-03-01T12:00:00.000000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }  # fmt: skip
    return {**record, **changed}


def about(resource: str, *, name: str = "", sub: str = "", group: str = "", **changed: Any) -> dict[str, Any]:
    target = {"resource": resource, "namespace": "shop", "name": name, "subresource": sub, "apiGroup": group}
    return event(objectRef={key: value for key, value in target.items() if value}, **changed)


def used(record: dict[str, Any], account: str = "eks-prod") -> UseEvent:
    return kubernetes.read(record, place(account)).uses[0]


def changed(record: dict[str, Any]) -> tuple[LifecycleEvent, ...]:
    return kubernetes.read(record, place("eks-prod")).lifecycle


def test_a_use_has_the_token_the_pod_and_the_place() -> None:
    at = place("eks-prod")
    use = kubernetes.read(event(), at).uses[0]
    assert (use.identity, use.identity_kind, use.identity_name) == (WEB, "service_account", "web")
    assert (use.credential, use.credential_kind) == (at.fingerprint("token-1"), "service_account_token")
    assert (use.workload, use.session) == ("pod:eks-prod/shop/web-0", "p-1")
    assert (use.operation, use.access, use.outcome) == ("core:get/configmaps", "read", "success")
    assert (use.account, use.resource, use.resource_kind) == ("eks-prod", "namespaces/shop/configmaps/prices", "configmaps")
    assert (use.ip, use.network, use.agent, use.time) == ("203.0.113.7", "203.0.113.0/24", "web/1", 1772366400.0)
    assert use.native_id == "7b1c6c1e-0c57-4ac5-9d8c-2f1d5c3f6a10/ResponseComplete"


def test_who_came_in_to_eks_with_an_access_key_has_it_as_credential() -> None:
    extra = {"accessKeyId": ["ASIAEXAMPLE"], "sessionName": ["ann"], "arn": ["arn:aws:sts::111122223333:assumed-role/ops/ann"]}
    use = used(event(user={"username": "ops", "extra": extra}))
    assert (use.credential, use.credential_kind, use.session) == (place().fingerprint("ASIAEXAMPLE"), "temporary_key", "ann")


@pytest.mark.parametrize(
    "record", [{}, {"protoPayload": {"methodName": "io.k8s.core.v1.pods.list"}}, {"kind": 0}], ids=["nothing", "gke", "kind"]
)
def test_what_is_no_audit_event_is_called_that(record: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="no audit event"):
        kubernetes.read(record, place())


@pytest.mark.parametrize(
    "verb, resource, sub, group, access",
    [
        ("list", "pods", "", "", "read"),
        ("create", "pods", "", "", "write"),
        ("get", "secrets", "", "", "admin"),
        ("watch", "secrets", "", "", "admin"),
        ("get", "pods", "exec", "", "admin"),
        ("create", "pods", "portforward", "", "admin"),
        ("create", "serviceaccounts", "token", "", "admin"),
        ("create", "serviceaccounts", "", "", "admin"),
        ("list", "rolebindings", "", "rbac.authorization.k8s.io", "read"),
        ("patch", "clusterrolebindings", "", "rbac.authorization.k8s.io", "admin"),
        ("create", "selfsubjectaccessreviews", "", "authorization.k8s.io", "read"),
        ("impersonate", "users", "", "", "admin"),
    ],
)
def test_what_an_operation_gives_access_to(verb: str, resource: str, sub: str, group: str, access: str) -> None:
    use = used(about(resource, sub=sub, group=group, verb=verb))
    assert use.access == access
    assert use.operation == f"{group or 'core'}:{verb}/{resource}" + (f"/{sub}" if sub else "")


@pytest.mark.parametrize(
    "status, decision, outcome",
    [
        ({"code": 200}, "allow", "success"),
        ({"code": 101}, "allow", "success"),
        ({"code": 403, "reason": "Forbidden"}, "forbid", "denied"),
        ({"code": 200}, "forbid", "denied"),
        ({"code": 401}, "", "denied"),
        ({"code": 404, "reason": "NotFound"}, "allow", "failed"),
        ({}, "forbid", "denied"),
    ],
)
def test_what_came_of_a_request(status: dict[str, Any], decision: str, outcome: str) -> None:
    annotations = {"authorization.k8s.io/decision": decision} if decision else {}
    use = used(event(responseStatus=status, annotations=annotations))
    assert use.outcome == outcome
    assert bool(use.error) is (outcome != "success")


def test_a_request_is_a_use_from_its_answer_on() -> None:
    assert kubernetes.read(event(stage="RequestReceived"), place()).passed
    assert used(event(stage="Panic")).outcome == "failed"
    assert used(event(stage="")).native_id == event()["auditID"]


def test_whoever_impersonates_is_the_identity_and_the_other_stands_beside_it() -> None:
    use = used(event(user={"username": "system:admin"}, impersonatedUser={"username": "alice"}))
    assert (use.identity, use.on_behalf_of) == ("system:admin", ("k8s:alice",))


def test_a_request_without_an_object_is_named_by_its_path_without_its_query() -> None:
    use = used({**event(requestURI=f"/apis/apps/v1?token={CANARY}"), "objectRef": None})
    assert use.operation == "nonresource:get/apis/apps"
    assert CANARY not in str(use)


def test_a_person_at_a_terminal_in_a_pod_is_interactive() -> None:
    uri = "/api/v1/namespaces/shop/pods/web-0/exec?command=sh&stdin=true&tty={}"
    assert used(about("pods", name="web-0", sub="exec", verb="create", requestURI=uri.format("true"))).interactive
    assert not used(about("pods", name="web-0", sub="exec", verb="create", requestURI=uri.format("false"))).interactive


def token_request(**changed_: Any) -> dict[str, Any]:
    record = about("serviceaccounts", name="web", sub="token", verb="create", user={"username": "system:node:n1"})
    return {**record, "annotations": {f"{EXTRA}issued-credential-id": "JTI=token-1"}, **changed_}


def test_an_issued_token_is_the_one_that_is_used_later() -> None:
    (issued,) = changed(token_request())
    assert (issued.kind, issued.identity, issued.by) == ("issued", WEB, "system:node:n1")
    assert issued.credential == used(event()).credential != ""
    assert (issued.workload, issued.expires) == ("", 0.0)


def test_a_token_is_bound_to_its_pod_and_ends_when_it_was_asked_to() -> None:
    spec = {"expirationSeconds": 3607, "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web-0", "uid": "p-1"}}
    issued, bound = changed(token_request(requestObject={"kind": "TokenRequest", "spec": spec}))
    assert (issued.kind, issued.expires, issued.workload) == ("issued", 1772366400.0 + 3607, "pod:eks-prod/shop/web-0")
    assert (bound.kind, bound.workload, bound.credential) == ("bound", used(event()).workload, issued.credential)
    assert issued.native_id != bound.native_id


def test_the_end_that_was_granted_goes_before_the_one_that_was_asked_for() -> None:
    response = {"spec": {"expirationSeconds": 60}, "status": {"expirationTimestamp": "2026-03-01T13:00:00Z", "token": CANARY}}
    (issued,) = changed(token_request(responseObject=response))
    assert issued.expires == 1772366400.0 + 3600
    assert CANARY not in str(issued)


def test_the_deletion_of_a_pod_ends_its_workload_and_a_new_one_of_its_name_starts_it() -> None:
    (ended,) = changed(about("pods", name="web-0", verb="delete"))
    (started,) = changed(about("pods", name="web-0", verb="create", requestObject={"spec": {"serviceAccountName": "web"}}))
    assert (ended.kind, ended.workload) == ("job_ended", used(event()).workload)
    assert (started.kind, started.workload, started.identity) == ("job_started", ended.workload, WEB)


def test_a_binding_grants_its_role_to_each_subject() -> None:
    subjects = [
        {"kind": "ServiceAccount", "namespace": "shop", "name": "web"},
        {"kind": "User", "name": "eve"},
        {"kind": "Group", "name": "g"},
    ]
    body = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": subjects}
    found = changed(about("clusterrolebindings", name="b", group="rbac.authorization.k8s.io", verb="create", requestObject=body))
    assert [(one.kind, one.identity, one.privilege, one.access, one.by) for one in found] == [
        ("granted", who, "cluster-admin", "admin", WEB) for who in (WEB, "k8s:eve", "group:g")
    ]
    assert len({one.native_id for one in found}) == 3


def test_a_denied_grant_says_so() -> None:
    body = {"roleRef": {"name": "edit"}, "subjects": [{"kind": "User", "name": "eve"}]}
    record = about(
        "rolebindings", name="b", group="rbac.authorization.k8s.io", verb="create", requestObject=body, responseStatus={"code": 403}
    )
    (granted,) = changed(record)
    assert (granted.outcome, granted.access) == ("denied", "write")


def test_a_role_with_a_wildcard_is_admin_and_one_without_grants_nothing_to_look_at() -> None:
    def role(*rules: dict[str, Any]) -> dict[str, Any]:
        return about("roles", name="r", group="rbac.authorization.k8s.io", verb="create", requestObject={"rules": list(rules)})

    (granted,) = changed(role({"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}))
    assert (granted.identity, granted.privilege, granted.access) == ("role:eks-prod/shop/r", "core:get/*", "admin")
    assert not changed(role({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}))


def test_a_token_in_a_secret_is_issued_to_its_account_and_its_value_stays_behind() -> None:
    body = {
        "type": "kubernetes.io/service-account-token", "data": {"token": CANARY},
        "metadata": {"annotations": {"kubernetes.io/service-account.name": "web"}},
    }  # fmt: skip
    (issued,) = changed(about("secrets", name="web-token", verb="create", requestObject=body))
    assert (issued.kind, issued.identity) == ("issued", WEB)
    assert CANARY not in str(issued)
    assert not changed(about("secrets", name="db", verb="create", requestObject={**body, "type": "Opaque"}))


def test_an_account_is_created_and_deleted() -> None:
    found = [changed(about("serviceaccounts", name="web", verb=verb))[0] for verb in ("create", "delete")]
    assert [(one.kind, one.identity) for one in found] == [("created", WEB), ("deleted", WEB)]


def test_a_token_that_the_server_calls_stale_expired_when_it_became_so() -> None:
    said = f"subject: {WEB}, seconds after warning threshold: 3600"
    (stale,) = changed(event(annotations={"authentication.k8s.io/stale-token": said}))
    assert (stale.kind, stale.credential, stale.time) == ("expired", used(event()).credential, 1772366400.0 - 3600)


def test_a_list_is_read_as_its_items_and_holds_no_lists() -> None:
    items = [event(), event(stage="RequestReceived"), about("pods", name="web-0", verb="delete")]
    found = kubernetes.read({"kind": "EventList", "items": items}, place())
    assert (len(found.uses), len(found.lifecycle)) == (2, 1)
    with pytest.raises(Unreadable):
        kubernetes.read({"kind": "EventList", "items": [{"kind": "EventList", "items": []}]}, place())


def test_the_envelope_of_azure_is_opened() -> None:
    record = {"time": "2026-03-01T12:00:00Z", "category": "kube-audit", "properties": {"log": json.dumps(event())}}
    assert used(record) == used(event())
    untimed = {key: value for key, value in event().items() if key != "requestReceivedTimestamp"}
    assert used({**record, "properties": {"log": json.dumps(untimed)}}).time == used(event()).time


def test_an_id_that_the_client_chose_and_that_is_a_token_is_not_kept() -> None:
    uses = [used(event(auditID=audit_id)) for audit_id in (CANARY, CANARY + "x")]
    assert uses[0].native_id != uses[1].native_id
    assert CANARY not in str(uses)


@pytest.mark.parametrize(
    "changes, key",
    [
        ({"requestReceivedTimestamp": None}, "requestReceivedTimestamp"),
        ({"requestReceivedTimestamp": "now"}, "requestReceivedTimestamp"),
        ({"verb": ""}, "verb"),
        ({"user": {}}, "user.username"),
        ({"user": "alice"}, "user"),
        ({"stage": "Done"}, "stage"),
        ({"responseStatus": {"code": "200"}}, "responseStatus.code"),
        ({"user": {"username": WEB, "groups": "system:serviceaccounts"}}, "user.groups"),
        ({"sourceIPs": "203.0.113.7"}, "sourceIPs"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(Unreadable) as error:
        kubernetes.read(event(**changes), place())
    assert error.value.key == key


def test_a_request_that_nobody_was_authenticated_for_is_passed_over() -> None:
    assert kubernetes.read(event(user={}, responseStatus={"code": 401}), place()).passed


def audit2rbac() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHARED / "audit2rbac" / "demo.log").read_text().splitlines() if line.strip()]


@needs_data
def test_the_permissions_of_the_published_example_are_the_published_ones() -> None:
    uses = [use for record in audit2rbac() for use in kubernetes.read(record, place()).uses]
    needed = needed_permissions(uses)
    kinds = ("configmaps", "pods", "secrets")
    assert needed["k8s:alice"] == {("ns1", f"core:{verb}/{kind}") for verb in ("get", "list", "watch") for kind in kinds}
    pods = {f"core:{verb}/pods" for verb in ("get", "list", "watch")}
    assert {("ns1", pod) for pod in pods} | {("default", pod) for pod in pods} <= needed["k8s:bob"]
    assert used_permissions(uses)["system:serviceaccount:ns1:sa1"] == {("", "core:list/pods")}
    assert "k8s:alice" not in used_permissions(uses)  # all that she tried was denied


def falco() -> Iterator[Any]:
    for path in sorted((SHARED / "falco_k8s_audit" / "traces").iterdir()):
        yield from (json.loads(line) for line in path.read_text().splitlines() if line.strip())


@needs_data
def test_the_published_records_are_read_or_refused_by_a_named_cause() -> None:
    found = [read_or_refused(kubernetes.read, record, place()) for record in [*audit2rbac(), *falco(), *panther("Amazon.EKS.Audit")]]
    read = [one for one in found if isinstance(one, Recognised) and one.uses]
    assert len(read) >= 37 + 45


@needs_data
def test_no_secret_in_any_text_of_a_real_record_is_in_an_event() -> None:
    records = [*audit2rbac()[:2], *falco(), token_request()]
    for record in records:
        for changed_ in with_canary(record):
            assert CANARY not in str(read_or_refused(kubernetes.read, changed_, place()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = [*event(), "requestObject", "responseObject", "impersonatedUser", "items", "properties"]


@given(record=st.dictionaries(st.sampled_from(KEYS), JSON), kind=st.sampled_from(["", *("pods", "secrets", "roles", "rolebindings")]))
@settings(max_examples=120)
def test_any_object_is_recognised_or_refused(record: dict[str, Any], kind: str) -> None:
    read_or_refused(kubernetes.read, record, place())
    base = about(kind, name="n", verb="create") if kind else token_request()
    read_or_refused(kubernetes.read, {**base, **record}, place())
    body = {key: record[key] for key in record if key in ("requestObject", "responseObject")}
    read_or_refused(kubernetes.read, {**base, **body}, place())


@given(found=JSON, key=st.sampled_from(["spec", "status", "subjects", "roleRef", "rules", "type", "metadata"]))
@settings(max_examples=120)
def test_any_body_of_a_change_is_recognised_or_refused(found: Any, key: str) -> None:
    for kind in ("pods", "secrets", "roles", "rolebindings", "serviceaccounts"):
        read_or_refused(kubernetes.read, about(kind, name="n", verb="create", requestObject={key: found}), place())
    read_or_refused(kubernetes.read, token_request(responseObject={key: found}), place())


def test_the_address_is_the_one_that_the_server_saw_and_not_what_the_client_wrote_before_it() -> None:
    for forged in ("10.1.1.1", "127.0.0.1"):
        assert used(event(sourceIPs=[forged, "203.0.113.66"])).network == "203.0.113.0/24"


BINDING = {"roleRef": {"name": "cluster-admin"}, "subjects": [{"kind": "User", "name": "eve"}]}


@pytest.mark.parametrize("verb", ["create", "update", "patch"])
def test_a_dry_run_is_a_use_and_changes_nothing(verb: str) -> None:
    record = about("clusterrolebindings", name="b", verb=verb, requestObject=BINDING, requestURI="/apis/b?a=b%20c&dry%52un=A%6cl")
    found = kubernetes.read(record, place())
    assert (len(found.uses), found.lifecycle) == (1, ())


@pytest.mark.parametrize(
    "query",
    ["%zz", "dryRun=%zz", "dryRun=All;x", "dryRun=All&x;y", "dryRun=All&x=%", "dryRun=None", "dryRun=", "dryRun", "dryRun=all", "dryrun=All",
     "dryRun=All&dryRun=None", "dryRun=None&dryRun=All", "dryRun=All+", "dryRun=All#x", "x=dryRun=All", "x=dryRun"],
)  # fmt: skip
def test_what_the_server_may_not_take_for_a_dry_run_is_a_change(query: str) -> None:
    """Go leaves out a pair with a bad escape or a `;`, and the server does what it was asked for."""
    record = about("clusterrolebindings", name="b", verb="create", requestObject=BINDING, requestURI=f"/apis/b?{query}")
    assert [each.kind for each in changed(record)] == ["granted"]
    assert changed(about("pods", name="dryRun=All", verb="create", requestURI="/api/v1/namespaces/shop/pods/dryRun=All"))


def test_a_deletion_is_dry_by_its_body_alone_as_the_server_reads_nothing_else_where_there_is_one() -> None:
    """At level Metadata the log does not tell whether there was one."""
    uri = "/api/v1/namespaces/shop/serviceaccounts/web"
    record = about("serviceaccounts", name="web", verb="delete", requestURI=f"{uri}?dryRun=All")
    assert changed(record)
    assert changed({**record, "requestObject": {"kind": "DeleteOptions"}})
    for words in ([], ["None"], ["All", "None"], "All", None):
        assert changed({**record, "requestObject": {"dryRun": words}})
    assert not changed({**record, "requestURI": uri, "requestObject": {"dryRun": ["All"]}})


def test_what_is_deleted_as_a_collection_ends_each_by_its_name_in_the_answer() -> None:
    listed = [{"metadata": {"name": name, "namespace": "shop"}} for name in ("web-0", "web-1")]
    record = about(
        "pods", verb="deletecollection", requestURI="/api/v1/namespaces/shop/pods", responseObject={"kind": "PodList", "items": listed}
    )
    found = changed(record)
    assert [(each.kind, each.workload) for each in found] == [("job_ended", f"pod:eks-prod/shop/web-{number}") for number in (0, 1)]
    assert len({each.uid for each in found}) == 2
    assert used(record).operation == "core:deletecollection/pods"
    accounts = {
        **record,
        "objectRef": {"resource": "serviceaccounts", "namespace": "shop"},
        "responseObject": {"items": [{"metadata": {"name": "web"}}]},
    }
    assert [(each.kind, each.identity) for each in changed(accounts)] == [("deleted", WEB)]
    assert not changed({**record, "requestObject": {"dryRun": ["All"]}})
    assert not changed({**record, "responseObject": None})
    assert kubernetes.read({**record, "responseObject": {"items": [7]}}, place()).refused


def test_what_is_watched_or_followed_is_used_when_it_begins_and_the_same_use_when_it_ends() -> None:
    """Who asks for a watch says how long it lasts, and the log has its end in a year, or never."""
    for record in (about("secrets", verb="watch"), about("pods", name="web-0", sub="log", verb="get")):
        begun, ended = (used({**record, "stage": stage}) for stage in ("ResponseStarted", "ResponseComplete"))
        assert begun == ended


@pytest.mark.parametrize("sub", ["exec", "attach", "portforward"])
def test_a_session_in_a_pod_is_a_use_when_it_begins_and_the_same_one_when_it_ends(sub: str) -> None:
    begun, ended = (
        used(about("pods", name="web-0", sub=sub, verb="create", stage=stage)) for stage in ("ResponseStarted", "ResponseComplete")
    )
    assert begun == ended


def test_what_is_wrong_in_a_body_takes_neither_the_use_nor_what_is_right_with_it() -> None:
    subjects = [{"kind": "User", "name": "eve"}, {"kind": "User", "name": "x" * 3000}, {"kind": "User", "name": 7}]
    body = {"roleRef": {"name": "cluster-admin"}, "subjects": subjects}
    found = kubernetes.read(about("clusterrolebindings", name="b", verb="create", requestObject=body), place())
    assert len(found.uses) == 1
    assert [one.kind for one in found.lifecycle] == ["granted", "granted"]
    assert found.refused == (("is no text", "name"),)
    listed = [about("clusterrolebindings", name="b", verb="create", requestObject=body)]
    assert kubernetes.read({"kind": "EventList", "items": listed}, place()) == found
    found = kubernetes.read(token_request(responseObject={"status": {"expirationTimestamp": "1999-01-01T00:00:00Z"}}), place())
    assert (len(found.uses), len(found.refused)) == (1, 1)


def test_a_name_that_is_longer_than_names_are_hides_nothing_and_stays_another() -> None:
    one, other = (used(event(impersonatedUser={"username": sign * 3000})).on_behalf_of for sign in "xy")
    assert one != other
    assert len(one[0]) < 100


def test_a_stale_token_is_told_of_once_however_often_it_is_used() -> None:
    found = set()
    for later in (0, 60):
        record = event(
            auditID=f"id-{later}", requestReceivedTimestamp=f"2026-03-01T12:0{later // 60}:00.5Z",
            annotations={"authentication.k8s.io/stale-token": f"subject: {WEB}, seconds after warning threshold: {3600 + later}"},
        )  # fmt: skip
        found |= set(changed(record))
    assert len(found) == 1


@pytest.mark.parametrize("name", ["aws:autoscaling", "arn:aws:iam::111122223333:user/ci", "agent:refund-bot", "github:x", "k8s:x"])
def test_a_users_name_is_never_the_identity_of_another_source(name: str) -> None:
    use = used(event(user={"username": name}))
    assert (use.identity, use.identity_kind, use.identity_name) == (f"k8s:{name}", "unknown", name)
    body = {"roleRef": {"name": "edit"}, "subjects": [{"kind": "User", "name": name}]}
    record = about("rolebindings", name="b", verb="create", user={"username": name}, requestObject=body)
    assert changed(record)[0].identity == use.identity


def test_an_arn_is_itself_where_eks_tells_of_the_key() -> None:
    arn = "arn:aws:iam::111122223333:user/ci"
    assert used(event(user={"username": arn, "extra": {"accessKeyId": ["AKIAEXAMPLE"]}})).identity == arn


@pytest.mark.parametrize("name, kind", [
    ("system:apiserver", "service"), ("system:node:n1", "service"), ("system:kube-scheduler", "service"), ("system:backup", "unknown"),
    ("system:kube-backup", "unknown"), ("system:admin", "unknown"), (WEB, "service_account"),
])  # fmt: skip
def test_only_the_platforms_own_names_are_the_platform(name: str, kind: str) -> None:
    assert used(event(user={"username": name})).identity_kind == kind


def test_pods_roles_and_tokens_in_secrets_of_two_clusters_are_two() -> None:
    pods = [used(event(), account).workload for account in ("eks-prod", "eks-dev", "")]
    assert pods == ["pod:eks-prod/shop/web-0", "pod:eks-dev/shop/web-0", "pod:shop/web-0"]
    for sent in (about("pods", name="web-0", verb="delete"), about("pods", name="web-0", verb="create")):
        assert [kubernetes.read(sent, place(account)).lifecycle[0].workload for account in ("eks-prod", "eks-dev", "")] == pods
    body = {"type": "kubernetes.io/service-account-token", "metadata": {"annotations": {"kubernetes.io/service-account.name": "web"}}}
    secret = about("secrets", name="web-token", verb="create", requestObject=body)
    assert len({kubernetes.read(secret, place(account)).lifecycle[0].credential for account in ("eks-prod", "eks-dev", "")}) == 3


@pytest.mark.parametrize(
    "name, group, other",
    [(WEB, "system:serviceaccounts", "system:masters"), ("system:node:n1", "system:nodes", "system:serviceaccounts"),
     ("system:apiserver", "system:masters", "system:authenticated")],
)  # fmt: skip
def test_a_name_of_the_platform_is_borne_out_by_its_group(name: str, group: str, other: str) -> None:
    def acts(**user: Any) -> tuple[str, str]:
        use = used(event(user={"username": name, **user}))
        return use.identity, use.identity_kind

    assert acts(groups=[group])[0] == acts()[0] == name  # a record without groups does not tell
    assert acts(groups=[group])[1] in ("service", "service_account")
    assert acts(groups=[other, "system:authenticated"]) == acts(groups=[]) == (f"k8s:{name}", "unknown")


def test_a_certificate_is_no_service_accounts_whatever_groups_it_names() -> None:
    user = {"username": WEB, "groups": ["system:serviceaccounts"], "extra": {f"{EXTRA}credential-id": ["X509SHA256=abc"]}}
    assert used(event(user=user)).identity == f"k8s:{WEB}"


def test_what_a_forged_name_does_is_done_by_it_and_not_by_whom_it_is_called_after() -> None:
    (ended,) = changed(about("pods", name="web-0", verb="delete", user={"username": WEB, "groups": ["system:authenticated"]}))
    assert ended.by == f"k8s:{WEB}"
