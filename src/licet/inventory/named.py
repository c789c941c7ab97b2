"""Which credential is meant: by a name of the manifest, by an id as logs show it, by a fingerprint or the beginning of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from licet.errors import UsageError
from licet.inventory.declared import credential_id
from licet.inventory.fingerprints import PREFIX, is_fingerprint
from licet.inventory.store import Inventory
from licet.manifest.watched import secret_itself

_SHORTEST: Final = len(PREFIX) + 6  # characters of a beginning; fewer would find one by chance
_SHOWN: Final = 5
_HEX: Final = frozenset("0123456789abcdef")


def checked(shown: str) -> str:
    """The id as it was given, if it is none that must not be given.

    Raises:
        UsageError: it is empty, or a secret itself, which nobody should hand in.
    """
    if not shown:
        raise UsageError("the credential is empty (an unset variable?); give its name, its id as logs show it, or its fingerprint")
    if secret_itself(shown):
        why = "begins as a secret itself does, and logs show its id or hash"
        raise UsageError(f"the credential {why}; give that (of a call token: its `jti`, which `licet token show` prints)")
    return shown


def known(
    inventory: Inventory, fingerprint: Callable[[str], str], text: str, ids: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, ...]:  # fmt: skip
    """The fingerprints of all credentials that the text stands for and that the inventory knows; empty if it knows none.

    Args:
        fingerprint: makes the fingerprint of an id.
        text: what was given.
        ids: by name, the ids that a manifest says of its credentials.

    Raises:
        UsageError: it is the beginning of several fingerprints, or nothing that may be given.
    """
    checked(text)
    if text.startswith(PREFIX) and len(text) >= _SHORTEST and set(text[len(PREFIX) :]) <= _HEX:
        rows = inventory.rows("SELECT uid FROM credentials WHERE uid>=? AND uid<? ORDER BY uid LIMIT 6", (text, f"{text}g"))
        found = [uid for (uid,) in rows]
        if len(found) > 1:
            more = ", …" if len(found) > _SHOWN else ""
            raise UsageError(f"{text!r} begins more than one fingerprint: {', '.join(found[:_SHOWN])}{more}; write more of it")
        if found:
            return (found[0],)
    named = (credential_id(text), *ids[text]) if ids and text in ids else (text,)
    wanted = dict.fromkeys(fingerprint(each) for each in named)
    wanted |= dict.fromkeys(uid for (uid,) in inventory.rows("SELECT uid FROM credentials WHERE name=? ORDER BY uid", (text,)))
    return tuple(uid for uid in wanted if inventory.credential(uid) is not None)


def meant(fingerprint: Callable[[str], str], text: str, ids: Mapping[str, Sequence[str]] | None = None) -> tuple[str, ...]:
    """The fingerprints that the text stands for, whether the inventory knows them or not: where something new is said of a credential.

    Raises:
        UsageError: nothing that may be given.
    """
    checked(text)
    if is_fingerprint(text):
        return (text,)
    if ids and text in ids:
        return tuple(dict.fromkeys(fingerprint(each) for each in (credential_id(text), *ids[text])))
    return (fingerprint(text),)
