"""`token: task`: one signature for many calls. Each call is proved by a MAC over what it is, with a key that never leaves this process."""

from __future__ import annotations

import hmac
import threading
from dataclasses import dataclass, field

from licet.errors import TokenRefused


@dataclass(slots=True)
class Binding:
    """One task's signed binding to one tool's audience. `exp` is in seconds since the epoch; the token is good nowhere else."""

    jwt: str = field(repr=False)
    jti: str
    exp: int
    _key: bytes = field(repr=False)
    _used: set[int] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def prove(self, step: int, tool: str, args_digest: str) -> str:
        """The MAC of one call: HMAC-SHA-256 (RFC 2104), as hex digits, over its number in the task, its tool and its arguments' digest."""
        return hmac.digest(self._key, f"{step}\0{tool}\0{args_digest}".encode(), "sha256").hex()

    def check(self, mac: str, step: int, tool: str, args_digest: str, now: float) -> None:
        """Whether a MAC is of this call, and of one that was not checked before.

        Raises:
            TokenRefused: `token.time`, `token.binding` or `token.replay`.
        """
        if now >= self.exp:
            raise TokenRefused("token.time", "the task's binding is over")
        if not hmac.compare_digest(mac, self.prove(step, tool, args_digest)):
            raise TokenRefused("token.binding", "the proof is of another call")
        with self._lock:
            if step in self._used:
                raise TokenRefused("token.replay", "the call of this number was proved before")
            self._used.add(step)
