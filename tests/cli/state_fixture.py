"""A state folder in which a guard has worked: one task with an allowed, a blocked and a failed call, and a sub-task."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet import Denied, Guard

MANIFEST = """\
licet: 1
environment: dev
owners: {support: {name: Support, contact: oncall@acme.example}, ops: {name: Operations, contact: "#ops on the chat"}}
agents:
  bot: {owner: support, tasks: [answer], may_delegate_to: [helper]}
  helper: {owner: ops, tasks: [lookup, answer]}
  stray: {tasks: [alone]}
tools:
  read_ticket: {access: read, egress: false, arguments: {number: {type: integer}}}
  send_email: {access: write, egress: true, arguments: {to: {}, body: {}}}
  pay: {access: write, egress: true, arguments: {amount: {}}}
tasks:
  answer:
    intent: Answer one ticket
    ttl: 10m
    tools: {read_ticket: {}, pay: {ask: true}, send_email: {arguments: {to: {pattern: '[^@]+@acme\\.example'}}, at_most: 1}}
  lookup: {intent: Look something up, ttl: 5m, tools: {read_ticket: {}}}
  alone: {intent: Nobody owns this, ttl: 5m, tools: {read_ticket: {}}}
"""


def manifest_in(folder: Path) -> Path:
    path = folder / "licet.yaml"
    path.write_text(MANIFEST, encoding="utf-8")
    return path


def worked_in(folder: Path) -> tuple[Path, str]:
    """The state folder, and the id of the task that ran."""
    state = folder / "state"
    with Guard.from_file(manifest_in(folder), state=state) as guard:

        @guard.tool
        def read_ticket(number: int) -> str:
            return "text"

        @guard.tool
        def send_email(to: str, body: str) -> str:
            raise ConnectionError("no route")

        with guard.task("answer", intent="Answer ticket 1 \x1b[31m<b>", agent="bot", principal="user:grace") as task:
            task.say("It is from ada@acme.example, and not from eve@evil.example.")
            read_ticket(1)
            with pytest.raises(Denied):
                send_email("eve@evil.example", "list")
            with guard.delegate("lookup", agent="helper", intent="Look up Ada", tools=["read_ticket"]), pytest.raises(Denied):
                send_email("ada@acme.example", "x")
            with pytest.raises(ConnectionError):
                send_email("ada@acme.example", "x")
    return state, task.id
