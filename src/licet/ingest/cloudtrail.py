"""AWS CloudTrail (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).

Who acted is the ARN of the role behind a session (`sessionIssuer`), else of the user; a service of AWS is `aws:` and its name, and has no
credential. Nothing of a response is kept but the ids of keys, as fingerprints, and their ends: responses carry session tokens.
What a record changes is read in `licet.ingest.cloudtrail_changes`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from licet.events import IdentityKind, UseEvent, UseOutcome
from licet.ingest.aws_actions import operation_of
from licet.ingest.aws_names import LONGEST, account_in, clean_name, without_path
from licet.ingest.aws_sensitive import Rule, rule_of
from licet.ingest.cloudtrail_changes import CHANGES, Change, one_with_path
from licet.ingest.fields import address_of, agent_of, interactive_agent, network_of, time_of
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable, part, text

# Authentication or authorization said no. The other errors are of calls that were let in.
_DENIALS: Final = (
    "AccessDenied", "Unauthorized", "NotAuthorized", "AuthFailure", "Forbidden", "InvalidClientTokenId", "InvalidAccessKeyId",
    "ExpiredToken", "InvalidToken", "InvalidIdentityToken", "IDPRejectedClaim", "SignatureDoesNotMatch", "IncompleteSignature",
    "RequestExpired", "MissingAuthenticationToken", "UnrecognizedClient", "AuthorizationError", "OptInRequired", "Failed authentication",
)  # fmt: skip

# Which parameter names the resource, where the record has no list of resources.
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


class _Who(NamedTuple):
    uid: str
    kind: IdentityKind
    name: str = ""
    session: str = ""
    user_with_path: bool = False


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
    native_id, source, name = _needed(record, "eventID"), _needed(record, "eventSource"), _needed(record, "eventName")
    if len(native_id) != _UUID or native_id.count("-") != _DASHES:  # which is what AWS writes, and no token looks like
        native_id = clean_name(native_id)
    time = time_of(record.get("eventTime"), "eventTime")
    operation, service, rule = _operation(source, name)
    identity = part(record, "userIdentity")
    who = _who(identity, record, service)
    account = clean_name(text(record, "recipientAccountId") or text(identity, "accountId") or place.account)
    event_type = text(record, "eventType")
    outcome, error = _outcome_of(record, event_type)
    parameters = record.get("requestParameters")
    resource, resource_kind, resource_account = _resource(record, parameters)
    shown = text(identity, "accessKeyId")
    kind = "temporary_key" if shown.startswith("ASIA") else "access_key"
    if not shown and operation == "signin:ConsoleLogin" and text(identity, "type") in _WITH_PASSWORD and text(identity, "arn"):
        # Who signs in at the console shows a password. It has no id of its own; each user has one.
        shown, kind = f"password of {who.uid}", "password"
    credential = "" if not shown or who.kind == "service" or shown == "REDACTED" else place.fingerprint(shown)
    raw_agent, ip = text(record, "userAgent"), address_of(text(record, "sourceIPAddress"))
    use = UseEvent(
        "cloudtrail", native_id, time, who.uid, operation, outcome,
        "admin" if rule.when is not None and rule.when(record) else rule.access,
        who.kind, who.name, credential, kind if credential else "",
        who.session, who.session if who.session.startswith("i-") else "",
        account, clean_name(text(record, "awsRegion")), ip, network_of(ip), "", agent_of(raw_agent),
        interactive_agent(raw_agent) or record.get("sessionCredentialFromConsole") in ("true", True) or event_type in _CONSOLE,
        resource, resource_kind, "" if resource_account == account else resource_account, _behalf(identity), error=error,
    )  # fmt: skip
    changed = CHANGES.get(operation)
    # Of a role the path is told when it is assumed; of a user perhaps nowhere but here.
    faces = tuple(one_with_path(who.uid, use)) if who.user_with_path else ()
    if changed is None:
        return Recognised((use,), faces)
    return Recognised((use,), (*changed(Change(use, parameters, record.get("responseElements"), place.fingerprint)), *faces))


def _needed(record: Record, key: str) -> str:
    found = record.get(key)
    if not isinstance(found, str):
        raise Unreadable("is missing" if found is None else "is no text", key)
    if not found or len(found) > LONGEST:
        raise Unreadable("is too long" if found else "is missing", key)
    return found


@lru_cache(8_192)
def _operation(source: str, name: str) -> tuple[str, str, Rule]:
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
    return "denied" if any(sign in code for sign in _DENIALS) else "failed", clean_name(code)


def _who(identity: Record, record: Record, service: str) -> _Who:
    context = identity.get("sessionContext")
    issuer = context.get("sessionIssuer") if isinstance(context, dict) else None
    arn = issuer.get("arn") if isinstance(issuer, dict) else None
    own = text(identity, "arn")
    if isinstance(arn, str) and arn:
        return _by_arn(arn, own)
    if own:
        return _by_arn(own, own)
    return _without_arn(identity, record, service)


@lru_cache(32_768)
def _by_arn(arn: str, own: str) -> _Who:
    head, _, name = arn.partition("/")
    session = clean_name(own.rpartition("/")[2]) if ":assumed-role/" in own or ":federated-user/" in own else ""
    if head.endswith(":assumed-role"):  # a session whose issuer the record leaves out
        role = name.partition("/")[0]
        return _Who(
            clean_name(f"{head.replace(':sts:', ':iam:').removesuffix('assumed-role')}role/{role}"), "role", clean_name(role), session
        )
    if head.endswith(":role"):
        kind: IdentityKind = "role"
        if name.startswith("aws-reserved/sso.amazonaws.com/"):  # people, through IAM Identity Center
            kind = "human"
        elif name.startswith("aws-service-role/"):  # only a service of AWS can use it
            kind = "service"
        return _Who(clean_name(arn), kind, clean_name(name.rpartition("/")[2]), session)
    if arn.endswith(":root"):
        return _Who(clean_name(arn), "human", "root", session)
    return _Who(clean_name(arn), "unknown", clean_name(name.rpartition("/")[2]), session, bool(without_path(arn)))


def _without_arn(identity: Record, record: Record, service: str) -> _Who:
    kind, account = text(identity, "type"), text(identity, "accountId")[:LONGEST]
    invoked, user = text(identity, "invokedBy"), text(identity, "userName")[:LONGEST]
    if invoked and kind in {"", "AWSService"}:
        return _service(invoked.removesuffix(".amazonaws.com"))
    if kind == "AWSService" or (kind in {"", "Unknown"} and record.get("eventType") == "AwsServiceEvent"):
        return _service(service)
    provider = text(identity, "identityProvider")[:LONGEST]
    if provider and user:
        return _Who(clean_name(f"{provider}:{user}"), "human" if kind == "SAMLUser" else "unknown", clean_name(user))
    behalf = identity.get("onBehalfOf")
    if isinstance(behalf, dict) and isinstance(person := behalf.get("userId"), str) and person:
        return _Who(clean_name(f"identitycenter:{person}"), "human", clean_name(user))
    if kind == "IAMUser" and user and account and not user.startswith("HIDDEN"):
        return _by_arn(f"arn:aws:iam::{account}:user/{user}", "")
    principal = text(identity, "principalId")[:LONGEST].partition(":")[0]
    if principal and kind not in {"IAMUser", "Root"}:
        return _Who(clean_name(f"aws-principal:{principal}"), "unknown")
    if account:  # a login under a name that AWS hides, or another account
        return _Who(f"aws-account:{clean_name(account)}", "unknown")
    raise Unreadable("names nobody", "userIdentity")


def _service(name: str) -> _Who:
    return _Who(f"aws:{clean_name(name)}", "service", clean_name(name))


def _behalf(identity: Record) -> tuple[str, ...]:
    context, behalf = identity.get("sessionContext"), identity.get("onBehalfOf")
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
        arn = clean_name(arn)
        return (
            arn,
            clean_name(kind) if isinstance(kind, str) else "",
            clean_name(account) if isinstance(account, str) and account else account_in(arn),
        )
    if isinstance(parameters, dict):
        for key in parameters:
            if key in _RESOURCES and isinstance(value := parameters[key], str) and value:
                value = clean_name(value)
                return value, _RESOURCES[key], account_in(value)
    return "", "", ""


SOURCE: Final = Source("cloudtrail", "AWS CloudTrail", read, lag=20 * 60, records=("Records",))
