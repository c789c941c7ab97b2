"""AWS CloudTrail (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).

Who acted is the ARN of the role behind a session (`sessionIssuer`), else of the user; a service of AWS is `aws:` and its name, and has no
credential. Nothing of a response is kept but the ids of keys, as fingerprints, and their ends: responses carry session tokens.
What a record changes is read in `licet.ingest.cloudtrail_changes`.
"""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from licet.events import IdentityKind, UseEvent, UseOutcome
from licet.ingest.aws_actions import operation_of
from licet.ingest.aws_names import LONGEST, account_in, clean_name, without_path
from licet.ingest.aws_sensitive import Rule, rule_of
from licet.ingest.cloudtrail_changes import CHANGES, Change, one_with_path
from licet.ingest.fields import address_of, agent_of, apart, id_of, interactive_agent, network_of, time_of
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable, part, text

# Authentication or authorization said no. The other errors are of calls that were let in.
_DENIALS: Final = (
    "AccessDenied", "Unauthorized", "NotAuthorized", "AuthFailure", "Forbidden", "InvalidClientTokenId", "InvalidAccessKeyId",
    "ExpiredToken", "InvalidToken", "InvalidIdentityToken", "IDPRejectedClaim", "SignatureDoesNotMatch", "IncompleteSignature",
    "RequestExpired", "MissingAuthenticationToken", "UnrecognizedClient", "AuthorizationError", "OptInRequired", "Failed authentication",
)  # fmt: skip

# What EC2 answers to a dry run by somebody who may do it (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).
_WOULD_HAVE: Final = frozenset({"Client.DryRunOperation", "DryRunOperation"})

# Which parameter names the resource, where the record has no list of resources.
_BODIES: Final = ("requestParameters", "responseElements", "additionalEventData")
_RESOURCES: Final = {
    "bucketName": "bucket", "roleArn": "role", "roleName": "role", "userName": "user", "groupName": "group", "policyArn": "policy",
    "secretId": "secret", "functionName": "function", "keyId": "key", "instanceId": "instance", "snapshotId": "snapshot",
    "imageId": "image", "volumeId": "volume", "groupId": "security_group", "dBInstanceIdentifier": "database",
    "dBSnapshotIdentifier": "database_snapshot", "tableName": "table", "queueUrl": "queue", "topicArn": "topic", "streamName": "stream",
    "stackName": "stack", "clusterName": "cluster", "cluster": "cluster", "logGroupName": "log_group", "repositoryName": "repository",
    "trailName": "trail", "name": "", "resourceArn": "",
}  # fmt: skip
_WITH_PASSWORD: Final = ("IAMUser", "Root")
_CONSOLE: Final = frozenset({"AwsConsoleSignIn", "AwsConsoleAction"})
_UUID, _DASHES = 36, 4
_INSTANCES: Final = (10, 19)  # characters of an instance's id, old and new
_SUCCESS: Final[tuple[UseOutcome, str]] = ("success", "")


class _Who(NamedTuple):
    uid: str
    kind: IdentityKind
    name: str = ""
    session: str = ""
    instance: str = ""
    user_with_path: bool = False
    raw: str = ""
    """The name of which something is masked or cut in `uid`; else empty."""


def read(record: Record, place: Place) -> Recognised:
    """One record to its use and what it changes.

    Raises:
        Unreadable: a field is missing or of the wrong kind.
    """
    if "eventName" not in record:
        if isinstance(detail := record.get("detail"), dict) and "eventName" in detail:  # as EventBridge delivers it
            return read(detail, place)
        if "digestS3Object" in record:
            return Recognised(passed="digest of log files")
    if record.get("eventCategory") == "Insight":
        return Recognised(passed="insight")
    try:
        native_id, source, name, when = _MOST(record)
        around = _AROUND(record)
        known = _arounds.get(around) or _around(around)
        operation, service, rule = _operation(source, name)
    except (KeyError, TypeError):  # one of them is missing, or no text
        native_id, source, name, when, *rest = _all(record)
        around = tuple(each[:LONGEST] for each in rest)
        known = _made_around(*around)
        operation, service, rule = _operation(source, name)
    account, region, ip, network, agent, interactive = known
    if native_id.__class__ is not str or len(native_id) != _UUID or native_id.count("-") != _DASHES:
        native_id = id_of(_needed(record, "eventID"), record, place)  # the others are what AWS writes, and no token looks like
    time = time_of(when, "eventTime")
    identity = part(record, "userIdentity")
    who = _who(identity, record, service)
    uid, who_kind, who_name, session, instance, user_with_path, raw = who
    if raw:
        uid = apart(raw, uid, place.fingerprint)
    event_type = around[0]
    if not account:
        account = clean_name(text(identity, "accountId") or place.account)
    code = record.get("errorCode")
    outcome, error = _SUCCESS if code is None and event_type != "AwsConsoleSignIn" else _outcome_of(record, event_type)
    parameters = record.get("requestParameters")
    resource, resource_kind, resource_account = _resource(record, parameters)
    shown = text(identity, "accessKeyId")
    kind = "temporary_key" if shown.startswith("ASIA") else "access_key"
    if not shown and operation == "signin:ConsoleLogin" and text(identity, "type") in _WITH_PASSWORD and text(identity, "arn"):
        # Who signs in at the console shows a password. It has no id of its own; each user has one.
        shown, kind = f"password of {uid}", "password"
    credential = "" if not shown or who_kind == "service" or shown == "REDACTED" else place.fingerprint(shown)
    use: UseEvent = _tuple(UseEvent, (  # all of its fields, at a third of what it costs to fill in those that are left out
        "cloudtrail", native_id, time, uid, operation, outcome,
        "admin" if rule.when is not None and rule.when(record) else rule.access,
        who_kind, who_name, credential, kind if credential else "", session, instance, account, region, ip, network, "", agent,
        interactive or record.get("sessionCredentialFromConsole") in ("true", True),
        resource, resource_kind, "" if resource_account == account else resource_account, _behalf(identity), "", "", error, "", "",
    ))  # fmt: skip
    changed = CHANGES.get(operation)
    # Of a role the path is told when it is assumed; of a user perhaps nowhere but here.
    faces = tuple(one_with_path(raw or uid, use, place.fingerprint)) if user_with_path else ()
    if changed is None:
        return Recognised((use,), faces)
    return Recognised((use,), (*changed(Change(use, parameters, record.get("responseElements"), place.fingerprint)), *faces))


