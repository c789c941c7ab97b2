"""What names say: whether a tool reads, and what an argument is. Names only, never values; each answer is a guess and is marked as one.

The lists are of common English words in the names of tools and of their arguments. They name roles, not products.
"""

from __future__ import annotations

import re
from typing import Literal

Role = Literal["address", "person", "record", "place", "text", ""]
"""What an argument names: an address or account that receives; a person or group; a record; a file or folder; or free text."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def _list(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READS = _list("""
    analyse analyze assess browse calculate can cat check classify compare compute count describe diff display du estimate explain extract
    fetch find forecast get grep has head identify inspect is list locate look lookup ls predict preview pwd query rank read recommend
    retrieve scan search show suggest summarize tail translate validate verify view wc what when where which who
""")
# After a word that reads, these still write (`get_or_create`). Words that name things too (`order`, `schedule`) do not.
_WRITES = _list("""
    add and append apply archive assign cancel clear close copy create deactivate delete deploy disable download drop edit enable execute
    forward import insert install invite kill merge modify move notify or pay publish put refund register remove rename replace reset
    restart revoke run save send start stop submit subscribe then unsubscribe update upload upsert write
""")
_MAKES = _list("book build export generate make new open order post render reserve schedule set store")  # at the beginning of a name
_LISTS = _list("check count find list locate ls pwd")
_ADDRESSES = _list("""
    account address attendee bcc beneficiary bic callback cc channel chat domain email endpoint fax guest host hostname href iban invitee ip
    link mail mobile participant payee phone receiver recipient room subscriber to uri url wallet webhook
""")
_PERSONS = _list("assignee client contact customer employee group login member owner people person team user username")
_PLACES = _list("dir directory file filename filepath folder path")
_TEXTS = _list("""
    abstract answer bio body caption comment content description detail expression feedback formula html instruction keyword markdown memo
    message note prompt query question reason remark reply review subject summary text title
""")
_CONTENTS = _list("""
    article attachment browse browser chat comment content conversation document email feed file html inbox internet mail message news note
    page post review text thread ticket transcript tweet url web webpage website wiki
    issue case feedback reply request order enquiry inquiry incident
""")
_IDS = _list("code id ids key no number ref reference uid uuid")
_NAMING = _IDS | _list("handle list name")
_SMALL = _list("a all an and as at by for from in is my new of on or per the to with")


def words(name: str) -> tuple[str, ...]:
    """The words of a name in order, in lower case and without the plural: `recipientIds` is `recipient`, `id`."""
    return tuple(_singular(word.lower()) for word in _WORD.findall(name))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def reads(tool: str) -> str:
    """The word by which the name of a tool says that it only reads; empty if it does not, or if another word of it writes."""
    found = words(tool)
    return found[0] if found and found[0] in _READS and not set(found) & _WRITES else ""


def returns_content(tool: str) -> bool:
    """Whether a tool returns what others have written, by its name. One whose name says nothing of what it returns counts too."""
    found = words(tool)
    if found and found[0] in _LISTS and not set(found[1:]) - _PLACES:
        return False  # `ls`, `list_files`: names of files, and not what is in them
    if set(found) & _CONTENTS:
        return not (found[0] in _WRITES or found[0] in _MAKES)  # what `post_tweet` returns is a receipt
    return not set(found) - _READS


def things(name: str) -> frozenset[str]:
    """The words of a tool's or an argument's name that say what it is about: without verbs, `id`, `name` and small words."""
    return frozenset(words(name)) - _READS - _WRITES - _NAMING - _SMALL


def is_person(words_of_it: frozenset[str]) -> bool:
    """Whether one of the words is of people."""
    return not words_of_it.isdisjoint(_PERSONS)


def role(argument: str, form: str | None = None) -> Role:
    """What an argument is, by its name and the `format` of its schema. The last word that is no `id` or `name` decides."""
    if form in ("email", "uri", "hostname", "ipv4", "ipv6"):
        return "address"
    found = words(argument)
    identified = bool(found) and (found[-1] in _IDS if len(found) > 1 else found[0] in ("id", "ids"))
    head = next((word for word in reversed(found) if word not in _NAMING), "")
    for kind, known in _ROLES:
        if head in known:
            return "record" if kind == "text" and identified else kind
    if identified:
        return "record"
    return "place" if "path" in found else ""


_ROLES: tuple[tuple[Role, frozenset[str]], ...] = (
    ("address", _ADDRESSES),
    ("person", _PERSONS),
    ("place", _PLACES),
    ("text", _TEXTS),
)
