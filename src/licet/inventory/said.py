"""What one row of an import says of an identity, a credential or an owner: read strictly, and every word held against what it may be.

A row is a mapping of the keys below; what is empty or left out says nothing. The same row is read from JSON and from CSV.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, cast, get_args

from licet.clock import iso
from licet.errors import LicetError
from licet.events import IdentityKind, LifecycleEvent
from licet.inventory.declared import SOURCE
from licet.inventory.fingerprints import is_fingerprint
from licet.inventory.model import CONFIDENCE, Credential, Declared, Environment, Identity, Owner, Ownership
from licet.manifest import duration
from licet.manifest.watched import secret_itself
from licet.secretlike import secret_in

Row = Mapping[str, Any]

_OWNED: Final = ("owner", "owner_name", "owner_contact", "owner_confidence", "owner_confirmed")
_WATCHED: Final = ("environment", "purpose", "uses", "regions", "networks")
IDENTITY_KEYS: Final = ("identity", "kind", "name", *_OWNED, *_WATCHED, "third_party", "same_as")
CREDENTIAL_KEYS: Final = (
    "credential", "identity", "name", "credential_kind", *_OWNED, *_WATCHED, "issued", "expires", "rotate_every", "canary", "shown",
)  # fmt: skip
OWNER_KEYS: Final = ("owner", "name", "contact", "kind")
KINDS: Final = tuple(kind for kind in get_args(IdentityKind) if kind != "unknown")

_LONGEST: Final = 4_096  # characters of one text
_LONGEST_UID: Final = 2_048
_SHOWN: Final = 4  # characters of a credential's id
_MOST: Final = 256  # words of one list
_EARLIEST: Final = 946_684_800.0  # 2000-01-01
_USE: Final = re.compile(r"[a-z0-9][a-z0-9._-]*:(?! )[^*\x00-\x1f]*(?<! )\*?")  # Entra's operations have blanks in them
_ID: Final = re.compile(r"[\x21-\x7e]{4,2048}")
_AWS_SECRET: Final = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9/+])[A-Za-z0-9/+]{40}")  # a secret access key has no other form
_NAMES: Final = ("identity", "same_as", "name", "uses")
_WITH_PASSWORD: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]*@", re.IGNORECASE)


class Wrong(LicetError):
    """A row that cannot be used; `key` names what is wrong with it. Nothing of the value stands in the message where it may be a secret."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"`{key}`: {message}")
        self.key, self.message = key, message


class Said(NamedTuple):
    """What one row says: arguments of `Inventory.declare`."""

    identities: tuple[Identity, ...] = ()
    credentials: tuple[Credential, ...] = ()
    owners: tuple[Owner, ...] = ()
    ownerships: tuple[Ownership, ...] = ()
    environments: tuple[Environment, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    lifecycle: tuple[LifecycleEvent, ...] = ()


def said_by(row: Row, fingerprint: Callable[[str], str], now: float) -> Said:
    """What a row of an identity, or of a credential where there is a `credential`, says.

    Args:
        fingerprint: of a credential's id as logs show it. A fingerprint stays what it is.
        now: when the owner is taken for confirmed if the row does not say it (seconds since the epoch).

    Raises:
        Wrong: it cannot be used.
    """
    is_credential = row.get("credential") not in (None, "")
    _known(row, CREDENTIAL_KEYS if is_credential else IDENTITY_KEYS)
    return _credential(row, fingerprint, now) if is_credential else _identity(row, now)


def owner_said(row: Row) -> Said:
    """What a row of an owner says.

    Raises:
        Wrong: it cannot be used.
    """
    _known(row, OWNER_KEYS)
    return Said(owners=(Owner(_needed(row, "owner"), _text(row, "name"), _text(row, "contact"), _text(row, "kind") or "team"),))


def environment_said(name: str, row: Any) -> Said:
    """An environment: `accounts`, `clusters`, `orgs`, of which each is a list of names as the records have them.

    Raises:
        Wrong: it cannot be used.
    """
    if not isinstance(row, Mapping):
        raise Wrong(name, "is no object with `accounts`, `clusters` or `orgs`")
    _known(row, ("accounts", "clusters", "orgs"))
    accounts = (*_list(row, "accounts"), *_list(row, "clusters"), *_list(row, "orgs"))
    if not accounts or not name:
        raise Wrong(name, "has no accounts; name at least one account, cluster or organisation")
    return Said(environments=(Environment(name, tuple(dict.fromkeys(accounts))),))


def edge_said(pair: Any) -> Said:
    """From which environment into which one may go.

    Raises:
        Wrong: it is no pair of names.
    """
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(each, str) and each for each in pair):
        raise Wrong("edges", "an edge is a list of two names of environments")
    return Said(edges=((pair[0], pair[1]),))


