"""CloudTrail records, event version 1.11 (docs.aws.amazon.com/awscloudtrail, "CloudTrail record contents")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from licet.drill.scenario import Record, line
from licet.drill.stage import Stage, seconds

_READS = ("Get", "List", "Describe", "Head", "Query", "Scan", "Lookup")


class Role(NamedTuple):
    """A role and where it works. `uid` is its ARN."""

    account: str
    name: str
    principal: str
    region: str
    network: str
    program: str

    @property
    def uid(self) -> str:
        """Its ARN."""
        return f"arn:aws:iam::{self.account}:role/{self.name}"


class User(NamedTuple):
    """A user with access keys."""

    account: str
    name: str
    principal: str
    region: str
    network: str
    program: str

    @property
    def uid(self) -> str:
        """Its ARN."""
        return f"arn:aws:iam::{self.account}:user/{self.name}"


def role(stage: Stage) -> Role:
    """A role, drawn, or the real one that the stage has."""
    account, name = _named(stage, ":role/")
    return Role(account, name, f"AROA{stage.letters(17).upper()}", "eu-west-1", stage.home(), _program(stage))


def user(stage: Stage) -> User:
    """A machine's user, drawn, or the real one that the stage has."""
    account, name = _named(stage, ":user/")
    return User(account, name, f"AIDA{stage.letters(17).upper()}", "eu-west-1", stage.home(), _program(stage))


def _named(stage: Stage, kind: str) -> tuple[str, str]:
    if stage.actor is not None and kind in stage.actor.uid:
        head, _, name = stage.actor.uid.partition(kind)
        return head.rpartition(":")[2], name
    return stage.account(), stage.name()


def _program(stage: Stage) -> str:
    return f"aws-sdk-go-v2/1.{stage.rng.randrange(20, 40)}.0 os/linux lang/go#1.{stage.rng.randrange(20, 24)}.1 md/GOARCH#arm64"


def called(
    stage: Stage, who: Role | User, time: float, operation: str, key: str, *, address: str = "", program: str = "", region: str = "",
    account: str = "", error: str = "", parameters: Mapping[str, Any] | None = None, response: Mapping[str, Any] | None = None,
    live: bool = False, more: Mapping[str, Any] | None = None,
) -> tuple[Record, str]:  # fmt: skip
    """A call of an API, and the record's id.

    Args:
        operation: `service:Name`.
        key: the id of the access key that it was signed with.
        account: where it was done, if elsewhere.
        error: as AWS names it; empty: it was done.
        more: further keys of the record.
    """
    service, _, name = operation.partition(":")
    native = stage.uuid()
    where = region or who.region
    body: dict[str, Any] = {
        "eventVersion": "1.11", "userIdentity": _identity(stage, who, time, key), "eventTime": seconds(time),
        "eventSource": f"{service}.amazonaws.com", "eventName": name, "awsRegion": where,
        "sourceIPAddress": address or stage.at_home(who.network), "userAgent": program or who.program,
    }  # fmt: skip
    if error:
        body |= {"errorCode": error, "errorMessage": f"{error}: {name}"}
    body |= {
        "requestParameters": parameters, "responseElements": response, "requestID": stage.uuid(), "eventID": native,
        "readOnly": name.startswith(_READS), "eventType": "AwsApiCall", "managementEvent": True,
        "recipientAccountId": account or who.account, "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                       "clientProvidedHostHeader": f"{service}.{where}.amazonaws.com"},
    }  # fmt: skip
    return Record("cloudtrail", line(body | dict(more or {})), time, live=live), native


def _identity(stage: Stage, who: Role | User, time: float, key: str) -> dict[str, Any]:
    common = {"accountId": who.account, "accessKeyId": key}
    if isinstance(who, User):
        return {"type": "IAMUser", "principalId": who.principal, "arn": who.uid, **common, "userName": who.name}
    session = f"i-{stage.rng.getrandbits(68):017x}"
    issuer = {"type": "Role", "principalId": who.principal, "arn": who.uid, "accountId": who.account, "userName": who.name}
    return {
        "type": "AssumedRole", "principalId": f"{who.principal}:{session}",
        "arn": f"arn:aws:sts::{who.account}:assumed-role/{who.name}/{session}", **common,
        "sessionContext": {
            "sessionIssuer": issuer, "attributes": {"creationDate": seconds(time - time % 3600), "mfaAuthenticated": "false"},
        },
    }  # fmt: skip
