"""The hook for systems that issue credentials: one call for each thing that happens to one.

    from licet.ingest.hook import record

    record(None, {"id": lease, "time": "2026-03-01T12:00:00Z", "kind": "revoked", "credential": lease, "reason": "leaked"})

The same as a line of the lifecycle format through `licet ingest lifecycle -`, for programs in Python. Telling the same twice changes
nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from licet.clock import Clock, SystemClock
from licet.errors import UsageError
from licet.guard.state import open_state, secret
from licet.ingest.intake import STDIN, Intake
from licet.ingest.lifecycle import SOURCE
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.step import Kept
from licet.inventory.store import FILE, Inventory


def record(state: str | Path | None, *events: Mapping[str, Any], clock: Clock | None = None) -> Kept:
    """Write lifecycle events into the inventory of a state folder, all or none; how many are new, and how many stood there.

    Args:
        state: the state folder, created if it is missing; None: as every command finds it (`LICET_STATE`).
        events: objects of the lifecycle format (docs/credentials.md). Ids are fingerprinted, and kept nowhere else.
        clock: events of its future are refused.

    Raises:
        UsageError: an event is refused; with the key, and why. Nothing was written.
        StateError: the folder or the inventory cannot be used.
    """
    folder = open_state(state)
    try:
        lines = b"".join(json.dumps(dict(event), ensure_ascii=True, allow_nan=False).encode() + b"\n" for event in events)
    except (TypeError, ValueError) as error:
        raise UsageError(f"an event is no JSON: {error}; it is an object of texts and numbers, as docs/credentials.md has it") from error
    with closing(Inventory(folder.path / FILE)) as inventory, tempfile.TemporaryFile() as file:
        file.write(lines)
        file.seek(0)
        intake = Intake(inventory, SOURCE, Fingerprints(secret(folder)).of, clock=clock or SystemClock(), batch=len(events) + 1)
        intake.take(STDIN, cast("BufferedReader", file))
        for cause, (_, first) in intake.report.refused.items():
            raise UsageError(f"event {first.rpartition(':')[2]}: {cause}; nothing was written")
        return intake.finish().kept
