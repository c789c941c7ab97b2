"""What an event of Okta's System Log says of tokens, OAuth clients, people and grants that it changes.

Targets are found by their type, never by their place in the list, which Okta does not promise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from licet.events import AccessLevel, LifecycleEvent, LifecycleKind, UseEvent
from licet.ingest.fields import name_in, uid_of
from licet.ingest.forms import told_of
from licet.ingest.recognised import Place, Record, Unreadable, part, text

_ENDS: Final[dict[str, LifecycleKind]] = {
    "create": "issued", "activate": "activated", "enable": "activated", "deactivate": "suspended", "disable": "suspended",
    "delete": "revoked", "revoke": "revoked",
}  # fmt: skip
"""What becomes of a credential, by the last word of the event type."""
_LIVES: Final[dict[str, LifecycleKind]] = {
    "create": "created", "activate": "activated", "reactivate": "activated", "unsuspend": "activated", "deactivate": "suspended",
    "suspend": "suspended", "delete": "deleted", "completed": "deleted",
}  # fmt: skip
"""What becomes of an identity. A user's deletion is `user.lifecycle.delete.completed`."""
_BROAD: Final = ("manage", "admin", "owner", "super")
_LONGEST: Final = 300  # characters of a list of scopes


def uid(of: str) -> str:
    """The uid of an identity by its id at Okta."""
    return f"okta:{of}"


def changes(record: Record, use: UseEvent, place: Place, targets: Sequence[Record]) -> tuple[LifecycleEvent, ...]:
    """What the event changed, or was to change: its `outcome` says which.

    Raises:
        Unreadable: a target that names what was changed has an id that is no text.
    """
    event = use.operation.removeprefix("okta:")
    find = _find(event)
    if find is None:
        return ()
    base = LifecycleEvent(
        use.source, use.native_id, use.time, "issued", by=use.identity, account=use.account, outcome=use.outcome
    )  # fmt: skip
    found = list(find(event, base, targets, record, place))
    return tuple(each._replace(native_id=f"{use.native_id}#{number}") if number > 1 else each for number, each in enumerate(found, 1))


_Found = Iterator[LifecycleEvent]


def _typed(targets: Sequence[Record], *words: str) -> Record:
    """The first target whose type has one of the words; nothing if none has."""
    for target in targets:
        kind = target.get("type")
        if isinstance(kind, str) and any(word in kind.lower() for word in words):
            return target
    return {}


def _id(target: Record) -> str:
    return text(target, "id")


def _client(targets: Sequence[Record], place: Place) -> str:
    found = _typed(targets, "publicclientapp", "clientapp") or _typed(targets, "appinstance", "client app")
    return uid_of(uid(_id(found)), place) if _id(found) else ""


def _api_token(event: str, base: LifecycleEvent, targets: Sequence[Record], _record: Record, place: Place) -> _Found:
    """A token acts as whoever made it; who revokes one can be somebody else."""
    kind = _ENDS.get(event.rpartition(".")[2])
    token = _id(_typed(targets, "token")) or (_id(targets[0]) if len(targets) == 1 else "")
    if kind is not None and token:
        owner = _id(_typed(targets, "user"))
        identity = uid_of(uid(owner), place) if owner else base.by if kind == "issued" else ""
        yield base._replace(
            kind=kind, identity=identity, credential=told_of(base.source, token, place.fingerprint), credential_kind="okta_api_token"
        )


def _client_credential(event: str, base: LifecycleEvent, targets: Sequence[Record], _record: Record, place: Place) -> _Found:
    """A client's secret or key: its own id is not that which uses show, which is the client's."""
    kind, client = _ENDS.get(event.rpartition(".")[2]), _client(targets, place)
    secret = _id(_typed(targets, "secret", "credential", "key", "jwk"))
    if kind is not None and (secret or (client and kind == "issued")):
        credential = told_of(base.source, secret, place.fingerprint)
        yield base._replace(kind=kind, identity=client, credential=credential, credential_kind="client_secret")


def _client_life(event: str, base: LifecycleEvent, targets: Sequence[Record], _record: Record, place: Place) -> _Found:
    kind, client = _LIVES.get(event.rpartition(".")[2]), _client(targets, place)
    if kind is not None and client:
        yield base._replace(kind=kind, identity=client)


