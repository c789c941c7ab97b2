"""The life of tasks: opened from the manifest, narrowed, delegated, resumed, ended."""

from __future__ import annotations

import json
import logging
import math
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from licet.budgets import owned
from licet.canonical import Plain, fitting, recordable
from licet.clock import Clock, lasting
from licet.denial import explain
from licet.errors import Denied, StoreError, UsageError
from licet.guard.account import end_fields, reasons_of, remedies, task_fields
from licet.guard.contents import Contents, digests
from licet.guard.minter import Minter
from licet.guard.origins import Origins
from licet.guard.proofs import Proofs
from licet.guard.recorder import Recorder
from licet.guard.shown import shown_intent
from licet.guard.task import GuardedTask, Turn, current_task, interpolate
from licet.locks import Lock
from licet.manifest import Budget, Grant, Manifest, duration
from licet.policy import decide
from licet.policy.checks.delegation import DelegationFacts, DelegationRequest, widened
from licet.pseudonym import Pseudonyms
from licet.records import Decision, Finding, TaskRecord
from licet.scope import CompiledManifest, Layer, Scope, compile_grants, layer_of_names
from licet.secretlike import scrub, scrubbed
from licet.store import Store
from licet.telemetry import Telemetry, semconv
from licet.telemetry.record import task_text

Tools = Iterable[str] | Mapping[str, Any]

_GRANTS = TypeAdapter(dict[str, Grant])
_BUDGETS = TypeAdapter(list[Budget])
_log = logging.getLogger("licet")
MAX_INTENT = 20_000  # characters
RETRY_SECONDS = 1.0
SWEEP_SECONDS = 600.0  # how long after its time a task that nobody ends is kept