def _identity(row: Row, now: float) -> Said:
    uid, kind, same = _uid(row, "identity"), _text(row, "kind"), _text(row, "same_as")
    if kind and kind not in KINDS:
        raise Wrong("kind", f"is none of {', '.join(KINDS)}")
    if same:
        same = _uid(row, "same_as")
    if same == uid:
        raise Wrong("same_as", "names the identity itself")
    found = Identity(
        uid, cast("IdentityKind", kind or "unknown"), _text(row, "name"), declared=_declared(row),
        third_party=_flag(row, "third_party"), same_as=same, same_confidence=1.0 if same else 0.0,
    )  # fmt: skip
    owners, ownerships = _owned(uid, row, now)
    return Said((found,), (), owners, ownerships)


def _credential(row: Row, fingerprint: Callable[[str], str], now: float) -> Said:
    shown = _needed(row, "credential")
    if not _ID.fullmatch(shown):
        raise Wrong("credential", "must be the id that logs show: 4 to 2,048 characters of ASCII without blanks")
    if not is_fingerprint(shown) and (secret_itself(shown) or _AWS_SECRET.fullmatch(shown) or _WITH_PASSWORD.match(shown)):
        raise Wrong("credential", "is a secret itself; write the id that logs show (the key's id, the token's hash), and rotate the secret")
    uid = shown if is_fingerprint(shown) else fingerprint(shown)
    if len(last := _text(row, "shown")) > _SHOWN:
        raise Wrong("shown", f"is longer than {_SHOWN} characters: only the last of an id may be shown")
    identity = _uid(row, "identity") if row.get("identity") else ""
    issued, expires = _time(row, "issued"), _time(row, "expires")
    if issued and expires and expires < issued:
        raise Wrong("expires", "is before `issued`")
    found = Credential(
        uid, _text(row, "credential_kind"), identity, _text(row, "name"), last, _declared(row),
        rotate_every=_duration(row, "rotate_every"), canary=_flag(row, "canary"),
    )  # fmt: skip
    owners, ownerships = _owned(uid, row, now)
    born = LifecycleEvent(SOURCE, uid, issued, "issued", credential=uid, expires=expires)
    return Said((), (found,), owners, ownerships, lifecycle=(born,) if issued or expires else ())


def _declared(row: Row) -> Declared:
    uses, networks = _list(row, "uses"), _list(row, "networks")
    for use in uses:
        if not _USE.fullmatch(use):
            raise Wrong("uses", "has a pattern that is none; write `service:operation`, with `*` at its end only")
    for network in networks:
        try:
            found = ipaddress.ip_network(network)
        except ValueError as error:
            raise Wrong("networks", "has a network that is none; write an address and a length: 192.0.2.0/24") from error
        if found.prefixlen == 0:
            raise Wrong("networks", "has every address; leave it out, or name the networks")
    return Declared(_text(row, "environment"), _text(row, "purpose"), uses, _list(row, "regions"), networks)


def _owned(uid: str, row: Row, now: float) -> tuple[tuple[Owner, ...], tuple[Ownership, ...]]:
    owner, confidence, confirmed = _text(row, "owner"), row.get("owner_confidence"), _time(row, "owner_confirmed")
    if not owner:
        for key in _OWNED[1:]:
            if row.get(key) not in (None, ""):
                raise Wrong(key, "is there, and no `owner`")
        return (), ()
    if confidence in (None, ""):
        confidence = CONFIDENCE["imported"]
    if isinstance(confidence, bool) or not isinstance(confidence, (int, float)) or not 0 < confidence <= 1:
        raise Wrong("owner_confidence", "must be a number above 0, and at most 1")
    if confirmed > now:
        raise Wrong("owner_confirmed", "lies in the future")
    own = Ownership(uid, owner, "imported", float(confidence), confirmed or now)
    return (Owner(owner, _text(row, "owner_name"), _text(row, "owner_contact")),), (own,)


# The words ---------------------------------------------------------------------------------------------------------------


def _known(row: Row, keys: tuple[str, ...]) -> None:
    for key, value in row.items():
        if key not in keys and value not in (None, ""):
            raise Wrong(key[:80], f"is no key here; there are {', '.join(keys)}")


def _needed(row: Row, key: str) -> str:
    found = _text(row, key)
    if not found:
        raise Wrong(key, "is missing")
    return found


def _uid(row: Row, key: str) -> str:
    found = _text(row, key)
    if not found:
        raise Wrong(key, "is missing")
    if len(found) > _LONGEST_UID:
        raise Wrong(key, f"is longer than {_LONGEST_UID:,} characters")
    if is_fingerprint(found):
        raise Wrong(key, "is a credential's fingerprint; it stands under `credential`")
    return found


