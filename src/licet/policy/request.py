"""What the checks see: the call as it will run, and the facts that were gathered for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from licet.canonical import Plain
from licet.catalogue import CHECKS
from licet.chain.origin import Exposure, Place, Trace
from licet.manifest import Agent, Manifest, TaskKind, Tool
from licet.manifest.baseline import Baseline
from licet.records import Claim, Effect, Reason, TaskRecord
from licet.scope import Scope
from licet.secretlike import scrub

MAX_NAMED = 10  # reasons of one check that name arguments: a model can make up any number of them


class Request(NamedTuple):
    """One call. `plain` are its arguments after binding to the tool's signature, with the defaults filled in.

    `known` are the names of all arguments that the tool takes (None: nobody knows, so that nothing can pass).
    `unjudgeable` says why the arguments could not be bound or frozen; then `plain` is empty.
    `dropped` are unknown arguments that the tool does not get, because the manifest says `unknown_arguments: drop`.
    `reaches` are arguments that lead to Licet's own files: (argument, which).
    `reason` is what the agent says the call is for, in its own words. `definition` is the digest of the tool's definition as the
    framework that makes the call has it.
    """

    tool: str
    plain: Mapping[str, Plain]
    time: float
    known: frozenset[str] | None = frozenset()
    defaults_to_null: frozenset[str] = frozenset()
    unjudgeable: str = ""
    dropped: tuple[str, ...] = ()
    reaches: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """A budget, and what it would stand at after the call."""

    claim: Claim
    after: Decimal


class Facts(NamedTuple):
    """All that is known when the call is judged."""

    manifest: Manifest
    task: TaskRecord | None = None
    expired: str = ""  # why the task, or one above it, is over; empty while it is open
    scope: Scope | None = None
    measures: tuple[Measure, ...] = ()
    uncountable: str = ""  # why a budget cannot count this call
    last_tool: str | None = None  # the tool of the last completed call of this task
    chains: tuple[tuple[str, str | None], ...] = ()  # each chain to follow, own and above: (task kind, last completed tool under it)

    traces: tuple[Trace, ...] = ()  # where every leaf of every argument came from
    entered: Place | None = None  # the first untrusted content that the task was shown
    exposures: tuple[Exposure, ...] = ()  # what has been revealed to the task
    carried: frozenset[str] = frozenset()  # labels of which a value was found in the arguments
    full: bool = False  # not all that the task was shown is known: no field counts as trusted
    probed: bool = False  # so many calls of this task were denied for origin or flow that a person must look
    definition: str = ""  # the digest of the tool's definition as it is now; empty where nobody knows it
    revoked: str = ""  # the agent, of those that act, that stands on the deny list
    baseline: Baseline | None = None  # what the task kind, or the nearest above that has one in force, has been seen to do
    seen_of: str = ""  # the task kind whose baseline that is
    ratified: bool = False  # a person took responsibility for it
    blind: str = ""  # why nobody would see what the call does, for longer than the manifest allows; empty: all is well, or nobody asks

    @property
    def kind(self) -> TaskKind | None:
        """The task kind, if the task is known."""
        return self.manifest.tasks.get(self.task.kind) if self.task else None

    @property
    def agent(self) -> Agent | None:
        """The agent, if it is declared."""
        return self.manifest.agents.get(self.task.agent) if self.task else None

    def tool(self, name: str) -> Tool | None:
        """The tool, if it is declared."""
        return self.manifest.tools.get(name)


def reason(check: str, sentence: str, path: Iterable[str] = (), effect: Effect | None = None, *, hint: str = "", value: str = "") -> Reason:
    """A reason with the check's default effect and references. `value` is for the approver alone.

    Names and paths in it may be a model's own words: what looks like a secret is masked here, for whomever the reason is shown to.
    """
    info = CHECKS[check]
    told = tuple(scrub(part) for part in path)
    return Reason(check, effect or info.effect, scrub(sentence), told, info.references, hint=scrub(hint), value=value)
