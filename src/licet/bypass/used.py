"""Uses of credentials in logs of platforms, held against guarded calls of tools that have them. Pure.

One call can be many uses, so that nothing is paired here: a use is explained by a call that ran at its time, of a tool that
authenticates with its credential.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from licet.bypass.looks import Look
from licet.bypass.ran import short
from licet.clock import lasting
from licet.escape import counted
from licet.events import UseEvent

LATE: Final = 60.0
"""Seconds by which a platform's clock may differ from the guard's, and a tool may use its credential after its call."""
_OWN: Final = "licet"


class Direct(NamedTuple):
    """A use that no guarded call explains, and why it looks so."""

    use: UseEvent
    tools: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Used:
    """How many uses there were of what tools authenticate with, and which of them no call explains.

    `before`: those of before the guard's first call that is known, which are not compared.
    """

    uses: int
    direct: tuple[Direct, ...]
    before: int = 0

    @property
    def sentence(self) -> str:
        """In words."""
        if not self.uses:
            return "nothing to compare: no use of a credential that a tool has is there"
        verb = "is" if len(self.direct) == 1 else "are"
        return f"{len(self.direct):,} of {counted(self.uses, 'use')} of the tools' credentials {verb} behind no call that the guard saw"


def used(
    uses: Iterable[UseEvent], looks: Sequence[Look], credentials: Mapping[str, Sequence[str]], faces: Mapping[str, Sequence[str]], *,
    since: float, late: float = LATE,
) -> Used:  # fmt: skip
    """Hold uses against calls.

    Args:
        uses: of any source; the guard's own are passed over, as they are the other side.
        looks: what the guard saw.
        credentials: by fingerprint, the tools that authenticate with it.
        faces: by identity as logs name it, the tools that may act as it.
        since: when the guard's first call that is known began (seconds since the epoch); infinity: there is none.
        late: see `LATE`.
    """
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for look in sorted(looks, key=lambda each: each.started):
        if look.ran:
            spans[short(look.tool)].append((look.started, look.ended))
    number, before, direct = 0, 0, list[Direct]()
    reach = {tool: _Reach(each) for tool, each in spans.items()}
    for use in uses:
        tools = tuple(dict.fromkeys((*credentials.get(use.credential, ()), *faces.get(use.identity, ()))))
        if use.source == _OWN or not tools:
            continue
        if since != float("inf") and use.time < since - late:
            before += 1
            continue
        number += 1
        apart = min((reach[short(tool)].apart(use.time) for tool in tools if short(tool) in reach), default=float("inf"))
        if apart > late:
            direct.append(Direct(use, tools, _why(tools, apart)))
    return Used(number, tuple(direct), before)


def _why(tools: Sequence[str], apart: float) -> str:
    of = " or ".join(tools[:3])
    near = "the guard has no call of it" if apart == float("inf") else f"the nearest guarded call is {lasting(apart)} away"
    return f"used directly, without a call of {of}: {near}; rotate it if nobody of yours did this, and keep it where only the tool finds it"


class _Reach:
    """When calls of one tool ran, to be asked how far a time is from the nearest."""

    def __init__(self, times: list[tuple[float, float]]) -> None:
        self._starts = [start for start, _ in times]
        ends: list[float] = []
        for _, end in times:
            ends.append(max(end, ends[-1]) if ends else end)
        self._ends = ends

    def apart(self, time: float) -> float:
        at = bisect.bisect_right(self._starts, time)
        behind = max(0.0, time - self._ends[at - 1]) if at else float("inf")
        ahead = self._starts[at] - time if at < len(self._starts) else float("inf")
        return min(behind, ahead)
