"""What a reader makes of one native record, and what it needs for that.

A reader is a module with a `SOURCE: Source`. `read` maps one record; it keeps nothing between two records but bounded caches, so that
any order and any restart gives the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from licet.errors import LicetError
from licet.events import BODY_UNREAD, LifecycleEvent, UseEvent

Record = Mapping[str, Any]


class Recognised(NamedTuple):
    """`passed`: why the record is none of our affair (a cause with a few words, counted); then there is nothing else.

    `refused`: cause and key of each part that could not be used, of a record that holds many (a line of spans); the others are taken.
    """

    uses: tuple[UseEvent, ...] = ()
    lifecycle: tuple[LifecycleEvent, ...] = ()
    passed: str = ""
    refused: tuple[tuple[str, str], ...] = ()


def without_body(found: Recognised) -> Recognised:
    """The same, of a record of which a body could not be read: its uses say so, unless they say that nothing was done."""
    uses = tuple(each._replace(error=BODY_UNREAD) if each.outcome == "success" else each for each in found.uses)
    return found._replace(uses=uses)


class Unreadable(LicetError):
    """A record that a reader refuses. `cause` is one of few words (it is counted by it), `key` the key of the record that is wrong."""

    def __init__(self, cause: str, key: str = "") -> None:
        super().__init__(f"`{key}`: {cause}" if key else cause)
        self.cause, self.key = cause, key


class Place(Protocol):
    """What a reader is told beside the record."""

    fingerprint: Callable[[str], str]
    """The keyed fingerprint of a credential's id or value; empty for an empty one. Keeps nothing of it."""

    account: str
    """What the records do not say themselves: the cluster, the organisation or the tenant they are of (`--account`); empty if not said."""


Read = Callable[[Record, Place], Recognised]


@dataclass(frozen=True, slots=True)
class Source:
    """One source of logs.

    Attributes:
        name: as in `licet ingest NAME`.
        title: for people.
        read: one record to events. Leaves `digest` and `place` empty, which the intake fills in.
        lag: how late its records may come, in seconds; silence for much longer is a finding.
        bodies: keys of a record under which clients write what they like. A record is used without them where they cannot be read: what
            somebody sends must not hide who sent it.
        records: in which keys of a JSON document the list of records is (`Records`, `items`, `value`), where a file is one document.
    """

    name: str
    title: str
    read: Read
    lag: float
    records: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()


def text(record: Record, key: str) -> str:
    """A text of the record; empty where it is absent or null.

    Raises:
        Unreadable: it is something else.
    """
    found = record.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Unreadable("is no text", key)
    return found


def part(record: Record, key: str) -> Record:
    """An object of the record; empty where it is absent or null.

    Raises:
        Unreadable: it is something else.
    """
    found = record.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unreadable("is no object", key)
    return found
