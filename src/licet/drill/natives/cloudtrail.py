"""CloudTrail records, event version 1.11 (docs.aws.amazon.com/awscloudtrail, "CloudTrail record contents")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from licet.drill.scenario import Record, line
from licet.drill.stage import Stage, seconds

_READS = ("Get", "List", "Describe", "Head", "Query", "Scan", "Lookup")
_DATA = frozenset({"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"})
_REGIONS = ("eu-west-1", "eu-central-1", "eu-north-1", "us-east-1", "us-east-2", "us-west-2", "ca-central-1")
_FAR = (
    "ap-northeast-1", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-3", "sa-east-1", "af-south-1", "me-south-1",
    "me-central-1", "il-central-1", "mx-central-1",
)  # fmt: skip
_ADMINISTRATORS = "aws-reserved/sso.amazonaws.com/"


class Role(NamedTuple):
    """A role and where it works. `uid` is its ARN; `session` of an instance, or of a person; `path` before its name."""

    account: str
    name: str
    principal: str
    region: str
    network: str
    program: str
    session: str
    path: str = ""

    @property
    def uid(self) -> str:
        """Its ARN."""
        return f"arn:aws:iam::{self.account}:role/{self.path}{self.name}"


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
    path, _, name = name.rpartition("/")
    return Role(
        account, name, f"AROA{stage.letters(17).upper()}", _region(stage), stage.home(), _program(stage),
        f"i-{stage.rng.getrandbits(68):017x}", f"{path}/" if path else "",
    )  # fmt: skip


def user(stage: Stage) -> User:
    """A machine's user, drawn, or the real one that the stage has."""
    account, name = _named(stage, ":user/")
    return User(account, name, f"AIDA{stage.letters(17).upper()}", _region(stage), stage.home(), _program(stage))


def administrator(stage: Stage, account: str) -> Role:
    """A person with all rights, who came in by IAM Identity Center."""
    name = f"AWSReservedSSO_AdministratorAccess_{stage.rng.getrandbits(64):016x}"
    person = f"{stage.letters(1, 'abcdefghijklmnoprstuvw')}.{stage.letters(7, 'aeiourstlnm')}@{stage.name().rpartition('-')[0]}.example"
    program = f"aws-cli/2.{stage.rng.randrange(15, 30)}.{stage.rng.randrange(20)} md/awscrt#0.23.8 ua/2.1 os/macos#24.3.0 md/arch#arm64"
    return Role(
        account, name, f"AROA{stage.letters(17).upper()}", "eu-west-1", stage.home(), program, person, f"{_ADMINISTRATORS}eu-west-1/"
    )  # fmt: skip


def far(stage: Stage) -> str:
    """A region in which none of ours works."""
    return stage.rng.choice(_FAR)


def _region(stage: Stage) -> str:
    return stage.rng.choice(_REGIONS)


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
    native, data = stage.uuid(), operation in _DATA
    where = region or who.region
    body: dict[str, Any] = {
        "eventVersion": "1.11", "userIdentity": _identity(who, time, key), "eventTime": seconds(time),
        "eventSource": f"{service}.amazonaws.com", "eventName": name, "awsRegion": where,
        "sourceIPAddress": address or stage.at_home(who.network), "userAgent": program or who.program,
    }  # fmt: skip
    if error:
        body |= {"errorCode": error, "errorMessage": f"{error}: {name}"}
    body |= {
        "requestParameters": parameters, "responseElements": response, "requestID": stage.uuid(), "eventID": native,
        "readOnly": name.startswith(_READS), "eventType": "AwsApiCall", "managementEvent": not data,
        "recipientAccountId": account or who.account, "eventCategory": "Data" if data else "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                       "clientProvidedHostHeader": f"{service}.{where}.amazonaws.com"},
    }  # fmt: skip
    return Record("cloudtrail", line(body | dict(more or {})), time, live=live), native


def _identity(who: Role | User, time: float, key: str) -> dict[str, Any]:
    common = {"accountId": who.account, "accessKeyId": key}
    if isinstance(who, User):
        return {"type": "IAMUser", "principalId": who.principal, "arn": who.uid, **common, "userName": who.name.rpartition("/")[2]}
    issuer = {"type": "Role", "principalId": who.principal, "arn": who.uid, "accountId": who.account, "userName": who.name}
    return {
        "type": "AssumedRole", "principalId": f"{who.principal}:{who.session}",
        "arn": f"arn:aws:sts::{who.account}:assumed-role/{who.name}/{who.session}", **common,
        "sessionContext": {
            "sessionIssuer": issuer, "attributes": {"creationDate": seconds(time - time % 3600), "mfaAuthenticated": "false"},
        },
    }  # fmt: skip
