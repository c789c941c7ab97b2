"""What of an event is kept: texts of bounded length, without what looks like a secret, and without half characters.

Readers mask what they take from a record, as they know what is in it. Here it is done once more, for all of them in the same way and
part by part, since `secret:prod/db` in the name of a resource is none.
"""

from __future__ import annotations

import hashlib
from operator import itemgetter
from typing import Any, Final, TypeVar

from licet.events import LifecycleEvent, UseEvent
from licet.secretlike import scrub

LONGEST: Final = 2_000  # characters of one text
_MARK: Final = "…[cut "
_MOST: Final = 65_536  # texts that are known to be clean
_SHORT: Final = 200  # characters of such a text
_BIGGEST: Final = 2**62  # numbers that a column can hold

_USE: Final = tuple(
    UseEvent._fields.index(name)
    for name in ("identity", "operation", "identity_name", "session", "workload", "agent", "resource", "intent", "error")
)
_LIFE: Final = tuple(LifecycleEvent._fields.index(name) for name in ("identity", "by", "workload", "privilege", "reason"))
_of_use: Final = itemgetter(*_USE)
_clean: set[str] = {""}

_tuple: Final = tuple.__new__
_Event = TypeVar("_Event", UseEvent, LifecycleEvent)


def use(event: UseEvent, digest: str, place: str, *, cut: bool) -> UseEvent:
    """The use as it is kept. `cut`: its record is so long that one of its texts may be."""
    found = event[:-2]
    if not _clean.issuperset(_of_use(found)):  # mostly all of them are known
        for at in _USE:
            text = found[at]
            if text and text not in _clean:
                found = _cleaned(found, at)
    if cut:
        found = _cut(found)
    return _tuple(UseEvent, found + (digest, place))  # noqa: RUF005 - a third of the cost, for each record


def lifecycle(event: LifecycleEvent, digest: str, place: str, *, cut: bool) -> LifecycleEvent:
    """The lifecycle event as it is kept."""
    found = event[:-2]
    for at in _LIFE:
        text = found[at]
        if text and text not in _clean:
            found = _cleaned(found, at)
    if cut:
        found = _cut(found)
    kept: LifecycleEvent = tuple.__new__(LifecycleEvent, (*found, digest, place))
    if not (-_BIGGEST < kept.generation < _BIGGEST and -_BIGGEST < kept.presented < _BIGGEST):
        raise OverflowError
    return kept


def _cleaned(fields: tuple[Any, ...], at: int) -> tuple[Any, ...]:
    text: str = fields[at]
    out = ":".join(map(scrub, text.split(":"))) if ":" in text else scrub(text)
    if out != text:
        return (*fields[:at], out, *fields[at + 1 :])
    if len(text) <= _SHORT:
        if len(_clean) >= _MOST:
            _clean.clear()
            _clean.add("")
        _clean.add(text)
    return fields


def _cut(fields: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        _shortened(each) if isinstance(each, str) else tuple(map(_shortened, each)) if isinstance(each, tuple) else each for each in fields
    )


def _shortened(text: str) -> str:
    """The text, cut; with a digest of all of it, so that two long names stay two."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 30]}{_MARK}{hashlib.sha256(text.encode()).hexdigest()[:16]}]"


def mended(value: Any) -> Any:
    """Plain data without halves of characters (lone surrogates), which JSON can hold and UTF-8 cannot."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mended(key): mended(item) for key, item in value.items()}
    return value
