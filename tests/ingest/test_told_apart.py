"""Two different ids or names never become one, however much they look like secrets, and what looks like one stays masked."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from licet.events import UseEvent
from licet.ingest import redact
from licet.ingest.sources import source_of
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.said import said_by
from readers import CANARY, place
from taking import record as of_cloudtrail

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

AT = place("here")
MANY = 1_000
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LOWER = UPPER.lower()
BASE64 = UPPER + LOWER + "-_"
Made = Callable[[random.Random], str]


def word(chance: random.Random, signs: str, length: int) -> str:
    return "".join(chance.choices(signs, k=length))


def a_uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


IDS: dict[str, Made] = {
    "uuid": a_uuid,
    "entra audit": lambda chance: f"Directory_{a_uuid(chance)}_{word(chance, UPPER, 5)}_{chance.randrange(10**8):08}",
    "github document": lambda chance: word(chance, BASE64, 22),
    "hex": lambda chance: word(chance, "0123456789abcdef", 64),
    "digits": lambda chance: f"4{chance.randrange(10**15):015}",
    "chance": lambda chance: word(chance, BASE64, 43),
    "token": lambda chance: "ghp_" + word(chance, BASE64[:-2], 36),
    "named": lambda chance: f'password="{word(chance, LOWER, 9)}',
    "long": lambda chance: "x" * 500 + a_uuid(chance),
}
NAMES: dict[str, Made] = IDS | {
    "role of a stack": lambda chance: f"MyStack-MyFunctionServiceRole{word(chance, UPPER, 8)}-{word(chance, UPPER, 13)}",
    "anonymous link": lambda chance: f"urn:spo:anon#{word(chance, '0123456789abcdef', 64)}",
}


def aws(name: str) -> dict[str, Any]:
    arn = f"arn:aws:iam::111122223333:role/{name}"
    return of_cloudtrail(1) | {"userIdentity": {"type": "AssumedRole", "arn": arn, "sessionContext": {"sessionIssuer": {"arn": arn}}}}


def audit(**more: Any) -> dict[str, Any]:
    return {
        "kind": "Event", "auditID": "a", "stage": "ResponseComplete", "verb": "create", "user": {"username": "u"},
        "requestReceivedTimestamp": "2026-03-01T00:00:00.000000Z", "objectRef": {"resource": "pods", "namespace": "n", "name": "p"},
    } | more  # fmt: skip


def directory(**more: Any) -> dict[str, Any]:
    return {
        "id": "a", "activityDisplayName": "Add user", "activityDateTime": "2026-03-01T00:00:00Z", "result": "success",
        "initiatedBy": {"user": {"userPrincipalName": "me@example.com"}}, "targetResources": [],
    } | more  # fmt: skip


def office(**more: Any) -> dict[str, Any]:
    return {
        "Id": "a", "Operation": "FileAccessed", "Workload": "SharePoint", "CreationTime": "2026-03-01T00:00:00", "UserId": "me@example.com",
        "UserType": 0,
    } | more  # fmt: skip


def github(**more: Any) -> dict[str, Any]:
    return {"_document_id": "a", "action": "repo.create", "@timestamp": 1_772_323_200_000, "actor": "me", "org": "acme"} | more


def okta(**more: Any) -> dict[str, Any]:
    return {
        "uuid": "a",
        "eventType": "user.session.start",
        "published": "2026-03-01T00:00:00Z",
        "actor": {"id": "00u1", "type": "User"},
    } | more


def told(**more: Any) -> dict[str, Any]:
    return {"id": "a", "time": "2026-03-01T00:00:00Z", "kind": "issued", "credential": "c", "identity": "i"} | more


WITH_ID: dict[str, Callable[[str], dict[str, Any]]] = {
    "cloudtrail": lambda text: of_cloudtrail(1) | {"eventID": text},
    "kubernetes": lambda text: audit(auditID=text),
    "github": lambda text: github(_document_id=text),
    "okta": lambda text: okta(uuid=text),
    "entra": lambda text: directory(id=text),
    "m365": lambda text: office(Id=text),
    "lifecycle": lambda text: told(id=text),
}
WITH_IDENTITY: dict[str, Callable[[str], dict[str, Any]]] = {
    "cloudtrail": aws,
    "kubernetes": lambda text: audit(user={"username": text}),
    "github": lambda text: github(actor=text),
    "okta": lambda text: okta(actor={"id": text, "type": "User"}),
    "entra": lambda text: directory(initiatedBy={"user": {"userPrincipalName": text}}),
    "m365": lambda text: office(UserId=text),
    "lifecycle": lambda text: told(identity=text),
}


def kept(source: str, record: dict[str, Any]) -> Any:
    """The first event of the record, as it is kept."""
    found = source_of(source).read(record, AT)
    event = (found.uses or found.lifecycle)[0]
    return redact.use(event, "", "", cut=True) if isinstance(event, UseEvent) else redact.lifecycle(event, "", "", cut=True)


@pytest.mark.parametrize("shape", IDS)
@pytest.mark.parametrize("source", WITH_ID)
def test_two_ids_of_records_never_become_one(source: str, shape: str) -> None:
    chance = random.Random(f"{source} {shape}")
    made = {IDS[shape](chance) for _ in range(MANY // 10 if shape == "long" else MANY)}
    if (source, shape) == ("cloudtrail", "long"):
        made = {each[-400:] for each in made}
    found = {kept(source, WITH_ID[source](each)).native_id for each in made}
    assert len(found) == len(made)
    if shape in ("uuid", "entra audit", "github document"):
        assert {each.partition("/")[0] for each in found} == made, "an id of a platform is kept as it is"


@pytest.mark.parametrize("shape", NAMES)
@pytest.mark.parametrize("source", WITH_IDENTITY)
def test_two_names_of_identities_never_become_one(source: str, shape: str) -> None:
    chance = random.Random(f"{source} {shape}")
    made = {NAMES[shape](chance) for _ in range(MANY // 10)}
    if source in ("entra", "m365"):
        made = {each.lower() for each in made}  # as Microsoft compares them
    found = {kept(source, WITH_IDENTITY[source](each)).identity for each in made}
    assert len(found) == len(made)


@pytest.mark.parametrize("source", WITH_IDENTITY)
def test_what_looks_like_a_token_is_masked_in_ids_and_names_all_the_same(source: str) -> None:
    for record in (WITH_ID[source](CANARY), WITH_IDENTITY[source](CANARY), WITH_IDENTITY[source](f"a {CANARY} b")):
        assert CANARY.lower() not in repr(source_of(source).read(record, AT)).lower()


def test_two_workloads_never_become_one() -> None:
    chance = random.Random(1)
    names = {NAMES["hex"](chance) for _ in range(200)}
    key = "authentication.kubernetes.io/pod-name"
    user = "system:serviceaccount:shop:web"
    found = {kept("kubernetes", audit(user={"username": user, "extra": {key: [each]}})).workload for each in names}
    assert len(found) == len(names)
    assert len({kept("github", github(workflow_run_id=4_000_000_000_000_000 + each)).workload for each in range(200)}) == 200
    assert len({kept("lifecycle", told(kind="job_ended", workload=each)).workload for each in names}) == len(names)


def test_a_role_has_one_name_whether_it_acts_or_is_made() -> None:
    arn = "arn:aws:iam::111122223333:role/MyStack-MyFunctionServiceRoleG190EH2Z-7BA47PBM3U7VA"
    acts = kept("cloudtrail", aws(arn.rpartition("/")[2])).identity
    read = source_of("cloudtrail").read
    root = {"userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root"}, "eventSource": "iam.amazonaws.com"}
    created = read(of_cloudtrail(2) | root | {"eventName": "CreateRole", "responseElements": {"role": {"arn": arn}}}, AT).lifecycle
    deleted = {"eventName": "DeleteRole", "requestParameters": {"roleName": arn.rpartition("/")[2]}}
    assert "[a secret]" in acts, "it looks like a secret, else this tests nothing"
    assert acts == created[0].identity == read(of_cloudtrail(3) | root | deleted, AT).lifecycle[0].identity


def test_a_service_account_has_one_name_whether_it_acts_or_is_made() -> None:
    name = "0123456789abcdef" * 3
    acts = kept("kubernetes", audit(user={"username": f"system:serviceaccount:shop:{name}"})).identity
    made = audit(objectRef={"resource": "serviceaccounts", "namespace": "shop", "name": name})
    assert "[a secret]" in acts, "it looks like a secret, else this tests nothing"
    assert source_of("kubernetes").read(made, AT).lifecycle[0].identity == acts


@pytest.mark.parametrize("prefix", ["JTI=", "X509SHA256="])
def test_an_id_of_kubernetes_has_one_fingerprint_whoever_names_it_with_and_without_its_prefix(prefix: str) -> None:
    shown = "1b0a7f4e-6f3a-4c1b-9f7d-2f1f6f0f6f01"
    key = "authentication.kubernetes.io/credential-id"
    user = {"username": "system:serviceaccount:shop:web", "extra": {key: [prefix + shown]}}
    of = Fingerprints(b"k" * 32).of
    found = {
        kept("kubernetes", audit(user=user)).credential,
        kept("lifecycle", told(credential=prefix + shown)).credential,
        kept("lifecycle", told(credential=shown)).credential,
        said_by({"credential": prefix + shown}, of, 0.0).credentials[0].uid,
        said_by({"credential": shown}, of, 0.0).credentials[0].uid,
    }
    assert len(found) == 1
    assert of(prefix) == ""


def test_secrets_of_kubernetes_that_hold_tokens_are_told_apart() -> None:
    chance = random.Random(1)
    names = [f"token-{word(chance, '0123456789abcdef', 48)}" for _ in range(200)]
    body = {"type": "kubernetes.io/service-account-token", "metadata": {"annotations": {}}}
    read = source_of("kubernetes").read
    target = {"resource": "secrets", "namespace": "shop"}
    found = {read(audit(objectRef=target | {"name": each}, requestObject=body), AT).lifecycle[0].credential for each in names}
    assert len(found) == len(set(names))
