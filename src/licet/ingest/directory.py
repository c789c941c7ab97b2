"""What a change of an Entra directory does to identities, their credentials and their permissions.

The same changes come in Entra's directory audit and, in another form, in Microsoft 365's audit log; both readers make a `Change` of them.
Who gets a permission is often not the target of the record: granting one of Microsoft Graph's permissions changes Microsoft Graph's
service principal, and names the one that gets it in a property.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from licet.events import AccessLevel, LifecycleEvent, LifecycleKind, UseOutcome
from licet.ingest.fields import clean
from licet.ingest.forms import told_of
from licet.ingest.microsoft import GRAPH, NOBODY, permission, scope_access, uid, unfolded
from licet.ingest.recognised import Place, Unreadable
from licet.inventory.faces import face

_MOST: Final = 200  # lifecycle events of one record; who adds more permissions at once shows by these
_KEY: Final = re.compile(r"\[KeyIdentifier=([^,\]]{1,200}),KeyType=([^,\]]{1,80})")
_LISTED: Final = re.compile(r'[\s,\[]*("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)
_KEY_KINDS: Final = {"Password": "client_secret", "AsymmetricX509Cert": "certificate"}
_APPLICATIONS: Final = ("application", "serviceprincipal")
_PEOPLE: Final = ("user", *_APPLICATIONS)

_BEGUN: Final = frozenset({"add application", "add service principal", "add user", "invite external user"})
_GONE: Final = frozenset({
    "delete application", "remove service principal", "delete service principal", "delete user", "hard delete application",
    "hard delete service principal",
})  # fmt: skip
_ADDED_TO_ROLE: Final = ("add member to role", "add eligible member to role", "add app role assignment grant to user")
_OUT_OF_ROLE: Final = ("remove member from role", "remove eligible member from role", "remove app role assignment from user")


@dataclass(frozen=True, slots=True)
class Target:
    """What was changed. `kind` in lower case (`serviceprincipal`); `application`: its application id, where the record has it.

    `properties` are old and new values by the property's name.
    """

    id: str
    kind: str = ""
    name: str = ""
    application: str = ""
    properties: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def new(self, name: str) -> str:
        """The new value of a property, as text without the quotes of JSON; empty where there is none."""
        return _text(self.properties.get(name, (None, None))[1])


@dataclass(frozen=True, slots=True)
class Change:
    """One record of a directory's audit. `operation` as it stands there, without the full stop at its end."""

    source: str
    native_id: str
    time: float
    operation: str
    by: str
    outcome: UseOutcome
    account: str
    targets: tuple[Target, ...]


class _Said(NamedTuple):
    """One event to be, without what all events of the record have in common. `identity` as it stands in the record."""

    kind: LifecycleKind
    identity: str
    credential: str = ""
    credential_kind: str = ""
    privilege: str = ""
    access: AccessLevel = ""
    reason: str = ""


def lifecycle_of(change: Change, place: Place) -> tuple[LifecycleEvent, ...]:
    """What it did, in the order in which the record says it, and which names it shows to be of one identity."""
    numbers: dict[str, int] = {}
    found: dict[LifecycleEvent, None] = {}
    for said in (_named(each, change) for each in _said(change, place)):
        numbers[said.kind] = number = numbers.get(said.kind, 0) + 1
        if len(found) >= _MOST:
            break
        found[LifecycleEvent(
            change.source, change.native_id if number == 1 else f"{change.native_id}#{number}", change.time, said.kind,
            uid(said.identity, place), said.credential, said.credential_kind, change.by, privilege=said.privilege, access=said.access,
            account=change.account, outcome=change.outcome, reason=said.reason,
        )] = None  # fmt: skip
    return (*found, *_faces(change, place))


def plain_operation(operation: str) -> str:
    """An operation's name to compare: lower case, with one kind of dash and of space, and no full stop."""
    return " ".join(operation.lower().replace("\N{EN DASH}", "-").rstrip(". ").split())


def _said(change: Change, place: Place) -> Iterator[_Said]:
    operation = plain_operation(change.operation)
    if operation.startswith((*_ADDED_TO_ROLE, *_OUT_OF_ROLE)):
        if "request" not in operation:  # a request becomes a grant by a record of its own
            yield from _role(change, operation, "granted" if operation.startswith(_ADDED_TO_ROLE) else "ungranted")
        return
    for target in change.targets:
        if target.kind in _PEOPLE and target.id:
            if operation in _BEGUN:
                yield _Said("created", target.id)
            elif operation in _GONE:
                yield _Said("deleted", target.id)
            elif operation.startswith(("add owner to ", "remove owner from ")):
                yield from _owner(target, change, place)
        if target.kind in _APPLICATIONS:
            yield from _keys(target, change.source, place, operation)
            yield from _required(target, begun=operation in _BEGUN)
            yield from _enabled(target)
        yield from _scopes(target)
        yield from _consent(target)
        yield from _app_role(target, operation)


