"""What a value names, by its form: an address, an account number, a link, a path. Every look is linear in its length."""

from __future__ import annotations

import base64
import binascii
import functools
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator
from typing import Any

from licet.canonical import Plain
from licet.snapshot import BYTES

_SHORT = 100  # characters; longer values seldom come twice
MAX_LOOKED_AT = 2_000  # characters; a longer value is told by how it begins
_ADDRESS = re.compile(r"(?:[^\s@<>()\[\],;:\"'/\\]{1,128}|\"[^\"]{1,64}\")@(?:[^\s@<>()\[\],;:\"'/\\]{1,255}|\[[0-9A-Fa-f.:]{2,45}\])")
_LINK = re.compile(r"(?:[a-z][a-z0-9+.-]{0,30}:[\\/]{1,2}|https?:|//|www\.)[^\s]", re.IGNORECASE)
_SCHEME = re.compile(
    r"(?:mailto|tel|sms|javascript|data|file|ftps?|xmpp|sips?|callto|urn|about|blob|wss?|magnet|slack|tg):\S", re.IGNORECASE
)
_HOST = re.compile(
    r"(?:(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-fA-F:.]{2,45}\]|localhost|(?:[\w-]{1,63}\.){1,10}[^\W\d_]{2,24})(?::\d{1,5})?(?:[/?#]\S*)?"
)
_PLACE = re.compile(r"(?:/|~[A-Za-z/\\]|\.{1,2}[/\\]|[A-Za-z]:[\\/]|\\\\)\S?")
_RELATIVE = re.compile(r"[^\s/\\:]{1,255}(?:[/\\][^\s/\\:]{1,255}){1,40}[/\\]?")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", re.ASCII)
_ACCOUNT = re.compile(r"(?:[A-Za-z]{2}\d{2}[A-Za-z0-9]{8,30}|\+?\d[\d ./-]{6,32}\d)", re.ASCII)
_COMPACT_DATE = r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T?\d{4,6}Z?)?"
_DATE = re.compile(
    rf"{_COMPACT_DATE}|\d{{4}}-\d{{2}}-\d{{2}}(?:[T ][\d:.]{{5,15}}(?:Z|[+-]\d\d:?\d\d)?)?|\d{{1,4}}[-/. ]\d{{1,2}}[-/. ]\d{{1,4}}"
    r"|\d{4} ?[-/] ?\d{4}|\d{1,2}[-. ]\d{1,2}",
    re.ASCII,
)
_COMMENT = re.compile(r"\([^()]{0,200}\)")
_GROUP = re.compile(r"^[\w ]{1,60}:(?=.*;\s*$)|;\s*$")
_SEPARATORS = re.compile(r"[\s,;]+")
_SECRET_START = re.compile(r"(?:sk-|sk_|pk_|rk_|ghp_|gho_|github_pat_|xox[abp]-|AKIA|ASIA|AIza|eyJ)[\w.~+/=-]{10,}")
_RUN = re.compile(r"[A-Za-z0-9]{14,}")
_AFTER_AT = re.compile(r"[^\s@<>()\[\],;:\"'/\\?#&=]+")
_BEFORE_AT = re.compile(_AFTER_AT.pattern + r"\Z")
_BARE = re.compile(rf"{_AFTER_AT.pattern[:-1]}{{1,64}}@{_AFTER_AT.pattern[:-1]}{{1,255}}")
_ACCOUNT_WORDS = frozenset({"account", "acct", "iban", "card", "phone", "tel", "payee", "to", "recipient", "recipients", "wallet"})