class Tasks:
    """Opens and ends the tasks of one guard."""

    def __init__(
        self, manifest: Manifest, compiled: CompiledManifest, *, store: Store, recorder: Recorder, telemetry: Telemetry, clock: Clock,
        origins: Origins, minter: Minter, proofs: Proofs, pseudonyms: Pseudonyms, contents: Contents,
        ratified: int = 0,
    ) -> None:  # fmt: skip
        self._manifest, self._compiled, self._store = manifest, compiled, store
        self._recorder, self._telemetry, self._clock, self._origins, self._minter = recorder, telemetry, clock, origins, minter
        self._proofs, self._pseudonyms, self._contents = proofs, pseudonyms, contents
        self._ratified = ratified  # the version of the manifest's ratification
        self._open: dict[str, GuardedTask] = {}
        self._unstored: dict[str, tuple[float, str]] = {}  # ends that the store could not take yet
        self._sweep = -math.inf
        self._closed = False
        self.leaving: Callable[[GuardedTask], None] = lambda _task: None
        """What is done before the span of a task ends: whoever has spans open below it ends them."""
        self._lock = Lock()

    def create(
        self,
        kind: str,
        *,
        intent: str,
        agent: str,
        principal: str | None,
        tools: Tools | None,
        values: Mapping[str, str],
        detached: bool,
        subject_token: str | None = None,
        agent_token: str | None = None,
        parent: GuardedTask | None = None,
        budgets: Iterable[Any] | None = None,
        ttl: str | timedelta | None = None,
    ) -> GuardedTask:
        """A task that is not begun yet.

        Raises:
            UsageError: the kind is not declared, a name or text is missing, or `tools` names what the kind does not grant.
            Denied: a token does not prove its name (`identity.unproved`).
        """
        declared = self._manifest.tasks.get(kind)
        if declared is None:
            raise UsageError(f"task kind {kind!r} is not in the manifest; declared: {', '.join(self._manifest.tasks)}")
        given: tuple[tuple[str, object], ...] = (("intent", intent), ("agent", agent))
        given += () if principal is None else (("principal", principal),)
        for name, text in given:
            if not isinstance(text, str) or not text.strip():
                raise UsageError(f"{name}= must be a text that says something")
            if fitting(text, MAX_INTENT) != text:
                raise UsageError(f"{name}= holds a lone surrogate, or is longer than {MAX_INTENT} characters; long text: task.quote(text)")
        written, filled, spans = interpolate(intent, values)
        if fitting(written, MAX_INTENT) != written:
            raise UsageError(f"the filled intent is longer than {MAX_INTENT} characters; hand long text on by task.quote(text)")
        narrowing = _narrowing(tools, budgets) | {"filled": spans}
        counted = {tool for budget in _BUDGETS.validate_python(narrowing["budgets"]) for tool in budget.of}
        if unknown := sorted(counted - set(declared.tools)):
            raise UsageError(
                f"budgets= counts {', '.join(unknown)}, which task kind {kind!r} does not grant, so that it would limit nothing"
            )
        allowed_ttl = declared.ttl.total_seconds() if ttl is None else min(_seconds(ttl), declared.ttl.total_seconds())
        if parent is None:
            self._known(kind, narrowing["tools"])
            names = self._proofs.names(kind, agent=agent, principal=principal, subject_token=subject_token, agent_token=agent_token)
        else:
            names = self._proofs.inherited(kind, parent.record, agent=agent, agent_token=agent_token)
        task_id = os.urandom(16).hex()
        known = agent if agent in self._manifest.agents else recordable(agent)  # what is not declared can have any text as its name
        record = TaskRecord(
            id=task_id, kind=kind, agent=known, principal=names.principal, intent=written, manifest_digest=self._manifest.digest,
            started=0.0, ttl=allowed_ttl, parent=parent.id if parent else None, root=parent.record.root if parent else task_id,
            narrowing=json.dumps(narrowing), detached=detached, principal_is=names.principal_is, agent_is=names.agent_is,
            owner=self._owner(agent),
        )  # fmt: skip
        task = self._assemble(record, parent)
        task.names = names
        task.turns += filled
        return task

    def _owner(self, agent: str) -> str:
        declared = self._manifest.agents.get(agent)
        return (declared.owner or "") if declared else ""

    def delegate(
        self, kind: str, *, agent: str, intent: str, tools: Tools | None, budgets: Iterable[Any] | None, ttl: str | timedelta | None,
        parent: GuardedTask | None = None, detached: bool = False, agent_token: str | None = None,
    ) -> GuardedTask:  # fmt: skip
        """A sub-task of `parent`, by default of the current task, with at most what that has.

        Raises:
            UsageError: there is no current task, or the call itself is wrong.
            Denied: the sub-task asks for more than its parent has, or the token does not prove the agent.
        """
        parent = parent or current_task()
        if parent is None or parent._tasks is not self:
            raise UsageError("guard.delegate(...) starts a sub-task of this guard's current task, and there is none")
        tools = tools if tools is None or isinstance(tools, (str, Mapping)) else tuple(tools)
        names = frozenset(tools) if tools is not None else None
        child = self.create(
            kind, intent=intent, agent=agent, principal=parent.record.principal, tools=tools, values={}, detached=detached,
            parent=parent, budgets=budgets, ttl=ttl, agent_token=agent_token,
        )  # fmt: skip
        remaining = self._remaining(parent)
        request = DelegationRequest(kind, agent, names, None if ttl is None else _seconds(ttl), child.scope, len(child.agents))
        decision = decide([widened], request, DelegationFacts(self._manifest, parent.record, parent.scope, remaining))
        fields: dict[str, Plain] = {
            **task_fields(parent.record), "agent": agent, "agent_is": child.record.agent_is, "by": parent.record.agent,
            "kind_of_task": kind, "outcome": decision.outcome, "judged": decision.judged, "reasons": reasons_of(decision),
        }  # fmt: skip
        if decision.outcome != "allow":
            fields["remedy"] = remedies(decision)
        seq = self._recorder.before("delegation", fields)
        if decision.outcome != "allow":
            self._refuse(decision, parent, kind, seq)
        self._known(kind, names)
        child.record = replace(child.record, ttl=min(child.record.ttl, max(remaining, 0.0)))
        return child

    def _known(self, kind: str, tools: Iterable[str] | None) -> None:
        unknown = sorted(set(tools or ()) - self._compiled.scopes[kind].tools)
        if unknown:
            raise UsageError(f"tools= names {', '.join(unknown)}, which task kind {kind!r} does not grant; tools= only narrows")

    def _refuse(self, decision: Decision, parent: GuardedTask, kind: str, seq: int) -> None:
        agent = self._manifest.agents.get(parent.record.agent)
        owner = (agent.owner or "") if agent else ""
        parent.findings += self._recorder.judged(decision, task_id=parent.id, call_id="", owner=owner, ledger=seq)
        raise Denied(explain(decision, f"delegate {kind}", parent.scope.tools).text, decision)

    def resume(self, task_id: str) -> GuardedTask:
        """Take up a detached task that this or another process began.

        Raises:
            UsageError: the task is not known, has ended, or began under another manifest.
        """
        self._settle()
        with self._lock:
            if task_id in self._open:
                return self._open[task_id]
            if task_id in self._unstored:
                raise UsageError(f"task {task_id!r} has ended; open a new one")
        record = self._store.task(task_id)
        if record is None:
            raise UsageError(f"task {task_id!r} is not known to this store")
        if record.ended is not None:
            raise UsageError(f"task {task_id!r} has ended; open a new one")
        if not record.detached:
            raise UsageError(f"task {task_id!r} is not detached: it ends with its block, and is not taken up elsewhere")
        if record.manifest_digest != self._manifest.digest:
            raise UsageError(f"task {task_id!r} began under another manifest; end it and open a new one")
        parent = self.resume(record.parent) if record.parent else None
        task = self._assemble(record, parent)
        task.resumed = True
        task._begun, task._monotonic = True, self._clock.monotonic() - max(0.0, self._clock.now() - record.started)
        with self._lock:
            return self._open.setdefault(task_id, task)

    def find(self, task: GuardedTask | str | None) -> GuardedTask | None:
        """The task that `begin(task=...)` names: the object, its handle, or its id; None: the current one."""
        if isinstance(task, str):
            with self._lock:
                return self._open.get(task) or self.by_handle(task)
        found = current_task() if task is None else task
        # A task of another guard says nothing here: its grants speak of that guard's manifest.
        return found if found is not None and found._tasks is self and found._begun else None

    def by_handle(self, handle: str) -> GuardedTask | None:
        """The open task with this handle; a bare id is not one."""
        task = self._open.get(handle.partition(".")[0])
        return task if task is not None and secrets.compare_digest(task.handle.encode(), handle.encode()) else None

    def _assemble(self, record: TaskRecord, parent: GuardedTask | None) -> GuardedTask:
        narrowing = json.loads(record.narrowing)
        base = self._compiled.scopes[record.kind]
        own: list[Layer] = [base.layers[-1]]
        if narrowing["tools"] is not None:
            source = f"tools= of task {record.id[:8]}"
            given = narrowing["tools"]
            own.append(
                layer_of_names(source, frozenset(given))
                if isinstance(given, list)
                else compile_grants(source, _GRANTS.validate_python(given))
            )
        scope = parent.scope if parent else Scope(base.layers[:-1])
        for layer in own:
            scope = scope.narrow(layer)
        budgets = (*self._manifest.tasks[record.kind].budgets, *_BUDGETS.validate_python(narrowing["budgets"]))
        ledger = owned(record.id, (layer.grants for layer in own), budgets)
        task = GuardedTask(self, record, scope, (ledger, *(parent.budgets if parent else ())), parent)
        task.principal_id = self._pseudonyms.principal(record.principal)
        task.filled = tuple((start, end) for start, end in narrowing["filled"])
        return task

    def begin(self, task: GuardedTask) -> None:
        """Record the beginning; entering a begun task again only makes it current."""
        if task._ended:
            raise UsageError(f"task {task.id[:8]} has ended; open a new one")
        if task._begun:
            if task._span is None:
                # Taken up from a queue, or once more: what began it may be long over. A span of its own goes on from it by a link.
                task._span = self._telemetry.start(*self._told(task), links=[(task.record.trace_id, task.record.span_id)])
            return
        self._settle()
        if task.names is not None:
            self._proofs.check_held(task.names, task.record.kind)
        now = self._clock.now()
        task._span = span = self._telemetry.start(*self._told(task), task.parent.position if task.parent else None)
        task.record = replace(task.record, started=now, trace_id=span.trace_id, span_id=span.span_id)
        task._monotonic = self._clock.monotonic()
        told: dict[str, Plain] = {
            **task_fields(task.record), "parent": task.record.parent, "kind_of_task": task.record.kind, "actors": list[Plain](task.agents),
            "proofs": task.names.recorded() if task.names else [], "intent": self._pseudonyms.text(task.record.intent),
            "tools": list[Plain](sorted(task.scope.tools)), **({"ratified": self._ratified} if self._ratified else {}),
        }  # fmt: skip
        words = self._contents.intent(task)
        task.record = replace(task.record, ledger=self._recorder.before("task.begin", told | digests(words)))
        self._contents.keep(words, task.record.ledger, task)
        self._store.begin_task(_kept(task.record))
        self._origins.begin(task)
        task._begun = True
        with self._lock:
            self._open[task.id] = task

    def _told(self, task: GuardedTask) -> tuple[str, dict[str, Any]]:
        """The name and the attributes of the task's span."""
        record = task.record
        return f"{semconv.INVOKE_AGENT} {record.agent}", {
            semconv.OPERATION_NAME: semconv.INVOKE_AGENT, semconv.AGENT_NAME: record.agent,
            semconv.PROVIDER_NAME: semconv.PROVIDER_UNKNOWN, semconv.TASK_ID: task.id, semconv.TASK_KIND: record.kind,
            semconv.TXN: record.root, semconv.INTENT_DECLARED: self._manifest.tasks[record.kind].intent,
            semconv.INTENT_ID: self._pseudonyms.text(record.intent), semconv.INTENT_SCOPE: sorted(task.scope.tools),
            semconv.ACTOR_CHAIN: list(task.agents), semconv.POLICY_VERSION: self._manifest.digest,
            semconv.PRINCIPAL_ID: task.principal_id, semconv.PRINCIPAL_STANDING: record.principal_is,
            semconv.ACTOR_STANDING: record.agent_is, **shown_intent(task, self._manifest),
            **({semconv.POLICY_RATIFIED: self._ratified} if self._ratified else {}),
        }  # fmt: skip

    def left(self, task: GuardedTask) -> None:
        """No block holds the detached task open any more. Its span ends, as nobody may ever come back here; the task goes on."""
        self._end_span(task)

    def end(self, task: GuardedTask, by: str, failed: str = "") -> None:
        """Record the end; only the first counts. It holds here at once, and in other processes from when the store has it.

        `failed` is the class of the exception that ended it.
        """
        by = recordable(by)
        with self._lock:
            if task._ended or not task._begun:
                return
            task._ended = True
            self._open.pop(task.id, None)
        why = f"its block was left by {failed}" if failed else ""
        self._recorder.after("task.end", end_fields(task.record, self._store, by, why))
        now = self._clock.now()
        task.record = replace(task.record, ended=now, ended_by=by, paused=task._paused)
        try:
            self._store.end_task(task.id, now, by)
        except StoreError:
            # The ledger has the end, and this process refuses the task from here on; the store is told when it can be.
            with self._lock:
                self._unstored[task.id] = (now, by)
            self._try_later()
            self._recorder.after("task.end.unstored", {**task_fields(task.record), "why": "the store could not be written"})
        self._let_go(task, failed)

    def _let_go(self, task: GuardedTask, failed: str = "") -> None:
        self._recorder.forget(task.id)
        self._origins.end(task)
        self._minter.forget(task.id)
        self._end_span(task, failed)

    def _end_span(self, task: GuardedTask, failed: str = "") -> None:
        """Once: without its end a span is never exported, and those of the task's calls hang in the air."""
        self.leaving(task)
        with self._lock:
            span, task._span = task._span, None
        if span is not None:
            record = task_text(replace(task.record, paused=task._paused), self._found(task), principal=task.principal_id)
            told: dict[str, Any] = {semconv.RECORD: record, semconv.TASK_CALLS: task.calls}
            span.end(told | ({semconv.TASK_DENIED: task.denied} if task.denied else {}), error_type=failed)

    def _found(self, task: GuardedTask) -> list[Finding]:
        """The findings about the task itself: those of its calls stand on theirs. A tool's side may have put some into the store."""
        try:
            return [found for found in self._store.findings(task.id) if not found.call_id]
        except StoreError:
            return task.findings

    def _try_later(self) -> None:
        """Other processes go on with the task until the store has its end, whether or not anything more is done here."""
        timer = threading.Timer(RETRY_SECONDS, self._retry)
        timer.daemon = True
        timer.start()

    def _retry(self) -> None:
        self._settle()
        if self._unstored and not self._closed:
            self._try_later()

    def _settle(self) -> None:
        """Tell the store of the ends that it could not take, and let go of tasks whose time is long over: nobody may ever end them."""
        with self._lock:
            waiting = list(self._unstored.items())
        for task_id, (time, by) in waiting:
            try:
                self._store.end_task(task_id, time, by)
            except StoreError:
                break
            with self._lock:
                self._unstored.pop(task_id, None)
        now = self._clock.monotonic()
        if now < self._sweep:
            return
        self._sweep = now + SWEEP_SECONDS
        with self._lock:
            over = [task for task in self._open.values() if not task.entered and self._remaining(task) < -SWEEP_SECONDS]
            for task in over:
                del self._open[task.id]
        for task in over:
            self._let_go(task)

    def end_by_id(self, task_id: str, by: str) -> bool:
        """End a task that may be another process's; False if it had ended, or is not known.

        Raises:
            StoreError: it could not be stored, so that other processes do not know of it. Here it has ended all the same.
        """
        by = recordable(by)
        with self._lock:
            task = self._open.get(task_id)
        if task is not None:
            self.end(task, by)
            self._settle()
            if task_id in self._unstored:
                raise StoreError("the end of the task holds here, and could not be stored for other processes yet; it will be tried again")
            return True
        record = self._store.task(task_id)
        if record is None or record.ended is not None:
            return False
        # The ledger first: what it does not have has not happened.
        self._recorder.before("task.end", end_fields(record, self._store, by))
        return self._store.end_task(task_id, self._clock.now(), by)

    def turned(self, task: GuardedTask, turn: Turn) -> None:
        """Record that text entered a task, by digest."""
        if task._begun:
            self._origins.turned(task, turn)
            told: dict[str, Plain] = {"as": turn.kind, "text": self._pseudonyms.text(turn.text)}
            self._recorder.after("task.turn", {**task_fields(task.record), **told})

    def now(self) -> float:
        """The guard's time, in seconds since the epoch."""
        return self._clock.now()

    def over(self, task: GuardedTask) -> str:
        """Why the task, or one above it, is over; by the larger of wall and monotonic time, so that no clock lengthens it."""
        if not task._begun:
            return f"task {task.id[:8]} has not begun"
        if task._ended:
            return f"task {task.id[:8]} has ended"
        if self._remaining(task) <= 0:
            return f"the time of task {task.id[:8]} is over ({lasting(task.record.ttl)})"
        return self.over(task.parent) if task.parent else ""

    def _remaining(self, task: GuardedTask) -> float:
        elapsed = max(self._clock.now() - task.record.started, self._clock.monotonic() - task._monotonic)
        return task.record.ttl + task._paused - elapsed

    def expires(self, task: GuardedTask) -> float:
        """When the task, or the first of those above it, is over: seconds since the epoch."""
        mine = self._clock.now() + self._remaining(task)
        return min(mine, self.expires(task.parent)) if task.parent else mine

    def pause(self, task: GuardedTask | None, seconds: float) -> None:
        """The `seconds` until now, in which a person was waited for, do not count against the time to live, here and in every task above.

        Calls side by side wait at the same time, and that time is given once.
        """
        now = self._clock.monotonic()
        while task is not None:
            with self._lock:
                credit = max(0.0, min(seconds, now - task._waited_until))
                task._waited_until = max(task._waited_until, now)
                task._paused += credit
            try:
                self._store.pause_task(task.id, credit)
            except StoreError:  # other processes do not know of the waiting; here it counts
                _log.warning("licet: waiting for a person could not be stored", exc_info=True)
            task = task.parent

    def close(self) -> None:
        """End what is still open and not detached. Of a detached task only the span ends here; the task goes on."""
        for task in list(self._open.values()):
            if not task.record.detached:
                self.end(task, "guard closed")
            else:
                self._end_span(task)
        self._settle()
        self._closed = True
        if self._unstored:
            _log.error("licet: the end of %d tasks could not be stored; other processes may go on with them", len(self._unstored))


