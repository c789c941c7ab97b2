"""What is too long for a record is cut, the same way every time, so that there is no record that can never be written.

Long texts go first, then long lists, then whatever is left but the ids. A record that was cut says so: `cut` is the keyed digest of the
whole, so that who has the whole can show that this is what it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from licet.canonical import Plain, canonical

MAX_FIELDS = 64_512
"""Bytes of the fields' canonical form. A record has at most 65,535 (C2SP tlog-tiles), and the log itself adds some hundred."""
IDS = ("call", "task", "txn", "step", "status", "outcome", "jti", "kid", "manifest", "args", "result", "trace_id", "span_id", "intent_seq")
"""What is kept to the last: without it a record could not be told from others."""
CUT = "cut"
_TEXTS = (4_096, 1_024, 256)  # characters; an id or a digest is shorter
_ITEMS = (64, 16, 4, 1, 0)
_LONGEST_ID = 256
_MARK = "…"


def fitted(fields: Mapping[str, Plain], keyed: Callable[[str], str]) -> dict[str, Plain] | None:
    """The fields, cut until they fit; None if they do as they are. `keyed` makes the keyed digest of a plain one (`sha256:` and hex)."""
    try:
        whole = canonical(dict(fields))
    except (ValueError, TypeError, RecursionError):  # no JSON: what it was cannot be digested either
        return _ids(fields, "")
    if len(whole) <= MAX_FIELDS:
        return None
    digested = keyed("sha256:" + hashlib.sha256(whole).hexdigest())
    found: dict[str, Plain] = dict(fields)
    for most in _TEXTS:
        found = {name: _shortened(value, most) for name, value in found.items()} | {CUT: digested}
        if len(canonical(found)) <= MAX_FIELDS:
            return found
    for most in _ITEMS:
        found = {name: _fewer(value, most) for name, value in found.items()}
        if len(canonical(found)) <= MAX_FIELDS:
            return found
    return _ids(fields, digested)


def _shortened(value: Plain, most: int) -> Plain:
    if isinstance(value, str):
        return value if len(value) <= most else value[: most - 1] + _MARK
    if isinstance(value, list):
        return [_shortened(item, most) for item in value]
    return {name[:most]: _shortened(item, most) for name, item in value.items()} if isinstance(value, dict) else value


def _fewer(value: Plain, most: int) -> Plain:
    if isinstance(value, list):
        return [_fewer(item, most) for item in value[:most]]
    if isinstance(value, dict):
        return {name: _fewer(value[name], most) for name in sorted(value)[: most + 8]}
    return value


def _ids(fields: Mapping[str, Plain], digested: str) -> dict[str, Plain]:
    """What can be written whatever it was."""
    kept: dict[str, Plain] = {CUT: digested}
    for name in IDS:
        value = fields.get(name)
        if (isinstance(value, str) and len(value) <= _LONGEST_ID and _is_text(value)) or (type(value) is int and abs(value) < 2**53):
            kept[name] = value
    return kept


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
