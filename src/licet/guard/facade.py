"""`Guard`: what a program around an agent sees."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from licet.approval import TIMEOUT_SECONDS, ApprovalRequest
from licet.chain.index import MAX_ATOMS
from licet.clock import Clock, SystemClock
from licet.errors import UsageError
from licet.guard.asking import Asking
from licet.guard.authority import Authority
from licet.guard.contents import FILE, Contents
from licet.guard.context import teach_threads
from licet.guard.gate import _NOTHING, Gate
from licet.guard.health import health
from licet.guard.learned import Learned
from licet.guard.minter import Minter
from licet.guard.monitored import Monitored
from licet.guard.origins import Origins
from licet.guard.own_files import OwnFiles
from licet.guard.parts import Parts
from licet.guard.proofs import Proofs
from licet.guard.ratified import Ratified
from licet.guard.recorder import Recorder
from licet.guard.state import guarded_ledger, key_source, open_state, secret
from licet.guard.task import GuardedTask
from licet.guard.tasks import Tasks, Tools
from licet.guard.ticket import Ticket, running
from licet.guard.unratified import at_start, say
from licet.guard.wrap import wrap
from licet.manifest import Manifest, adopt, load
from licet.pseudonym import Pseudonyms
from licet.records import ToolCall
from licet.scope import CompiledManifest
from licet.store import SqliteStore
from licet.telemetry import Telemetry
from licet.tokens import DEFAULT_SECONDS, Issuer, KeySource, Proof, Signer, TokenState
from licet.version import VERSION

P = ParamSpec("P")
R = TypeVar("R")

INTEGRATIONS = "licet.integrations"  # the entry-point group that `install` looks in


class Guard:
    """Keeps an agent within its task.

    Args:
        manifest: what is declared; usually through `Guard.from_file`.
        state: the folder for store, ledger and key; by default `LICET_STATE`, else the user's state directory.
        approver: who is asked when a call needs a person; None: such calls are denied.
        approval_seconds: how long an answer may take, and how long an approval holds.
        clock: handed in by tests; by default the machine's clock.
        key: what signs call tokens: a `SigningKey`, any `Signer` (a key management service), or a `KeySource` that rotates. By default the
            key in the environment variable LICET_SIGNING_KEY, else the state folder's own keys (`licet keys`).
        issuer: the `iss` claim of call tokens; by default `authority.issuer` of the manifest, else a name made from the key.
        token_seconds: the life of a call token, at most 300.
        tracer_provider, meter_provider, logger_provider: where spans, metrics and log events go; by default to the application's
            providers, else by OTLP as the standard environment variables say, else nowhere.
        origin_values: how many values of all that a task is shown are remembered, to tell where later arguments came from. When they are
            full, no field counts as trusted any more; nothing tainted is forgotten.
        origin_denials: after so many different denials of origin or flow in one task, its write and egress calls ask a person.
        unsafe_run_unrecorded: run calls even when the ledger cannot be written. Evidence is then missing.

    Raises:
        ManifestError: the manifest was put together by hand, and a rule does not hold.
        StateError: store, ledger or key cannot be used.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        state: str | Path | None = None,
        approver: Callable[..., bool | Awaitable[bool]] | None = None,
        approval_seconds: float = TIMEOUT_SECONDS,
        clock: Clock | None = None,
        key: Signer | KeySource | None = None,
        issuer: str | None = None,
        token_seconds: int = DEFAULT_SECONDS,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        origin_values: int = MAX_ATOMS,
        origin_denials: int = 5,
        unsafe_run_unrecorded: bool = False,
    ) -> None:
        if approver is not None and not callable(approver):
            raise UsageError("approver= is a callable that takes an ApprovalRequest and answers True or False")
        self._clock = clock or SystemClock()
        manifest = manifest if manifest.digest else adopt(manifest, self._clock.now())
        self.manifest = manifest
        manifest = manifest.model_copy(deep=True)  # what is judged by: a later change of the public one changes nothing
        self._compiled = CompiledManifest(manifest)
        folder = open_state(state)
        self._store = SqliteStore(folder.store)
        self._ledger, self._cosigner = guarded_ledger(folder, manifest.ledger, self._clock)
        self._telemetry = Telemetry(
            tracer_provider, meter_provider, logger_provider, version=VERSION, environment=manifest.environment,
            declared={*manifest.tools, *manifest.agents, *manifest.tasks, *manifest.owners},
        )  # fmt: skip
        own_secret = secret(folder)
        self.pseudonyms = pseudonyms = Pseudonyms(own_secret)
        """Whether a digest in this guard's records is of a value that you have: `pseudonyms.is_value(recorded, value)`."""
        recorder = Recorder(self._ledger, self._store, self._clock, self._telemetry, unsafe=unsafe_run_unrecorded, keyed=pseudonyms.digest)
        self._recorder = recorder
        self._cosigner.alarm_by(recorder.forked)
        origins = Origins(manifest, self._compiled, self._store, own_secret, values=origin_values, probes=origin_denials)
        keys = key_source(key, folder, self._clock.now())
        workload = f"urn:licet:guard:{os.urandom(8).hex()}"
        declared = manifest.authority
        name = issuer or (declared.issuer if declared else f"urn:licet:issuer:{keys.name}")
        self._issuer = Issuer(keys, name, workload, token_seconds)
        self._contents = Contents(folder.path / FILE, manifest, self._clock)
        minter = Minter(manifest, self._issuer, self._clock, pseudonyms)
        ratified = at_start(manifest, folder)
        learned = Learned(manifest, ratified=isinstance(ratified, Ratified))
        self._tasks = Tasks(
            manifest, self._compiled, store=self._store, recorder=recorder, telemetry=self._telemetry, clock=self._clock, origins=origins,
            minter=minter, proofs=Proofs(manifest, recorder, self._clock), pseudonyms=pseudonyms, contents=self._contents,
            ratified=ratified.ratification.version if isinstance(ratified, Ratified) else 0,
        )  # fmt: skip
        own = OwnFiles(folder, manifest.source, _key_files(manifest))
        parts = Parts(
            manifest, self._compiled, learned, self._store, self._clock, own, origins, pseudonyms, approval_seconds,
            Monitored.of(manifest, folder.path, self._clock),
            recorder, self._telemetry, minter, self._tasks, self._contents,
        )  # fmt: skip
        self._gate = Gate(parts)
        self._asking = asking = Asking(self._gate, self._tasks, self._clock, approver=approver, seconds=approval_seconds)
        self.state = folder.path
        self.authority = Authority(self._gate, asking, parts, self._issuer, frozenset(declared.federation if declared else ()))
        """Tasks that other processes hold, and the tokens for their calls."""
        recorder.settle()
        say(manifest, learned, ratified, recorder, self._clock.now())
        teach_threads()

    @classmethod
    def from_file(cls, path: str | Path, **options: Any) -> Guard:
        """A guard for the manifest in `path`; `options` are those of the class.

        Raises:
            ManifestError: with every problem in the manifest.
        """
        clock = options.get("clock")
        return cls(load(path, now=clock.now() if clock else None), **options)

    # Tools ---------------------------------------------------------------------------------------------------------------

    @overload
    def tool(self, function: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def tool(self, function: Callable[P, R], /, *, ask_reason: bool) -> Callable[..., R]: ...

    @overload
    def tool(self, /, *, ask_reason: bool = False) -> Callable[[Callable[P, R]], Callable[..., R]]: ...

    def tool(self, function: Callable[..., Any] | None = None, /, *, ask_reason: bool = False) -> Callable[..., Any]:
        """Decorator: the guarded twin of a tool. The manifest names it by the function's name.

        `@guard.tool(ask_reason=True)` asks the agent what each call is for; see `wrap`.
        """
        if function is None:
            return lambda given: wrap(self._gate, self._asking, given, None, ask_reason=ask_reason)
        return wrap(self._gate, self._asking, function, None, ask_reason=ask_reason)

    @overload
    def wrap(self, function: Callable[P, R], *, name: str | None = None) -> Callable[P, R]: ...

    @overload
    def wrap(self, function: Callable[..., R], *, name: str | None = None, ask_reason: bool) -> Callable[..., R]: ...

    def wrap(self, function: Callable[..., R], *, name: str | None = None, ask_reason: bool = False) -> Callable[..., R]:
        """The guarded twin of any callable, under `name` in the manifest.

        `ask_reason`: the twin has one more parameter, `reason` (or `licet_reason`, where the tool has a `reason` of its own), in which
        the agent says what the call is for. The tool does not get it. It is recorded, and held against the call (`intent.mismatch`).

        Raises:
            UsageError: it is not callable, has no name, or the manifest limits an argument that it does not have.
        """
        return wrap(self._gate, self._asking, function, name, ask_reason=ask_reason)

    @property
    def definitions(self) -> dict[str, str]:
        """The digest of the definition of each tool that this guard has met so far: wrapped, or called through a framework.

        Written to a file as JSON, it is what `licet pin --from FILE` reads.
        """
        return dict(self._gate.definitions)

    def install(self, framework: str) -> Callable[[], None]:
        """Guard every tool call of a framework in this process, sub-agents included. The answer takes it back.

        Raises:
            UsageError: no integration of this name is installed.
        """
        found = {point.name: point for point in importlib.metadata.entry_points(group=INTEGRATIONS)}
        if framework not in found:
            raise UsageError(f"no integration {framework!r}; there are: {', '.join(sorted(found)) or 'none'}")
        undo: Callable[[], None] = found[framework].load()(self)
        return undo

    # Tasks ---------------------------------------------------------------------------------------------------------------

    def task(
        self,
        kind: str,
        *,
        intent: str,
        agent: str,
        principal: str | None = None,
        subject_token: str | None = None,
        agent_token: str | None = None,
        tools: Tools | None = None,
        values: Mapping[str, str] | None = None,
        detached: bool = False,
    ) -> GuardedTask:
        """One run of a task kind, begun by `with`. `tools` only narrows; `values` fill `{places}` of the intent and are not intent.

        `principal` and `agent` are claims until tokens of the manifest's `issuers` prove them: `subject_token` for whom (then `principal`
        may be left out, and is `ISSUER:SUBJECT`), `agent_token` that the agent is this one. Keys may have to be fetched for it, for some
        seconds at most. A proof must hold when the task begins, and does not shorten it.

        Raises:
            Denied: a token does not prove its name, or another one (`identity.unproved`). The task is not begun on the bare claim instead.
            UsageError: the call itself is wrong.
        """
        return self._tasks.create(
            kind, intent=intent, agent=agent, principal=principal, tools=tools, values=values or {}, detached=detached,
            subject_token=subject_token, agent_token=agent_token,
        )  # fmt: skip

    def delegate(
        self,
        kind: str,
        *,
        agent: str,
        intent: str,
        tools: Tools | None = None,
        budgets: Iterable[Mapping[str, Any]] | None = None,
        ttl: str | timedelta | None = None,
        agent_token: str | None = None,
        detached: bool = False,
    ) -> GuardedTask:
        """A sub-task of the current task: scope, budgets and time are at most the parent's.

        For whom it is stays as proved as it was. Another agent is a claim until its own `agent_token` proves it. `detached`: for a queue;
        begin it by `with`, hand its id on, and let the worker take it up by `resume_task`. The worker's spans then link to where it began.

        Raises:
            Denied: it asks for more than the parent has (`delegation.widened`), or its token does not prove it (`identity.unproved`).
            UsageError: there is no current task.
        """
        return self._tasks.delegate(
            kind, agent=agent, intent=intent, tools=tools, budgets=budgets, ttl=ttl, agent_token=agent_token, detached=detached
        )

    def resume_task(self, task_id: str) -> GuardedTask:
        """Take a detached task up again, here or in another process; use it with `with`.

        Raises:
            UsageError: it is not known, has ended, or began under another manifest.
        """
        return self._tasks.resume(task_id)

    def task_by_handle(self, handle: str) -> GuardedTask | None:
        """The open task that a framework's context names by `task.handle`. A bare id names nothing."""
        return self._tasks.by_handle(handle)

    def task_by_token(self, token: str, proof: Proof) -> GuardedTask:
        """The open task that is named from outside (a header, `_meta`): by its token, shown by whoever holds the token's key.

        Raises:
            TokenRefused: the token or the proof is not good.
        """
        return self.authority.task(token, proof)

    # The two-phase contract ------------------------------------------------------------------------------------------------

    def begin(self, call: ToolCall, *, task: GuardedTask | str | None = None, problem: str = "") -> Ticket:
        """Judge a call and, if it is allowed, mint its token and record it. Never raises; see `Ticket`.

        The tool may run once, after `ticket.redeem()`; then `end` must be called. `problem` says why the arguments do not fit the
        tool, where the framework knows that they do not: the call is refused, and takes nothing from a budget.
        """
        return self._gate.begin(call, task=task, problem=problem)

    def resolve(self, ticket: Ticket, approved: object, by: str = "") -> Ticket:
        """Take a person's answer to a ticket whose action is `ask`. Only the value True approves, once."""
        return self._gate.resolve(ticket, approved, by)

    def end(self, ticket: Ticket, *, result: object = _NOTHING, error: BaseException | str | None = None, suspended: bool = False) -> None:
        """Record how the call ended: a result, an error (an exception, or a text for errors as values), or a pause. Idempotent."""
        self._gate.end(ticket, result=result, error=error, suspended=suspended)

    def peek(self, call: ToolCall, *, task: GuardedTask | str | None = None) -> str:
        """`allow`, `ask` or `deny`, without any effect."""
        return self._gate.peek(call, task=task)

    @property
    def has_approver(self) -> bool:
        """Whether this guard can ask a person itself; where not, an adapter may ask by its framework's means."""
        return self._asking.has_approver

    def question(self, ticket: Ticket) -> ApprovalRequest:
        """What a person is to be asked about a ticket whose action is `ask`: for adapters that show it themselves."""
        return self._gate.question(ticket)

    def ask(self, ticket: Ticket) -> Ticket:
        """Ask this guard's approver about a ticket whose action is `ask`, and wait."""
        self._asking.settle(ticket)
        return ticket

    def around(
        self,
        call: ToolCall,
        run: Callable[[Ticket], R],
        deny: Callable[[Ticket], R],
        ask: Callable[[Ticket], object] | None = None,
        *,
        task: GuardedTask | str | None = None,
        problem: str = "",
        failed: Callable[[R], str | None] | None = None,
        output: Callable[[R], object] | None = None,
        suspend: tuple[type[BaseException], ...] = (),
    ) -> R:
        """`begin`, then `run(ticket)` or `deny(ticket)`, then `end`. `run` must use `ticket.values`, the frozen arguments that were judged.

        Args:
            ask: asks a person by the framework's own means, and may raise its pause; by default the guard's approver.
            problem: why the arguments do not fit the tool; see `begin`.
            failed: finds errors that are returned as values, and says them.
            output: the tool's own output, where the framework wraps it.
            suspend: exceptions that mean a pause and no error.
        """
        ticket = self.begin(call, task=task, problem=problem)
        if ticket.action == "ask":
            self._asking.settle(ticket) if ask is None else self._asking.framework_answered(ticket, ask(ticket))
        if not self._gate.admit(ticket):
            return deny(ticket)
        try:
            with running(ticket):
                result = run(ticket)
        except BaseException as error:
            self.end(ticket, error=error, suspended=isinstance(error, suspend))
            raise
        self.end(ticket, result=output(result) if output else result, error=failed(result) if failed else None)
        return result

    async def abegin(self, call: ToolCall, *, task: GuardedTask | str | None = None) -> Ticket:
        """`begin`, for async code. It does not wait for anything but the embedded store."""
        return self._gate.begin(call, task=task)

    async def aresolve(self, ticket: Ticket, approved: object, by: str = "") -> Ticket:
        """`resolve`, for async code."""
        return self._gate.resolve(ticket, approved, by)

    async def aend(
        self, ticket: Ticket, *, result: object = _NOTHING, error: BaseException | str | None = None, suspended: bool = False
    ) -> None:
        """`end`, for async code."""
        self._gate.end(ticket, result=result, error=error, suspended=suspended)

    async def aaround(
        self,
        call: ToolCall,
        run: Callable[[Ticket], Awaitable[R]],
        deny: Callable[[Ticket], R],
        ask: Callable[[Ticket], object] | None = None,
        *,
        task: GuardedTask | str | None = None,
        problem: str = "",
        failed: Callable[[R], str | None] | None = None,
        output: Callable[[R], object] | None = None,
        suspend: tuple[type[BaseException], ...] = (),
    ) -> R:
        """`around`, with an async `run`."""
        ticket = self.begin(call, task=task, problem=problem)
        if ticket.action == "ask":
            if ask is None:
                await self._asking.asettle(ticket)
            else:
                self._asking.framework_answered(ticket, ask(ticket))
        if not self._gate.admit(ticket):
            return deny(ticket)
        try:
            with running(ticket):
                result = await run(ticket)
        except BaseException as error:
            self.end(ticket, error=error, suspended=isinstance(error, suspend))
            raise
        self.end(ticket, result=output(result) if output else result, error=failed(result) if failed else None)
        return result

    # The rest --------------------------------------------------------------------------------------------------------------

    @property
    def issuer(self) -> str:
        """The `iss` of this guard's tokens."""
        return self._issuer.name

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The JWK set with which anybody can verify this guard's call tokens: the key that signs, the next, and those not yet done."""
        return {"keys": [dict(key) for key in self._issuer.keys.published(self._clock.now())]}

    @property
    def token_state(self) -> TokenState:
        """What this guard's tokens are used up and revoked in: for a `Verifier` that can reach the same store."""
        return self._store

    @property
    def clock(self) -> Clock:
        """The guard's time."""
        return self._clock

    def health(self) -> dict[str, bool]:
        """Whether each part that a call needs can be used now: `store` (written to), `ledger` and `keys` (one signs)."""
        return health(self._store, self._ledger, self._issuer, self._clock.now())

    def close(self) -> None:
        """End open tasks that are not detached, send waiting spans, let go of files."""
        self._tasks.close()
        self._recorder.close()
        self._ledger.close()
        self._cosigner.close()  # what the witnesses say of the last checkpoint may be a finding
        self._telemetry.close()
        self._store.close()
        self._contents.close()

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _key_files(manifest: Manifest) -> list[Path]:
    """The files with the keys of others: whoever could write them could be anybody."""
    clients = manifest.authority.clients.values() if manifest.authority else ()
    named = [*(issuer.jwks_file for issuer in manifest.issuers.values()), *(client.jwks_file for client in clients)]
    return [manifest.folder / name for name in named if name is not None]
