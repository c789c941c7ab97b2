"""Permissions and operations: whether one covers the other, and whether its use would show in the logs that are here.

A permission is `service:operation` with `*` at its end at most, a scope of Microsoft Graph of which it is known what it is for, or the name
of a role, group or policy, of which no log says what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from licet.inventory.faces import SCOPES
from licet.inventory.store import Inventory

ActionOf = Callable[[str], str]
"""The permission that allows an operation where it has another name (`licet.ingest.aws_actions.action_of`)."""

_OPERATION: Final = re.compile(r"[a-z0-9][a-z0-9._-]*:[^*\s]*\*?", re.ASCII)
# What platforms only log when they are told to: CloudTrail's data events
# (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html), and reads in Kubernetes.
_DATA: Final = re.compile(
    r"s3:(get|put|delete|head|copy|list|restore|upload|abort|complete|create)\w*(object|part|multipart)\w*"
    r"|dynamodb:(batch|get|put|delete|update|query|scan|transact|partiql|execute)\w*|lambda:invoke\w*|sns:publish\w*"
    r"|sqs:(send|receive|delete|changemessage)\w*|kinesis:(put|get|subscribe)\w*|[\w.-]+:(get|list|watch)/.*",
    re.ASCII,
)
_OPERATIONS: Final = "SELECT DISTINCT json_extract(shape, '$[1]') FROM shapes WHERE json_type(shape, '$[1]')='text'"  # none is forgotten


def covers(permission: str, operation: str, action: str) -> bool:
    """Whether a permission is for an operation. `action`: the operation's name as permissions have it."""
    if scope := _scope(permission):
        return operation.startswith(scope)
    wanted = permission.lower()
    if wanted.endswith("*"):
        return operation.lower().startswith(wanted[:-1]) or action.lower().startswith(wanted[:-1])
    return wanted in (operation.lower(), action.lower())


def is_wide(permission: str) -> bool:
    """Whether it is for several operations, by its `*`."""
    return permission.endswith("*")


class Shown:
    """Which operations the logs in an inventory have ever shown, of anybody."""

    def __init__(self, operations: Iterable[str], action_of: ActionOf) -> None:
        self._operations = frozenset(name.lower() for each in operations for name in (each, action_of(each)))
        self._services = frozenset(each.partition(":")[0] for each in self._operations)

    @classmethod
    def of(cls, inventory: Inventory, action_of: ActionOf) -> Shown:
        """Of all that was taken in.

        Raises:
            StoreError: it cannot be read.
        """
        return cls((row[0] for row in inventory.rows(_OPERATIONS)), action_of)

    def why_not(self, permission: str) -> str:
        """Why nobody can tell by these logs that a permission is not used; empty if they would show it."""
        if scope := _scope(permission):
            return "" if any(each.startswith(scope) for each in self._operations) else "no log here shows what it is for"
        if not _OPERATION.fullmatch(permission) or permission.startswith("arn:"):
            return "no log says what is in a role, group or policy"
        wanted = permission.lower()
        service = wanted.partition(":")[0]
        if service not in self._services:
            return f"no log here shows any use of {service}"
        if not is_wide(wanted) and wanted not in self._operations and _DATA.fullmatch(wanted):
            return "no log here ever showed it, and its platform does not log it unless told to"
        return ""


def _scope(permission: str) -> tuple[str, ...]:
    return next((begins for scope, begins in SCOPES.items() if permission.startswith(scope)), ())