def _kept(record: TaskRecord) -> TaskRecord:
    """The task as the store keeps it: what looks like a secret is masked, unless another process is to take it up with these words."""
    if record.detached:
        return record
    narrowing = json.dumps(scrubbed(json.loads(record.narrowing)))
    return replace(record, intent=scrub(record.intent), principal=scrub(record.principal), narrowing=narrowing)


def _narrowing(tools: Tools | None, budgets: Iterable[Any] | None) -> dict[str, Any]:
    if isinstance(tools, str):
        raise UsageError("tools= takes a list of names, or a mapping of grants, not one text")
    try:
        kept: Any
        if isinstance(tools, Mapping):
            kept = {name: {} if grant is None else _plain(grant) for name, grant in tools.items()}
            _GRANTS.validate_python(kept)
        else:
            kept = None if tools is None else sorted(set(tools))
        budget_list = [_plain(budget) for budget in budgets or ()]
        _BUDGETS.validate_python(budget_list)
        # Kept as JSON, so that another process can take the task up with the same limits.
        return json.loads(json.dumps({"tools": kept, "budgets": budget_list}))  # type: ignore[no-any-return]
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"tools= or budgets=: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"tools= or budgets=: {error}") from error


def _plain(limits: object) -> object:
    return limits.model_dump(mode="json", exclude_unset=True) if isinstance(limits, Grant) else limits


def _seconds(ttl: str | timedelta) -> float:
    try:
        seconds = duration(ttl).total_seconds()
    except ValueError as error:
        raise UsageError(f"ttl=: {error}") from error
    if seconds <= 0:
        raise UsageError("ttl= must be longer than nothing")
    return seconds
