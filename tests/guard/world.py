"""One small world for the tests of the guard: a manifest, and tools that only note that they ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from licet import Denied, Guard
from licet.testing import guard_for

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [work, ordered, asking, narrow, confirm, watched], may_delegate_to: [helper, bot]}
  helper: {owner: o, tasks: [work, narrow], may_delegate_to: [helper]}
  stranger: {owner: o, tasks: [work]}
credentials:
  fresh: {owner: o, expires: 2027-01-31}
  over: {owner: o, expires: 2026-01-31}
  gone: {owner: o, revoked: 2026-11-01}
  far: {owner: o, environment: prod}
tools:
  note: {access: read, egress: false}
  # Where values come from is not what these tests are about: the agent makes them up, and the manifest says that it may.
  send: {access: write, egress: true, credential: fresh, arguments: {to: {origin: [intent, trusted, nowhere]}}}
  pay: {access: write, egress: true}
  share: {access: write, egress: true}
  open_file: {access: read, egress: false}
  stream: {access: read, egress: false}
  astream: {access: read, egress: false}
  anote: {access: read, egress: false}
  risky: {access: write, egress: true}
  spare: {access: admin, egress: false}
  expired_tool: {access: read, egress: false, credential: over}
  revoked_tool: {access: read, egress: false, credential: gone}
  distant: {access: read, egress: false, environment: prod}
  distant_key: {access: read, egress: false, credential: far}
tasks:
  work:
    intent: Work
    ttl: 10m
    tools: &all
      note: {}
      send: {arguments: {to: {pattern: '[a-z]+@acme\\.example'}}}
      pay: {arguments: {amount: {maximum: 100, minimum: 0}}}
      share: {}
      open_file: {}
      stream: {}
      astream: {}
      anote: {}
      expired_tool: {}
      revoked_tool: {}
      distant: {}
      distant_key: {}
    budgets:
      - {sum: amount, of: pay, at_most: 100}
      - {distinct: with_whom, of: share, at_most: 3}
      - {at_most: 20, of: stream}
  ordered:
    intent: In order
    ttl: 10m
    tools: {note: {}, send: {}}
    chain: [start -> note, note -> send]
  asking:
    intent: Ask first
    ttl: 10m
    tools: {risky: {ask: true}, send: {ask: true}, note: {}}
  narrow:
    intent: Little
    ttl: 5m
    tools: {note: {}, send: {arguments: {to: {enum: [ada@acme.example]}}, at_most: 1}}
  confirm:
    intent: Once
    ttl: 10m
    tools: {risky: {ask: true, at_most: 1}}
  watched:
    intent: Watched
    ttl: 10m
    tools: {note: {}}
    mode: observe
    until: 2026-11-30
    reason: first days
checks:
  origin.unanchored: {then: flag}  # nor are the intents of these tasks written for it
""".replace("&all", "")


class World:
    """A guard, its tools, and what ran."""

    def __init__(self, folder: Path, manifest: str = MANIFEST, **options: Any) -> None:
        self.ran: list[Any] = []
        self.guard: Guard = guard_for(manifest, folder, **options)
        self.clock: Any = self.guard._clock

    def tool(self, name: str, body: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """A guarded tool of this name; by default one that takes anything declared and notes what it got."""
        return self.guard.wrap(body if body is not None else self._default(name), name=name)

    def _default(self, name: str) -> Callable[..., Any]:
        ran = self.ran

        def send(to: Any, body: str = "", cc: Any = None) -> str:
            ran.append(("send", to, body, cc))
            return "sent"

        def pay(amount: Any) -> str:
            ran.append(("pay", amount))
            return "paid"

        def share(with_whom: Any) -> str:
            ran.append(("share", with_whom))
            return "shared"

        def open_file(path: Any) -> str:
            ran.append(("open_file", path))
            return "text"

        def anything(value: Any = None) -> Any:
            ran.append((name, value))
            return value

        known = {"send": send, "pay": pay, "share": share, "open_file": open_file}
        return known.get(name, anything)

    @contextmanager
    def task(self, kind: str = "work", agent: str = "bot", intent: str = "A test", **more: Any) -> Iterator[Any]:
        with self.guard.task(kind, intent=intent, agent=agent, principal="user:grace", **more) as task:
            yield task

    def denied(self, check: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Denied:
        """The call is refused by this check and the tool does not run."""
        before = len(self.ran)
        with pytest.raises(Denied) as refusal:
            function(*args, **kwargs)
        assert len(self.ran) == before, "the tool ran"
        assert check in refusal.value.decision.checks, str(refusal.value)
        assert refusal.value.decision.outcome == "deny"
        return refusal.value
