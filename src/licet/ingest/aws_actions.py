"""How far an AWS action reaches, by AWS's own classification: `read`, `write`, or `admin` for what AWS calls "Permissions management".

The table beside this file has only what the verb of an action's name does not tell. Names of actions are those of IAM policies; an event of
CloudTrail sometimes has another name, and `action_of` gives the action for it.
"""

from __future__ import annotations

import functools
import importlib.resources
from typing import Final

from licet.errors import LicetError
from licet.events import AccessLevel

_DATE: Final = 8  # digits

_READ_VERBS: Final = (
    "Get", "List", "Describe", "Head", "BatchGet", "BatchDescribe", "Search", "Lookup", "Query", "Scan", "Select", "View", "Read",
    "Download", "Check", "Count", "Detect", "Validate", "Discover", "Evaluate", "Simulate", "Preview", "Estimate", "Calculate", "Test",
)  # fmt: skip

# Where the name of the event's source is not the prefix of the service's actions (CloudTrail's and IAM's own documentation).
_SERVICES: Final = {
    "amazonmq": "mq", "cloudcontrolapi": "cloudformation", "email": "ses", "models.lex": "lex", "monitoring": "cloudwatch",
    "runtime.lex": "lex", "runtime.sagemaker": "sagemaker", "servicecatalog-appregistry": "servicecatalog", "tagging": "tag",
    "agreement-marketplace": "aws-marketplace", "catalog-marketplace": "aws-marketplace", "discovery-marketplace": "aws-marketplace",
}  # fmt: skip

# Where one action allows several calls, or has another name than the call
# (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
_NAMES: Final = {
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:HeadObject": "s3:GetObject",
    "s3:SelectObjectContent": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycle": "s3:GetLifecycleConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:PutBucketReplication": "s3:PutReplicationConfiguration",
    "s3:DeleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:PutBucketCors": "s3:PutBucketCORS",
    "s3:DeleteBucketCors": "s3:PutBucketCORS",
    "s3:DeleteBucketTagging": "s3:PutBucketTagging",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:PutBucketAccelerateConfiguration": "s3:PutAccelerateConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "kms:ReEncrypt": "kms:ReEncryptFrom",
}


def by_verb(action: str) -> AccessLevel:
    """What the verb at the start of `action` tells: `read`, else `write`. `action` has no service before it."""
    return "read" if action.startswith(_READ_VERBS) else "write"


def operation_of(event_source: str, event_name: str) -> str:
    """The operation `service:Name` of an event of CloudTrail.

    The date of the API's version at the end of a name (`CreateFunction20150331`, `UpdateDistribution2020_05_31`) goes: who declares what an
    identity is for does not know it.
    """
    service = event_source.lower().removesuffix(".amazonaws.com").removesuffix(".amazonaws.com.cn")
    name = event_name
    cut = name.rstrip("0123456789_v")
    if len(name) - len(cut) >= _DATE:
        name = cut
    return f"{service}:{name}"


def action_of(operation: str) -> str:
    """The IAM action that allows `operation` (as `operation_of` gives it), as far as it has another name; else the operation itself."""
    service, _, name = operation.partition(":")
    renamed = f"{_SERVICES.get(service, service)}:{name}"
    return _NAMES.get(renamed, renamed)


def level_of(action: str) -> AccessLevel:
    """How far `action` reaches, by AWS's classification.

    Raises:
        LicetError: the table of this installation cannot be read.
    """
    return _table().get(action) or by_verb(action.partition(":")[2])


@functools.cache
def _table() -> dict[str, AccessLevel]:
    try:
        text = (importlib.resources.files(__package__) / "aws_actions.txt").read_text(encoding="utf-8")
    except OSError as error:
        raise LicetError(f"licet's own table of AWS actions cannot be read ({error.strerror}): install licet again") from error
    table: dict[str, AccessLevel] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        service, *groups = line.split(" ")
        for group in groups:
            level, _, names = group.partition("=")
            for name in names.split(","):
                table[f"{service}:{name}"] = "admin" if level == "admin" else "read" if level == "read" else "write"
    return table
