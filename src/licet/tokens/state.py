"""What tokens have in common across processes: which were used, and what was revoked. The store keeps it; a memory for one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from licet.locks import Lock
from licet.records import Finding, Mark, Revocation


class TokenState(Protocol):
    """What the verifier needs of a store. All failures are raised as `StoreError`, and mean that the token is refused."""

    def spend(self, jti: str, until: float, marks: Sequence[Mark], now: float) -> Revocation | bool:
        """Use a token up, in one atomic step: the `Revocation` of one of its marks, or False if it was used before, or True.

        `until`: when the token is dead, and may be forgotten (seconds since the epoch). What is revoked is not used up.
        """

    def revoke(self, revocation: Revocation) -> bool:
        """Put a mark on the deny list; False if it stood there already, and then the earlier entry stays, as long as the later of both."""

    def revoked(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        """The first of the marks that is on the deny list at `now`."""

    def add_finding(self, finding: Finding) -> None:
        """Keep a finding, once: one of the same id is kept already."""


class MemoryState:
    """A `TokenState` for one process that has no store: what is used or revoked here is not known elsewhere, nor after a restart."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._used: dict[str, float] = {}
        self._revoked: dict[Mark, Revocation] = {}
        self._lock = Lock()
        self._sweep = 0.0

    def spend(self, jti: str, until: float, marks: Sequence[Mark], now: float) -> Revocation | bool:
        """See `TokenState`."""
        with self._lock:
            found = self._find(marks, now)
            if found is not None:
                return found
            if now >= self._sweep:
                self._used = {used: dead for used, dead in self._used.items() if dead > now}
                self._sweep = now + 60
            if self._used.get(jti, float("-inf")) > now:
                return False
            self._used[jti] = until
            return True

    def revoke(self, revocation: Revocation) -> bool:
        """See `TokenState`."""
        with self._lock:
            return _keep(self._revoked, revocation)

    def revoked(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        """See `TokenState`."""
        with self._lock:
            return self._find(marks, now)

    def add_finding(self, finding: Finding) -> None:
        """See `TokenState`."""
        with self._lock:
            if finding.id not in {known.id for known in self.findings[-1_000:]}:
                self.findings.append(finding)

    def _find(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        found = (self._revoked.get(mark) for mark in marks)
        return next((entry for entry in found if entry is not None and entry.until > now), None)


def _keep(revoked: dict[Mark, Revocation], new: Revocation) -> bool:
    old = revoked.get(new.mark)
    if old is None or old.until <= new.time:
        revoked[new.mark] = new
        return True
    if new.until > old.until:
        revoked[new.mark] = Revocation(old.mark, old.time, new.until, old.reason, old.by)
    return False
