"""What agents do in drills goes through the guard's own SDK: a task is opened, and its calls are made, as any program around an agent does.

The guard is a real one, on a state folder's store, ledger and keys, with the manifest that is used there. What the work needs is added to
that manifest in memory alone. What was left behind is read back from where others read it: store, ledger, spans; and the calls come into
the inventory by the reader of Licet's own calls.
"""

from __future__ import annotations

import inspect
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import StatusCode

from licet.clock import Clock
from licet.drill.work import Call, Tool, Work
from licet.errors import Denied, UsageError
from licet.events import LifecycleEvent, UseEvent
from licet.guard import Guard
from licet.guard.judge import Check
from licet.guard.learned import Learned
from licet.ingest.own import Page, pages, setting_of
from licet.ingest.recognised import Recognised
from licet.inventory.store import Inventory
from licet.ledger import LedgerFiles
from licet.manifest import Manifest, adopt
from licet.manifest.baseline import under
from licet.policy import CHECKS_OF_A_CALL
from licet.records import CallRecord, Finding
from licet.store import SqliteStore
from licet.telemetry import semconv
from licet.telemetry.export.pipeline import own_pipeline
from licet.version import VERSION

GUARD: Final = "guard"
"""The source of drills whose calls go through the guard."""
OWN: Final = "reader own calls"
"""What reads a guard's calls into the inventory, as failures name it."""


Reader = Callable[..., Iterable[Page]]
"""As `licet.ingest.own.pages`."""


class Guards(NamedTuple):
    """Where guards are opened.

    Attributes:
        state: the folder of store, ledger and keys; None: one of its own, which is gone afterwards, and nothing of it leaves.
        manifest: what is declared there; None: nothing but what a drill brings.
        environment: of a drill that brings all.
    """

    state: Path | None = None
    manifest: Manifest | None = None
    environment: str = "prod"

    @property
    def account(self) -> str:
        """The environment, as the inventory has it."""
        return self.manifest.environment if self.manifest is not None else self.environment

    def beside(self) -> Guards:
        """The same manifest in a folder that is gone afterwards."""
        return self._replace(state=None)


class _Said(NamedTuple):
    """What the guard said of a call, and whether the tool was run."""

    outcome: str
    checks: tuple[str, ...]
    ran: bool


class Made(NamedTuple):
    """What became of a call.

    Attributes:
        outcome: what was decided.
        checks: those that spoke.
        status: as the store has it; empty: it has no such call.
        ran: the tool was run.
        recorded: the ledger has a record of it, of its agent and with this outcome.
        span: there is a span of it; of a denied one, it ends in an error that says so.
        id: in the guard's store.
    """

    call: Call
    outcome: str
    checks: tuple[str, ...]
    status: str
    ran: bool
    recorded: bool
    span: bool
    id: str = ""


class Acted(NamedTuple):
    """What was left of the work.

    Attributes:
        task: its id.
        agent: as the store names it.
        made: one for each call.
        findings: all that the guard's store has of the task.
        digests: of its events, as the reader of Licet's own calls makes them.
        credentials: fingerprints of the tokens that its calls were given.
        uses: how many came into the inventory.
        seconds: from the task's beginning until all of it could be read back.
    """

    task: str
    agent: str
    made: tuple[Made, ...]
    findings: tuple[Finding, ...]
    digests: tuple[str, ...]
    credentials: tuple[str, ...]
    uses: int
    seconds: float


class _Guard(Guard):
    """A guard that can lack a check, and that knows a habit without its manifest being another one."""

    def __init__(self, manifest: Manifest, checks: Sequence[Check], learned: Learned, **options: Any) -> None:
        super().__init__(manifest, **options)
        self._gate.judge_by(checks, learned)


class _Spans(SpanProcessor):
    """Keeps the spans of calls, by the call's id."""

    def __init__(self) -> None:
        self.of: dict[str, ReadableSpan] = {}

    def on_end(self, span: ReadableSpan) -> None:
        """One is over."""
        if (call := (span.attributes or {}).get(semconv.CALL_ID)) is not None:
            self.of[str(call)] = span


