"""Fields that many logs have: times, addresses, user agents, names. Each made the same for every reader, and quickly.

What is the same again and again is kept in bounded caches; a value that is longer than what they keep is cut before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from licet.ingest.recognised import Place, Record, Unreadable
from licet.secretlike import scrub

EARLIEST: Final = 946_684_800.0  # 2000-01-01; before it, no log of these platforms was written
_LATEST: Final = 253_402_300_799.0  # the year 9999, which datetime ends with; the intake judges what is merely in the future
_SHORT_ID: Final = 24  # characters; no secret of a known form is so short
_LONGEST_ID: Final = 200  # characters
_MARK: Final = 12  # digits of a fingerprint behind a name that is masked
_PLATFORMS: Final = re.compile(r"[A-Za-z]{1,32}_[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}_[A-Z0-9]{1,8}_[0-9]{1,12}")
"""Entra's ids of audit records, which look like chance: `Directory_<uuid>_7K2QP_12345678`."""
_UUID: Final = 36
_UUID_SIGNS: Final = "0123456789abcdefABCDEF-"
_LONGEST_TIME: Final = 40  # characters
_LONGEST_AGENT: Final = 512  # characters
_LONGEST_ADDRESS: Final = 64
_LONGEST_NAME: Final = 64
_LONGEST_NAME_IN: Final = 2_048  # characters, as the longest ARN has
_SCRUBBED: Final = 200  # characters; a shorter name than this is looked up in a cache

_ENGINES: Final = ("Edg/", "OPR/", "SamsungBrowser/", "Firefox/", "FxiOS/", "CriOS/", "Chrome/", "Safari/", "Trident/", "MSIE ")
_NO_BROWSERS: Final = ("PowerShell/", "HeadlessChrome/", "PhantomJS/")
_PARTNERS: Final = ("APN/", "HashiCorp/")  # what partners put before the name of their program


def time_of(text: object, key: str) -> float:
    """Seconds since the epoch of an RFC 3339 time; one without an offset is in UTC, as Microsoft 365 writes it.

    Raises:
        Unreadable: it is none, or before 2000.
    """
    if not isinstance(text, str) or len(text) < 19:  # a day alone is no time
        raise Unreadable("is missing" if text is None or text == "" else "is no time", key)
    try:
        time = _time(text) if len(text) <= _LONGEST_TIME else _parsed_time(text)
    except ValueError as error:
        raise Unreadable("is no time", key) from error
    if time < EARLIEST:
        raise Unreadable("is before the year 2000", key)
    return time


def time_of_millis(number: object, key: str) -> float:
    """Seconds since the epoch of milliseconds since the epoch.

    Raises:
        Unreadable: it is no number of milliseconds, or before 2000.
    """
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise Unreadable("is missing" if number is None else "is no time in milliseconds", key)
    if number < EARLIEST * 1000:
        raise Unreadable("is before the year 2000", key)
    if not number <= _LATEST * 1000:  # so that NaN is none either
        raise Unreadable("is no time in milliseconds", key)
    return number / 1000


def address_of(raw: str) -> str:
    """The IP address in its shortest form, without port and brackets; empty if the text is none (`AWS Internal`, a host's name)."""
    return _address(raw) if len(raw) <= _LONGEST_ADDRESS else ""


def network_of(ip: str) -> str:
    """The /24 (IPv4) or /48 (IPv6) of an address; empty for what is none, and for the platform itself (loopback, link-local)."""
    return _network(ip) if len(ip) <= _LONGEST_ADDRESS else ""


def agent_of(raw: str) -> str:
    """The product of a user agent and its major version: `aws-cli/2`, `kubectl/1`, `Chrome/113`. What stands before it for a partner
    programme is passed over. Without a version the name alone, of at most 64 characters.
    """
    return _agent(raw if len(raw) <= _LONGEST_AGENT else raw[:_LONGEST_AGENT])


def interactive_agent(raw: str) -> bool:
    """Whether the user agent is that of a browser or of a cloud's console, at which a person sits. A command line is no sign of one."""
    return _interactive(raw if len(raw) <= _LONGEST_AGENT else raw[:_LONGEST_AGENT])


def clean(name: str) -> str:
    """A name that the log holds, with what looks like a secret masked: names are kept, and anybody can put a token into one.

    What stands between colons is looked at part by part: `external-secrets:writer` is a namespace and a name, and no secret.
    """
    return _clean(name) if len(name) <= _SCRUBBED else _by_parts(name)


def id_of(raw: str, record: Record, place: Place) -> str:
    """The native id of a record. One that looks like a secret, or is longer than ids are, is replaced by its fingerprint, as some ids are
    the client's to choose (`Audit-ID` of Kubernetes); a record without one is known by a digest of its content. Two ids never become one.

    Raises:
        Unreadable: without an id, the record is nested too deeply.
    """
    if not raw:
        try:
            return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:40]
        except RecursionError as error:
            raise Unreadable("is nested too deeply") from error
    if len(raw) <= _SHORT_ID or (len(raw) == _UUID and not raw.strip(_UUID_SIGNS)):
        return raw
    if len(raw) > _LONGEST_ID:
        return place.fingerprint(raw)
    return raw if scrub(raw) == raw or _PLATFORMS.fullmatch(raw) else place.fingerprint(raw)


