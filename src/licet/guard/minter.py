"""What an allowed call is given to show: a token of its own, or, of a task's one token, a proof."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from licet.clock import Clock
from licet.errors import UsageError
from licet.guard.task import GuardedTask
from licet.locks import Lock
from licet.manifest import Manifest, Tool
from licet.pseudonym import Pseudonyms
from licet.records import Decision
from licet.tokens import CALL_TYPE, CallToken, Issuer, Minting, Signer, SigningKey, prove
from licet.tokens.binding import Binding
from licet.tokens.claims import Envelope

RENEW_SECONDS = 60.0  # a task's token is made anew when it has less than a call token's life before it


def binding_of(tool: Tool) -> Literal["call", "task"]:
    """How calls of a tool are proved: as it says, else `task` for a read tool that nobody outside this process checks (design § 6)."""
    return tool.token or ("task" if tool.access == "read" and tool.audience is None else "call")


def audience_of(name: str, tool: Tool) -> str:
    """The `aud` of a tool's tokens."""
    return tool.audience or f"urn:licet:tool:{name}"


def tool_scope(tools: Iterable[str]) -> str:
    """The `scope` claim that names tools (RFC 8693 section 4.2)."""
    return " ".join(f"tool:{name}" for name in sorted(tools))


@dataclass(frozen=True, slots=True)
class Minted:
    """A call token, or a task's binding with the MAC of this call; and what proves to the far side who holds the token."""

    jti: str
    exp: int
    token: CallToken | None = None
    envelope: Envelope = CALL_TYPE
    audience: str = ""
    binding: Binding | None = field(default=None, repr=False)
    mac: str = ""
    holder: Signer | None = field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """What to send the token in: envelope (a) has a header of its own, and (b) is an access token (RFC 9449 section 7.1)."""
        if self.token is None:
            return {}
        if self.envelope == CALL_TYPE:
            return {"Licet-Call-Token": self.token.jwt}
        return {"Authorization": f"{'DPoP' if self.holder else 'Bearer'} {self.token.jwt}"}

    def proof(self, method: str, url: str, now: float) -> str:
        """The DPoP proof for one request; empty where the token is bound to no key."""
        return prove(self.holder, method, url, token=self.token.jwt, now=now) if self.token and self.holder else ""


class Minter:
    """Mints for one guard. The holder's key is made in this process, and dies with it."""

    def __init__(self, manifest: Manifest, issuer: Issuer, clock: Clock, pseudonyms: Pseudonyms) -> None:
        self._manifest, self._issuer, self._clock, self._pseudonyms = manifest, issuer, clock, pseudonyms
        self._holder: Signer = SigningKey.generate("ES256")
        self._process = os.getpid()
        self._bindings: dict[tuple[str, str], Binding] = {}
        self._lock = Lock()

    @property
    def holder(self) -> Signer:
        """The key to which this process's tokens are bound: a fork makes one of its own, and cannot prove what its parent was given."""
        if self._process != os.getpid():
            self._holder, self._process = SigningKey.generate("ES256"), os.getpid()
        return self._holder

    def plan(self, name: str, holder: str) -> str:
        """The id of the token that a call gets if it is allowed: it stands in the store before the call runs. Empty for a binding."""
        tool = self._manifest.tools.get(name)
        own = tool is not None and (bool(holder) or binding_of(tool) == "call")
        return os.urandom(16).hex() if own else ""

    def mint(
        self,
        decision: Decision,
        task: GuardedTask,
        name: str,
        *,
        args_digest: str,
        step: int,
        expires: float,
        context: Mapping[str, Any],
        definition: str,
        holder: str = "",
        jti: str = "",
    ) -> Minted:
        """For one allowed call of the tool `name`. `holder`: the thumbprint of another process's key; `jti`: what was planned.

        Raises:
            UsageError: the decision does not allow the call.
            KeyFileError: no key signs now.
        """
        tool, now = self._manifest.tools[name], self._clock.now()
        # A call that is to run in another process is bound to the key of that process.
        outside = tool.audience is not None or bool(holder)
        own = self.holder if outside and not holder else None
        minting = Minting(
            tool=name, audience=audience_of(name, tool), args_digest=args_digest, expires=expires, step=step,
            purpose=self._manifest.tasks[task.record.kind].intent, intent_digest=self._pseudonyms.text(task.record.intent),
            actors=task.agents, context=context, tool_digest=definition, holder=own.kid if own else holder,
            envelope=tool.envelope or CALL_TYPE, layers=task.layers if outside else (), jti=jti,
        )  # fmt: skip
        if binding_of(tool) == "task" and not holder:
            binding = self._binding(decision, task, minting, now)
            return Minted(binding.jti, binding.exp, binding=binding, mac=binding.prove(step, name, args_digest), audience=minting.audience)
        token = self._issuer.mint(decision, task.record, minting, now=now)
        return Minted(token.jti, token.exp, token, minting.envelope, minting.audience, holder=own)

    def _binding(self, decision: Decision, task: GuardedTask, minting: Minting, now: float) -> Binding:
        if decision.outcome != "allow":
            raise UsageError("a token is minted only from a decision that allows the call")
        key = (task.id, minting.audience)
        with self._lock:
            known = self._bindings.get(key)
            needed = min(now + RENEW_SECONDS, int(minting.expires))
            if known is None or known.exp < needed or known.process != os.getpid():  # what a fork inherited is its parent's
                known = self._bindings[key] = self._issuer.bind(decision, task.record, minting, now=now)
            return known

    def forget(self, task_id: str) -> None:
        """The task has ended."""
        with self._lock:
            self._bindings = {key: binding for key, binding in self._bindings.items() if key[0] != task_id}