def act(
    work: Work, inventory: Inventory, fingerprint: Callable[[str], str], clock: Clock, guards: Guards, *,
    checks: Sequence[Check] = CHECKS_OF_A_CALL, read: Reader | None = pages,
) -> Acted:  # fmt: skip
    """Do the work, and let what the guard kept of it into the inventory.

    Args:
        inventory: where it comes in.
        clock: of the guard.
        guards: where the guard is.
        checks: by which it judges.
        read: reads its calls; None: nobody does.

    Raises:
        LicetError: the guard cannot be opened, or what it left cannot be read.
    """
    began = clock.now()
    with ExitStack() as stack:
        state = guards.state
        if state is None:
            state = Path(stack.enter_context(TemporaryDirectory()))
            os.chmod(state, 0o700)  # noqa: PTH101 - a name
        manifest, learned = declared(work, guards, clock.now())
        spans = _Spans()
        with _telemetry(spans, manifest, live=guards.state is not None) as told:
            guard = _Guard(manifest, checks, learned, state=state, clock=clock, **told)
            with closing(guard):
                started = time.monotonic()
                task, ran = _work(guard, work)
        with closing(SqliteStore(state / "licet.db", reading=True)) as store:
            record = store.task(task)
            calls, findings = store.calls(task), tuple(store.findings(task))
            setting = setting_of(manifest, fingerprint)
            found = _of_task(read(store, fingerprint, setting, since=began - 1, now=clock.now()) if read is not None else (), task)
        ledger = _records(LedgerFiles(state / "ledger"), calls)
        seconds = time.monotonic() - started
    inventory.keep(found.uses, found.lifecycle, now=clock.now())
    by_number = {each.seq: each for each in calls}
    made = []
    for number, (call, said) in enumerate(zip(work.calls, ran, strict=True), 1):
        kept = by_number.get(number)
        made.append(_made(call, said, kept, ledger.get(kept.id if kept else ""), spans.of.get(kept.id if kept else "")))
    credentials = {each.credential for each in found.uses} - {""}
    digests = dict.fromkeys(
        [*(each.digest for each in found.uses), *(each.digest for each in found.lifecycle if each.digest)]
    )  # a task's begin and end have none
    agent = record.agent if record is not None else ""
    return Acted(task, agent, tuple(made), findings, tuple(digests), tuple(sorted(credentials)), len(found.uses), seconds)


def without(checks: Sequence[Check], left_out: str) -> tuple[Check, ...]:
    """The same checks, and none of them ever gives this reason."""

    def mute(check: Check) -> Check:
        return lambda request, facts: [each for each in check(request, facts) if each.check != left_out]

    return tuple(mute(each) for each in checks)


def declared(work: Work, guards: Guards, now: float) -> tuple[Manifest, Learned]:
    """The manifest with what the work brings, and what tasks of its kind did before.

    It keeps digest and place of the one that it was added to: that one is in force there, ratified or not. But while nobody sees, drills
    go on: else nobody ever saw again.

    Raises:
        UsageError: a name is taken.
        ManifestError: it cannot be declared there.
    """
    said, base = work.declared(), guards.manifest
    whole = Manifest.model_validate({"licet": 1, "environment": guards.environment, **said})
    if base is None:
        manifest = adopt(whole, now)
    else:
        taken = [name for name in work.names if name in base.tools or name in base.tasks or name in base.credentials]
        if taken:
            raise UsageError(f"{base.source}: declares {taken[0]} already, which was drawn for a drill; try again")
        agents = dict(whole.agents)
        if work.agent in base.agents:
            known = base.agents[work.agent]
            agents[work.agent] = known.model_copy(update={"tasks": (*known.tasks, work.kind)})
        manifest = base.model_copy(update={
            "owners": {**whole.owners, **base.owners}, "agents": {**base.agents, **agents}, "tools": {**base.tools, **whole.tools},
            "credentials": {**base.credentials, **whole.credentials}, "tasks": {**base.tasks, **whole.tasks},
            "monitoring": None,
        })  # fmt: skip
        adopt(manifest, now)
    if work.habit is None:
        return manifest, Learned(manifest)
    habit = {**work.habit, "under": under(manifest.tools, work.habit["tools"])}
    kind = {**work.task, "baseline": habit}
    tasks = {**manifest.tasks, work.kind: type(manifest.tasks[work.kind]).model_validate(kind)}
    return manifest, Learned(manifest.model_copy(update={"tasks": tasks}))


