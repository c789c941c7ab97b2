"""What the guard saw of calls: its store's records, its ledger's, and its own spans; each call once, the store's word before the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from licet.bypass.ran import Place, Process, process_of
from licet.records import CallRecord, TaskRecord
from licet.store import Store
from licet.telemetry import semconv
from licet.telemetry.conventions import ours
from licet.telemetry.otlp import BadSpan
from licet.telemetry.reader import ReadSpan
from licet.traces.gathering import Gathering

_PAGE: Final = 500  # tasks
_RECORDS: Final = ("call.intent", "call.denied", "call.asked")
_NOT_RUN: Final = frozenset({"denied", "asked"})

Witness = Literal["store", "ledger", "spans"]


@dataclass(frozen=True, slots=True)
class Look:
    """One look that the guard had at a call. A call that was suspended and taken up again has one for each of its spans.

    Attributes:
        id: the call's.
        place: its span; empty where there was none.
        args: the keyed digest of its arguments.
        ran: it was let run; what was denied, or waits for a person, was not.
        by: who remembers it.
    """

    id: str
    task: str
    agent: str
    tool: str
    call_id: str
    started: float
    ended: float
    place: Place
    args: str = ""
    jti: str = ""
    ran: bool = True
    denied: bool = False
    by: Witness = "store"
    process: Process | None = None

    @property
    def trace(self) -> str:
        """Its trace; empty where there was none."""
        return self.place[0]


def looks_of_store(store: Store, since: float, until: float) -> Iterator[Look]:
    """The calls of tasks that could have made one between two times (seconds since the epoch), and those outside any task.

    Raises:
        StoreError: the store cannot be read.
    """
    for call in store.calls(""):
        if call.started <= until and _end(call) >= since:
            yield _of_record(call, "", "store")
    last: TaskRecord | None = None
    while True:
        tasks = store.tasks_after(last, _PAGE)
        for task in tasks:
            if task.started <= until and task.started + task.ttl + task.paused >= since:
                for call in store.calls(task.id):
                    if call.started <= until and _end(call) >= since:
                        yield _of_record(call, task.agent, "store")
        if len(tasks) < _PAGE or tasks[-1].started > until:
            return
        last = tasks[-1]


class Told:
    """Takes spans, and keeps what our own tell, and what frameworks' spans say that we know."""

    def __init__(self) -> None:
        self._gathering = Gathering()
        self._places: dict[str, dict[Place, ReadSpan]] = {}

    def passing(self, items: Iterable[ReadSpan | BadSpan]) -> Iterator[ReadSpan | BadSpan]:
        """All of them, handed on: a source is read once."""
        for item in items:
            if isinstance(item, ReadSpan) and ours(item):
                self._gathering.add((item,))
                if item.attributes.get(semconv.OPERATION_NAME) != semconv.INVOKE_AGENT:
                    call = item.attributes.get(semconv.CALL_ID)
                    self._places.setdefault(call if isinstance(call, str) else "", {}).setdefault((item.trace_id, item.span_id), item)
            yield item

    def looks(self) -> list[Look]:
        """A look for each span of each call."""
        found = self._gathering.done()
        looks = []
        for kept in found.calls.values():
            task = found.tasks.get(kept.task_id)
            look = _of_record(kept, task.agent if task is not None else "", "spans")
            looks += [
                replace(look, place=place, process=process_of(span), started=span.start / 1e9, ended=span.end / 1e9)
                for place, span in self._places.get(kept.id, {}).items()
            ] or [look]
        return looks


def looks_of_spans(items: Iterable[ReadSpan | BadSpan]) -> list[Look]:
    """The calls of our own spans, and of frameworks' spans that say what we know."""
    told = Told()
    for _ in told.passing(items):
        pass
    return told.looks()


def looks_of_ledger(records: Iterable[bytes], since: float, until: float) -> Iterator[Look]:
    """The calls of a ledger's records; the store forgets by a purge, and the ledger does not. Nothing is verified here."""
    for raw in records:
        if not any(f'"{kind}"'.encode() in raw for kind in _RECORDS):
            continue
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError):  # what is no record says of no call: then it counts as not seen
            continue
        at = _seconds(record)
        if isinstance(record, dict) and record.get("kind") in _RECORDS and since <= at <= until:
            yield Look(
                _text(record, "call"), _text(record, "task"), _text(record, "agent"), _text(record, "tool"), _text(record, "call_id"),
                at, at, (_text(record, "trace_id"), _text(record, "span_id")), _text(record, "args"), _text(record, "jti"),
                record["kind"] == "call.intent", record["kind"] == "call.denied", "ledger",
            )  # fmt: skip


def together(*told: Iterable[Look]) -> list[Look]:
    """Each call once, by the first that tells of it, and a look for each further span of it; where it ran is the spans' word."""
    calls: dict[str, Look] = {}
    more: dict[tuple[str, Place], Look] = {}
    for looks in told:
        for look in looks:
            known = calls.get(look.id)
            if known is None:
                calls[look.id] = look
            elif known.place == look.place or not known.trace or not look.trace:
                place = known.place if known.trace else look.place
                calls[look.id] = replace(known, place=place, process=known.process or look.process, call_id=known.call_id or look.call_id)
            elif look.by == "spans":
                again = replace(known, place=look.place, process=look.process, started=look.started, ended=look.ended)
                more.setdefault((look.id, look.place), again)
    return sorted((*calls.values(), *more.values()), key=lambda look: (look.started, look.id, look.place))


def _of_record(call: CallRecord, agent: str, by: Witness) -> Look:
    return Look(
        call.id, call.task_id, agent, call.tool, call.call_id, call.started, _end(call), (call.trace_id, call.span_id), call.args_digest,
        call.jti, call.status not in _NOT_RUN, call.decision.outcome == "deny", by,
    )  # fmt: skip


def _end(call: CallRecord) -> float:
    return max(call.started, call.ended if call.ended is not None else call.started)


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _seconds(record: Any) -> float:
    try:
        return datetime.fromisoformat(_text(record, "time")).timestamp() if isinstance(record, dict) else 0.0
    except (ValueError, OverflowError):
        return 0.0
