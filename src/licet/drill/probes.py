"""Probes of a drill: the very ones of `licet credential probe`, of a system that lies in a folder of its own and opens nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from licet.drill.scenario import Record
from licet.inventory.probing import Tried, keep
from licet.inventory.store import Inventory
from licet.manifest.watched import Probe

Try = Callable[[Probe, str, Path], Tried]
"""As `licet.inventory.probing.tried`."""

_ACCEPTED: Final = "accepted"
_COMMAND: Final = ("/bin/sh", "-c", f'IFS= read -r shown && IFS= read -r good < {_ACCEPTED} && [ "$shown" = "$good" ]')
"""A system that lets in who shows what stands in the file: 0, else 1."""


def probed(inventory: Inventory, record: Record, fingerprint: Callable[[str], str], now: float, *, tried: Try) -> None:
    """Run a play's probe, and keep what came of it.

    Args:
        record: as `licet.drill.natives.probe` makes it.
        now: when it is kept (seconds since the epoch).

    Raises:
        StoreError: it was not kept.
    """
    said = json.loads(record.body)
    # What is tried is none of a manifest: the words stand above, and the secret is handed over by itself.
    probe = Probe.model_construct(command=_COMMAND, secret=None, versions={}, refused=(1,), timeout=Probe.model_fields["timeout"].default)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / _ACCEPTED).write_text(f"{said['accepted']}\n", encoding="utf-8")
        result = tried(probe, said["secret"], Path(folder))
    keep(inventory, fingerprint(said["credential"]), probe, result, now)
