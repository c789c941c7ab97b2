"""The own format for what happens to credentials, for systems that issue them: one JSON object a line, with the keys below and no other.

    {"id": "v-81", "time": "2026-03-01T12:00:00Z", "kind": "rotated", "credential": "AKIA..2", "supersedes": "AKIA..1", "identity": ".."}

`credential` and `supersedes` are ids as logs show them, and are fingerprinted here. A fingerprint stays what it is: whoever may write this
file may say what happens to any credential. A wrong line is refused, with the key: a rotation that is not understood must not be lost.
"""

from __future__ import annotations

from typing import Final, cast

from licet.events import LIFECYCLE_KINDS, LifecycleEvent, LifecycleKind
from licet.ingest.fields import clean, id_of, time_of, uid_of
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable, text
from licet.inventory.fingerprints import is_fingerprint

NAME: Final = "lifecycle"
KEYS: Final = frozenset({
    "id", "time", "kind", "credential", "identity", "by", "supersedes", "generation", "presented_generation", "workload", "expires",
    "privilege", "reason",
})  # fmt: skip
"""All that a line may say."""

KINDS: Final = LIFECYCLE_KINDS - {"created", "scope_widened", "logging_stopped", "logging_started"}
"""What a line may tell of; the others are what readers of logs see."""

_LAG: Final = 300.0
_NEEDED: Final = {
    "rotated": ("credential",), "bound": ("credential", "workload"), "job_started": ("workload",), "job_ended": ("workload",),
    "granted": ("identity", "privilege"), "ungranted": ("identity", "privilege"), "owner_changed": ("identity",),
}  # fmt: skip
_LONGEST: Final = 4_096  # characters of one text


def read(record: Record, place: Place) -> Recognised:
    """One line.

    Raises:
        Unreadable: a key is unknown or missing, or its value is not what it should be.
    """
    if not record.keys() <= KEYS:
        raise Unreadable("is no key of this format", clean(min(map(str, record.keys() - KEYS)))[:80])
    for key in ("id", "time", "kind"):
        if not record.get(key):
            raise Unreadable("is missing", key)
    kind = text(record, "kind")
    if kind not in KINDS:
        raise Unreadable(f"is none of {', '.join(sorted(KINDS))}", "kind")
    if not any(record.get(key) for key in ("credential", "identity", "workload")):
        raise Unreadable("is missing, and there is no `identity` and no `workload` either", "credential")
    for key in _NEEDED.get(kind, ()):
        if record.get(key) in (None, ""):
            raise Unreadable(f"is missing, which `{kind}` needs", key)
    if record.get("supersedes") and record.get("supersedes") == record.get("credential"):
        raise Unreadable("is the credential itself", "supersedes")
    return Recognised(lifecycle=(LifecycleEvent(
        NAME, id_of(_text(record, "id"), record, place), time_of(record["time"], "time"), cast("LifecycleKind", kind),
        _uid(record, "identity", place), _fingerprint(record, "credential", place), "", _uid(record, "by", place),
        _fingerprint(record, "supersedes", place), _counter(record, "generation"), _counter(record, "presented_generation"),
        _uid(record, "workload", place), time_of(record["expires"], "expires") if record.get("expires") else 0.0,
        _short(record, "privilege"), account=place.account, reason=_short(record, "reason"),
    ),))  # fmt: skip


def _text(record: Record, key: str) -> str:
    found = text(record, key)
    if len(found) > _LONGEST:
        raise Unreadable(f"is longer than {_LONGEST:,} characters", key)
    return found


def _short(record: Record, key: str) -> str:
    return clean(_text(record, key))


def _uid(record: Record, key: str, place: Place) -> str:
    return uid_of(_text(record, key), place)


def _fingerprint(record: Record, key: str, place: Place) -> str:
    found = _text(record, key)
    return found if is_fingerprint(found) else place.fingerprint(found)


def _counter(record: Record, key: str) -> int:
    found = record.get(key)
    if found is None:
        return -1
    if type(found) is not int or not 0 <= found < 2**53:
        raise Unreadable("is no whole number from 0", key)
    return found


SOURCE: Final = Source(NAME, "lifecycle of credentials", read, _LAG)
"""What a vault, a pipeline or `licet credential` says of credentials."""
