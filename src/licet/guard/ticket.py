"""A ticket stands for one judged call. It permits one execution."""

from __future__ import annotations

import copy
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from licet.canonical import Plain
from licet.errors import TicketSpent, TokenRefused, UsageError
from licet.guard.binding import Bound
from licet.guard.clean import Clean
from licet.guard.context import carry, enter, leave
from licet.guard.minter import Minted
from licet.guard.task import GuardedTask, current_task
from licet.pseudonym import Pseudonyms
from licet.records import Action, Decision, Finding, ToolCall, Used
from licet.telemetry import CallSpan, semconv

if TYPE_CHECKING:
    from licet.guard.origins import Seen

State = Literal["asked", "open", "running", "ended"]


def asks_of(decision: Decision) -> frozenset[tuple[str, tuple[str, ...]]]:
    """What a decision asks a person about: each check with its path."""
    return frozenset((found.check, found.path) for found in decision.reasons if found.effect == "ask" and not found.observed)


@dataclass(frozen=True, slots=True)
class CurrentCall:
    """The guarded call that is running: for a tool that wants to send its token on."""

    call: ToolCall
    task_id: str
    token: str
    headers: Mapping[str, str] = field(default_factory=dict)
    _minted: Minted | None = field(default=None, repr=False)
    _task: GuardedTask | None = field(default=None, repr=False)

    @property
    def audience(self) -> str:
        """Whom the token is for: the tool's `audience` in the manifest. Send it nowhere else."""
        return self._minted.audience if self._minted else ""

    def headers_for(self, method: str, url: str) -> dict[str, str]:
        """The headers to send with one request: the token, the proof that it is ours (`DPoP`, RFC 9449), and the trace.

        Raises:
            UsageError: the call has no token, because its tool declares no `audience`.
        """
        if self._minted is None or self._minted.token is None or self._task is None:
            raise UsageError(f"`{self.call.tool}` has no token to send: declare its `audience:` in the manifest")
        proof = self._minted.proof(method, url, self._task.now())
        return {**self.headers, **({"DPoP": proof} if proof else {})}

    def __repr__(self) -> str:
        return f"CurrentCall(tool={self.call.tool!r}, task_id={self.task_id!r})"