def _text(row: Row, key: str) -> str:
    found = row.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Wrong(key, "is no text")
    return _held(key, found)


def _held(key: str, found: str) -> str:
    if len(found) > _LONGEST:
        raise Wrong(key, f"is longer than {_LONGEST:,} characters")
    if not found.isascii() and any("\ud800" <= sign <= "\udfff" for sign in found):
        raise Wrong(key, "is not in UTF-8")
    # Between colons stand parts of a name: `external-secrets:writer` and `secretsmanager:GetSecretValue` are none. Ids of credentials are
    # looked at where they are read.
    parts = found.split(":") if key in _NAMES and "://" not in found else [found]
    if key != "credential" and any(secret_in(part) for part in parts):
        raise Wrong(key, "holds what looks like a secret; take it out, and rotate it")
    return found


def _list(row: Row, key: str) -> tuple[str, ...]:
    found = row.get(key)
    if found in (None, ""):
        return ()
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise Wrong(key, "is no list of texts")
    if len(found) > _MOST:
        raise Wrong(key, f"has more than {_MOST} entries")
    return tuple(_held(key, each) for each in found)


def _flag(row: Row, key: str) -> bool:
    found = row.get(key)
    if found in (None, ""):
        return False
    if not isinstance(found, bool):
        raise Wrong(key, "must be true or false")
    return found


def _time(row: Row, key: str) -> float:
    """A day alone is its first moment, and the moment behind its last for `expires`, all in UTC."""
    text = _text(row, key)
    if not text:
        return 0.0
    try:
        read = datetime.fromisoformat(text)
        if len(text) == 10 and key == "expires":
            read += timedelta(days=1)
        found = datetime.fromisoformat(f"{read.isoformat()}Z").timestamp() if read.tzinfo is None else read.timestamp()
    except (ValueError, OverflowError) as error:
        raise Wrong(key, "is no time; write 2027-01-31, or 2027-01-31T12:00:00Z") from error
    if found < _EARLIEST:
        raise Wrong(key, "is before the year 2000")
    return found


def _duration(row: Row, key: str) -> float:
    text = _text(row, key)
    if not text:
        return 0.0
    try:
        return duration(text).total_seconds()
    except ValueError as error:
        raise Wrong(key, str(error)) from error


# The other way -----------------------------------------------------------------------------------------------------------


def row_of_owner(owner: Owner) -> dict[str, Any]:
    """The row that says the same again."""
    row = {"owner": owner.uid, "name": owner.name, "contact": owner.contact, "kind": "" if owner.kind == "team" else owner.kind}
    return {key: row[key] for key in OWNER_KEYS if row.get(key)}


def row_of_identity(identity: Identity, own: tuple[Owner, Ownership] | None) -> dict[str, Any]:
    """The row that says the same again. A face of another is told where somebody declared it; what was found is found again."""
    row = {
        "identity": identity.uid, "kind": "" if identity.kind == "unknown" else identity.kind, "name": identity.name,
        **_row_of_owner(own), **_row_of_declared(identity.declared), "third_party": identity.third_party,
        "same_as": identity.same_as if identity.same_confidence >= 1.0 else "",
    }  # fmt: skip
    return {key: row[key] for key in IDENTITY_KEYS if row.get(key)}


def row_of_credential(credential: Credential, own: tuple[Owner, Ownership] | None) -> dict[str, Any]:
    """The row that says the same again, under the credential's fingerprint."""
    life = {"issued": _iso(credential.issued), "expires": _iso(credential.expires), "rotate_every": _lasting(credential.rotate_every)}
    row = {
        "credential": credential.uid, "identity": credential.identity, "name": credential.name, "credential_kind": credential.kind,
        **_row_of_owner(own), **_row_of_declared(credential.declared), **life, "canary": credential.canary,
        "shown": credential.shown[:_SHOWN],
    }  # fmt: skip
    return {key: row[key] for key in CREDENTIAL_KEYS if row.get(key)}


def _row_of_owner(own: tuple[Owner, Ownership] | None) -> dict[str, Any]:
    if own is None:
        return {}
    owner, said = own
    return {
        "owner": owner.uid, "owner_name": owner.name, "owner_contact": owner.contact, "owner_confidence": said.confidence,
        "owner_confirmed": _iso(said.time),
    }  # fmt: skip


def _row_of_declared(said: Declared) -> dict[str, Any]:
    return {
        "environment": said.environment, "purpose": said.purpose, "uses": list(said.uses), "regions": list(said.regions),
        "networks": list(said.networks),
    }  # fmt: skip


def _iso(time: float) -> str:
    return iso(time) if time >= _EARLIEST and math.isfinite(time) else ""


def _lasting(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and not seconds % size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s" if seconds else ""
