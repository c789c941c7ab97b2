"""The detectors: one small file each. `DETECTORS` is what `licet monitor` runs; a drill goes through it."""

from __future__ import annotations

from typing import Final

from licet.monitor.detector import Detector
from licet.monitor.detectors.crossing import Crossing
from licet.monitor.detectors.dormant import Dormant
from licet.monitor.detectors.ends import Ends
from licet.monitor.detectors.generations import Generations

DETECTORS: Final[tuple[Detector, ...]] = (Ends(), Dormant(), Crossing(), Generations())
"""In the order in which they see an event."""
