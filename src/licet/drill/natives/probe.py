"""A probe of an ended credential: what the system that it is shown to accepts. It is no record of a log, and `Pipeline.enter` runs it."""

from __future__ import annotations

from licet.drill.scenario import PROBE, Record, line


def tried(time: float, credential: str, secret: str, accepted: str) -> Record:
    """The secret of an ended version is shown to a system that lets in who shows `accepted`. Both are drawn, and open nothing."""
    return Record(PROBE, line({"credential": credential, "secret": secret, "accepted": accepted}), time, live=True)