def party(value: Plain, names: frozenset[str] = frozenset()) -> str:
    """What a whole value names: `address`, `account`, `link` or `path`; empty if it names nobody and nothing outside.

    `names` are the words of the argument's name, by which a plain number can be an account.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return "account" if abs(value) >= 10**7 and names & _ACCOUNT_WORDS else ""
    if not isinstance(value, str):
        return ""
    return _remembered(value) if len(value) <= _SHORT else _named(value)


def _named(value: str) -> str:
    head = value[:MAX_LOOKED_AT]
    text = head if head.isascii() else "".join(c for c in unicodedata.normalize("NFKC", head) if unicodedata.category(c) != "Cf")
    found = _party(text.strip())
    if not found and "%" in text:
        found = _party(urllib.parse.unquote(text).strip())
    return found


_remembered = functools.lru_cache(maxsize=2_048)(_named)


def _party(text: str) -> str:
    if not text or _DATE.fullmatch(text):
        return ""
    if _LINK.match(text) or _SCHEME.match(text):
        return "link"
    if "@" in text and (_ADDRESS.fullmatch(text) or _all_addresses(text)):
        return "address"
    if "\n" in text or "\r" in text:  # what comes after a first line that names somebody goes to him too, or adds others
        return _party(text.splitlines()[0].strip()) if len(text.splitlines()) > 1 else ""
    compact = re.sub(r"[ .()/-]", "", text).upper() if len(text) < 60 else ""
    if (_IBAN.fullmatch(compact) and is_iban(compact)) or (_ACCOUNT.fullmatch(text) and sum(map(str.isdigit, text)) >= 8):
        return "account"
    if text[0] in "(+" and compact.removeprefix("+").isdigit() and len(compact) >= 8:
        return "account"
    if (match := _PLACE.match(text)) is not None and len(match[0]) < len(text) + 1 and text not in ("/", "~"):
        return "path"
    if _HOST.fullmatch(text) and any(sign in text for sign in "/:?#"):
        return "link"
    return "path" if _RELATIVE.fullmatch(text) and _leads_somewhere(text) else ""


def _leads_somewhere(text: str) -> bool:
    """`application/pdf`, `either/or` and `1990/12/10` do not."""
    bare = text.replace("/", "").replace("\\", "")
    return not bare.isdigit() and (text.count("/") + text.count("\\") > 1 or "." in re.split(r"[/\\]", text)[-1])


def _all_addresses(text: str) -> bool:
    """Whether the text is nothing but mailboxes, with or without names (RFC 5322 section 3.4), however they are separated."""
    plain = _GROUP.sub("", _COMMENT.sub("", text)).strip()
    if "<" in plain:
        between = re.split(r"<[^<>]{3,320}>", plain)
        inside = re.findall(r"<([^<>]{3,320})>", plain)
        # What stands between the angle brackets are names and separators, or mailboxes without a name.
        rest = [piece for part in between for piece in re.split(r"[,;]", part) if "@" in piece]
        return all(_ADDRESS.fullmatch(box.strip()) for box in (*inside, *rest)) and bool(inside)
    parts = [part for part in _SEPARATORS.split(plain) if part]
    if len(text) >= MAX_LOOKED_AT - 1:
        parts = parts[:-1]  # cut in the middle
    return bool(parts) and all(_ADDRESS.fullmatch(part) for part in parts)


def is_iban(compact: str) -> bool:
    """Whether the check digits are right (ISO 13616, mod 97)."""
    digits = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return int(digits) % 97 == 1


def is_secret(text: str) -> bool:
    """Whether a word is a run of letters and digits that no word has, or begins as common services begin their keys."""
    if not 14 <= len(text) <= 4_000:
        return False
    if _SECRET_START.match(text):
        return True
    return any(not run.isalpha() and not run.isdigit() for run in _RUN.findall(text))


def is_bare_address(word: str) -> bool:
    """Whether a word is one address, and holds no other."""
    return _BARE.fullmatch(word) is not None


def addresses_in(word: str) -> Iterator[str]:
    """The addresses within a word, each looked for around its `@` only."""
    at = word.find("@")
    for _ in range(50):
        if at < 0:
            return
        left = _BEFORE_AT.search(word[max(0, at - 64) : at])
        right = _AFTER_AT.match(word[at + 1 : at + 256])
        if left and right:
            yield f"{left[0]}@{right[0]}"
        at = word.find("@", at + 1)


def links_in(word: str) -> Iterator[tuple[str, str]]:
    """The links within a word, each with its host."""
    at = word.find("://")
    for _ in range(20):
        if at < 0:
            return
        scheme = re.search(r"[a-z][a-z0-9+.-]*\Z", word[max(0, at - 32) : at], re.IGNORECASE)
        host = re.match(r"[^\s/?#]+", word[at + 3 : at + 400])
        if scheme and host:
            yield word[at - len(scheme[0]) :], host[0].rpartition("@")[2]
        at = word.find("://", at + 3)


def text_of(value: Plain) -> Plain:
    """Bytes, which stand in plain data as base64, as the text that they are; everything else as it is."""
    if isinstance(value, dict) and len(value) == 1 and BYTES in value:
        try:
            return base64.b64decode(str(value[BYTES])).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return str(value[BYTES])
    return value


def kind(text: Any) -> str:
    """What a value is, in a word, for a sentence that must not repeat it."""
    names = {"address": "an address", "account": "an account number", "link": "a link", "path": "a path"}
    found = party(text)
    if found:
        return names[found]
    shown = str(text).strip()
    return "a number" if re.fullmatch(r"-?\d+(?:\.\d+)?", shown, re.ASCII) else "a word" if shown.isalpha() else "a text"
