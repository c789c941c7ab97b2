"""What the rooms of the guard work with, put together once."""

from __future__ import annotations

from dataclasses import dataclass

from licet.clock import Clock
from licet.guard.contents import Contents
from licet.guard.minter import Minter
from licet.guard.origins import Origins
from licet.guard.own_files import OwnFiles
from licet.guard.recorder import Recorder
from licet.guard.tasks import Tasks
from licet.manifest import Manifest
from licet.pseudonym import Pseudonyms
from licet.scope import CompiledManifest
from licet.store import Store
from licet.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything below the guard that judging, permitting and recording need."""

    manifest: Manifest
    compiled: CompiledManifest
    store: Store
    recorder: Recorder
    telemetry: Telemetry
    minter: Minter
    clock: Clock
    tasks: Tasks
    own_files: OwnFiles
    origins: Origins
    pseudonyms: Pseudonyms
    contents: Contents
    approval_seconds: float
