"""What a test hands to a guard in place of the machine's clock, a person, and files of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from licet.approval import ApprovalRequest
from licet.guard import Guard
from licet.locks import Lock
from licet.manifest import load, loads
from licet.tokens import SigningKey

START = 1_795_300_000.0  # 2026-11-21T22:26:40Z


class FakeClock:
    """A clock that stands still until it is told to go. `now` and `monotonic` advance together."""

    def __init__(self, start: float = START) -> None:
        self._wall = start
        self._highest = start
        self._monotonic = 0.0
        self._lock = Lock()

    def now(self) -> float:
        """Seconds since the epoch; like the guard's own clock, it never goes back."""
        with self._lock:
            self._highest = max(self._highest, self._wall)
            return self._highest

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        with self._lock:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is negative; time passes in one direction (`step_wall` sets the wall clock).
        """
        if seconds < 0:
            raise ValueError("time does not pass backwards; step_wall(...) sets the wall clock back")
        with self._lock:
            self._wall += seconds
            self._monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does; no time passes."""
        with self._lock:
            self._highest = max(self._highest, self._wall)
            self._wall += seconds


class RecordingApprover:
    """Answers every question with `answer`, which may be anything; an exception is raised. `requests` keeps what was asked."""

    def __init__(self, answer: object, *, identity: tuple[str, str] = ("test", "answered by a test")) -> None:
        self.answer = answer
        self.identity = identity
        self.requests: list[ApprovalRequest] = []

    def __call__(self, request: ApprovalRequest, /) -> bool:
        """Record, and answer."""
        self.requests.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[return-value] # a test may hand in what is no bool, to see it refused


def ephemeral_key() -> SigningKey:
    """A signing key that is kept nowhere."""
    return SigningKey.generate()


def guard_for(manifest: str | Path, tmp_path: Path, **options: Any) -> Guard:
    """A guard with its state under `tmp_path`, an ephemeral key and a `FakeClock`, each unless `options` says otherwise.

    `manifest` is a path, or the text of a manifest (it has a line break).

    Raises:
        ManifestError: with every problem in the manifest.
    """
    clock = options.setdefault("clock", FakeClock())
    options.setdefault("key", ephemeral_key())
    options.setdefault("state", tmp_path / "licet-state")
    if isinstance(manifest, str) and "\n" in manifest:
        return Guard(loads(manifest, now=clock.now()), **options)
    return Guard(load(manifest, now=clock.now()), **options)
