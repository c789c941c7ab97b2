"""Whether a signal's explanation holds: without what it cites it is gone, and with nothing else it is there.

What it cites are events, and what was learned by then; what was declared stays in both. An explanation that names too little fails the
second, one that names what does not matter fails the first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from licet.inventory.store import Inventory
from licet.monitor.baseline import ROLE as BASELINE
from licet.monitor.baseline import bodies_of
from licet.monitor.detector import Detector
from licet.monitor.detectors import DETECTORS
from licet.monitor.fold import Item, ended, fold
from licet.monitor.history import history
from licet.monitor.known import Known
from licet.monitor.signal import Cited, Signal
from licet.monitor.world import Settings, World

DECLARED = "declared"
"""The source of lifecycle events that somebody declared: they stay."""


class Held(NamedTuple):
    """Whether it is gone without what it cites, and each kind of what it cites is needed; and whether it is there with that alone."""

    ablation: bool
    sufficiency: bool


def holds(signal: Signal, inventory: Inventory, settings: Settings, now: float, detectors: Sequence[Detector] = DETECTORS) -> Held:
    """Fold the identity's events again, without what the signal cites, and with nothing else.

    Where the same happened again in other events, it may be said again of those: then it begins at another time, and is another finding.
    Signals over several identities or sources (`licet.monitor.shared`, `licet.monitor.silence`) are made by no fold, and do not hold here.

    Args:
        signal: of one identity.
        inventory: that has the events.
        settings, now, detectors: as it was judged with.
    """
    world = Known(inventory, settings, now)
    own = [each for each in detectors if signal.code in each.codes]

    def items() -> Iterable[Item]:
        return history(inventory, signal.identity, -math.inf)

    return held(signal, items(), items(), world, own)


def held(signal: Signal, once: Iterable[Item], again: Iterable[Item], world: World, detectors: Sequence[Detector]) -> Held:
    """As `holds`, over events in the order of time and uid, which are gone through twice."""
    cited = {each.uid for each in signal.evidence if each.role != BASELINE}
    learned = [each for each in signal.evidence if each.role == BASELINE]
    without = _found(signal, (item for item in once if item.uid not in cited), world, detectors)
    only = [item for item in again if item.uid in cited or item.source == DECLARED]
    with_alone = _found(signal, only, world, detectors, learned)
    gone = without is None or (without.time != signal.time and not cited & {each.uid for each in without.evidence})
    return Held(gone and _each_needed(signal, only, world, detectors, learned), with_alone is not None and with_alone.time == signal.time)


def _each_needed(
    signal: Signal, only: Sequence[Item], world: World, detectors: Sequence[Detector], learned: Sequence[Cited]
) -> bool:  # fmt: skip
    """Whether it is gone as soon as all events of one role are taken out of what it cites."""
    for role in dict.fromkeys(each.role for each in signal.evidence):
        out: Collection[str] = {each.uid for each in signal.evidence if each.role == role}
        still = () if role == BASELINE else learned
        if _found(signal, (item for item in only if item.uid not in out), world, detectors, still) is not None:
            return False
    return True


def _found(
    signal: Signal, items: Iterable[Item], world: World, detectors: Sequence[Detector], baselines: Sequence[Cited] = ()
) -> Signal | None:  # fmt: skip
    learned = {each.name: each.recall(found) for each in detectors if (found := bodies_of(each.name, baselines))}
    folded = fold(detectors, items, world, signal.identity, learned=learned)
    told = (*folded.signals, *ended(detectors, folded.state, signal.identity, world))
    # What alerted and has only points now is not the same any more.
    return next((each for each in told if each.id == signal.id and each.alert == signal.alert), None)
