"""What a drill goes through and is written down in, and a drill as it was drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, NamedTuple

from licet.clock import Clock
from licet.drill.book import Book
from licet.drill.commitment import Announced
from licet.drill.guarded import OWN, Acted
from licet.drill.hops import Sent
from licet.drill.involved import Involved
from licet.drill.keys import DrillKey
from licet.drill.pipeline import Pipeline
from licet.drill.scenario import PROBE, Play, Scenario
from licet.drill.stage import Actor
from licet.ledger import Ledger
from licet.monitor.deliveries import Sink

SOMEBODY: Final[Mapping[str, list[dict[str, str]]]] = {"owners": [{"owner": "somebody", "name": "Somebody", "contact": "", "kind": "team"}]}
"""What is declared where a play declares nothing."""


class Choice(NamedTuple):
    """A scenario on one of its sources."""

    scenario: Scenario
    source: str


class Live(NamedTuple):
    """What a drill goes through, and what it is written down in.

    Attributes:
        pipeline: over the live inventory.
        sinks: by name, where findings go.
        actors: real identities as which shadows act, by the source on which they act.
        alone: the inventory has nothing but one drill, to which all that is found belongs.
        shadows: each misuse is judged as somebody else too.
        explains: explanations are held against what they cite.
        waits: for how many seconds those have who judge and deliver all the time; 0: the drill does it itself, by the same parts.
        at_work: while this is open nobody else judges.
    """

    pipeline: Pipeline
    sinks: Mapping[str, Sink]
    ledger: Ledger
    key: DrillKey
    book: Book
    clock: Clock
    actors: Mapping[str, Sequence[Actor]] = {}
    alone: bool = False
    shadows: bool = True
    explains: bool = True
    waits: float = 0.0
    at_work: Callable[[], AbstractContextManager[object]] = nullcontext


class Drill(NamedTuple):
    """One that was drawn. `play`: its credential is a fingerprint."""

    choice: Choice
    play: Play
    whom: Involved
    announced: Announced
    records: tuple[str, ...]  # digests
    acted: Acted | None = None

    @property
    def digests(self) -> set[str]:
        """Of all that came of it."""
        return {*self.records, *(self.acted.digests if self.acted is not None else ())}

    @property
    def names(self) -> set[str]:
        """Under which its records lie."""
        return {*self.whom.identities, *(uid for uid, *_ in self.whom.shared)}

    @property
    def sent(self) -> list[Sent]:
        """By source, what is let in. A probe is no record of a source."""
        found: dict[str, Sent] = {}
        for record, uid in zip(self.play.records, self.records, strict=False):  # behind those, calls
            if record.source != PROBE and not record.refused:
                sent = found.setdefault(record.source, Sent(record.source, [], set()))
                sent.digests.append(uid)
                sent.live.update({uid} if record.live else ())
        own = self.acted.digests if self.acted is not None else ()
        return [*found.values(), *([Sent(OWN.removeprefix("reader "), list(own), set(own))] if own else [])]
