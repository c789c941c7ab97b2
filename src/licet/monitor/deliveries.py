"""Findings handed to others at least once: what was not taken is tried again, later and later, whatever ends in between.

What a sink took stands in the inventory once it has said so, and not before: who is killed between its answer and that hands the same
message over again, under the same id, by which it is known. Of a finding that changed meanwhile only the newest form is handed over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, Protocol

from licet.inventory.store import Inventory
from licet.records import Finding

FIRST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 6 * 3_600.0
"""Seconds from the first failure to the next try, and at most; each wait is four times the one before."""

LONGEST_ASKED: Final = 86_400.0
"""Seconds that a sink can have us wait."""

_IN_A_ROW: Final = 2  # failures after which the sink is left alone: one may be that of a message that it cannot take
_SINK: Final = ("", "")  # the row of the sink itself


class Message(NamedTuple):
    """What is handed over of a finding.

    Attributes:
        id: of the finding and its version, the same in every try.
        kind: `opened`; `changed`, where the sink has an earlier form of it; `withdrawn`.
        updated: when the finding became so (seconds since the epoch).
        drill: it was a drill, and which, where that is proved; empty: nothing shows that it was.
    """

    id: str
    kind: str
    finding: Finding
    updated: float
    drill: str = ""


class Reply(NamedTuple):
    """What a sink said.

    Attributes:
        taken: it has it.
        why: if not, why; without anything secret.
        message: it does not take this message, and may take others.
        wait: for how many seconds it wants to be left alone.
    """

    taken: bool
    why: str = ""
    message: bool = False
    wait: float = 0.0


class Sink(Protocol):
    """Where findings go. `name`: what its rows stand under, which holds nothing secret."""

    @property
    def name(self) -> str:
        """What its rows stand under."""

    def send(self, message: Message, now: float) -> Reply:
        """Hand one message over, and hear what comes back. Does not raise for what the other side does."""


class Stands(NamedTuple):
    """A finding as it stands: its version, whether it is withdrawn, since when it is so, and which drill it was, where that is proved."""

    finding: Finding
    version: str
    withdrawn: bool
    updated: float
    drill: str = ""


class Delivered(NamedTuple):
    """What a run did: how many messages were taken, how many wait, why the last one was not taken, and when the next try is due."""

    taken: int = 0
    waiting: int = 0
    why: str = ""
    due: float = 0.0


class _Row(NamedTuple):
    delivered: float = 0.0
    tries: int = 0
    next: float = 0.0


def deliver(inventory: Inventory, sink: Sink, found: Iterable[Stands], now: float) -> Delivered:
    """Hand over what this sink does not have yet, and is due. What is withdrawn is said to who was told of it, and to nobody else.

    Raises:
        StoreError: the inventory cannot be written; what was handed over last may be handed over again.
    """
    rows = _rows(inventory, sink.name)
    told = {finding for (finding, _), row in rows.items() if row.delivered}
    waiting = [(message, stands) for stands in found if (message := _message(stands, rows, told)) is not None]
    waiting.sort(key=lambda each: (rows.get((each[1].finding.id, each[1].version), _Row()).tries, each[1].finding.time, each[1].finding.id))
    held = rows.get(_SINK, _Row())
    taken, failed, why, left = 0, 0, "", len(waiting)
    due = [held.next] if held.next > now else []
    for message, stands in waiting if not due else ():
        key = (stands.finding.id, stands.version)
        row = rows.get(key, _Row())
        if row.next > now:
            due.append(row.next)
            continue
        reply = sink.send(message, now)
        if reply.taken:
            _taken(inventory, sink.name, key, now)
            taken, failed, left, held = taken + 1, 0, left - 1, _Row()
            continue
        why = reply.why
        due.append(_failed(inventory, (sink.name, *key), row.tries, reply, now))
        if reply.message:
            held = _Row()
            continue
        failed += 1
        if failed >= _IN_A_ROW or reply.wait:
            due = [_failed(inventory, (sink.name, *_SINK), held.tries, reply, now)]
            break
    return Delivered(taken, left, why, min(due, default=0.0))


def wait_after(tries: int) -> float:
    """Seconds to wait after so many tries."""
    return float(min(FIRST_WAIT * 4 ** min(tries - 1, 20), LONGEST_WAIT))


def _rows(inventory: Inventory, sink: str) -> dict[tuple[str, str], _Row]:
    found = inventory.rows("SELECT finding, version, delivered, tries, next FROM deliveries WHERE sink=?", (sink,))
    return {(finding, version): _Row(*rest) for finding, version, *rest in found}


def _message(stands: Stands, rows: dict[tuple[str, str], _Row], told: Collection[str]) -> Message | None:
    uid = stands.finding.id
    if rows.get((uid, stands.version), _Row()).delivered:
        return None
    if stands.withdrawn and uid not in told:
        return None
    kind = "withdrawn" if stands.withdrawn else "changed" if uid in told else "opened"
    return Message(f"{uid}_{stands.version}", kind, stands.finding, stands.updated, stands.drill if stands.withdrawn else "")


def _taken(inventory: Inventory, sink: str, key: tuple[str, str], now: float) -> None:
    with inventory.step() as db:
        db.execute("DELETE FROM deliveries WHERE sink=? AND finding IN (?, '')", (sink, key[0]))
        db.execute("INSERT INTO deliveries VALUES (?,?,?,?,1,0,'')", (sink, *key, now))


def _failed(inventory: Inventory, key: tuple[str, str, str], before: int, reply: Reply, now: float) -> float:
    tries = before + 1
    following = now + max(wait_after(tries), min(reply.wait, LONGEST_ASKED))
    with inventory.step() as db:
        db.execute("INSERT OR REPLACE INTO deliveries VALUES (?,?,?,0,?,?,?)", (*key, tries, following, reply.why))
    return following