def _named(said: _Said, change: Change) -> _Said:
    """Of what may do more, what it is called: no sign-in may ever have told it."""
    if said.kind != "scope_widened" or said.reason:
        return said
    called = next((each.name for each in change.targets if each.id == said.identity and each.kind in _APPLICATIONS), "")
    return said._replace(reason=clean(called)[:200])


def _keys(target: Target, source: str, place: Place, operation: str) -> Iterator[_Said]:
    """Secrets and certificates, by their ids: nothing of them themselves is in the log."""
    before, after = target.properties.get("KeyDescription", (None, None))
    old, new = _described(before), _described(after)
    identity = target.id
    for key, kind in new.items():
        if key not in old:
            yield _Said("issued", identity, told_of(source, key, place.fingerprint), _KEY_KINDS.get(kind, "client_credential"))
    for key, kind in old.items():
        if key not in new:
            yield _Said("revoked", identity, told_of(source, key, place.fingerprint), _KEY_KINDS.get(kind, "client_credential"))
    if not old and not new and operation in ("add service principal credentials", "add application credentials"):
        yield _Said("issued", identity, credential_kind=_KEY_KINDS.get(target.new("KeyType"), "client_credential"))
    federated = target.properties.get("FederatedIdentityCredentials")
    if federated is not None and len(_text(federated[1])) > len(_text(federated[0])):
        yield _Said("issued", identity, credential_kind="federated")


def _described(value: Any) -> dict[str, str]:
    """Keys and their types, out of a list of texts as `[KeyIdentifier=..,KeyType=..,KeyUsage=..,DisplayName=..]`. What a key is called is
    for whoever makes it to choose: it stands behind, and nothing of it is a key. Of a list that is cut off, the texts that are whole.
    """
    text = _unquoted(value).strip()
    each, at = [text], 0
    while listed := _LISTED.match(text, at):
        each.append(_unquoted(listed[1]))
        at = listed.end()
    return {found[1]: found[2] for one in each if (found := _KEY.match(one))}


def _required(target: Target, *, begun: bool) -> Iterator[_Said]:
    """Which permissions an application asks for."""
    found = target.properties.get("RequiredResourceAccess")
    if found is None:
        return
    before, after = _wanted(found[0]), _wanted(found[1])
    for name in after:
        if name not in before:
            yield _Said("granted" if begun else "scope_widened", target.id, privilege=name, access=scope_access(name))
    for name in before:
        if name not in after:
            yield _Said("ungranted", target.id, privilege=name, access=scope_access(name))


def _wanted(value: Any) -> dict[str, None]:
    found: dict[str, None] = {}
    resources = unfolded(value, "RequiredResourceAccess")
    for resource in resources if isinstance(resources, list) else ():
        wanted = resource.get("RequiredAppPermissions") if isinstance(resource, dict) else None
        for each in wanted if isinstance(wanted, list) else ():
            if isinstance(each, dict) and isinstance(wanted_id := each.get("EntitlementId"), str):
                found[permission(wanted_id, str(resource.get("ResourceAppId")))] = None
    return found


def _scopes(target: Target) -> Iterator[_Said]:
    """A delegated permission: the target is whose permission it is, and a property says who gets it."""
    found = target.properties.get("DelegatedPermissionGrant.Scope")
    if found is None:
        return
    to = target.new("ServicePrincipal.ObjectID") or target.new("ServicePrincipal.AppId")
    if to:
        yield from _widened(to, _text(found[0]).split(), _text(found[1]).split(), _of(target))


def _consent(target: Target) -> Iterator[_Said]:
    """`[] => [[Id: .., ResourceId: .., ConsentType: .., Scope: User.Read Mail.Read]]`, before and after the arrow."""
    text = target.new("ConsentAction.Permissions")
    if text and target.id:
        before, arrow, after = text.partition("=>")
        yield from _widened(target.id, _consented(before) if arrow else [], _consented(after if arrow else before), "graph")


def _consented(text: str) -> list[str]:
    return [name for part in text.split("Scope:")[1:] for name in part.partition(",")[0].partition("]")[0].split()]


def _app_role(target: Target, operation: str) -> Iterator[_Said]:
    """A permission of an application's own, which it has without any person."""
    if not operation.startswith(("add app role assignment to service principal", "remove app role assignment from service principal")):
        return
    added = operation.startswith("add")
    before, after = target.properties.get("AppRole.Value", (None, None))
    name = _text(after if added else before) or _text(after) or target.new("AppRole.Id")
    to = target.new("ServicePrincipal.ObjectID") or _text(target.properties.get("ServicePrincipal.ObjectID", ("", ""))[0])
    if name and to:
        privilege = permission(name) if _of(target) == "graph" else f"{_of(target)}:{clean(name)[:200]}"
        yield _Said("scope_widened" if added else "ungranted", to, privilege=privilege, access=scope_access(privilege))


