"""What a record of CloudTrail changes: keys, rights, users, roles, trails.

CloudTrail names users and roles that are changed without their path, where their ARN has it. Who has a path is then named by an ARN without
it, unless it acts upon itself: nothing in the record tells the path. Records that have the whole ARN say that both are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from licet.events import AccessLevel, LifecycleEvent, LifecycleKind, UseEvent
from licet.ingest.aws_names import LONGEST, clean_name, without_path
from licet.ingest.aws_policies import denies_by_name, gives_everything, only_denies, reach_of, reach_of_managed, trust_of
from licet.ingest.fields import apart
from licet.ingest.forms import told_of
from licet.inventory.faces import face

_MONTHS: Final = {
    name: number
    for number, name in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1)
}
EVERYTHING: Final = "allows *:*"
"""The reason of a grant by a policy that leaves out nothing, which is named as somebody likes."""
_VERBS: Final[Mapping[str, LifecycleKind]] = {"Put": "granted", "Attach": "granted", "Delete": "ungranted", "Detach": "ungranted"}
_HALF: Final = {"AM": 0, "PM": 12}
_ACTIVE: Final[Mapping[str, LifecycleKind]] = {"Active": "activated", "Inactive": "suspended"}


class Change(NamedTuple):
    """One record, as far as what it changes is concerned."""

    use: UseEvent
    parameters: object
    response: object
    fingerprint: Callable[[str], str]

    def asked(self, key: str) -> str:
        """A text among the parameters; empty where there is none."""
        return _text(self.parameters, key)

    def answered(self, *path: str) -> str:
        """A text in the response; empty where there is none."""
        found = self.response
        for key in path[:-1]:
            found = found.get(key) if isinstance(found, dict) else None
        return _text(found, path[-1])

    def named(self, kind: str, name: str) -> str:
        """The ARN of a user, role or group of this account, by its name; empty for an empty one."""
        if not name:
            return ""
        actor, account = self.use.identity, self.use.account
        head, _, own = actor.partition("/")
        if head.endswith(f"::{account}:{kind}") and own.rpartition("/")[2] == name:
            return actor  # with its path
        partition = actor.split(":", 2)[1] if actor.startswith("arn:") else "aws"
        return self.uid(f"arn:{partition}:iam::{account}:{kind}/{name}")

    def credential(self, shown: str) -> str:
        """The fingerprint of a key that it names; empty for an empty one."""
        return told_of(self.use.source, shown, self.fingerprint)

    def uid(self, raw: str) -> str:
        """The name of an identity, as the reader gives it to who acts by it; empty for an empty one."""
        return apart(raw, clean_name(raw), self.fingerprint)

    def person(self) -> str:
        """Whom a call upon a user concerns; a user that names none means itself."""
        name = self.asked("userName")
        return self.named("user", name) if name else self.use.identity

    def event(self, kind: LifecycleKind, identity: str = "", **more: Any) -> LifecycleEvent:
        """The event, with what all of them have from the record."""
        use = self.use
        return LifecycleEvent(
            use.source, use.native_id, use.time, kind, identity=identity, by=use.identity, account=use.account, outcome=use.outcome, **more
        )


_Found = Iterator[LifecycleEvent]


def _text(found: object, key: str) -> str:
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def one_with_path(raw: str, use: UseEvent, fingerprint: Callable[[str], str]) -> _Found:
    """That the ARN without the path is another name of who has the ARN `raw`, if that has a path."""
    if len(raw) <= LONGEST and (bare := without_path(raw)):
        one, other = (apart(each, clean_name(each), fingerprint) for each in (bare, raw))
        yield face(use.source, one, other, account=use.account)


def _key_created(change: Change) -> _Found:
    name = change.answered("accessKey", "userName")
    credential = change.credential(change.answered("accessKey", "accessKeyId"))
    identity = change.named("user", name) if name else change.person()
    yield change.event("issued", identity, credential=credential, credential_kind="access_key" if credential else "")


def _key_updated(change: Change) -> _Found:
    if kind := _ACTIVE.get(change.asked("status")):
        yield from _key(change, kind)


def _key_deleted(change: Change) -> _Found:
    yield from _key(change, "deleted")


def _key(change: Change, kind: LifecycleKind) -> _Found:
    # Without a key it would say that the user is deleted.
    if credential := change.credential(change.asked("accessKeyId")):
        yield change.event(kind, change.person(), credential=credential, credential_kind="access_key")


def _session_issued(change: Change) -> _Found:
    # Of a call that named no role, or was denied, there is nothing to know a credential by.
    credential = change.credential(change.answered("credentials", "accessKeyId"))
    if credential:
        expires = expiry(_at(change.response, "credentials", "expiration"))
        role = change.asked("roleArn")
        yield change.event(
            "issued", change.uid(role) or change.use.identity, credential=credential, credential_kind="temporary_key", expires=expires
        )
        yield from one_with_path(role or change.use.identity, change.use, change.fingerprint)


def _user_created(change: Change) -> _Found:
    arn = change.answered("user", "arn")
    if identity := change.uid(arn) or change.named("user", change.asked("userName")):
        yield change.event("created", identity)
        yield from one_with_path(arn or identity, change.use, change.fingerprint)


def _role_created(change: Change) -> _Found:
    arn = change.answered("role", "arn")
    if identity := change.uid(arn) or change.named("role", change.asked("roleName")):
        yield change.event("created", identity)
        access, outside = trust_of(_at(change.parameters, "assumeRolePolicyDocument"), change.use.account)
        if outside:
            yield _trusted(change, identity, access, outside)
        yield from one_with_path(arn or identity, change.use, change.fingerprint)


def _user_deleted(change: Change) -> _Found:
    if identity := change.named("user", change.asked("userName")):
        yield change.event("deleted", identity)


def _role_deleted(change: Change) -> _Found:
    if identity := change.named("role", change.asked("roleName")):
        yield change.event("deleted", identity)


def _policy(kind: LifecycleKind, holder: str) -> Callable[[Change], _Found]:
    def read(change: Change) -> _Found:
        identity = change.named(holder, change.asked(f"{holder}Name"))
        arn = change.asked("policyArn")
        document = _at(change.parameters, "policyDocument")
        if denies_by_name(arn) or (not arn and only_denies(document)):
            return  # rights are taken by it, and to take it back would give them again
        access: AccessLevel = reach_of_managed(arn) if arn else reach_of(document)
        if identity and (privilege := clean_name(arn or change.asked("policyName"))):
            # A policy can have any name: what alerts is what stands in it.
            reason = EVERYTHING if kind == "granted" and not arn and gives_everything(document) else ""
            yield change.event(kind, identity, privilege=privilege, access=access, reason=reason)

    return read


def _trust_changed(change: Change) -> _Found:
    if identity := change.named("role", change.asked("roleName")):
        access, outside = trust_of(_at(change.parameters, "policyDocument"), change.use.account)
        yield _trusted(change, identity, access, outside)


def _trusted(change: Change, identity: str, access: AccessLevel, outside: str) -> LifecycleEvent:
    reason = f"trusts {outside}" if outside else ""
    # A policy takes the place of the one before: one that lets in nobody from outside gives nothing, and takes that back.
    kind: LifecycleKind = "granted" if outside else "ungranted"
    return change.event(kind, identity, privilege="sts:AssumeRole", access=access, reason=clean_name(reason[:LONGEST]))


def _membership(kind: LifecycleKind) -> Callable[[Change], _Found]:
    def read(change: Change) -> _Found:
        if (user := change.asked("userName")) and (group := change.named("group", change.asked("groupName"))):
            access: AccessLevel = "admin" if "admin" in group.rpartition("/")[2].lower() else ""
            yield change.event(kind, change.named("user", user), privilege=group, access=access)

    return read


def _login(kind: LifecycleKind) -> Callable[[Change], _Found]:
    def read(change: Change) -> _Found:
        yield change.event(kind, change.person(), privilege="signin:ConsoleLogin")

    return read


def _logging(kind: LifecycleKind) -> Callable[[Change], _Found]:
    # A trail is no identity: it concerns who did it, and the reason says which trail.
    def read(change: Change) -> _Found:
        yield change.event(kind, change.use.identity, reason=clean_name(change.asked("name")))

    return read


def _at(found: object, *path: str) -> object:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def expiry(shown: object) -> float:
    """Seconds since the epoch of the end of temporary credentials: `Jul 10, 2023, 12:09:47 PM` in UTC, as CloudTrail shows it, or RFC 3339.
    0 where it is neither.
    """
    if not isinstance(shown, str) or not 15 <= len(shown) <= 40:  # the shortest and the longest of both
        return 0.0
    words = shown.replace(",", " ").split()
    try:
        if len(words) == 5:  # month, day, year, time, half of the day
            hour, minute, second = (int(each) for each in words[3].split(":"))
            if not 1 <= hour <= 12:
                return 0.0
            hour = hour % 12 + _HALF[words[4]]
            return datetime(int(words[2]), _MONTHS[words[0]], int(words[1]), hour, minute, second, tzinfo=UTC).timestamp()
        when = datetime.fromisoformat(shown)
        return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, KeyError, OverflowError):
        return 0.0


CHANGES: Final[Mapping[str, Callable[[Change], _Found]]] = {
    "iam:CreateAccessKey": _key_created,
    "iam:UpdateAccessKey": _key_updated,
    "iam:DeleteAccessKey": _key_deleted,
    "iam:CreateUser": _user_created,
    "iam:CreateRole": _role_created,
    "iam:CreateServiceLinkedRole": _role_created,
    "iam:DeleteUser": _user_deleted,
    "iam:DeleteRole": _role_deleted,
    "iam:CreateLoginProfile": _login("granted"),
    "iam:UpdateLoginProfile": _login("granted"),
    "iam:DeleteLoginProfile": _login("ungranted"),
    "iam:AddUserToGroup": _membership("granted"),
    "iam:RemoveUserFromGroup": _membership("ungranted"),
    "iam:UpdateAssumeRolePolicy": _trust_changed,
    **{f"iam:{verb}{holder.title()}Policy": _policy(kind, holder)
       for verb, kind in _VERBS.items() for holder in ("user", "role", "group")},
    "sts:AssumeRole": _session_issued,
    "sts:AssumeRoleWithSAML": _session_issued,
    "sts:AssumeRoleWithWebIdentity": _session_issued,
    "sts:GetSessionToken": _session_issued,
    "sts:GetFederationToken": _session_issued,
    "cloudtrail:StopLogging": _logging("logging_stopped"),
    "cloudtrail:DeleteTrail": _logging("logging_stopped"),
    "cloudtrail:StartLogging": _logging("logging_started"),
}  # fmt: skip
"""Which calls change something, and how that is read."""
