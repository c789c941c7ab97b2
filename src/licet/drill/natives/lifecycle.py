"""Lines of Licet's own lifecycle format (docs/credentials.md), as vaults and pipelines write them."""

from __future__ import annotations

from typing import Any

from licet.drill.scenario import Record, line
from licet.drill.stage import Stage, seconds


def told(stage: Stage, time: float, kind: str, *, live: bool = False, **said: Any) -> tuple[Record, str]:
    """What was told, and its id. `said`: further keys of the format; those that are empty are left out."""
    native = stage.uuid()
    body = {"id": native, "time": seconds(time), "kind": kind, **{key: value for key, value in said.items() if value not in ("", None)}}
    return Record("lifecycle", line(body), time, live=live), native