def _client_privilege(event: str, base: LifecycleEvent, targets: Sequence[Record], record: Record, place: Place) -> _Found:
    """What an app may do for the whole organisation: more than it had, as an app begins with nothing."""
    client = _client(targets, place)
    if client:
        privilege = _scopes(targets, record)
        kind: LifecycleKind = "ungranted" if event.endswith("revoke") else "scope_widened"
        yield base._replace(kind=kind, identity=client, privilege=privilege, access=_broad(privilege))


def _consent(event: str, base: LifecycleEvent, targets: Sequence[Record], record: Record, place: Place) -> _Found:
    """A user's consent: what the app may do for that user."""
    client = _client(targets, place)
    if client:
        privilege = _scopes(targets, record)
        yield base._replace(kind=_granted(event), identity=client, privilege=privilege, access=_broad(privilege))


def _privilege(event: str, base: LifecycleEvent, targets: Sequence[Record], record: Record, place: Place) -> _Found:
    """An administrator's role, given to a user or a group."""
    whom = _id(_typed(targets, "user") or _typed(targets, "group"))
    if whom:
        said = _debug(record, "privilegeGranted") or _debug(record, "privilegeRevoked") or name_in(_typed(targets, "role"), "displayName")
        yield base._replace(kind=_granted(event), identity=uid_of(uid(whom), place), privilege=said, access="admin")


def _user(event: str, base: LifecycleEvent, targets: Sequence[Record], _record: Record, place: Place) -> _Found:
    kind, whom = _LIVES.get(event.rpartition(".")[2]), _id(_typed(targets, "user"))
    if kind is not None and whom:
        yield base._replace(kind=kind, identity=uid_of(uid(whom), place))


def _logging(event: str, base: LifecycleEvent, targets: Sequence[Record], _record: Record, _place: Place) -> _Found:
    """A log stream is no identity: it concerns who did it, and the reason says which one."""
    word = event.rpartition(".")[2]
    if word in ("create", "activate", "deactivate", "delete"):
        kind: LifecycleKind = "logging_started" if word in ("create", "activate") else "logging_stopped"
        stream = name_in(targets[0], "displayName") if targets else ""
        yield base._replace(kind=kind, identity=base.by, reason=f"log stream {stream}".strip())


def _granted(event: str) -> LifecycleKind:
    return "granted" if event.endswith(("grant", "add")) else "ungranted"


def _scopes(targets: Sequence[Record], record: Record) -> str:
    """The scopes that were granted: each is a target, or all are in one text."""
    named = [
        name_in(target, "displayName") or name_in(target, "alternateId")
        for target in targets
        if isinstance(kind := target.get("type"), str) and any(word in kind.lower() for word in ("scope", "role", "privilege"))
    ]
    words = named or (_debug(record, "grantedScopes") or _debug(record, "scopes") or _debug(record, "privilegeGranted")).split()
    return " ".join(sorted(words))[:_LONGEST]


def _debug(record: Record, key: str) -> str:
    data = part(part(record, "debugContext"), "debugData")
    try:
        return name_in(data, key).replace(",", " ").strip("[] ")[:_LONGEST]
    except Unreadable:
        return ""  # nothing there is promised to be of any form


def _broad(privilege: str) -> AccessLevel:
    return "admin" if any(word in privilege.lower() for word in _BROAD) else ""


_Find = Callable[[str, LifecycleEvent, Sequence[Record], Record, Place], _Found]

_OF: Final[tuple[tuple[str, _Find], ...]] = (
    ("system.api_token.", _api_token),
    ("app.oauth2.credentials.lifecycle.", _client_credential),
    ("app.oauth2.client.lifecycle.", _client_life),
    ("app.oauth2.client.privilege.", _client_privilege),
    ("app.oauth2.admin.consent.", _client_privilege),
    ("app.oauth2.as.consent.", _consent),
    ("app.oauth2.consent.", _consent),
    ("user.account.privilege.", _privilege),
    ("group.privilege.", _privilege),
    ("iam.resourceset.bindings.", _privilege),
    ("user.lifecycle.", _user),
    ("system.log_stream.lifecycle.", _logging),
)
"""The first that the event type begins with."""


@lru_cache(2_048)
def _find(event: str) -> _Find | None:
    return next((find for beginning, find in _OF if event.startswith(beginning)), None)
