"""How far a policy of AWS reaches, as far as its text or its name tells."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import unquote

from licet.events import AccessLevel
from licet.ingest.aws_actions import by_verb
from licet.ingest.aws_sensitive import rule_of
from licet.ingest.documents import Unfit, parsed

_LONGEST: Final = 131_072  # characters, more than AWS takes for any policy
_RIGHTS: Final = frozenset({"iam", "organizations", "sts", "sso"})
"""Services whose whole is rights."""

_MANAGED: Final[dict[str, AccessLevel]] = {
    "AdministratorAccess": "admin", "IAMFullAccess": "admin", "PowerUserAccess": "admin", "SecurityAudit": "read", "ViewOnlyAccess": "read",
    "AWSOrganizationsFullAccess": "admin", "AWSSSOMasterAccountAdministrator": "admin",
}  # fmt: skip
_ANYTHING: Final = re.compile(r"(?:arn:(?:[a-z-]*:)?)?\*[*:]*")
"""A pattern of actions or of resources that leaves none out."""
_WHOLE_IAM: Final = re.compile(r"(?:i|ia|iam|iam:)?\*+", re.IGNORECASE)
_ORDER: Final[tuple[AccessLevel, ...]] = ("", "read", "write", "admin")


def reach_of(document: object) -> AccessLevel:
    """The highest level of what a policy's document allows: `admin` for `*`, for what is allowed by leaving out, and for IAM as a whole.
    Empty for what is no policy. What the policy denies, and its conditions, are not looked at.
    """
    reach: AccessLevel = ""
    for statement in _statements(document):
        if statement.get("Effect") != "Allow":
            continue
        if "NotAction" in statement:
            return "admin"
        for action in _texts(statement.get("Action")):
            reach = max(reach, _level(action), key=_ORDER.index)
    return reach


def gives_everything(document: object) -> bool:
    """Whether a policy allows every action on every resource, as `AdministratorAccess` does. What is allowed by leaving out is everything
    where IAM is not left out as a whole: who may give rights has all others. Conditions are not looked at.
    """
    return any(each.get("Effect") == "Allow" and _all_actions(each) and _any_is_all(each.get("Resource")) for each in _statements(document))


def _all_actions(statement: dict[str, Any]) -> bool:
    if "NotAction" in statement:
        return not any(_WHOLE_IAM.fullmatch(each) for each in _texts(statement["NotAction"]))
    return _any_is_all(statement.get("Action"))


def _any_is_all(patterns: object) -> bool:
    return any(_ANYTHING.fullmatch(each) for each in _texts(patterns))


def only_denies(document: object) -> bool:
    """Whether a policy gives nothing, as all that it says is a denial. What cannot be read in one way only may give something."""
    if isinstance(document, str):
        if len(document) > _LONGEST:
            return False
        try:
            document = parsed(unquote(document) if document.startswith("%7B") else document)
        except Unfit:
            return False
    statements = document.get("Statement") if isinstance(document, dict) else None
    found = statements if isinstance(statements, list) else [statements]
    return bool(found) and all(
        isinstance(each, dict) and each.get("Effect") == "Deny" and [key.lower() for key in each].count("effect") == 1 for each in found
    )


def denies_by_name(arn: str) -> bool:
    """Whether a policy is one of AWS's own that deny: the quarantine of a key that AWS has found in public, or everything."""
    owner, _, name = arn.rpartition(":policy/")
    return owner.endswith(":iam::aws") and (name.startswith("AWSCompromisedKeyQuarantine") or name == "AWSDenyAll")


def trust_of(document: object, account: str) -> tuple[AccessLevel, str]:
    """Whom a trust policy lets in from outside `account`: `admin` and their names where there is somebody, else an empty level.

    Services of AWS, and identity providers of the account itself, are not outside.
    """
    outside: list[str] = []
    for statement in _statements(document):
        principal = statement.get("Principal")
        if statement.get("Effect") != "Allow":
            continue
        named = (
            _texts(principal) if not isinstance(principal, dict) else [name for key in ("AWS", "*") for name in _texts(principal.get(key))]
        )
        outside += [name for name in named if name == "*" or (account not in name)]
    return ("admin", ", ".join(sorted(set(outside)))) if outside else ("", "")


def reach_of_managed(arn: str) -> AccessLevel:
    """The level of a managed policy, by its name; empty where that does not tell."""
    name = arn.rpartition("/")[2]
    if ":iam::aws:" not in arn:  # the account's own, which anybody can name as he likes
        return "admin" if name == "AdministratorAccess" else ""
    return _MANAGED.get(name) or ("read" if "ReadOnly" in name else "write" if "FullAccess" in name else "")


def _level(action: str) -> AccessLevel:
    service, _, name = action.partition(":")
    if action == "*" or service == "*":
        return "admin"
    if "*" not in name and "?" not in name:
        return rule_of(f"{service.lower()}:{name}").access
    begins = name.partition("*")[0].partition("?")[0]
    if begins and by_verb(begins) == "read":
        return "read"
    return "admin" if service.lower() in _RIGHTS else "write"


def _statements(document: object) -> list[dict[str, Any]]:
    if isinstance(document, str):
        if len(document) > _LONGEST:
            return []
        try:
            document = json.loads(unquote(document) if document.startswith("%7B") else document)
        except (ValueError, RecursionError):
            return []
    statements = document.get("Statement") if isinstance(document, dict) else None
    found = statements if isinstance(statements, list) else [statements]
    return [each for each in found if isinstance(each, dict)]


def _texts(value: object) -> list[str]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
