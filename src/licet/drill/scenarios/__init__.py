"""The scenarios, a small file for each family. `SCENARIOS` is what `licet drill run` plays, and what the scorecard counts."""

from __future__ import annotations

from typing import Final

from licet.drill.scenario import Scenario
from licet.drill.scenarios import ended

SCENARIOS: Final[tuple[Scenario, ...]] = (*ended.SCENARIOS,)
"""In the order of their numbers."""