def _widened(identity: str, before: list[str], after: list[str], of: str) -> Iterator[_Said]:
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    for name in new:
        if name not in old:
            yield _Said("scope_widened", identity, privilege=f"{of}:{clean(name)[:200]}", access=scope_access(name))
    for name in old:
        if name not in new:
            yield _Said("ungranted", identity, privilege=f"{of}:{clean(name)[:200]}", access=scope_access(name))


def _role(change: Change, operation: str, kind: LifecycleKind) -> Iterator[_Said]:
    """A role of the directory, or one that an application defines, which only people get this way."""
    of_an_application = "app role" in operation
    given = (target.new("AppRole.Value" if of_an_application else "Role.DisplayName") for target in change.targets)
    name = next((found for found in given if found), "")
    name = name or next((target.name for target in change.targets if target.kind in ("role", "serviceprincipal")), "")
    for target in change.targets:
        if target.id and target.kind in (("user",) if of_an_application else _PEOPLE):
            yield _Said(kind, target.id, privilege=clean(name)[:200] or "a role", access="" if of_an_application else "admin")


def _owner(target: Target, change: Change, place: Place) -> Iterator[_Said]:
    others = [other for other in change.targets if other is not target and other.id]
    if target.kind in _APPLICATIONS:
        who = ", ".join(uid(other.id, place) for other in others) or target.new("ServicePrincipal.ObjectID")
        yield _Said("owner_changed", target.id, reason=f"{'added' if plain_operation(change.operation)[:3] == 'add' else 'removed'}: {who}")


def _enabled(target: Target) -> Iterator[_Said]:
    found = target.properties.get("AccountEnabled")
    if found is not None:
        before, after = (_text(each).strip("[]").lower() for each in found)
        if before != after and after in ("true", "false"):
            yield _Said("activated" if after == "true" else "suspended", target.id)


def _faces(change: Change, place: Place) -> Iterator[LifecycleEvent]:
    """An application object, its application id and its service principal are one identity."""
    for target in change.targets:
        if target.kind not in _APPLICATIONS:
            continue
        application = target.application or target.new("AppId") or target.new("AppPrincipalId")
        if not target.id or application.lower() in NOBODY or application.lower() == target.id.lower():
            continue
        object_id, application_id = uid(target.id, place), uid(application, place)
        names = (object_id, application_id) if target.kind == "application" else (application_id, object_id)
        yield face(change.source, *names, account=change.account)


def _of(target: Target) -> str:
    """Whose permission it is."""
    return (
        "graph" if GRAPH in target.new("TargetId.ServicePrincipalNames") or target.name == "Microsoft Graph" else clean(target.name)[:200]
    )


def _unquoted(value: Any) -> str:
    """A value as text; one that is a text of JSON, without its quotes."""
    if not isinstance(value, str):
        return "" if value is None else json.dumps(value)
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return found if isinstance(found, str) else value
    return value


def _text(value: Any) -> str:
    """A property's value, which is JSON in a text, as text: `"\\"Mail.Read\\""` is `Mail.Read`."""
    if not isinstance(value, str) or not value.startswith('["'):
        return _unquoted(value)
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return " ".join(each for each in found if isinstance(each, str)) if isinstance(found, list) else value


def targets_of(found: list[dict[str, Any]], *, key: str) -> tuple[Target, ...]:
    """The targets of Entra's form: `targetResources[]` with `modifiedProperties[]`, keys in lower case.

    Raises:
        Unreadable: a field is of another kind.
    """
    made: list[Target] = []
    for each in found:
        values: dict[str, tuple[Any, Any]] = {}
        properties = unfolded(each.get("modifiedproperties"), f"{key}.modifiedProperties")
        if properties is not None and not isinstance(properties, list):
            raise Unreadable("is no list", f"{key}.modifiedProperties")
        for one in properties or ():
            if isinstance(one, dict) and isinstance(name := one.get("displayName"), str):
                values[name] = (one.get("oldValue"), one.get("newValue"))
        own_id, kind, name = (each.get(name_of) for name_of in ("id", "type", "displayname"))
        made.append(Target(
            own_id if isinstance(own_id, str) else "", clean(kind).lower().replace(" ", "")[:80] if isinstance(kind, str) else "",
            name if isinstance(name, str) else "", properties=values,
        ))  # fmt: skip
    return tuple(made)
