"""What a drill is: records to let in, what was declared before, and what must come back.

A scenario is a function that draws one play. A play is data: who reads it can tell what is let in, and nothing of it says that it is a
drill. Beside the misuse it draws the benign twin, in which one factor is another: that one must stay silent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from licet.drill.work import Work

if TYPE_CHECKING:
    from licet.drill.stage import Stage

OWNER = "security-drill"
"""Who owns what drills act as."""

PROBE = "probe"
"""The `source` of a record that is none of a log: the outcome of a probe, as `licet credential probe` would find it."""

Declared = Mapping[str, Any]
"""An inventory, as `licet inventory import FILE.json` takes it: `identities`, `credentials`, `environments`, `edges`."""

NOTHING_DECLARED: Declared = {}


class Record(NamedTuple):
    """One record in the native form of its source, as its connector would hand it over.

    Attributes:
        source: the reader's name, as in `licet ingest NAME`.
        body: its bytes, one line, without the line's end.
        time: what it says of when it happened (seconds since the epoch).
        account: what `--account` says of it, where records do not say it themselves.
        live: it is a part of the misuse itself, and younger than the commitment; else it is what was before.
        refused: its reader is to refuse it.
        arrived: when it came in, of what was before, if it came in when it was written (seconds since the epoch); 0: now.
    """

    source: str
    body: bytes
    time: float
    account: str = ""
    live: bool = False
    arrived: float = 0.0
    refused: bool = False


class Play(NamedTuple):
    """One drill, or its twin, as it was drawn.

    Attributes:
        identity: the uid that a finding must name; empty where it is about a source.
        credential: the id, as logs show it, of the credential that it must name; empty for none.
        records: in the order in which they come in, which need not be that of their times.
        declared: what is said of the drill's identities, owners and environments.
        codes: what the finding must say, all of it; for a twin none.
        besides: what it may say too, since it is as true of what was done.
        shows: texts, drawn, that what was observed or expected must hold: the region, the network, the environment.
        cites: native ids of records that must be among its evidence.
        owner: who must be named as the one to call; empty: nobody, and so it must say.
        differs: of a twin, in a few words: the factor.
        signals: codes that it must have given as signals, where they alone are no finding.
        work: what an agent does in it through the guard.
    """

    identity: str
    credential: str
    records: tuple[Record, ...]
    declared: Declared = NOTHING_DECLARED
    codes: frozenset[str] = frozenset()
    besides: frozenset[str] = frozenset()
    shows: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    owner: str = OWNER
    differs: str = ""
    signals: frozenset[str] = frozenset()
    work: Work | None = None

    @property
    def asked(self) -> frozenset[str]:
        """All that must come back: reason codes of findings, and the guard's checks."""
        return self.codes | (self.work.checks if self.work is not None else frozenset())

    @property
    def misuse(self) -> bool:
        """Something must come back of it; else it is a twin."""
        return bool(self.asked)


Draw = Callable[["Stage", str, bool], Play]
"""Draws a play on a source (its name); True: the benign twin, which has the same draw but for one factor."""


class Scenario(NamedTuple):
    """One kind of misuse.

    Attributes:
        id: `D1`.
        name: as it is called on the command line.
        title: a few words.
        sources: the names of the sources on which it can be played.
        draw: makes a play.
        limit: within which the finding must be delivered, in seconds after the last record came in.
        references: identifiers of catalogues.
        apart: it is played in an inventory of its own, as what it is about is nobody's, and could not be told apart from what is real.
        after: the id of a scenario that must have been played before, on the same source: who acted in that acts in this.
    """

    id: str
    name: str
    title: str
    sources: tuple[str, ...]
    draw: Draw
    limit: float = 60.0
    references: tuple[str, ...] = ()
    apart: bool = False
    after: str = ""


def line(record: Mapping[str, Any]) -> bytes:
    """A record as a line of JSON, as platforms write it."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
