"""The detectors: one small file each. `DETECTORS` is what `licet monitor` runs; a drill goes through it."""

from __future__ import annotations

from typing import Final

from licet.monitor.detector import Detector
from licet.monitor.detectors.anonymous import Anonymous
from licet.monitor.detectors.apps import Apps
from licet.monitor.detectors.canary import Canary
from licet.monitor.detectors.crossing import Crossing
from licet.monitor.detectors.dormant import Dormant
from licet.monitor.detectors.ends import Ends
from licet.monitor.detectors.escalation import Escalation
from licet.monitor.detectors.generations import Generations
from licet.monitor.detectors.holders import Holders, Sharing
from licet.monitor.detectors.human import Human
from licet.monitor.detectors.logging import Logging
from licet.monitor.detectors.novelty import Novelty
from licet.monitor.detectors.purpose import Purpose
from licet.monitor.detectors.rate import Rate
from licet.monitor.detectors.sensitive import Sensitive
from licet.monitor.detectors.unowned import Unowned

DETECTORS: Final[tuple[Detector, ...]] = (
    Ends(), Generations(), Canary(), Anonymous(), Logging(), Crossing(), Purpose(), Human(), Holders(), Sharing(), Escalation(), Apps(),
    Dormant(), Unowned(), Sensitive(), Novelty(), Rate(),
)  # fmt: skip
"""In the order in which they see an event."""
