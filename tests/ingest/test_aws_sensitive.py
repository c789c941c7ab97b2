"""Which calls to AWS are `admin`: the frozen table, the list by hand, and what policies give."""

from __future__ import annotations

import json
from typing import Any

import pytest

from licet.ingest.aws_actions import action_of, level_of, operation_of
from licet.ingest.aws_policies import gives_everything, reach_of, reach_of_managed, trust_of
from licet.ingest.aws_sensitive import access_of, rule_of

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


def asked(**parameters: Any) -> dict[str, Any]:
    return {"requestParameters": parameters, "userIdentity": {"type": "IAMUser"}}


@pytest.mark.parametrize(
    "source, name, operation",
    [
        ("s3.amazonaws.com", "GetObject", "s3:GetObject"),
        ("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", "lambda:UpdateFunctionCode"),
        ("cloudfront.amazonaws.com", "UpdateDistribution2020_05_31", "cloudfront:UpdateDistribution"),
        ("s3.amazonaws.com.cn", "ListObjectsV2", "s3:ListObjectsV2"),
        ("ec2", "RunInstances", "ec2:RunInstances"),
    ],
)
def test_an_operation_has_no_domain_and_no_date(source: str, name: str, operation: str) -> None:
    assert operation_of(source, name) == operation


@pytest.mark.parametrize(
    "operation, action",
    [
        ("s3:ListBuckets", "s3:ListAllMyBuckets"),
        ("s3:PutBucketLifecycle", "s3:PutLifecycleConfiguration"),
        ("monitoring:PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
        ("lambda:Invoke", "lambda:InvokeFunction"),
        ("ec2:RunInstances", "ec2:RunInstances"),
    ],
)
def test_a_call_is_allowed_by_an_action_that_may_have_another_name(operation: str, action: str) -> None:
    assert action_of(operation) == action


@pytest.mark.parametrize(
    "action, level",
    [
        ("s3:GetObject", "read"),
        ("s3:PutObject", "write"),
        ("s3:PutBucketPolicy", "admin"),
        ("acm:ExportCertificate", "read"),  # of the table, against its verb
        ("appconfig:ValidateConfiguration", "write"),  # likewise
        ("nothing:DescribeThings", "read"),
        ("nothing:MakeThings", "write"),
    ],
)
def test_a_level_is_that_of_the_table_else_of_the_verb(action: str, level: str) -> None:
    assert level_of(action) == level


@pytest.mark.parametrize(
    "operation, concern",
    [
        ("iam:AttachUserPolicy", "permission"),
        ("iam:DeleteRolePermissionsBoundary", "permission"),
        ("sts:GetFederationToken", "credential"),
        ("secretsmanager:GetSecretValue", "secret"),
        ("cloudtrail:StopLogging", "logging"),
        ("ec2:ModifySnapshotAttribute", "permission"),
        ("ssm:SendCommand", "command"),
        ("kms:ScheduleKeyDeletion", "damage"),
    ],
)
def test_what_is_sensitive_says_why(operation: str, concern: str) -> None:
    assert rule_of(operation)[:2] == ("admin", concern)


@pytest.mark.parametrize(
    "operation, access",
    [
        ("iam:DetachUserPolicy", "write"), ("iam:DeleteAccessKey", "write"), ("kms:RetireGrant", "write"), ("iam:CreateGroup", "write"),
        ("glue:GetEnvironment", "read"), ("sts:AssumeRole", "write"), ("kms:Decrypt", "write"), ("ec2:DescribeInstances", "read"),
    ],
)  # fmt: skip
def test_everyday_work_is_not_admin(operation: str, access: str) -> None:
    assert access_of(operation, asked()) == access


def ingress(cidr: str, port: int) -> dict[str, Any]:
    return asked(ipPermissions={"items": [{"fromPort": port, "toPort": port, "ipRanges": {"items": [{"cidrIp": cidr}]}}]})


PAIRS = [
    ("ec2:AuthorizeSecurityGroupIngress", ingress("0.0.0.0/0", 22), ingress("0.0.0.0/0", 443)),
    ("ec2:AuthorizeSecurityGroupIngress", asked(cidrIp="0.0.0.0/0", fromPort=22, toPort=22), ingress("10.0.0.0/8", 22)),
    ("ec2:ModifyInstanceAttribute", asked(instanceId="i-1", userData="<sensitiveDataRemoved>"), asked(instanceId="i-1")),
    ("ec2:DescribeInstanceAttribute", asked(attribute="userData"), asked(attribute="instanceType")),
    ("ec2:RunInstances", asked(instanceType="p3.2xlarge"), asked(instanceType="t3.small")),
    ("ec2:ModifyImageAttribute", asked(launchPermission={"add": {"items": []}}), asked(launchPermission={"remove": {"items": []}})),
    ("ec2:ModifyImageAttribute", asked(attributeType="launchPermission"), asked(attributeType="description")),
    ("ssm:GetParameter", asked(name="x", withDecryption=True), asked(name="x", withDecryption=False)),
    ("ssm:GetParameters", asked(withDecryption="true"), asked(names=["x"])),
    ("apigateway:GetApiKeys", asked(includeValues=True), asked(includeValues=False)),
    ("s3:PutBucketLifecycle", asked(bucketName="b", LifecycleConfiguration={"Rule": {"Expiration": {"Days": 1}}}),
     asked(bucketName="b", LifecycleConfiguration={"Rule": {"Expiration": {"Days": 90}}})),
    ("s3:PutBucketLifecycle", asked(bucketName="my-trail", LifecycleConfiguration={"Rule": [{"Expiration": {"Days": 30}}]}),
     asked(bucketName="my-trail", LifecycleConfiguration={"Rule": [{"Transition": {"Days": 30}}]})),
    ("s3:PutBucketLogging", asked(BucketLoggingStatus={"xmlns": "x"}), asked(BucketLoggingStatus={"LoggingEnabled": {}})),
    ("s3:PutBucketVersioning", asked(VersioningConfiguration={"Status": "Suspended"}), asked(VersioningConfiguration={"Status": "Enabled"})),
    ("s3:PutObject", asked(**{"x-amz-server-side-encryption-customer-algorithm": "AES256"}), asked(bucketName="b")),
    ("s3:PutBucketAcl", asked(**{"x-amz-acl": ["public-read"]}), asked(**{"x-amz-acl": ["private"]})),
    ("s3:PutBucketAcl", asked(AccessControlPolicy={"AccessControlList": {"Grant": [{"Grantee": {"ID": "a"}}, {"Grantee": {"ID": "b"}}]}}),
     asked(AccessControlPolicy={"AccessControlList": {"Grant": {"Grantee": {"ID": "a"}}}})),
    ("s3:PutBucketPublicAccessBlock", asked(PublicAccessBlockConfiguration={"BlockPublicAcls": False, "BlockPublicPolicy": True}),
     asked(PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": True})),
    ("s3:PutBucketOwnershipControls", asked(OwnershipControls={"Rule": {"ObjectOwnership": "ObjectWriter"}}),
     asked(OwnershipControls={"Rule": {"ObjectOwnership": "BucketOwnerEnforced"}})),
    ("logs:DeleteLogGroup", asked(logGroupName="/vpc/flow-logs"), asked(logGroupName="/aws/lambda/thumbnails")),
    ("elasticloadbalancing:ModifyLoadBalancerAttributes", asked(attributes=[{"key": "access_logs.s3.enabled", "value": "false"}]),
     asked(attributes=[{"key": "access_logs.s3.enabled", "value": "true"}])),
    ("eks:UpdateClusterConfig", asked(logging={"clusterLogging": [{"enabled": False}]}), asked(logging={"clusterLogging": [{"enabled": True}]})),
    ("lambda:CreateFunctionUrlConfig", asked(authType="NONE"), asked(authType="AWS_IAM")),
    ("lambda:UpdateFunctionConfiguration", asked(layers=["arn:aws:lambda:eu-west-1:1:layer:x:1"]), asked(timeout=3)),
    ("rds:ModifyDBInstance", asked(masterUserPassword="****"), asked(publiclyAccessible=False)),
    ("sqs:SetQueueAttributes", asked(attributes={"Policy": "{}"}), asked(attributes={"DelaySeconds": "1"})),
    ("sns:SetTopicAttributes", asked(attributeName="Policy"), asked(attributeName="DisplayName")),
    ("signin:ConsoleLogin", {"userIdentity": {"type": "IAMUser"}, "additionalEventData": {"MFAUsed": "No"}},
     {"userIdentity": {"type": "IAMUser"}, "additionalEventData": {"MFAUsed": "Yes"}}),
    ("signin:ConsoleLogin", {"userIdentity": {"type": "Root"}, "additionalEventData": {"MFAUsed": "Yes"}},
     {"userIdentity": {"type": "AssumedRole"}, "additionalEventData": {"MFAUsed": "No"}}),
    ("kms:CreateGrant", asked(), {"userIdentity": {"type": "AssumedRole", "invokedBy": "ec2.amazonaws.com"}}),
]  # fmt: skip


@pytest.mark.parametrize("operation, sensitive, everyday", PAIRS, ids=[f"{row[0]} {at}" for at, row in enumerate(PAIRS)])
def test_a_call_is_sensitive_by_what_it_asks_for(operation: str, sensitive: dict[str, Any], everyday: dict[str, Any]) -> None:
    assert access_of(operation, sensitive) == "admin"
    assert access_of(operation, everyday) != "admin"


@pytest.mark.parametrize("name", [name for name, _, _ in PAIRS])
@pytest.mark.parametrize("odd", [None, 7, "x", [], [7], {"items": 7}, {"items": [None]}])
def test_what_stands_where_something_else_was_expected_is_no_error(name: str, odd: object) -> None:
    names = ("ipPermissions", "attributes", "LifecycleConfiguration", "AccessControlPolicy", "logging", "x-amz-acl", "launchPermission")
    assert access_of(name, {"requestParameters": dict.fromkeys(names, odd), "userIdentity": odd, "additionalEventData": odd})
    assert access_of(name, {"requestParameters": odd})


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.mark.parametrize(
    "policy, reach",
    [
        (document(Effect="Allow", Action="*"), "admin"),
        (document(Effect="Allow", Action=["s3:GetObject", "iam:*"]), "admin"),
        (document(Effect="Allow", Action="iam:Put*"), "admin"),
        (document(Effect="Allow", Action="iam:Get*"), "read"),
        (document(Effect="Allow", NotAction="iam:*"), "admin"),
        (document(Effect="Allow", Action="S3:PutBucketPolicy"), "admin"),
        (document(Effect="Allow", Action=["s3:*"]), "write"),
        (document(Effect="Allow", Action=["ec2:Describe*"]), "read"),
        (document(Effect="Deny", Action="*"), ""),
        ("%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22%2A%22%7D%7D", "admin"),
        ("no policy", ""), ("[" * 100_000, ""), ("{}", ""), (None, ""), (7, ""), ('{"Statement": [7, {"Effect": "Allow", "Action": 7}]}', ""),
    ],
    ids=range(16),
)  # fmt: skip
def test_a_policy_reaches_as_far_as_the_furthest_of_what_it_allows(policy: object, reach: str) -> None:
    assert reach_of(policy) == reach


@pytest.mark.parametrize(
    "arn, reach",
    [
        ("arn:aws:iam::aws:policy/AdministratorAccess", "admin"),
        ("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "read"),
        ("arn:aws:iam::aws:policy/AmazonS3FullAccess", "write"),
        ("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess", "read"),
        ("arn:aws-cn:iam::aws:policy/AdministratorAccess", "admin"),
        ("arn:aws:iam::1:policy/ReadOnly", ""),
        ("arn:aws-cn:iam::1:policy/ReadOnly", ""),
    ],
)
def test_a_managed_policy_is_known_by_its_name(arn: str, reach: str) -> None:
    assert reach_of_managed(arn) == reach


@pytest.mark.parametrize(
    "principal, outside",
    [
        ("*", "*"),
        ({"AWS": "*"}, "*"),
        ({"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::999988887777:root"]}, "arn:aws:iam::999988887777:root"),
        ({"AWS": "111122223333"}, ""),
        ({"Service": "ec2.amazonaws.com"}, ""),
        (7, ""),
    ],
    ids=range(6),
)
def test_a_trust_policy_names_who_is_let_in_from_outside(principal: object, outside: str) -> None:
    assert trust_of(document(Effect="Allow", Principal=principal), "111122223333") == (("admin" if outside else ""), outside)


@pytest.mark.parametrize(
    "said, everything",
    [
        ({"Action": "*", "Resource": "*"}, True),
        ({"Action": ["s3:GetObject", "*:*"], "Resource": ["arn:aws:s3:::b", "*"]}, True),
        ({"Action": "**", "Resource": "arn:aws:*:*:*:*"}, True),
        ({"NotAction": "none:Such", "Resource": "*"}, True),
        ({"NotAction": "iam:GetUser", "Resource": "*"}, True),
        ({"NotAction": ["iam:*", "organizations:*"], "Resource": "*"}, False),
        ({"Action": "*", "Resource": "arn:aws:s3:::b/*"}, False),
        ({"Action": "s3:*", "Resource": "*"}, False),
        ({"Action": "*", "Resource": "*", "Effect": "Deny"}, False),
        ({"Action": "*"}, False),
    ],
    ids=range(10),
)
def test_a_policy_gives_everything_where_it_leaves_out_nothing(said: dict[str, Any], *, everything: bool) -> None:
    assert gives_everything(document(**({"Effect": "Allow"} | said))) is everything