_MOST: Final = itemgetter("eventID", "eventSource", "eventName", "eventTime")
_AROUND: Final = itemgetter("eventType", "recipientAccountId", "awsRegion", "sourceIPAddress", "userAgent")
"""What nearly every record has, at once."""
_tuple: Final = tuple.__new__
_MOST_AROUND: Final = 16_384


def _all(record: Record) -> tuple[Any, ...]:
    """The same of a record that has not all of it, with an empty text in place of what is not there."""
    needed = (_needed(record, "eventID"), _needed(record, "eventSource"), _needed(record, "eventName"))
    around = (text(record, key) for key in ("eventType", "recipientAccountId", "awsRegion", "sourceIPAddress", "userAgent"))
    return (*needed, record.get("eventTime"), *around)


_Around = tuple[str, str, str, str, str, bool]
"""The account, the region, the address and its network, the agent, and whether a person is at it."""
_arounds: Final[dict[tuple[str, ...], _Around]] = {}


def _around(said: tuple[str, ...]) -> _Around:
    """Of what `_AROUND` gives, kept if it is short."""
    if len("".join(said)) > LONGEST:
        return _made_around(*(each[:LONGEST] for each in said))
    if len(_arounds) >= _MOST_AROUND:
        _arounds.clear()
    _arounds[said] = found = _made_around(*said)
    return found


def _made_around(event_type: str, account: str, region: str, address: str, agent: str) -> _Around:
    ip = address_of(address)
    return (
        clean_name(account), clean_name(region), ip, network_of(ip), agent_of(agent), interactive_agent(agent) or event_type in _CONSOLE,
    )  # fmt: skip


def _needed(record: Record, key: str) -> str:
    found = record.get(key)
    if not isinstance(found, str):
        raise Unreadable("is missing" if found is None else "is no text", key)
    if not found or len(found) > LONGEST:
        raise Unreadable("is too long" if found else "is missing", key)
    return found


@lru_cache(8_192)
def _operation(source: str, name: str) -> tuple[str, str, Rule]:
    if not (source.__class__ is name.__class__ is str and 0 < len(source) <= LONGEST and 0 < len(name) <= LONGEST):
        raise TypeError  # `_all` says why
    operation = clean_name(operation_of(source, name))
    return operation, operation.partition(":")[0], rule_of(operation)


def _outcome_of(record: Record, event_type: str) -> tuple[UseOutcome, str]:
    code = text(record, "errorCode")
    if not code and event_type == "AwsConsoleSignIn":
        response = record.get("responseElements")
        if isinstance(response, dict) and "Failure" in response.values():
            code = "Failed authentication"
    return ("success", "") if not code else _outcome(code[:LONGEST])


@lru_cache(1_024)
def _outcome(code: str) -> tuple[UseOutcome, str]:
    if code in _WOULD_HAVE:
        return "success", clean_name(code)
    return "denied" if any(sign in code for sign in _DENIALS) else "failed", clean_name(code)


def _who(identity: Record, record: Record, service: str) -> _Who:
    context = identity.get("sessionContext")
    issuer = context.get("sessionIssuer") if isinstance(context, dict) else None
    arn = issuer.get("arn") if isinstance(issuer, dict) else None
    own = text(identity, "arn")
    if arn.__class__ is not str or not arn:
        arn = own
    if arn:
        return _by_arn(arn, own) if len(arn) + len(own) <= 2 * LONGEST else _by_arn.__wrapped__(arn, own)
    return _without_arn(identity, record, service)


