"""Whether what was committed to is a play: drawn again from its seed it must be the same, byte for byte.

So nobody can call something else a drill, and not even who holds the drills' key: no seed draws what really happened. Another version of
Licet may draw otherwise; then nothing is said to have been a drill, and what is left stands as withdrawn.
"""

from __future__ import annotations

import random

from licet.drill.commitment import Announced, digests, events_of
from licet.drill.scenario import OWNER
from licet.drill.scenarios import SCENARIOS
from licet.drill.stage import Actor, Stage
from licet.drill.work import planned
from licet.errors import LicetError


def is_play(announced: Announced) -> bool:
    """Whether the seed draws these records, for this identity."""
    scenario = next((each for each in SCENARIOS if each.id == announced.scenario), None)
    if scenario is None or announced.source not in scenario.sources or announced.shadow:
        return False
    stage = Stage(random.Random(announced.seed), announced.begins)  # noqa: S311 - what was drawn is drawn again
    if scenario.after and not announced.twin:
        stage.actor = Actor(announced.identity, "", OWNER)
    try:
        play = scenario.draw(stage, announced.source, announced.twin)
    except (LicetError, ValueError, LookupError, OverflowError):  # a time or a name that nobody drew
        return False
    of = (*digests(play.records), *planned(play.work))
    return play.identity == announced.identity and events_of(of) == announced.events and len(of) == announced.number
