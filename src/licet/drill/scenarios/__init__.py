"""The scenarios, a small file for each family. `SCENARIOS` is what `licet drill run` plays, and what the scorecard counts."""

from __future__ import annotations

from typing import Final

from licet.drill.scenario import Scenario
from licet.drill.scenarios import apps, beyond, blind, copies, decoys, elsewhere, ended, forged, late, off_intent, people, reach, still

_FAMILIES: Final = (ended, elsewhere, reach, beyond, copies, apps, decoys, people, blind, late, forged, still, off_intent)


def _number(scenario: Scenario) -> tuple[int, str]:
    digits = "".join(each for each in scenario.id if each.isdigit())
    return int(digits), scenario.id


SCENARIOS: Final[tuple[Scenario, ...]] = tuple(sorted((each for family in _FAMILIES for each in family.SCENARIOS), key=_number))
"""In the order of their numbers."""
