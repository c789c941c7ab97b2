"""From signals to findings: one finding for one chain of events, with its reasons in their order.

Signals that alert begin a finding; what follows of the same identity within a day of it belongs to the same one. Signals that have only
points become a finding when enough of them, of different kinds, come together (risk-based alerting as Splunk and Elastic do it): points
halve with time, the same thing twice counts once, and one kind has a bound: much of the same is no more than one kind of reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import NamedTuple

from licet.monitor.codes import CODES
from licet.monitor.signal import Cited, Signal
from licet.monitor.world import DAY, World
from licet.records import Because, Evidence, Explanation, Finding, Severity

CHAIN = DAY
"""Within how many seconds of the one before, an alert continues a finding."""
MOST_OF_ONE = 60.0
"""Points that one kind of signal has at most, so that two kinds and more make a finding."""
_SEVERAL = 2  # peers
LEARNED = ("NEW_NETWORK", "NEW_REGION", "NEW_AGENT", "NEW_API", "NEW_TOOL")
"""Codes of what is new to an identity, and less so if its peers have it."""
_ORDER: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")
_MOST_CITED = 200  # events that one finding names; the first of each reason come first


class Seen(NamedTuple):
    """A signal, when it was seen last, and how often: the same thing again is no other signal."""

    signal: Signal
    last: float
    number: int = 1


def findings_of(identity: str, seen: Iterable[Seen], world: World) -> list[Finding]:
    """The findings of one identity, oldest first. The same signals give the same findings, in whatever order they come."""
    return [finding for finding, _ in grouped(identity, seen, world)]


def grouped(identity: str, seen: Iterable[Seen], world: World) -> list[tuple[Finding, list[Signal]]]:
    """As `findings_of`, each with the signals that it is made of."""
    ordered = sorted(seen, key=lambda each: (each.signal.time, each.signal.code, each.signal.credential, each.signal.value, each.signal.id))
    chains = list(_chains([each for each in ordered if each.signal.alert]))
    weak = [each for each in ordered if not each.signal.alert]
    spans = [(chain[0].signal.time - CHAIN, max(each.last for each in chain) + CHAIN) for chain in chains]
    loose = [each for each in weak if not any(first <= each.signal.time <= last for first, last in spans)]
    heaps = [(chain, 0.0) for chain in chains] + list(_heaps(loose, world))
    found = [(_finding(identity, heap, points, world), [each.signal for each in heap]) for heap, points in heaps]
    return sorted(found, key=lambda each: (each[0].time, each[0].id))


def finding_of(identity: str, seen: Seen, world: World) -> Finding:
    """One signal told as if it were a finding, for those that are told of how an identity stands."""
    return _finding(identity, [seen], 0.0, world)


def _chains(alerts: Sequence[Seen]) -> Iterator[list[Seen]]:
    chain: list[Seen] = []
    for each in alerts:
        if chain and each.signal.time - chain[-1].signal.time > CHAIN:
            yield chain
            chain = []
        chain.append(each)
    if chain:
        yield chain


def _heaps(weak: Sequence[Seen], world: World) -> Iterator[tuple[list[Seen], float]]:
    """Where points of enough kinds come together: from the first that counts, and on while they last."""
    settings = world.settings
    heap: list[Seen] = []
    reached = 0.0
    for each in weak:
        alive = [other for other in heap if each.signal.time - other.signal.time <= 3 * settings.half_life]
        if reached and len(alive) < len(heap):
            yield heap, reached
            heap, reached = [], 0.0
        elif not reached:
            heap = alive
        heap.append(each)
        kinds = _points(heap, each.signal.time, settings.half_life)
        points = sum(kinds.values())
        if points > settings.points and len(kinds) >= settings.kinds:
            # Only now peers are asked, as it is seldom that it matters.
            points = sum(_points(heap, each.signal.time, settings.half_life, world).values())
        if points > settings.points and len(kinds) >= settings.kinds:
            reached = max(reached, points)
    if reached:
        yield heap, reached


def _points(heap: Iterable[Seen], now: float, half_life: float, world: World | None = None) -> dict[str, float]:
    """What is left of them at this time, by kind; what two peers have too counts a quarter, if a world is there to ask."""
    kinds: dict[str, float] = {}
    for each in heap:
        code, points = each.signal.code, each.signal.points * 0.5 ** ((now - each.signal.time) / half_life)
        if world is not None and each.signal.code in LEARNED:
            had = world.peers_with(each.signal.identity, each.signal.code, each.signal.value, each.signal.time)
            points *= 0.25 if had >= _SEVERAL else 1.0
        if points > 0:
            kinds[code] = min(MOST_OF_ONE, kinds.get(code, 0.0) + points)
    return kinds


def _finding(identity: str, chain: Sequence[Seen], points: float, world: World) -> Finding:
    signals = [each.signal for each in chain]
    leading = max(signals, key=lambda each: (_ORDER.index(each.severity), -each.time))
    credentials = tuple(dict.fromkeys(each.credential for each in signals if each.credential))
    # What is told of a credential that is nobody's, is told to who answers for that.
    owner = next((known for uid in ((identity,) if identity else credentials) if (known := world.owner(uid)) is not None), None)
    because = tuple(
        Because(of.code, of.observed, of.expected, of.basis, of.time, of.since, of.sample, each.last, each.number, of.about)
        for each in chain
        for of in (each.signal,)
    )
    reasons, more = len({each.code for each in signals}), len(signals) - 1
    also = f" ({reasons} reasons)" if reasons > 1 else f" (and {more:,} more alike)" if more else ""
    sentence = f"{leading.observed}{also}"
    references = tuple(dict.fromkeys(reference for each in signals for reference in CODES[each.code].references))
    explanation = Explanation(
        identity, credentials, because, _evidence(signals),
        tuple(dict.fromkeys(said for each in signals for said in each.counter)),
        tuple(dict.fromkeys(each.action or CODES[each.code].action for each in signals)), _confidence(signals, points, world), points,
    )  # fmt: skip
    severity = leading.severity if not points else _by_points(points, world)
    return Finding(
        finding_id(identity, signals[0]), signals[0].time, f"monitor.{leading.code.lower().replace('_', '-')}", severity, sentence,
        owner=owner[0].uid if owner else "", references=references, explanation=explanation,
    )  # fmt: skip


def _evidence(signals: Sequence[Signal]) -> tuple[Evidence, ...]:
    cited: dict[tuple[str, str], Cited] = {}
    for row in zip_longest(*(each.evidence for each in signals)):  # the first of each, then the second of each
        cited |= {(each.uid, each.role): each for each in row if each is not None}
    ordered = sorted(list(cited.values())[:_MOST_CITED], key=lambda each: (each.time, each.uid, each.role))
    return tuple(Evidence(each.uid, each.role, each.identity, each.time, body=each.body) for each in ordered)


def _confidence(signals: Sequence[Signal], points: float, world: World) -> float:
    """Facts of lifecycle and declaration are sure; what was learned is as sure as there are points, never quite."""
    if any(each.alert and each.basis in ("lifecycle", "declared") for each in signals):
        return 1.0
    return 0.8 if not points else min(0.9, 0.4 + 0.1 * points / world.settings.points)


def _by_points(points: float, world: World) -> Severity:
    for factor, severity in ((2.0, "critical"), (1.5, "high")):
        if points > factor * world.settings.points:
            return severity  # type: ignore[return-value]
    return "medium"


def finding_id(identity: str, first: Signal) -> str:
    """Derived from what the finding begins with, so that it is the same however often and in whatever order events are judged."""
    said = json.dumps([identity, first.code, first.credential, first.value, first.time])
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def signal_id(signal: Signal) -> str:
    """The id of a signal: what it is about."""
    said = json.dumps([signal.identity, signal.code, signal.credential, signal.value])
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def merged(signals: Iterable[Signal]) -> list[Seen]:
    """The same thing seen again is one signal: the first, with the time of the last and their number."""
    ordered = sorted(signals, key=lambda each: (signal_id(each), each.time))
    out: list[Seen] = []
    for _, same in groupby(ordered, key=signal_id):
        every = list(same)
        out.append(Seen(every[0], every[-1].time, len(every)))
    return out