def apart(raw: str, cleaned: str, fingerprint: Callable[[str], str]) -> str:
    """`cleaned`, as the name of an identity or a workload: where something of `raw` is masked or cut in it, the first digits of its
    fingerprint stand behind, so that two names never become one. Generated names of roles look like secrets often enough.
    """
    if cleaned == raw:
        return raw
    mark = fingerprint(raw).rpartition(":")[2]
    found = f"{cleaned};{mark[:_MARK]}"
    return found if clean(found) == found else f"masked;{mark}"


def uid_of(raw: str, place: Place) -> str:
    """The name of an identity or a workload, as `clean` and `apart` make it."""
    cleaned = clean(raw)
    return raw if cleaned == raw else apart(raw, cleaned, place.fingerprint)


def name_in(record: Record, key: str) -> str:
    """A name or a word of the record, with what looks like a secret masked; empty where it is absent or null.

    Raises:
        Unreadable: it is something else than a text.
    """
    found = record.get(key)
    if found is None:
        return ""
    if found.__class__ is str and len(found) <= _SCRUBBED:
        return _clean(found)
    return _by_parts(raw_in(record, key))


def raw_in(record: Record, key: str) -> str:
    """As `name_in`, and as it stands there: not for events, but to make the name of an identity or a workload of. One that is longer than
    any name of these platforms is known by its digest: who may choose a name must not hide a record by it.

    Raises:
        Unreadable: as there.
    """
    found = record.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Unreadable("is no text", key)
    if len(found) > _LONGEST_NAME_IN:
        return f"long;{hashlib.sha256(found.encode(errors='replace')).hexdigest()[:32]}"
    return found


def id_in(record: Record, key: str) -> str:
    """An id that is a number in some exports and a text in others, as it is: not for events, but to make a fingerprint of.

    Raises:
        Unreadable: it is neither, or no id for its size.
    """
    found = record.get(key)
    if found is None:
        return ""
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**64:
        return str(found)
    if not isinstance(found, str) or len(found) > _LONGEST_NAME_IN:
        raise Unreadable("is no id", key)
    return found


def parts(record: Record, key: str) -> list[Record]:
    """The objects of a list of the record; empty where it is absent or null.

    Raises:
        Unreadable: it is no list, or holds something else than objects.
    """
    found = record.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Unreadable("is no list of objects", key)
    return found


@lru_cache(32_768)
def _clean(name: str) -> str:
    return _by_parts(name)


def _by_parts(name: str) -> str:
    return ":".join(map(scrub, name.split(":"))) if ":" in name and "://" not in name else scrub(name)


def _parsed_time(text: str) -> float:
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()


_time = lru_cache(8_192)(_parsed_time)  # many records are of one second


@lru_cache(32_768)
def _address(raw: str) -> str:
    if _PLAIN.fullmatch(raw):
        return raw
    found = _parsed(raw)
    return "" if found is None else str(found)


@lru_cache(32_768)
def _network(ip: str) -> str:
    if (plain := _PLAIN.fullmatch(ip)) and plain[1] not in _PERHAPS_OWN:
        return f"{plain[1]}.{plain[2]}.{plain[3]}.0/24"
    found = _parsed(ip)
    if found is None or found.is_loopback or found.is_link_local or found.is_unspecified:
        return ""
    kept = 24 if found.version == 4 else 48
    size = found.max_prefixlen - kept
    return f"{type(found)(int(found) >> size << size)}/{kept}"


_BYTE: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN: Final = re.compile(rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}")
"""An address of version 4 as it is mostly written, which `ipaddress` takes ten times as long for."""
_PERHAPS_OWN: Final = frozenset({"0", "127", "169"})
"""First bytes of no address, of loopback and of link-local, at which a closer look is taken."""


def _parsed(raw: str) -> IPv4Address | IPv6Address | None:
    text = raw.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


@lru_cache(8_192)
def _agent(raw: str) -> str:
    text = raw.strip().strip("[]").strip()
    if text.startswith("Mozilla/"):
        for sign in (*_NO_BROWSERS, *_ENGINES):
            at = text.find(sign)
            if at >= 0:
                product = text[:at].rpartition(" ")[2] + sign[:-1]  # `WindowsPowerShell` and not `PowerShell`
                return scrub(_named(product, text[at + len(sign) :]))
    words: list[str] = []
    for word in text.split(" "):
        if word.startswith("(") and words:
            break
        if not words and word.startswith(_PARTNERS):
            continue
        name, slash, version = word.partition("/")
        words.append(name)
        if slash:
            return scrub(_named(" ".join(words), version))
    return scrub(_named(" ".join(words) or text, ""))


def _named(product: str, version: str) -> str:
    version = version.removeprefix("v")
    digits = version[: next((at for at, sign in enumerate(version) if sign not in "0123456789"), len(version))]
    product = product[:_LONGEST_NAME]
    return f"{product}/{digits[:6]}" if digits else product


@lru_cache(8_192)
def _interactive(raw: str) -> bool:
    text = raw.strip().strip("[]").strip()
    if text.startswith("Mozilla/"):
        return any(sign in text for sign in _ENGINES) and not any(sign in text for sign in _NO_BROWSERS)
    first = text.partition("/")[0].partition(" ")[0].lower()
    return "console" in first or first == "signin.amazonaws.com" or "exec-env/CloudShell" in text