@lru_cache(32_768)
def _by_arn(arn: str, own: str) -> _Who:
    head, _, name = arn.partition("/")
    session = clean_name(own.rpartition("/")[2]) if ":assumed-role/" in own or ":federated-user/" in own else ""
    kind: IdentityKind = "unknown"
    if head.endswith(":assumed-role"):  # a session whose issuer the record leaves out
        name = name.partition("/")[0]
        arn, kind = f"{head.replace(':sts:', ':iam:').removesuffix('assumed-role')}role/{name}", "role"
    elif head.endswith(":role"):
        kind = "role"
        if name.startswith("aws-reserved/sso.amazonaws.com/"):  # people, through IAM Identity Center
            kind = "human"
        elif name.startswith("aws-service-role/"):  # only a service of AWS can use it
            kind = "service"
    elif arn.endswith(":root"):
        kind, name = "human", "root"
    instance = session if session.startswith("i-") and len(session) in _INSTANCES else ""
    return _named(arn, kind, name.rpartition("/")[2], session, instance, user_with_path=kind == "unknown" and bool(without_path(arn)))


def _named(raw: str, kind: IdentityKind, name: str = "", session: str = "", instance: str = "", *, user_with_path: bool = False) -> _Who:
    uid = clean_name(raw)
    return _Who(uid, kind, clean_name(name), session, instance, user_with_path, "" if uid == raw else raw)


def _without_arn(identity: Record, record: Record, service: str) -> _Who:
    kind, account = text(identity, "type"), text(identity, "accountId")
    invoked, user = text(identity, "invokedBy"), text(identity, "userName")
    if invoked and kind in {"", "AWSService"}:
        return _service(invoked.removesuffix(".amazonaws.com"))
    if kind == "AWSService" or (kind in {"", "Unknown"} and record.get("eventType") == "AwsServiceEvent"):
        return _service(service)
    provider = text(identity, "identityProvider")
    if provider and user:
        return _named(f"{provider}:{user}", "human" if kind == "SAMLUser" else "unknown", user)
    behalf = identity.get("onBehalfOf")
    if isinstance(behalf, dict) and isinstance(person := behalf.get("userId"), str) and person:
        return _named(f"identitycenter:{person}", "human", user)
    if kind == "IAMUser" and user and account and not user.startswith("HIDDEN"):
        return _by_arn(f"arn:aws:iam::{account}:user/{user}", "")
    principal = text(identity, "principalId").partition(":")[0]
    if principal and kind not in {"IAMUser", "Root"}:
        return _named(f"aws-principal:{principal}", "unknown")
    if account:  # a login under a name that AWS hides, or another account
        return _named(f"aws-account:{account}", "unknown")
    raise Unreadable("names nobody", "userIdentity")


def _service(name: str) -> _Who:
    return _named(f"aws:{name}", "service", name)


def _behalf(identity: Record) -> tuple[str, ...]:
    context, behalf = identity.get("sessionContext"), identity.get("onBehalfOf")
    if behalf is None and (context.__class__ is not dict or "sourceIdentity" not in context):
        return ()
    source = context.get("sourceIdentity") if isinstance(context, dict) else None
    person = behalf.get("userId") if isinstance(behalf, dict) else None
    if not source and not person:
        return ()
    named = (source, f"identitycenter:{person}" if isinstance(person, str) and person else None)
    return tuple(clean_name(each) for each in named if isinstance(each, str) and each)


def _resource(record: Record, parameters: object) -> tuple[str, str, str]:
    resources = record.get("resources")
    first = resources[0] if isinstance(resources, list) and resources else None
    if isinstance(first, dict) and isinstance(arn := first.get("ARN") or first.get("arn"), str):
        kind, account = first.get("type"), first.get("accountId")
        return _listed(arn, kind if isinstance(kind, str) else "", account if isinstance(account, str) else "")
    if isinstance(parameters, dict):
        for key in parameters:
            if key in _RESOURCES and isinstance(value := parameters[key], str) and value:
                value = clean_name(value)
                return value, _RESOURCES[key], account_in(value)
    return "", "", ""


@lru_cache(32_768)
def _short_listed(arn: str, kind: str, account: str) -> tuple[str, str, str]:
    arn = clean_name(arn)
    return arn, clean_name(kind), clean_name(account) or account_in(arn)


def _listed(arn: str, kind: str, account: str) -> tuple[str, str, str]:
    return _short_listed(arn[:LONGEST], kind[:LONGEST], account[:LONGEST])


SOURCE: Final = Source("cloudtrail", "AWS CloudTrail", read, lag=20 * 60, records=("Records",), bodies=_BODIES)
