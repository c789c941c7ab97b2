"""One recorded run as learning sees it: which tools, after which, with what from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from licet.canonical import Plain


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `before` is the tool that completed before it (`start`: none); `leaves`, by argument, the sources of each leaf; `ran`:
    whether the tool ran. `arguments` is None where they could not be taken in.
    """

    tool: str
    before: str
    arguments: Mapping[str, Plain] | None
    leaves: Mapping[str, tuple[frozenset[str], ...]]
    ran: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One session. `time` is in seconds since the epoch, None where it is not known; `doubts`: why it does not teach (empty: it does)."""

    id: str
    kind: str
    place: str
    steps: tuple[Step, ...]
    time: float | None
    model: str
    doubts: tuple[str, ...]
