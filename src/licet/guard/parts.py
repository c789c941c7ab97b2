"""What the rooms of the guard work with, put together once."""

from __future__ import annotations

from dataclasses import dataclass

from licet.clock import Clock
from licet.guard.contents import Contents
from licet.guard.learned import Learned
from licet.guard.minter import Minter
from licet.guard.monitored import Monitored
from licet.guard.origins import Origins
from licet.guard.own_files import OwnFiles
from licet.guard.recorder import Recorder
from licet.guard.tasks import Tasks
from licet.manifest import Manifest
from licet.pseudonym import Pseudonyms
from licet.scope import CompiledManifest
from licet.store import JudgingStore, Store
from licet.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Ground:
    """What judging needs: all of it can be had without a disk."""

    manifest: Manifest
    compiled: CompiledManifest
    learned: Learned
    store: JudgingStore
    clock: Clock
    own_files: OwnFiles | None
    origins: Origins
    pseudonyms: Pseudonyms
    approval_seconds: float
    monitored: Monitored | None


@dataclass(frozen=True, slots=True)
class Parts(Ground):
    """And what permitting and recording need beside it."""

    store: Store
    recorder: Recorder
    telemetry: Telemetry
    minter: Minter
    tasks: Tasks
    contents: Contents
