"""What the manifest says of the monitoring: for how long tools that write or leave may run while nobody sees what they do."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from licet.manifest.words import Closed, Duration

SHORTEST = timedelta(minutes=20)
"""A drill comes within a quarter of an hour, and takes some seconds: sooner nobody can know."""


def _long_enough(value: timedelta) -> timedelta:
    if value < SHORTEST:
        raise ValueError("at least 20m: drills are up to a quarter of an hour apart, and sooner nobody can know")
    return value


class Monitoring(Closed):
    """The monitoring. `fail_closed_after`: for so long it may be blind; after that, tools that write or leave our control are denied."""

    fail_closed_after: Annotated[Duration, AfterValidator(_long_enough)]
