"""The records that rooms hand to each other. All are frozen; none reaches into a store, a clock or a socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from typing import Any, Literal

Outcome = Literal["allow", "ask", "deny"]
Effect = Literal["deny", "ask", "flag"]
Action = Literal["allow", "ask", "deny", "observe"]
CallStatus = Literal["running", "done", "failed", "unknown", "suspended", "asked", "denied"]
Severity = Literal["info", "low", "medium", "high", "critical"]

Standing = Literal["asserted", "proved"]
"""How good a name is: a bare text is a claim, and a verified credential is proof."""

NO_FIELDS: Mapping[str, Any] = {}

# Budgets are summed without rounding: a sum that rounds could hide what was added to it.
EXACT = Context(prec=20_000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact, InvalidOperation])


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that an agent wants made: all that a framework adapter has to say.

    `known` are the names of the tool's parameters where the framework knows them (closed world); None: the guard asks the
    wrapped function or the manifest. `reason` is what the agent itself says the call is for. `definition` is the digest of the tool's
    definition where the framework has the tool at hand; else that of the wrapped function counts.
    """

    tool: str
    arguments: Mapping[str, Any]
    call_id: str | None = None
    framework: str = "python"
    agent: str | None = None
    run: str | None = None
    session: str | None = None
    reason: str | None = None
    known: tuple[str, ...] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a check spoke. `effect` is what the check asks for; `observed` means that it was recorded and not enforced.

    `hint` says what would pass. A grant made for one task can hold a person's data there, so that it is for the model, the approver and
    the embedded store, and stays out of spans and findings.
    """

    check: str
    effect: Effect
    sentence: str
    path: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    observed: bool = False
    hint: str = ""
    value: str = field(default="", repr=False)  # what the approver alone is shown

    @property
    def told(self) -> str:
        """Sentence and hint."""
        return f"{self.sentence}: {self.hint}" if self.hint else self.sentence


@dataclass(frozen=True, slots=True)
class Used:
    """A value that flowed into a call: into which argument, from which origin, and, where it has one, from which field of which call.

    `way` says what had to be undone to find it; `whole`: it is all of the argument's leaf.
    """

    argument: str
    kind: str
    call_id: str = ""
    tool: str = ""
    field: str = ""
    way: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one call.

    `outcome` is what is enforced. `judged` is what all checks together said; the two differ where a check, a task kind or the
    manifest is in `observe`. `errors` are the ids of checks that could not decide, which makes the outcome `deny`.
    """

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    judged: Outcome = "allow"
    errors: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[str, ...]:
        """The ids of the checks that spoke, in order."""
        return tuple(reason.check for reason in self.reasons)

    @property
    def leading(self) -> Reason | None:
        """The reason that weighs most: the first enforced denial, else the first question, else the first of all."""
        enforced = [found for found in self.reasons if not found.observed]
        for effect in ("deny", "ask"):
            for found in enforced:
                if found.effect == effect:
                    return found
        return self.reasons[0] if self.reasons else None


@dataclass(frozen=True, slots=True)
class Claim:
    """What one call would take from one budget of one task.

    kind `calls` and `rate` take one use, `sum` takes `amount`, `distinct` takes the digests in `values`. `window` is in seconds.
    """

    task_id: str
    key: str
    kind: Literal["calls", "rate", "sum", "distinct"]
    limit: Decimal
    amount: Decimal = Decimal(1)
    values: tuple[str, ...] = ()
    window: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One run of a task kind, as the store keeps it. Times are seconds since the epoch; `ttl` and `paused` are seconds."""

    id: str
    kind: str
    agent: str
    principal: str
    intent: str
    manifest_digest: str
    started: float
    ttl: float
    parent: str | None = None
    root: str = ""
    narrowing: str = "[]"  # JSON: what `tools=` and `budgets=` of this run and its parents took away
    paused: float = 0.0
    ended: float | None = None
    ended_by: str = ""
    detached: bool = False
    trace_id: str = ""
    span_id: str = ""
    principal_is: Standing = "asserted"
    agent_is: Standing = "asserted"
    owner: str = ""  # of the agent, by the manifest that the task began with
    ledger: int = 0  # the number of the ledger's record of its beginning; 0: it has none

    def state(self, now: float) -> Literal["open", "ended", "over"]:
        """`over` is a task whose time ran out and that nobody ended. `now` is in seconds since the epoch."""
        if self.ended is not None:
            return "ended"
        return "over" if now > self.started + self.ttl + self.paused else "open"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One guarded call, as the store keeps it. `arguments` and `result` are digests, never contents."""

    id: str
    task_id: str
    seq: int
    tool: str
    call_id: str
    framework: str
    status: CallStatus
    decision: Decision
    args_digest: str
    started: float
    ended: float | None = None
    result_digest: str = ""
    error_type: str = ""
    jti: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    used: tuple[Used, ...] = ()
    ledger: int = 0  # the number of the ledger's record of its intent, its question or its denial; 0: it has none


@dataclass(frozen=True, slots=True)
class Because:
    """One thing that a finding rests on: what was observed, what was expected, and why that was expected.

    `basis` is `declared`, `lifecycle`, `baseline`, `peer` or `catalogue`; `since` when what was expected began to hold (seconds since the
    epoch, 0: not known), `sample` on how many events that rests (0: on a declaration). `about` tells it from other reasons: it
    is the same for the same code, credential and value.
    """

    code: str
    observed: str
    expected: str
    basis: str
    time: float
    since: float = 0.0
    sample: int = 0
    last: float = 0.0
    number: int = 1
    about: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An event that a finding rests on: without those there is no finding, and with nothing else there is.

    `uid` is the source's name and its own id; `digest` the SHA-256 of the record as it was read, `place` where that stands. `body` is what
    was learned, where the evidence is a baseline and no event.
    """

    uid: str
    role: str
    identity: str
    time: float
    digest: str = ""
    place: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why there is a finding: the chain of what was seen, in order, with what speaks for it and against it, and what to do.

    `confidence` is 0 to 1; `points` only where no single fact is enough.
    """

    identity: str
    credentials: tuple[str, ...]
    because: tuple[Because, ...]
    evidence: tuple[Evidence, ...]
    counter: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    confidence: float = 1.0
    points: float = 0.0

    @property
    def codes(self) -> tuple[str, ...]:
        """The reason codes, in order of time, each once."""
        return tuple(dict.fromkeys(each.code for each in self.because))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an owner must look at. `explanation`: of those that the monitor of identities makes out of many events."""

    id: str
    time: float
    check: str
    severity: Severity
    sentence: str
    task_id: str = ""
    call_id: str = ""
    owner: str = ""
    references: tuple[str, ...] = ()
    ledger: int = 0  # the number of the ledger's record that gave rise to it; 0: there is none
    explanation: Explanation | None = None


MAX_ACTORS = 8
"""How long a chain of agents that act for each other may be (RFC 8693 section 4.1)."""

MarkKind = Literal["task", "agent", "key", "jti"]
Mark = tuple[MarkKind, str]
"""What a token can be revoked by: its task, its agent (`client_id`), the key that signed it (`kid`), or itself (`jti`)."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One entry of the deny list. `time` and `until` are seconds since the epoch; after `until` no token can carry the mark any more."""

    mark: Mark
    time: float
    until: float
    reason: str = ""
    by: str = ""
