"""AWS CloudTrail is read as uses of identities and as what was done to them.

Real records are quoted from invictus-ir/aws_dataset (MIT), shortened to what is read.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licet.events import LifecycleEvent, UseEvent
from licet.ingest.cloudtrail import SOURCE, read
from licet.ingest.cloudtrail_changes import CHANGES, expiry
from licet.ingest.recognised import Recognised, Unreadable
from licet.inventory.faces import faces_of, same_as
from readers import CANARY, SHARED, needs_data, panther, place, read_or_refused, with_canary

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PLACE: Any = SimpleNamespace(fingerprint=lambda shown: f"cred:{shown[::-1]}" if shown else "", account="")
BERT = {
    "type": "IAMUser", "principalId": "AIDATFQR7NSC5AU2ZV3IE", "arn": "arn:aws:iam::123837392027:user/bert-jan",
    "accountId": "123837392027", "accessKeyId": "AKIATFQR7NSC8Q4X20BJ", "userName": "bert-jan",
}  # fmt: skip
BERT_UID = BERT["arn"]
ROLE = "arn:aws:iam::123837392027:role/stratus-red-team-ec2-get-password-data-role"


def record_of(operation: str, **more: Any) -> dict[str, Any]:
    service, _, name = operation.partition(":")
    return {
        "eventVersion": "1.08", "userIdentity": BERT, "eventTime": "2023-07-10T11:54:47Z", "eventSource": f"{service}.amazonaws.com",
        "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "192.168.10.20",
        "userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.1.2 (+https://www.terraform.io) terraform-provider-aws/3.76.1",
        "requestParameters": None, "responseElements": None, "eventID": "4bd2a6f6-dddc-49e6-ba7d-08f73e809e64",
        "eventType": "AwsApiCall", "recipientAccountId": "123837392027", "eventCategory": "Management", **more,
    }  # fmt: skip


def use_of(operation: str = "s3:GetBucketLogging", **more: Any) -> UseEvent:
    (use,) = read(record_of(operation, **more), PLACE).uses
    return use


def changes_of(operation: str, **more: Any) -> tuple[LifecycleEvent, ...]:
    return read(record_of(operation, **more), PLACE).lifecycle


def session(issuer: str, own: str, **more: Any) -> dict[str, Any]:
    return {"type": "AssumedRole", "arn": own, "accessKeyId": "ASIATFQR7NSC7E2ZIBM2",
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": issuer}, **more}}  # fmt: skip


ASSUMED = {
    "requestParameters": {"roleArn": ROLE, "roleSessionName": "aws-go-sdk-1688990082523310002", "durationSeconds": 900},
    "responseElements": {
        "credentials": {"accessKeyId": "ASIATFQR7NSC7E2ZIBM2", "sessionToken": "not-to-be-kept", "expiration": "Jul 10, 2023, 12:09:47 PM"},
        "assumedRoleUser": {"arn": "arn:aws:sts::123837392027:assumed-role/stratus-red-team-ec2-get-password-data-role/aws-go-sdk"},
    },
    "resources": [{"accountId": "123837392027", "type": "AWS::IAM::Role", "ARN": ROLE}],
}


def test_a_call_is_a_use_with_all_that_the_record_says() -> None:
    assert use_of("sts:AssumeRole", **ASSUMED) == UseEvent(
        source="cloudtrail", native_id="4bd2a6f6-dddc-49e6-ba7d-08f73e809e64", time=1688990087.0, identity=BERT_UID,
        operation="sts:AssumeRole", access="write", identity_name="bert-jan", credential=f"cred:{BERT['accessKeyId'][::-1]}",
        credential_kind="access_key", account="123837392027", region="us-east-1", ip="192.168.10.20", network="192.168.10.0/24",
        agent="Terraform/1", resource=ROLE, resource_kind="AWS::IAM::Role",
    )  # fmt: skip


def test_a_role_that_is_assumed_gets_a_key_with_an_end_and_no_secret_is_kept() -> None:
    found = read(record_of("sts:AssumeRole", **ASSUMED), PLACE)
    (issued,) = found.lifecycle
    assert (issued.kind, issued.identity, issued.by, issued.expires) == ("issued", ROLE, BERT_UID, 1688990987.0)
    assert issued.credential == "cred:ASIATFQR7NSC7E2ZIBM2"[:5] + "ASIATFQR7NSC7E2ZIBM2"[::-1]
    assert issued.native_id == found.uses[0].native_id
    assert "not-to-be-kept" not in repr(found)
    assert BERT["accessKeyId"] not in repr(found)


def test_who_uses_the_key_of_a_role_is_that_role() -> None:
    identity = session(ROLE, "arn:aws:sts::123837392027:assumed-role/stratus-red-team-ec2-get-password-data-role/i-0af01c0123456789a",
                       sourceIdentity="jane")  # fmt: skip
    use = use_of(userIdentity=identity)
    assert (use.identity, use.identity_kind, use.session, use.workload) == (ROLE, "role", "i-0af01c0123456789a", "i-0af01c0123456789a")
    assert (use.credential_kind, use.on_behalf_of) == ("temporary_key", ("jane",))


SSO = "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Ops_0123456789abcdef"


@pytest.mark.parametrize(
    "identity, uid, kind",
    [
        ({"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/deploy/ci"}, "arn:aws:iam::1:role/deploy", "role"),
        (session(SSO, "arn:aws:sts::1:assumed-role/AWSReservedSSO_Ops_0123456789abcdef/jane"), SSO, "human"),
        (session("arn:aws:iam::1:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS", "arn:aws:sts::1:assumed-role/x/y"),
         "arn:aws:iam::1:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS", "service"),
        ({"type": "Root", "arn": "arn:aws:iam::1:root", "accountId": "1"}, "arn:aws:iam::1:root", "human"),
        ({"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}, "aws:lambda", "service"),
        ({"accountId": "1", "invokedBy": "health.amazonaws.com"}, "aws:health", "service"),
        ({"type": "SAMLUser", "principalId": "x:jane", "userName": "jane", "identityProvider": "idp"}, "idp:jane", "human"),
        ({"type": "WebIdentityUser", "userName": "repo:acme/app", "identityProvider": "token.actions.githubusercontent.com"},
         "token.actions.githubusercontent.com:repo:acme/app", "unknown"),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}}, "identitycenter:u-1", "human"),
        ({"type": "AWSAccount", "principalId": "AROA1:session", "accountId": "2"}, "aws-principal:AROA1", "unknown"),
        ({"type": "IAMUser", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS", "accountId": "1"}, "aws-account:1", "unknown"),
        ({"type": "IAMUser", "userName": "bert", "accountId": "1"}, "arn:aws:iam::1:user/bert", "unknown"),
    ],
)  # fmt: skip
def test_each_kind_of_who_has_an_identity(identity: dict[str, Any], uid: str, kind: str) -> None:
    use = use_of(userIdentity=identity)
    assert (use.identity, use.identity_kind) == (uid, kind)


def test_a_service_of_aws_has_no_credential() -> None:
    identity = session("arn:aws:iam::1:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS", "arn:aws:sts::1:assumed-role/x/y")
    assert use_of(userIdentity=identity).credential == ""


def test_a_key_that_the_log_masks_is_no_credential_that_many_share() -> None:
    assert use_of(userIdentity={**BERT, "accessKeyId": "REDACTED"}).credential == ""


def test_a_sign_in_at_the_console_shows_the_users_password_and_each_user_has_another_one() -> None:
    def signed_in(user: str, **more: Any) -> UseEvent:
        arn = f"arn:aws:iam::1:user/{user}"
        return use_of("signin:ConsoleLogin", eventType="AwsConsoleSignIn", userIdentity={"type": "IAMUser", "arn": arn, **more})

    assert signed_in("a").credential_kind == "password"
    assert signed_in("a").credential == signed_in("a").credential != signed_in("b").credential
    assert signed_in("a", type="AssumedRole").credential == ""
    assert signed_in("a", accessKeyId="ASIA1").credential_kind == "temporary_key"


def test_an_event_of_a_service_names_the_service() -> None:
    assert use_of("rds:SystemEvent", userIdentity=None, eventType="AwsServiceEvent").identity == "aws:rds"


@pytest.mark.parametrize(
    "more, outcome",
    [
        ({}, "success"),
        ({"errorCode": "AccessDenied"}, "denied"),
        ({"errorCode": "Client.UnauthorizedOperation"}, "denied"),
        ({"errorCode": "InvalidClientTokenId"}, "denied"),
        ({"errorCode": "NoSuchBucketPolicy"}, "failed"),
        ({"errorCode": "ThrottlingException"}, "failed"),
        ({"eventType": "AwsConsoleSignIn", "responseElements": {"ConsoleLogin": "Failure"}}, "denied"),
        ({"eventType": "AwsConsoleSignIn", "responseElements": {"ConsoleLogin": "Success"}}, "success"),
    ],
)
def test_what_was_refused_is_told_from_what_failed(more: dict[str, Any], outcome: str) -> None:
    assert use_of(**more).outcome == outcome


@pytest.mark.parametrize(
    "more, interactive",
    [
        ({}, False),
        ({"userAgent": "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.488 Linux/5.10]"}, True),
        ({"userAgent": "AWS Internal", "sessionCredentialFromConsole": "true"}, True),
        ({"eventType": "AwsConsoleSignIn"}, True),
    ],
)
def test_the_console_is_told_from_a_program(more: dict[str, Any], interactive: bool) -> None:
    assert use_of(**more).interactive is interactive


@pytest.mark.parametrize("shown", ["AWS Internal", "secretsmanager.amazonaws.com", "", None])
def test_the_platform_itself_has_no_network(shown: object) -> None:
    use = use_of(sourceIPAddress=shown)
    assert (use.ip, use.network) == ("", "")


@pytest.mark.parametrize("operation", ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "ssm:GetParameter"])
def test_an_operation_on_secrets_keeps_its_name(operation: str) -> None:
    assert use_of(operation).operation == operation


def test_the_name_of_a_secret_is_kept_and_a_token_in_a_name_is_not() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123837392027:secret:stratus-red-team-retrieve-secret-11-mekIRl"
    assert use_of("secretsmanager:GetSecretValue", requestParameters={"secretId": arn}).resource == arn
    token = "ghp_" + "a1B2c3D4e5" * 3 + "a1B2c3"
    assert token not in repr(use_of(requestParameters={"bucketName": f"x-{token}"}))


def test_a_resource_in_another_account_is_told() -> None:
    theirs = {"requestParameters": {"roleArn": "arn:aws:iam::999988887777:role/partner"}}
    assert use_of("sts:AssumeRole", **theirs).resource_account == "999988887777"
    assert use_of("sts:AssumeRole", requestParameters={"roleArn": ROLE}).resource_account == ""


def test_the_version_of_an_api_is_no_part_of_an_operation() -> None:
    assert use_of("lambda:UpdateFunctionCode20150331v2").operation == "lambda:UpdateFunctionCode"


KEY = {"accessKey": {"accessKeyId": "AKIATFQR7NSC3ZO6PKAZ", "status": "Active", "userName": "ci"}}
CI = "arn:aws:iam::123837392027:user/ci"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
ALL = json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
READS = json.dumps({"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "ec2:Describe*"], "Resource": "*"}]})
TRUST = json.dumps({"Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::193672423079:root"}, "Action": "sts:AssumeRole"},
]})  # fmt: skip
OWN_TRUST = TRUST.replace("193672423079", "123837392027")
CRED = "cred:" + "AKIATFQR7NSC3ZO6PKAZ"[::-1]


@pytest.mark.parametrize(
    "operation, asked, answered, expected",
    [
        ("iam:CreateAccessKey", {"userName": "ci"}, KEY, {"kind": "issued", "identity": CI, "credential": CRED}),
        ("iam:CreateAccessKey", None, {"accessKey": {"accessKeyId": "AKIATFQR7NSC3ZO6PKAZ"}}, {"kind": "issued", "identity": BERT_UID}),
        ("iam:UpdateAccessKey", {"userName": "ci", "accessKeyId": "AKIATFQR7NSC3ZO6PKAZ", "status": "Inactive"}, None,
         {"kind": "suspended", "identity": CI, "credential": CRED}),
        ("iam:UpdateAccessKey", {"userName": "ci", "accessKeyId": "AKIATFQR7NSC3ZO6PKAZ", "status": "Active"}, None,
         {"kind": "activated", "identity": CI, "credential": CRED}),
        ("iam:DeleteAccessKey", {"userName": "ci", "accessKeyId": "AKIATFQR7NSC3ZO6PKAZ"}, None,
         {"kind": "deleted", "identity": CI, "credential": CRED}),
        ("iam:AttachUserPolicy", {"userName": "ci", "policyArn": ADMIN}, None,
         {"kind": "granted", "identity": CI, "privilege": ADMIN, "access": "admin"}),
        ("iam:PutUserPolicy", {"userName": "ci", "policyName": "p", "policyDocument": ALL}, None,
         {"kind": "granted", "identity": CI, "privilege": "p", "access": "admin", "reason": "allows *:*"}),
        ("iam:PutRolePolicy", {"roleName": "r", "policyName": "p", "policyDocument": READS}, None,
         {"kind": "granted", "identity": "arn:aws:iam::123837392027:role/r", "privilege": "p", "access": "read", "reason": ""}),
        ("iam:DetachRolePolicy", {"roleName": "r", "policyArn": ADMIN}, None, {"kind": "ungranted", "privilege": ADMIN}),
        ("iam:DeleteGroupPolicy", {"groupName": "g", "policyName": "p"}, None,
         {"kind": "ungranted", "identity": "arn:aws:iam::123837392027:group/g", "privilege": "p"}),
        ("iam:AddUserToGroup", {"userName": "ci", "groupName": "Admins"}, None,
         {"kind": "granted", "identity": CI, "privilege": "arn:aws:iam::123837392027:group/Admins", "access": "admin"}),
        ("iam:UpdateAssumeRolePolicy", {"roleName": "r", "policyDocument": TRUST}, None,
         {"kind": "granted", "privilege": "sts:AssumeRole", "access": "admin", "reason": "trusts arn:aws:iam::193672423079:root"}),
        ("iam:UpdateAssumeRolePolicy", {"roleName": "r", "policyDocument": OWN_TRUST}, None,
         {"kind": "ungranted", "privilege": "sts:AssumeRole", "access": "", "reason": ""}),
        ("iam:CreateLoginProfile", {"userName": "ci"}, None, {"kind": "granted", "identity": CI, "privilege": "signin:ConsoleLogin"}),
        ("iam:CreateUser", {"userName": "ci"}, {"user": {"arn": "arn:aws:iam::123837392027:user/machines/ci"}},
         {"kind": "created", "identity": "arn:aws:iam::123837392027:user/machines/ci"}),
        ("iam:CreateRole", {"roleName": "r"}, {"role": {"arn": ROLE}}, {"kind": "created", "identity": ROLE}),
        ("iam:DeleteRole", {"roleName": "r"}, None, {"kind": "deleted", "identity": "arn:aws:iam::123837392027:role/r"}),
        ("cloudtrail:StopLogging", {"name": "trail-1"}, None, {"kind": "logging_stopped", "identity": BERT_UID, "reason": "trail-1"}),
        ("cloudtrail:DeleteTrail", {"name": "trail-1"}, None, {"kind": "logging_stopped"}),
        ("cloudtrail:StartLogging", {"name": "trail-1"}, None, {"kind": "logging_started"}),
        ("sts:GetSessionToken", None, ASSUMED["responseElements"], {"kind": "issued", "identity": BERT_UID, "expires": 1688990987.0}),
    ],
)  # fmt: skip
def test_what_a_call_changes_is_a_lifecycle_event(operation: str, asked: object, answered: object, expected: dict[str, Any]) -> None:
    (event,) = (each for each in changes_of(operation, requestParameters=asked, responseElements=answered) if not same_as(each))
    assert {key: getattr(event, key) for key in expected} == expected
    assert (event.by, event.outcome, event.account) == (BERT_UID, "success", "123837392027")


@pytest.mark.parametrize(
    "operation, asked, gives",
    [
        ("iam:PutUserPolicy", {"policyName": "p", "policyDocument": '{"Statement": {"Effect": "Deny", "Action": "*"}}'}, False),
        ("iam:PutUserPolicy", {"policyName": "p", "policyDocument": '{"Statement": {"Effect": "Allow", "Effect": "Deny"}}'}, True),
        ("iam:PutUserPolicy", {"policyName": "p", "policyDocument": '{"Statement": {"effect": "Allow", "Effect": "Deny"}}'}, True),
        ("iam:PutUserPolicy", {"policyName": "p", "policyDocument": '{"Statement": [{"Effect": "Deny"}, {"Effect": "Allow"}]}'}, True),
        ("iam:PutUserPolicy", {"policyName": "AWSCompromisedKeyQuarantineV3", "policyDocument": ALL}, True),
        ("iam:AttachUserPolicy", {"policyArn": "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"}, False),
        ("iam:AttachUserPolicy", {"policyArn": "arn:aws:iam::123837392027:policy/AWSCompromisedKeyQuarantineV3"}, True),
    ],
    ids=["denies", "both-at-once", "in-two-cases", "one-allows", "its-name", "quarantine", "own-of-its-name"],
)  # fmt: skip
def test_a_policy_that_only_denies_gives_nothing(operation: str, asked: dict[str, str], gives: bool) -> None:
    assert bool(list(changes_of(operation, requestParameters={"userName": "ci", **asked}))) is gives


@pytest.mark.parametrize(
    "document, kinds", [(TRUST, ["created", "granted"]), (OWN_TRUST, ["created"]), (None, ["created"])], ids=["outside", "own", "none"]
)
def test_a_role_that_is_made_to_trust_another_account_is_given_to_it(document: Any, kinds: list[str]) -> None:
    asked = {"roleName": "r", "assumeRolePolicyDocument": document}
    made = changes_of("iam:CreateRole", requestParameters=asked, responseElements={"role": {"arn": ROLE}})
    assert [each.kind for each in made] == kinds
    assert len({each.uid for each in made}) == len(made)
    if len(made) > 1:
        assert (made[1].privilege, made[1].reason) == ("sts:AssumeRole", "trusts arn:aws:iam::193672423079:root")


@pytest.mark.parametrize("error", ["Client.DryRunOperation", "DryRunOperation"])
def test_a_dry_run_of_what_one_may_do_is_a_use(error: str) -> None:
    """EC2 answers with an error that it would have succeeded: so it shows what the credential may do."""
    use = use_of("ec2:RunInstances", errorCode=error)
    assert (use.outcome, use.error) == ("success", error)
    assert use_of("ec2:RunInstances", errorCode="Client.UnauthorizedOperation").outcome == "denied"


def test_who_has_a_path_and_acts_upon_itself_is_the_same_identity() -> None:
    uid, asked = "arn:aws:iam::123837392027:user/machines/ci", {"userName": "ci", "policyArn": ADMIN}
    event, _ = changes_of("iam:AttachUserPolicy", userIdentity={**BERT, "arn": uid}, requestParameters=asked)
    assert event.identity == event.by == uid


PATHED = "arn:aws:iam::123837392027:role/service-role/web"
KEYS_OF_ROLE = {"requestParameters": {"roleArn": PATHED}, "responseElements": ASSUMED["responseElements"]}


@pytest.mark.parametrize(
    "operation, more, named",
    [
        ("sts:AssumeRole", KEYS_OF_ROLE, PATHED),
        ("sts:AssumeRole", {**KEYS_OF_ROLE, "errorCode": "AccessDenied", "responseElements": None}, ""),
        ("sts:AssumeRole", ASSUMED, ""),
        ("iam:CreateRole", {"responseElements": {"role": {"arn": PATHED}}}, PATHED),
        ("iam:CreateUser", {"responseElements": {"user": {"arn": f"{CI[:-2]}a/b/ci"}}}, f"{CI[:-2]}a/b/ci"),
        ("s3:GetObject", {"userIdentity": {**BERT, "arn": f"{CI[:-2]}a/ci"}}, f"{CI[:-2]}a/ci"),
        ("sts:AssumeRole", {**KEYS_OF_ROLE, "requestParameters": {"roleArn": SSO}}, ""),
    ],
)
def test_an_arn_with_its_path_says_whose_the_one_without_is(operation: str, more: dict[str, Any], named: str) -> None:
    faces = faces_of(changes_of(operation, **more))
    bare = f"{named.partition('/')[0]}/{named.rpartition('/')[2]}"
    assert [(each.uid, each.same_as) for each in faces] == ([(bare, named)] if named else [])


def test_what_was_denied_is_denied_in_what_it_would_have_changed() -> None:
    (event,) = changes_of("iam:AttachUserPolicy", errorCode="AccessDenied", requestParameters={"userName": "ci", "policyArn": ADMIN})
    assert event.outcome == "denied"


@pytest.mark.parametrize(
    "shown, expected",
    [
        ("Jul 10, 2023, 12:09:47 PM", 1688990987.0),
        ("Jul 10, 2023 12:09:47 AM", 1688947787.0),
        ("Jul 10, 2023, 1:09:47 PM", 1688994587.0),
        ("2023-07-10T12:09:47Z", 1688990987.0),
        ("soon, as everybody here says", 0.0),
        ("Jul 10, 2023, 99:09:47 PM", 0.0),
        (None, 0.0),
        (7, 0.0),
    ],
)
def test_the_end_of_a_key_is_read_as_aws_writes_it(shown: object, expected: float) -> None:
    assert expiry(shown) == expected


@pytest.mark.parametrize("key", ["eventID", "eventSource", "eventName", "eventTime"])
@pytest.mark.parametrize("value", [None, "", 7, [], "x" * 2000])
def test_a_record_without_what_it_needs_is_refused_and_the_key_named(key: str, value: object) -> None:
    with pytest.raises(Unreadable) as refused:
        read(record_of("s3:GetObject", **{key: value}), PLACE)
    assert refused.value.key == key


def test_a_record_that_names_nobody_is_refused() -> None:
    with pytest.raises(Unreadable, match="names nobody"):
        read(record_of("s3:GetObject", userIdentity={}), PLACE)


@pytest.mark.parametrize("record, cause", [({"digestS3Object": "x"}, "digest of log files"), ({"eventCategory": "Insight"}, "insight")])
def test_what_is_no_use_is_passed_with_its_cause(record: dict[str, Any], cause: str) -> None:
    assert read(record, PLACE) == Recognised(passed=cause)


def test_a_record_that_eventbridge_delivers_is_read() -> None:
    inner = record_of("s3:GetObject")
    assert read({"detail-type": "AWS API Call via CloudTrail", "detail": inner}, PLACE) == read(inner, PLACE)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "requestParameters", "errorCode",
        "responseElements", "eventID", "eventType", "recipientAccountId", "eventCategory", "resources", "detail", "additionalEventData"]  # fmt: skip
INNER = ["type", "arn", "accountId", "accessKeyId", "sessionContext", "sessionIssuer", "userName", "invokedBy", "roleArn", "policyDocument",
         "credentials", "expiration", "ipPermissions", "items", "attributes", "LifecycleConfiguration", "Rule", "instanceType", "policyArn",
         "status", "roleName", "groupName", "name", "userData", "x-amz-acl", "PublicAccessBlockConfiguration"]  # fmt: skip
CONDITIONAL = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RunInstances", "s3:PutBucketLifecycle", "signin:ConsoleLogin", "s3:PutBucketAcl",
               "s3:PutPublicAccessBlock", "sqs:SetQueueAttributes"]  # fmt: skip
objects = st.dictionaries(st.sampled_from(INNER), anything | st.dictionaries(st.sampled_from(INNER), anything, max_size=3), max_size=6)


@given(
    operation=st.sampled_from([*CHANGES, *CONDITIONAL, "s3:GetObject"]),
    changed=st.dictionaries(st.sampled_from(KEYS), anything | objects, max_size=6),
)
def test_any_object_is_read_or_refused_with_its_cause(operation: str, changed: dict[str, Any]) -> None:
    try:
        found = SOURCE.read(record_of(operation, **changed), PLACE)
    except Unreadable:
        return  # with a cause, which it cannot be made without
    assert all(event.native_id and event.time > 0 for event in found.uses)
    assert all(event.native_id and (event.time > 0 or same_as(event)) for event in found.lifecycle)
    assert found.uses or found.passed


@given(anything, anything)
def test_any_object_at_all_is_refused_or_passed(one: object, other: object) -> None:
    with pytest.raises(Unreadable):
        read({"detail": one, "eventVersion": other}, PLACE)


@pytest.mark.parametrize(
    "record",
    [
        record_of("sts:AssumeRole", **ASSUMED),
        record_of("s3:GetObject", userIdentity=session(ROLE, "arn:aws:sts::1:assumed-role/r/i-0af0", sourceIdentity="jane")),
        record_of("iam:PutUserPolicy", requestParameters={"userName": "ci", "policyName": "p", "policyDocument": ALL}),
        record_of("iam:UpdateAssumeRolePolicy", requestParameters={"roleName": "r", "policyDocument": TRUST}),
        record_of("iam:CreateUser", requestParameters={"userName": "ci"}, responseElements={"user": {"arn": CI}}),
        record_of("iam:AddUserToGroup", requestParameters={"userName": "ci", "groupName": "g"}),
        record_of("cloudtrail:StopLogging", requestParameters={"name": "trail-1"}, errorCode="AccessDenied"),
        record_of("iam:CreateAccessKey", requestParameters={"userName": "ci"}, responseElements=KEY),
        record_of("s3:GetObject", userIdentity={"type": "WebIdentityUser", "userName": "u", "identityProvider": "p", "principalId": "q"}),
    ],
)
def test_a_token_in_any_text_of_a_record_is_not_handed_on(record: dict[str, Any]) -> None:
    for changed in with_canary(record):
        assert CANARY not in str(read_or_refused(read, changed, place()))


@needs_data
def test_every_record_of_a_real_account_is_read() -> None:
    with gzip.open(SHARED / "invictus_aws" / "cloudtrail.jsonl.gz", "rt") as lines:
        found = [read(json.loads(line), place()) for line in lines]
    assert len(found) == 2900
    assert Counter(event.kind for each in found for event in each.lifecycle)["issued"] == 38
    assert sum(bool(each.uses[0].credential) for each in found if each.uses[0].identity_kind != "service") >= 2810


@needs_data
def test_every_record_of_panther_is_read_or_refused_with_its_cause() -> None:
    records = panther("AWS.CloudTrail")
    causes = Counter(str(found) if isinstance(found := read_or_refused(read, each, place()), Unreadable) else "" for each in records)
    assert causes.pop("") == len(records) - causes.total() > 150
    assert set(causes) == {"`eventID`: is missing", "`userIdentity`: names nobody"}  # cut down to what a rule looks at