@contextmanager
def _telemetry(spans: _Spans, manifest: Manifest, *, live: bool) -> Iterator[dict[str, Any]]:
    """Where the guard's telemetry goes: as the usual environment variables say, if it is the live one; else nowhere."""
    if not live:
        provider = TracerProvider(ALWAYS_ON, shutdown_on_exit=False)
        provider.add_span_processor(spans)
        yield {"tracer_provider": provider, "meter_provider": NoOpMeterProvider(), "logger_provider": NoOpLoggerProvider()}
        return
    own = own_pipeline(VERSION, manifest.environment, ["traces"])
    own.tracer_provider.add_span_processor(spans)
    try:
        yield {"tracer_provider": own.tracer_provider}
    finally:
        own.close()


def _work(guard: Guard, work: Work) -> tuple[str, list[_Said]]:
    """The task's id, and what was said of each call."""
    ran: list[str] = []
    tools = {each.name: guard.wrap(_behind(each, ran), name=each.name) for each in work.tools}
    found: list[_Said] = []
    with guard.task(work.kind, intent=work.intent, agent=work.agent, principal=work.person) as task:
        for call in work.calls:
            before = len(ran)
            try:
                tools[call.tool](**call.arguments)
            except Denied as denied:
                found.append(_Said(denied.decision.outcome, denied.decision.checks, len(ran) > before))
            else:
                found.append(_Said("allow", (), len(ran) > before))
        return task.id, found


def _behind(tool: Tool, ran: list[str]) -> Callable[..., Any]:
    """What stands behind a tool: it does nothing, and answers what was drawn."""

    def behind(**_: Any) -> Any:
        ran.append(tool.name)
        return dict(tool.answers)

    behind.__name__ = behind.__qualname__ = tool.name
    behind.__doc__ = tool.declared.get("description") or tool.name
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in tool.takes]
    behind.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # as `inspect` looks for it
    return behind


def _of_task(pages_of: Iterable[Page], task: str) -> Recognised:
    """The events of the task, and of no other."""
    uses: list[UseEvent] = []
    lifecycle: list[LifecycleEvent] = []
    for page in pages_of:
        uses += [each for each in page.found.uses if each.session == task]
        lifecycle += [each for each in page.found.lifecycle if each.workload == task]
    return Recognised(tuple(uses), tuple(lifecycle))


def _records(files: LedgerFiles, calls: Sequence[CallRecord]) -> dict[str, Mapping[str, Any]]:
    """By call, the ledger's record of its intent or denial."""
    numbers = {each.ledger for each in calls if each.ledger}
    if not numbers:
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for line in files.records(min(numbers) - 1, max(numbers)):
        record = json.loads(line)
        if record.get("seq") in numbers:
            found[str(record.get("call", ""))] = record
    return found


def _made(call: Call, said: _Said, kept: CallRecord | None, record: Mapping[str, Any] | None, span: ReadableSpan | None) -> Made:
    """What there is of a call, but for findings."""
    if kept is None or kept.tool != call.tool:
        return Made(call, said.outcome, said.checks, "", said.ran, recorded=False, span=False)
    recorded = record is not None and record.get("tool") == call.tool and str(record.get("outcome", "allow")) == said.outcome
    seen = span is not None and (said.outcome != "deny" or _refuses(span))
    return Made(
        call, said.outcome, tuple(dict.fromkeys((*said.checks, *kept.decision.checks))), kept.status, said.ran, recorded, seen, kept.id
    )


def _refuses(span: ReadableSpan) -> bool:
    """Whether it ends in an error that says that the call was denied."""
    return span.status.status_code is StatusCode.ERROR and (span.attributes or {}).get(semconv.ERROR_TYPE) == semconv.POLICY_DENIED
