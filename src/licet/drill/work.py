"""Work that an agent does through a guard in a drill: what is declared for it, the calls that it makes, and what must become of each.

It is data, as all of a play is. What stands behind its tools touches nothing: it answers what was drawn, and does not do what is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from licet.canonical import Plain, canonical


class Tool(NamedTuple):
    """A tool, as the manifest has it, and what stands behind it.

    Attributes:
        takes: its arguments, by their names.
        answers: what it gives back, whatever it is asked for.
        declared: as a manifest declares it.
    """

    name: str
    takes: tuple[str, ...]
    answers: Mapping[str, Plain]
    declared: Mapping[str, Any]


class Call(NamedTuple):
    """One call, and what the guard must make of it.

    Attributes:
        tool: its name.
        arguments: as the agent gives them.
        outcome: what the guard must decide.
        checks: that must be among the reasons.
    """

    tool: str
    arguments: Mapping[str, Plain]
    outcome: Literal["allow", "deny"] = "allow"
    checks: frozenset[str] = frozenset()


class Work(NamedTuple):
    """A task of an agent.

    Attributes:
        agent: its name; one of the manifest keeps what is declared of it, and may do this kind of task too.
        purpose: of the agent, where it is a new one.
        kind, task: the kind of task, and what is declared of it.
        intent: what the user wrote.
        person: for whom.
        owner: who answers for the agent.
        tools: all that are declared for it.
        credentials: what those authenticate with, by name, as a manifest declares it.
        calls: in their order.
        habit: what tasks of this kind did before, as a baseline without `under`.
    """

    agent: str
    purpose: str
    kind: str
    task: Mapping[str, Any]
    intent: str
    person: str
    owner: str
    tools: tuple[Tool, ...]
    calls: tuple[Call, ...]
    credentials: Mapping[str, Mapping[str, Any]] = {}
    habit: Mapping[str, Any] | None = None

    @property
    def checks(self) -> frozenset[str]:
        """All that must speak."""
        return frozenset(check for call in self.calls for check in call.checks)

    @property
    def names(self) -> tuple[str, ...]:
        """What it brings into a manifest, beside the agent: kind, tools, credentials."""
        return (self.kind, *(each.name for each in self.tools), *self.credentials)

    def declared(self) -> dict[str, Any]:
        """As the sections of a manifest have it."""
        agent = {"owner": self.owner, "purpose": self.purpose, "tasks": [self.kind]}
        return {
            "owners": {self.owner: {"name": self.owner.replace("-", " ").capitalize(), "contact": f"{self.owner}@invalid.example"}},
            "agents": {self.agent: agent},
            "credentials": {name: dict(each) for name, each in self.credentials.items()},
            "tools": {each.name: dict(each.declared) for each in self.tools},
            "tasks": {self.kind: dict(self.task)},
        }  # fmt: skip


def planned(work: Work | None) -> tuple[str, ...]:
    """The digest of each call as it is planned, of all that it is planned in: what is committed to before it is made."""
    if work is None:
        return ()
    around: dict[str, Plain] = {"agent": work.agent, "kind": work.kind, "intent": work.intent, "declared": work.declared()}
    said: list[dict[str, Plain]] = [
        {"number": number, "tool": call.tool, "arguments": dict(call.arguments), "outcome": call.outcome, "checks": [*sorted(call.checks)]}
        for number, call in enumerate(work.calls)
    ]
    return tuple(hashlib.sha256(canonical({**around, "call": each})).hexdigest() for each in said)
