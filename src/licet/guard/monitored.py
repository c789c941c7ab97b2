"""Whether the monitoring is proved to see, where the manifest wants to know: a small file of the state folder, under the drills' key.

Whoever plays drills writes it after each of them; nobody else can. It is read at most once a second. What is missing, old, or not under a
key that the ledger enrols proves nothing, and the guard fails closed.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Final, NamedTuple

from licet.canonical import Plain
from licet.clock import Clock, lasting
from licet.errors import LedgerError, StateError
from licet.guard.state import LEDGER
from licet.ledger import LedgerFiles
from licet.ledger.enrolled import enrolled, signed_by
from licet.locks import Lock
from licet.machine import open_own
from licet.manifest import Manifest

FILE: Final = "monitoring.json"
LONGEST: Final = 4_096
"""Bytes that it has at most."""

_EVERY: Final = 1.0  # seconds between two looks at the file
_SCAN: Final = 60.0  # seconds between two looks for new keys in the ledger
_AHEAD: Final = 60.0  # seconds by which two clocks may differ


class Proof(NamedTuple):
    """What drills prove.

    Attributes:
        time: when that was known (seconds since the epoch).
        well: until when all was well; not the same where something is blind.
        key: the name of the drills' key.
    """

    time: float
    well: float
    key: str
    signature: str = ""

    def said(self) -> Plain:
        """What is signed."""
        return {"monitoring": 1, "time": self.time, "well": self.well, "key": self.key}

    def text(self) -> bytes:
        """As the file has it."""
        return json.dumps(self._asdict()).encode()


class Monitored:
    """The monitoring of one state folder, as the guard knows it.

    Args:
        after: for how many seconds it may be blind.
    """

    def __init__(self, folder: Path, after: float, clock: Clock) -> None:
        self._file, self._files, self._after, self._clock = folder / FILE, LedgerFiles(folder / LEDGER), after, clock
        self._lock = Lock()
        self._looked = self._scanned = float("-inf")
        self._publics: dict[str, bytes] = {}
        self._found: Proof | None = None
        self._why = ""

    @classmethod
    def of(cls, manifest: Manifest, folder: Path, clock: Clock) -> Monitored | None:
        """What looks after it, if the manifest asks for that."""
        if manifest.monitoring is None:
            return None
        return cls(folder, manifest.monitoring.fail_closed_after.total_seconds(), clock)

    def blind(self, now: float) -> str:
        """Why nobody would see what a call does, for longer than is allowed; empty: they would, or it is not so long yet."""
        with self._lock:
            if not 0 <= self._clock.monotonic() - self._looked < _EVERY:
                self._looked = self._clock.monotonic()
                self._found, self._why = self._look()
            found, why = self._found, self._why
        if found is None:
            return f"nobody can tell whether the monitoring works: {why}"
        if found.well > now + _AHEAD:
            return "nobody can tell whether the monitoring works: it was proved at a time that is still to come"
        blind = now - found.well
        return f"the monitoring has been blind for {lasting(blind)}" if blind > self._after else ""

    def _look(self) -> tuple[Proof | None, str]:
        try:
            with os.fdopen(open_own(self._file, os.O_RDONLY, StateError), "rb") as file:
                found = proof_of(file.read(LONGEST))
        except (StateError, OSError):
            return None, f"{FILE} {'cannot be read' if os.path.lexists(self._file) else 'is missing'}"
        if found is None:
            return None, f"{FILE} is not what drills write"
        public = self._public(found.key)
        if public is None or not signed_by(public, found.said(), found.signature):
            return None, f"{FILE} is not under the drills' key"
        return found, ""

    def _public(self, name: str) -> bytes | None:
        if name not in self._publics and not 0 <= self._clock.monotonic() - self._scanned < _SCAN:
            self._scanned = self._clock.monotonic()
            try:
                self._publics = enrolled(self._files)
            except LedgerError:
                self._publics = {}
        return self._publics.get(name)


def proof_of(text: bytes) -> Proof | None:
    """What a file says, whoever wrote it: its signature is to be looked at. None: it is not what drills write."""
    try:
        read = json.loads(text)
        found = Proof(float(read["time"]), float(read["well"]), str(read["key"]), str(read["signature"]))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return found if math.isfinite(found.time) and math.isfinite(found.well) else None
