"""Conditions under which an otherwise everyday call to AWS is sensitive, each over one record of CloudTrail.

A record is foreign: whatever stands where something else was expected makes a condition false, never an error. The shapes are those that
CloudTrail writes, which differ from the API's (`ipPermissions.items`, headers among the parameters).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_WORLD: Final = frozenset({"0.0.0.0/0", "::/0"})
_WEB: Final = frozenset({80, 443})
_ACCELERATED: Final = ("p2.", "p3", "p4", "p5", "p6", "g2.", "g3", "g4", "g5", "g6", "g7", "trn", "inf", "dl1", "dl2", "vt1")
_LOG_WORDS: Final = ("log", "trail", "audit")
_SECURITY_LOGS: Final = ("trail", "audit", "flow", "vpc", "dns", "resolver", "guardduty", "waf", "/aws/eks/")
_SOON: Final = 7  # days; nobody looks into an incident that fast


def _at(record: object, *path: str) -> object:
    for key in path:
        if not isinstance(record, Mapping):
            return None
        record = record.get(key)
    return record


def _asked(record: Mapping[str, Any], *path: str) -> object:
    return _at(record, "requestParameters", *path)


def _list(value: object) -> list[object]:
    """CloudTrail turns XML into JSON, where a list of one is the one."""
    if isinstance(value, Mapping) and "items" in value:
        value = value["items"]
    return value if isinstance(value, list) else [] if value is None else [value]


def _is(value: object, wanted: str) -> bool:
    if isinstance(value, Mapping):  # {"value": true}
        value = value.get("value")
    return isinstance(value, bool | str) and str(value).lower() == wanted


def login_without_second_factor(record: Mapping[str, Any]) -> bool:
    """A user of the account (not of an identity provider, which asks by itself) logged in with a password alone; root in any case."""
    kind = _at(record, "userIdentity", "type")
    return kind == "Root" or (kind == "IAMUser" and _at(record, "additionalEventData", "MFAUsed") == "No")


def not_by_a_service(record: Mapping[str, Any]) -> bool:
    """No service of AWS did it on somebody's behalf, as with the grants for an encrypted volume."""
    return _at(record, "userIdentity", "invokedBy") is None and _at(record, "userIdentity", "type") != "AWSService"


def opens_to_the_world(record: Mapping[str, Any]) -> bool:
    """Some port other than those of the web is opened to every address."""
    asked = _asked(record)
    for permission in [asked, *_list(_at(asked, "ipPermissions"))]:
        ranges = [
            _at(permission, "cidrIp"),
            _at(permission, "cidrIpv6"),
            *(_at(item, "cidrIp") for item in _list(_at(permission, "ipRanges"))),
            *(_at(item, "cidrIpv6") for item in _list(_at(permission, "ipv6Ranges"))),
        ]
        low, high = _at(permission, "fromPort"), _at(permission, "toPort")
        web = isinstance(low, int) and low == high and low in _WEB
        if not web and any(isinstance(item, str) and item in _WORLD for item in ranges):
            return True
    return False


def user_data(record: Mapping[str, Any]) -> bool:
    """It concerns what an instance runs at its start, which often has secrets."""
    return _asked(record, "userData") is not None or _asked(record, "attribute") == "userData"


def accelerated(record: Mapping[str, Any]) -> bool:
    """Machines with accelerators, which stolen credentials are mostly used for."""
    kind = _asked(record, "instanceType")
    return isinstance(kind, str) and kind.startswith(_ACCELERATED)


def launch_permission(record: Mapping[str, Any]) -> bool:
    """Somebody else may start machines from the image."""
    if _asked(record, "operationType") == "remove":
        return False
    permission = _asked(record, "launchPermission")
    if isinstance(permission, Mapping):
        return "add" in permission
    return (
        permission is not None or _asked(record, "attributeType") == "launchPermission" or _asked(record, "attribute") == "launchPermission"
    )


def decrypts(record: Mapping[str, Any]) -> bool:
    """The values of secret parameters come back in the clear."""
    return _is(_asked(record, "withDecryption"), "true")