class Ticket:
    """The answer to `begin`. Read `action`, `allowed`, `message`, `token`, `decision`; everything else is the guard's."""

    def __init__(
        self, id: str, call: ToolCall, decision: Decision, *, task: GuardedTask | None, bound: Bound | None, digest: str,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:  # fmt: skip
        self.id = id
        self.call = call
        self.decision = decision
        self.message = ""
        self.task = task
        self.args_digest = digest
        self.asked_until = 0.0
        self.holder = ""  # the thumbprint of the key of another process, if the call is to run there
        self.planned_jti = ""  # of the token that the call gets if it is allowed
        self.seq = 0
        self.started = 0.0  # when it was first judged
        self.asked_at = 0.0
        self.previous_tool = ""  # of the task's last completed call, when it was judged
        self.allowed_at = 0.0  # on the monotonic clock
        self.kept = decision  # what the store has
        self.used: tuple[Used, ...] = ()  # where the arguments' values came from, when it was first judged
        self.answer: dict[str, Any] = {}  # who answered the question, as attributes of the span
        self.outputs: list[Plain] = []  # those that the manifest opts in to
        self.findings: list[Finding] = []  # about this call
        self.joins: Ticket | None = None
        self.asking = threading.Lock()  # held by whoever asks a person about this ticket
        self.recorded_at = 0  # the number of its record in the ledger: of its intent, its question or its denial
        self.made_up: tuple[str, ...] = ()  # names of its arguments that the tool is not known to take
        self.intent_begun = False  # its intent may stand in the ledger
        self.account: tuple[Decision, CallSpan | None, Clean] | None = None  # what its records share, and for which decision and span
        self.resumed = False  # the tool was suspended in this call before: its budgets are paid
        self.seen: Seen | None = None  # where the arguments came from, when they were judged
        self.within: Ticket | None = None  # the call in which this one is made
        self.saw_untrusted = False  # a call made within this one was shown untrusted content
        self.approved_for: frozenset[tuple[str, tuple[str, ...]]] = frozenset()  # and what a person had approved of it
        self._bound = bound
        self._pseudonyms = pseudonyms
        self._recorded: dict[str, str] = {}  # by plain digest, as each is told several times
        self._minted: Minted | None = None
        self._span: CallSpan | None = None
        self._state: State = "ended"
        self._joined = False
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._outputs = hashlib.sha256()
        self._output_count = 0

    @property
    def action(self) -> Action:
        """`allow`, `ask`, `deny`, or `observe`: it runs, and would not in enforce mode."""
        if self.decision.outcome == "allow" and self.decision.judged != "allow":
            return "observe"
        return self.decision.outcome

    @property
    def allowed(self) -> bool:
        """Whether the tool may run."""
        return self.decision.outcome == "allow"

    @property
    def token(self) -> str | None:
        """The call token, once the call is allowed; None where the tool's calls are proved inside this process (`token: task`)."""
        return self._minted.token.jwt if self._minted and self._minted.token else None

    @property
    def jti(self) -> str:
        """The id of the token that stands behind the call; empty if there is none."""
        return self._minted.jti if self._minted else ""

    @property
    def token_fields(self) -> dict[str, Plain]:
        """What the ledger holds of the token: never the token itself."""
        minted = self._minted
        if minted is None:
            return {"jti": "", "exp": 0}
        if minted.token is None:
            return {"jti": minted.jti, "exp": minted.exp, "mac": minted.mac}
        return {"jti": minted.jti, "exp": minted.exp, "kid": minted.token.kid}

    @property
    def arguments(self) -> Mapping[str, Plain]:
        """The arguments as they were judged, as JSON: a copy, so that changing what is shown changes nothing that runs."""
        return copy.deepcopy(dict(self._bound.plain)) if self._bound else {}

    @property
    def approved_before(self) -> bool:
        """Whether all that is in question now was approved before the tool was suspended."""
        asked = asks_of(self.decision)
        return bool(asked) and asked <= self.approved_for

    @property
    def plain(self) -> Mapping[str, Plain]:
        """The arguments as they were judged: for those who only read."""
        return self._bound.plain if self._bound else {}

    @property
    def is_within(self) -> bool:
        """Whether there are calls around this one."""
        return self.within is not None or self.joins is not None

    def note_untrusted(self) -> None:
        """The calls around this one have been shown what it was shown."""
        outer = self.within or self.joins
        while outer is not None:
            outer.saw_untrusted = True
            outer = outer.within or outer.joins

    @property
    def values(self) -> Mapping[str, Any] | None:
        """The frozen arguments to run the tool with; None where `redeem` would answer None."""
        return self._bound.values if self._bound else None

    def redeem(self) -> Bound | None:
        """Take the frozen arguments to run the tool with, once.

        The answer is None only in observe mode, where a call whose arguments cannot be frozen runs with what it was given.

        Raises:
            TicketSpent: the call is not allowed, or has been taken before, or its task is over; or this is another process (a fork),
                which does not see whether it was taken.
        """
        if self._process != os.getpid():
            raise TicketSpent(f"this ticket for `{self.call.tool}` was opened in another process; begin a call of its own")
        over = self.task.over() if self.task is not None and self.action == "allow" else ""
        with self._lock:
            if not self.allowed:
                raise TicketSpent(f"the call of `{self.call.tool}` is not allowed")
            if self._state != "open" or not self._outermost_runs():
                raise TicketSpent(f"this ticket for `{self.call.tool}` was used before; begin a call of its own")
            if over:
                raise TicketSpent(over)
            self._check_proof()
            self._state = "running"
            return self._bound

    def _check_proof(self) -> None:
        minted = self._minted
        if minted is None or minted.binding is None or self.task is None or self.joins is not None:
            return  # a layer within a running call is that call, whose proof was checked when it began
        try:
            minted.binding.check(minted.mac, self.seq, self.call.tool, self.args_digest, self.task.now())
        except TokenRefused as refusal:
            raise TicketSpent(f"the proof of this call of `{self.call.tool}` does not hold: {refusal.why}") from refusal

    def join(self) -> bool:
        """Let an inner layer be the same call; True for the first that asks while this ticket, or the one it joined, is running."""
        if self._process != os.getpid():
            return False  # a fork has a copy, and would be one more execution
        with self._lock:
            if self._state != "running" or self._joined or not self._outermost_runs():
                return False
            self._joined = True
            return True

    def _outermost_runs(self) -> bool:
        """Whether the call that this one joined is still running; a call that joined none answers for itself."""
        if self.joins is None:
            return True
        outermost = self.joins
        while outermost.joins is not None:
            outermost = outermost.joins
        return outermost._state == "running"

    @property
    def is_running(self) -> bool:
        """Whether it has been redeemed, in this process, and its call is not over."""
        return self._state == "running" and self._process == os.getpid()

    @property
    def unused(self) -> bool:
        """Whether the ticket is open and nobody has redeemed it."""
        return self._state == "open"

    def note(self, attributes: Mapping[str, Any]) -> None:
        """What a framework knows of the call only once it is made: attributes of the transport, for the span. Others are passed over."""
        outermost = self
        while outermost.joins is not None:
            outermost = outermost.joins
        if outermost._span is not None:
            outermost._span.add({name: value for name, value in attributes.items() if name in semconv.OF_THE_TRANSPORT})

    def output(self, digest: str) -> None:
        """Count one output (a result, or one yield) into the digest of all."""
        self._outputs.update(digest.encode())
        self._output_count += 1

    @property
    def result_digest(self) -> str:
        """The digest over the digests of all outputs; empty if there were none."""
        return f"sha256:{self._outputs.hexdigest()}" if self._output_count else ""

    def recorded(self, digest: str) -> str:
        """A digest of the call's contents as records hold it: keyed. The token has the plain one, for whoever has the contents too."""
        if digest not in self._recorded:
            self._recorded[digest] = self._pseudonyms.digest(digest) if self._pseudonyms is not None else ""
        return self._recorded[digest]

    @property
    def args_recorded(self) -> str:
        """The arguments' digest as records hold it."""
        return self.recorded(self.args_digest)

    @property
    def result_recorded(self) -> str:
        """The digest of all outputs as records hold it; empty if there were none."""
        return self.recorded(self.result_digest)

    def move(self, target: State, *sources: State) -> bool:
        """Change the state if it is one of `sources`."""
        with self._lock:
            if self._state not in sources:
                return False
            self._state = target
            return True

    def current(self) -> CurrentCall:
        """What `licet.current_call()` shows while this ticket runs."""
        headers = self._minted.headers() if self._minted else {}
        if self._span and self._span.traceparent:
            headers["traceparent"] = self._span.traceparent
        # The agent's stated reason is for those who watch; the tool must not come to depend on it.
        return CurrentCall(
            replace(self.call, reason=None), self.task.id if self.task else "", self.token or "", headers, self._minted, self.task
        )


running_ticket: ContextVar[Ticket | None] = carry(ContextVar("licet_ticket", default=None))


@contextmanager
def running(ticket: Ticket) -> Iterator[None]:
    """Make `ticket` the running call, its task the current task, and its span the current span, of this thread or asyncio task.

    The task may have been named by a framework's context alone; what the tool itself calls belongs to it too.
    """
    token = running_ticket.set(ticket)
    span, task = ticket._span, ticket.task
    entered = task if task is not None and task is not current_task() else None
    if entered is not None:
        enter(entered)
    try:
        if span is None:
            yield
        else:
            with span.current():
                yield
    finally:
        running_ticket.reset(token)
        if entered is not None:
            leave(entered)


def current_call() -> CurrentCall | None:
    """The guarded call that is running here, or None outside of one."""
    ticket = running_ticket.get()
    while ticket is not None and ticket.joins is not None:
        ticket = ticket.joins
    return ticket.current() if ticket is not None else None
