"""CloudTrail records (event version 1.11): fields and their order as AWS writes them."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.identity_year.actors import Act, Emitted
from benchmarks.identity_year.drawn import access_key, created, letters, seconds, uuid

STREAM = "cloudtrail"
READS = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "Receive", "Lookup", "Assume", "Invoke")
DATA = frozenset(
    {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:HeadObject", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}
)


def issuer(act: Act) -> dict[str, Any]:
    actor = act.actor
    return {
        "type": "Role", "principalId": actor.about["principal"], "arn": actor.uid, "accountId": actor.account, "userName": actor.name,
    }  # fmt: skip


def who(act: Act) -> dict[str, Any]:
    actor = act.actor
    if ":user/" in actor.uid:
        found = {
            "type": "IAMUser", "principalId": actor.about["principal"], "arn": actor.uid, "accountId": actor.account,
            "accessKeyId": act.credential, "userName": actor.name,
        }  # fmt: skip
        if act.interactive:
            found["sessionContext"] = {"attributes": {"creationDate": seconds(act.time - 600), "mfaAuthenticated": "true"}}
        return found
    session = act.session or "session"
    return {
        "type": "AssumedRole", "principalId": f"{actor.about['principal']}:{session}",
        "arn": f"arn:aws:sts::{actor.account}:assumed-role/{actor.name}/{session}", "accountId": actor.account,
        "accessKeyId": act.credential,
        "sessionContext": {
            "sessionIssuer": issuer(act), "webIdFederationData": {},
            "attributes": {"creationDate": seconds(act.time - act.time % 3600), "mfaAuthenticated": "false"},
            **({"ec2RoleDelivery": "2.0"} if session.startswith("i-") else {}),
        },
    }  # fmt: skip


def record(act: Act, rng: random.Random) -> Emitted:
    service, name = act.operation
    account = act.account or act.actor.account
    data = f"{service}:{name}" in DATA
    native = uuid(rng)
    body: dict[str, Any] = {
        "eventVersion": "1.11", "userIdentity": who(act), "eventTime": seconds(act.time), "eventSource": f"{service}.amazonaws.com",
        "eventName": name, "awsRegion": act.region or "eu-west-1", "sourceIPAddress": act.ip, "userAgent": act.agent,
    }  # fmt: skip
    if act.outcome == "denied":
        body["errorCode"] = "AccessDenied"
        body["errorMessage"] = f"User: {body['userIdentity']['arn']} is not authorized to perform: {service}:{name}"
    elif act.outcome == "failed":
        body["errorCode"] = "TrailNotFoundException" if service == "cloudtrail" else "ThrottlingException"
        body["errorMessage"] = "Unknown trail" if service == "cloudtrail" else "Rate exceeded"
    body["requestParameters"] = act.parameters
    body["responseElements"] = act.response
    body["requestID"] = uuid(rng)
    body["eventID"] = native
    body["readOnly"] = name.startswith(READS)
    if act.target:
        body["resources"] = [{"accountId": account, "type": kind_of(service), "ARN": act.target}]
    body["eventType"] = "AwsConsoleSignIn" if name == "ConsoleLogin" else "AwsApiCall"
    body["managementEvent"] = not data
    body["recipientAccountId"] = account
    if account != act.actor.account:
        body["sharedEventID"] = uuid(rng)
    body["eventCategory"] = "Data" if data else "Management"
    body["tlsDetails"] = {
        "tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": f"{service}.{body['awsRegion']}.amazonaws.com",
    }  # fmt: skip
    if act.interactive and name != "ConsoleLogin":
        body["sessionCredentialFromConsole"] = "true"
    if name == "ConsoleLogin":
        body["userIdentity"].pop("accessKeyId", None)
    return Emitted(act.time, STREAM, native, body)


def kind_of(service: str) -> str:
    return {"s3": "AWS::S3::Object", "dynamodb": "AWS::DynamoDB::Table", "sqs": "AWS::SQS::Queue"}.get(service, f"AWS::{service}")


def assumed(act: Act, rng: random.Random, key: str, until: float, by: str) -> Emitted:
    """The platform's own record that a role's session was begun: by a service (`ec2.amazonaws.com`), with the key that it was given."""
    native = uuid(rng)
    actor = act.actor
    session = act.session
    body = {
        "eventVersion": "1.11", "userIdentity": {"type": "AWSService", "invokedBy": by}, "eventTime": seconds(act.time),
        "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "awsRegion": act.region, "sourceIPAddress": by, "userAgent": by,
        "requestParameters": {"roleArn": actor.uid, "roleSessionName": session},
        "responseElements": {
            "credentials": {"accessKeyId": key, "expiration": seconds(until), "sessionToken": "REDACTED"},
            "assumedRoleUser": {
                "assumedRoleId": f"{actor.about['principal']}:{session}",
                "arn": f"arn:aws:sts::{actor.account}:assumed-role/{actor.name}/{session}",
            },
        },
        "requestID": uuid(rng), "eventID": native, "readOnly": True,
        "resources": [{"accountId": actor.account, "type": "AWS::IAM::Role", "ARN": actor.uid}], "eventType": "AwsApiCall",
        "managementEvent": True, "recipientAccountId": actor.account, "sharedEventID": uuid(rng), "eventCategory": "Management",
    }  # fmt: skip
    return Emitted(act.time, STREAM, native, body)


def federated(act: Act, rng: random.Random, key: str, until: float, repository: str) -> Emitted:
    """A pipeline's session, begun with a token of GitHub's issuer."""
    native = uuid(rng)
    actor = act.actor
    subject = f"repo:{repository}:ref:refs/heads/main"
    provider = f"arn:aws:iam::{actor.account}:oidc-provider/token.actions.githubusercontent.com"
    body = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "WebIdentityUser", "principalId": f"{provider}:sts.amazonaws.com:{subject}", "userName": subject,
            "identityProvider": provider,
        },
        "eventTime": seconds(act.time), "eventSource": "sts.amazonaws.com", "eventName": "AssumeRoleWithWebIdentity",
        "awsRegion": act.region,
        "sourceIPAddress": act.ip, "userAgent": act.agent,
        "requestParameters": {"roleArn": actor.uid, "roleSessionName": act.session, "durationSeconds": int(until - act.time)},
        "responseElements": {
            "credentials": {"accessKeyId": key, "sessionToken": "REDACTED", "expiration": seconds(until)},
            "subjectFromWebIdentityToken": subject,
            "assumedRoleUser": {
                "assumedRoleId": f"{actor.about['principal']}:{act.session}",
                "arn": f"arn:aws:sts::{actor.account}:assumed-role/{actor.name}/{act.session}",
            },
            "provider": provider, "audience": "sts.amazonaws.com",
        },
        "requestID": uuid(rng), "eventID": native, "readOnly": True,
        "resources": [{"accountId": actor.account, "type": "AWS::IAM::Role", "ARN": actor.uid}], "eventType": "AwsApiCall",
        "managementEvent": True, "recipientAccountId": actor.account, "eventCategory": "Management",
    }  # fmt: skip
    return Emitted(act.time, STREAM, native, body)


def parameters(act: Act, rng: random.Random) -> tuple[dict[str, Any] | None, str]:
    """What an everyday call asks for, and the ARN of what it touches."""
    service, name = act.operation
    actor, account = act.actor, act.account or act.actor.account
    thing = f"{actor.about.get('store', actor.name)}"
    if service == "s3":
        key = f"{seconds(act.time)[:10]}/{letters(rng, 8).lower()}.json"
        return {"bucketName": thing, "Host": f"{thing}.s3.amazonaws.com", "key": key}, f"arn:aws:s3:::{thing}/{key}"
    if service == "dynamodb":
        return {"tableName": thing, "key": {"id": letters(rng, 6)}}, f"arn:aws:dynamodb:{act.region}:{account}:table/{thing}"
    if service == "sqs":
        return {"queueUrl": f"https://sqs.{act.region}.amazonaws.com/{account}/{thing}"}, f"arn:aws:sqs:{act.region}:{account}:{thing}"
    if service == "bedrock":
        model = actor.about["models"][min(actor.about["model"](act.time), len(actor.about["models"]) - 1)]
        return {"modelId": model}, ""
    if name == "GetParameter":
        return {"name": f"/{thing}/settings", "withDecryption": False}, ""
    return None, ""


def new_key(rng: random.Random, user: str, time: float) -> tuple[str, dict[str, Any]]:
    """A key and the response that shows it."""
    key = access_key(rng, temporary=False)
    return key, {"accessKey": {"userName": user, "status": "Active", "accessKeyId": key, "createDate": created(time)}}