def with_values(record: Mapping[str, Any]) -> bool:
    """The values of the keys come back, not only their names."""
    return any(_is(_asked(record, name), "true") for name in ("includeValue", "includeValues"))


def expires_logs(record: Mapping[str, Any]) -> bool:
    """What looks like logs is deleted by itself, or anything is within a week."""
    rules = _list(_asked(record, "LifecycleConfiguration", "Rule"))
    days = [_at(rule, "Expiration", "Days") for rule in rules]
    if any(isinstance(each, int) and each <= _SOON for each in days):
        return True
    bucket = _asked(record, "bucketName")
    return isinstance(bucket, str) and any(word in bucket.lower() for word in _LOG_WORDS) and any(each is not None for each in days)


def bucket_logging_off(record: Mapping[str, Any]) -> bool:
    """The log of accesses to a bucket ends."""
    status = _asked(record, "BucketLoggingStatus")
    return isinstance(status, Mapping) and "LoggingEnabled" not in status


def versioning_off(record: Mapping[str, Any]) -> bool:
    """What is overwritten from now on is lost."""
    return _asked(record, "VersioningConfiguration", "Status") == "Suspended"


def callers_own_key(record: Mapping[str, Any]) -> bool:
    """It is encrypted with a key that only the caller has."""
    return _asked(record, "x-amz-server-side-encryption-customer-algorithm") is not None


def acl_for_others(record: Mapping[str, Any]) -> bool:
    """Everybody, or somebody besides the owner, gets access."""
    asked = _asked(record)
    if not isinstance(asked, Mapping):
        return False
    if any(isinstance(key, str) and key.startswith("x-amz-grant-") for key in asked):
        return True
    if any(isinstance(acl, str) and acl.startswith(("public-", "authenticated-")) for acl in _list(asked.get("x-amz-acl"))):
        return True
    grants = _list(_at(asked, "AccessControlPolicy", "AccessControlList", "Grant"))
    return len(grants) > 1 or any(isinstance(_at(grant, "Grantee", "URI"), str) for grant in grants)


def public_block_off(record: Mapping[str, Any]) -> bool:
    """At least one of the four blocks against public access is off."""
    block = _asked(record, "PublicAccessBlockConfiguration")
    return isinstance(block, Mapping) and any(_is(value, "false") for value in block.values())


def acls_allowed(record: Mapping[str, Any]) -> bool:
    """Access by lists on each object is possible again."""
    rules = _list(_asked(record, "OwnershipControls", "Rule"))
    return any(_at(rule, "ObjectOwnership") not in (None, "BucketOwnerEnforced") for rule in rules)


def security_log_group(record: Mapping[str, Any]) -> bool:
    """By its name, the group has logs of security."""
    name = _asked(record, "logGroupName")
    return isinstance(name, str) and any(word in name.lower() for word in _SECURITY_LOGS)


def access_logs_off(record: Mapping[str, Any]) -> bool:
    """The log of accesses to a load balancer ends."""
    return any(
        _at(each, "key") == "access_logs.s3.enabled" and _is(_at(each, "value"), "false") for each in _list(_asked(record, "attributes"))
    )


def cluster_logging_off(record: Mapping[str, Any]) -> bool:
    """Some log of a cluster's control plane ends."""
    return any(_is(_at(each, "enabled"), "false") for each in _list(_asked(record, "logging", "clusterLogging")))


def open_url(record: Mapping[str, Any]) -> bool:
    """Whoever has the address can call the function."""
    return _asked(record, "authType") == "NONE"


def layers(record: Mapping[str, Any]) -> bool:
    """Other code is put before the function's own."""
    return bool(_asked(record, "layers"))


def database_opened(record: Mapping[str, Any]) -> bool:
    """The database gets another password, or is reachable from everywhere."""
    return _asked(record, "masterUserPassword") is not None or _is(_asked(record, "publiclyAccessible"), "true")


def resource_policy(record: Mapping[str, Any]) -> bool:
    """Who may use the resource is set along."""
    if _asked(record, "accessPolicies") or _asked(record, "attributeName") == "Policy":
        return True
    attributes = _asked(record, "attributes")
    return isinstance(attributes, Mapping) and "Policy" in attributes
