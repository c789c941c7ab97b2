"""Which credential is meant: by a name of the manifest, by an id as logs show it, by a fingerprint or the beginning of one. And which
identity: by its uid, its name, or the last part of its uid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from string import ascii_letters, digits
from typing import Final

from licet.errors import UsageError
from licet.inventory.declared import SOURCE, credential_id
from licet.inventory.fingerprints import PREFIX, is_fingerprint
from licet.inventory.store import Inventory
from licet.manifest.watched import secret_itself

_SHORTEST: Final = len(PREFIX) + 6  # characters of a beginning; fewer would find one by chance
_SHOWN: Final = 5
_LONGEST: Final = 500  # characters of a name that is looked for
_ALIKE: Final = 20_000  # identities among which one that is written alike is looked for
_AWS_SECRET: Final = 40  # characters
_BASE64: Final = frozenset("/+")
_HEX: Final = frozenset("0123456789abcdef")


def checked(shown: str) -> str:
    """The id as it was given, if it is none that must not be given.

    Raises:
        UsageError: it is empty, or a secret itself, which nobody should hand in.
    """
    if not shown:
        raise UsageError("the credential is empty (an unset variable?); give its name, its id as logs show it, or its fingerprint")
    if secret_itself(shown) or _is_aws_secret(shown):
        why = "is written as a secret itself is, and logs show its id or hash"
        raise UsageError(f"the credential {why}; give that (of a call token: its `jti`, which `licet token show` prints)")
    return shown


def _is_aws_secret(shown: str) -> bool:
    """Whether this is written as a secret access key: 40 characters of base64, of which nearly three in four have `/` or `+`."""
    return (
        len(shown) == _AWS_SECRET and not _BASE64.isdisjoint(shown) and set(shown) <= _BASE64 | set(ascii_letters + digits)
        and any(map(str.isupper, shown)) and any(map(str.islower, shown))
    )  # fmt: skip


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


def identities(inventory: Inventory, text: str) -> tuple[str, ...]:
    """The uids of the identities that are called so; of more than six, six. A uid that is known is that identity alone; else all with this
    name, else all whose uid ends with it behind `/` or `:`.
    """
    if not text or inventory.identity(text) is not None:
        return (text,) if text else ()
    return called_so(inventory, text)


def called_so(inventory: Inventory, text: str) -> tuple[str, ...]:
    """The same of names and last parts alone: whose uid it is does not stand there."""
    for called in ("name=?1", "substr(uid, -length(?1)-1) IN ('/'||?1, ':'||?1)"):
        rows = inventory.rows(f"SELECT uid, same_as FROM identities WHERE {called} ORDER BY uid LIMIT 6", (text,))  # noqa: S608 - texts of our own
        if rows:
            others = {uid: same_as for uid, same_as in rows if text not in (uid, same_as)}
            return tuple(uid for uid, same_as in others.items() if same_as not in others) or tuple(others)  # of faces and whole, the whole
    return ()


def is_seen(inventory: Inventory, uid: str) -> bool:
    """Whether a record names an identity with this uid. One that is only declared may be another's short name."""
    query = "SELECT 1 FROM identities WHERE uid=?1 AND (uses OR EXISTS (SELECT 1 FROM lifecycle WHERE identity=?1 AND uid NOT GLOB ?2))"
    return bool(inventory.rows(query, (uid, f"{SOURCE}/*")))


def alike(inventory: Inventory, text: str) -> tuple[str, ...]:
    """The uids of identities whose uid, name or last part is written nearly so, the most alike first; at most three."""
    by_word: dict[str, str] = {}
    for uid, name in inventory.rows("SELECT uid, name FROM identities ORDER BY uses DESC, uid LIMIT ?", (_ALIKE,)):
        for word in (uid, name or "", uid.replace(":", "/").rpartition("/")[2]):
            by_word.setdefault(word.lower(), uid)
    near = get_close_matches(text.lower()[:_LONGEST], by_word, n=6, cutoff=0.7)
    return tuple(dict.fromkeys(by_word[word] for word in near))[:3]
