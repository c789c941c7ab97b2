"""`token: task`: one signature for many calls. Each call is proved by a MAC over what it is, with a key that never leaves this process."""

from __future__ import annotations

import hmac
import os
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
    process: int = field(default_factory=os.getpid)
    _proved: set[int] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def prove(self, step: int, tool: str, args_digest: str) -> str:
        """The MAC of one call: HMAC-SHA-256 (RFC 2104), as hex digits, over its number in the task, its tool and its arguments' digest.

        It is good for one `check`. A call that was suspended and goes on keeps its number, and is proved anew.
        """
        with self._lock:
            self._proved.add(step)
        return self._mac(step, tool, args_digest)

    def check(self, mac: str, step: int, tool: str, args_digest: str, now: float) -> None:
        """Whether a MAC is of this call, and was not checked since the call was proved.

        Raises:
            TokenRefused: `token.time`, `token.binding` or `token.replay`.
        """
        if self.process != os.getpid():  # a fork has a copy of the key, and does not see what was checked here
            raise TokenRefused("token.binding", "the task's binding was made in another process")
        if now >= self.exp:
            raise TokenRefused("token.time", "the task's binding is over")
        if not hmac.compare_digest(mac.encode(), self._mac(step, tool, args_digest).encode()):
            raise TokenRefused("token.binding", "the proof is of another call")
        with self._lock:
            if step not in self._proved:
                raise TokenRefused("token.replay", "the proof of this call was used before")
            self._proved.remove(step)

    def _mac(self, step: int, tool: str, args_digest: str) -> str:
        return hmac.digest(self._key, f"{step}\0{tool}\0{args_digest}".encode(), "sha256").hex()
