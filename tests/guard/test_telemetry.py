"""Spans: one per call under one per task, by the conventions' names, and never a content, here or in any other record."""

from __future__ import annotations

import contextvars
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_current_span

import licet
from evidence import stored
from licet import Denied
from licet.records import ToolCall
from licet.testing import RecordingApprover
from world import MANIFEST, World


class Spans:
    """A world whose spans are kept."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.world = World(folder, tracer_provider=provider, **options)
        self.tracer = provider.get_tracer("test")

    def named(self, name: str) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def spans(tmp_path: Path) -> Iterator[Spans]:
    made = Spans(tmp_path)
    yield made
    made.world.guard.close()


def test_a_calls_span_stands_under_its_tasks(spans: Spans):
    """`execute_tool {tool}` under `invoke_agent {agent}`, with the names of the GenAI conventions and our own."""
    with spans.world.task() as task:
        spans.world.tool("note")(1)
        spans.world.tool("send")("ada@acme.example")
    (agent,), (note,), (send,) = (spans.named(name) for name in ("invoke_agent bot", "execute_tool note", "execute_tool send"))
    for span in (note, send):
        assert (span.parent.span_id, span.context.trace_id) == (agent.context.span_id, agent.context.trace_id)
        assert span.kind.name == "INTERNAL"
        assert span.status.status_code is StatusCode.UNSET
    found = send.attributes
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == "send"
    assert found["gen_ai.tool.type"] == "function"
    assert found["gen_ai.agent.name"] == "bot"
    assert (found["licet.task.id"], found["licet.txn"], found["licet.task.kind"]) == (task.id, task.id, "work")
    assert (found["licet.intent.declared"], found["licet.decision.outcome"]) == ("Work", "allow")
    assert (found["licet.call.seq"], found["licet.chain.previous_tool"]) == (2, "note")
    assert found["licet.args.digest"].startswith("hmac-sha256:")
    assert found["licet.result.digest"].startswith("hmac-sha256:")
    assert agent.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert agent.attributes["gen_ai.provider.name"]


def test_a_denied_call_has_a_span_with_an_error_and_no_child(spans: Spans):
    def send(to: str) -> None:
        with spans.tracer.start_as_current_span("inside"):
            pass

    tool = spans.world.tool("send", send)
    with spans.world.task():
        tool("ada@acme.example")
        with pytest.raises(Denied):
            tool("eve@evil.example")
    allowed, denied = spans.named("execute_tool send")
    assert denied.status.status_code is StatusCode.ERROR
    assert denied.attributes["error.type"] == "policy_denied"
    assert denied.attributes["licet.decision.reason"] == "scope.argument"
    (inside,) = spans.named("inside")
    assert inside.parent.span_id == allowed.context.span_id
    children = [span for span in spans.exporter.get_finished_spans() if span.parent and span.parent.span_id == denied.context.span_id]
    assert children == []


def test_a_failed_call_has_the_exceptions_type_and_not_its_text(spans: Spans):
    def note() -> None:
        raise ValueError("secret-in-exception")

    with spans.world.task(), pytest.raises(ValueError, match="secret"):
        spans.world.tool("note", note)()
    (span,) = spans.named("execute_tool note")
    assert (span.attributes["error.type"], span.status.status_code) == ("ValueError", StatusCode.ERROR)
    assert "secret" not in span.to_json()


def test_sub_tasks_are_spans_under_their_parent(spans: Spans):
    with spans.world.task(), spans.world.guard.delegate("work", agent="helper", intent="x"):
        spans.world.tool("note")(1)
    (top,), (sub,), (note,) = (spans.named(name) for name in ("invoke_agent bot", "invoke_agent helper", "execute_tool note"))
    assert sub.parent.span_id == top.context.span_id
    assert note.parent.span_id == sub.context.span_id
    assert list(sub.attributes["licet.actor.chain"]) == ["helper", "bot"]


def test_the_store_keeps_what_the_span_says(spans: Spans):
    with spans.world.task() as task:
        spans.world.tool("note")(1)
    (call,) = spans.world.guard._store.calls(task.id)
    (span,) = spans.named("execute_tool note")
    assert call.span_id == format(span.context.span_id, "016x")
    assert call.trace_id == format(span.context.trace_id, "032x")
    assert call.attributes["gen_ai.tool.name"] == "note"


class Broken(SpanProcessor):
    """Raises at everything."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise RuntimeError("telemetry")

    def on_end(self, span: Any) -> None:
        raise RuntimeError("telemetry")


def test_telemetry_that_raises_reaches_no_call(tmp_path: Path):
    provider = TracerProvider()
    provider.add_span_processor(Broken())
    world = World(tmp_path, tracer_provider=provider)
    with world.guard, world.task():
        assert world.tool("note")(1) == 1
        world.denied("scope.argument", world.tool("send"), "eve@evil.example")


SECRETS = [
    f"s3cr3t-{place}"
    for place in ("argument", "nested", "key", "result", "error", "intent", "turn", "list", "denied", "asked", "yield", "unjudgeable")
]


def test_no_content_is_in_any_record(tmp_path: Path):
    """Secrets planted in every argument, key, result, exception and turn are in no span, ledger line, store row or token."""
    spans = Spans(tmp_path, approver=RecordingApprover(False))
    world = spans.world
    plant = dict(zip((secret.removeprefix("s3cr3t-") for secret in SECRETS), SECRETS, strict=True))
    tokens: list[str] = []

    def share(value: Any, with_whom: str = "ada") -> str:
        call = licet.current_call()
        tokens.append(call.token if call else "")
        return plant["result"]

    def stream() -> Iterator[str]:
        yield plant["yield"]

    def failing() -> None:
        raise ValueError(plant["error"])

    with world.task() as task:
        task.say(plant["turn"])
        tool = world.tool("share", share)
        tool(plant["argument"])
        tool({"deep": [{plant["key"]: plant["nested"]}]})
        tool([plant["list"]])
        list(world.tool("stream", stream)())
        with pytest.raises(ValueError, match="s3cr3t"):
            world.tool("anote", failing)()
        for refused in (plant["denied"], {plant["key"]: object()}, [plant["unjudgeable"], object()]):
            with pytest.raises(Denied) as denial:
                world.tool("send")(refused)
            assert "s3cr3t" not in str(denial.value)
    with world.task("asking"), pytest.raises(Denied):
        world.tool("risky")(plant["asked"])
    world.guard.close()
    kept = "\n".join(span.to_json() for span in spans.exporter.get_finished_spans()).encode()
    kept += b"".join(path.read_bytes() for path in world.guard.state.rglob("*") if path.is_file())
    for token in tokens:
        import jwt

        kept += repr(jwt.decode(token, options={"verify_signature": False})).encode()
    assert len(tokens) == 3
    assert len(kept) > 10_000
    assert [secret for secret in SECRETS if secret.encode() in kept] == []


def test_the_intent_is_kept_where_the_owner_reads_it_and_nowhere_else(tmp_path: Path):
    """The store shows a task's intent; spans, ledger and tokens have its digest."""
    spans = Spans(tmp_path)
    world = spans.world
    with world.guard.task("work", intent="s3cr3t-intent", agent="bot", principal="user:a") as task:
        token = world.guard.begin(ToolCall("send", {"to": "ada@acme.example"}), task=task).token
    world.guard.close()
    import jwt

    others = "\n".join(span.to_json() for span in spans.exporter.get_finished_spans()) + stored(world.guard).decode("latin-1")
    assert "s3cr3t" not in others + repr(jwt.decode(token or "", options={"verify_signature": False}))


def test_in_a_task_its_span_is_current_and_after_it_the_one_before(spans: Spans):
    """What a model client or a framework traces between the calls stands under the task too."""
    with spans.tracer.start_as_current_span("request") as request:
        with spans.world.task() as task:
            spans.world.tool("note")(1)
            spans.tracer.start_span("chat").end()
            assert get_current_span().get_span_context().span_id == int(task.position[1], 16)
        assert get_current_span() is request
    (agent,), (chat,) = spans.named("invoke_agent bot"), spans.named("chat")
    assert chat.parent.span_id == agent.context.span_id
    assert agent.parent.span_id == request.context.span_id


def test_a_block_that_is_left_in_another_context_says_nothing_and_breaks_nothing(spans: Spans, caplog: pytest.LogCaptureFixture):
    task = spans.world.task()
    contextvars.copy_context().run(task.__enter__)
    contextvars.copy_context().run(task.__exit__, None, None, None)
    assert not get_current_span().get_span_context().is_valid
    assert caplog.text == ""
    assert spans.named("invoke_agent bot")


def test_the_span_of_a_detached_task_ends_with_its_block(spans: Spans):
    """The task goes on elsewhere, and nobody may come back here; without its span those of its calls would hang in the air."""
    task = spans.world.guard.task("work", agent="bot", principal="user:grace", intent="x", detached=True)
    with task:
        spans.world.tool("note")(1)
        assert spans.named("invoke_agent bot") == []
    (agent,), (note,) = spans.named("invoke_agent bot"), spans.named("execute_tool note")
    assert note.parent.span_id == agent.context.span_id
    assert task.over() == ""


def test_a_queued_sub_agents_span_links_to_the_one_that_queued_it(spans: Spans, tmp_path: Path):
    """A worker takes the sub-task up later, in a trace of its own: what began it may be long over."""
    guard = spans.world.guard
    with guard.task("work", agent="bot", principal="user:grace", intent="x", detached=True) as task:
        queued = guard.delegate("work", agent="bot", intent="later", detached=True)
        with queued:
            pass
    worker = Spans(tmp_path)
    with worker.world.guard.resume_task(queued.id):
        worker.world.tool("note")(1)
    worker.world.guard.close()
    (taken_up,), (note,) = worker.named("invoke_agent bot"), worker.named("execute_tool note")
    began = next(span for span in spans.named("invoke_agent bot") if span.attributes["licet.task.id"] == queued.id)
    assert [link.context.span_id for link in taken_up.links] == [began.context.span_id]
    assert taken_up.parent is None
    assert taken_up.context.trace_id != began.context.trace_id
    assert (note.parent.span_id, note.context.trace_id) == (taken_up.context.span_id, taken_up.context.trace_id)
    assert taken_up.attributes["licet.txn"] == task.id


def test_a_thread_in_a_tool_is_under_its_call(spans: Spans):
    """Guarded calls and other libraries' spans alike; in a thread of its own, and in a pool."""

    def fan_out() -> None:
        def work() -> None:
            spans.tracer.start_span("http").end()
            spans.world.tool("note")(1)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()

    with spans.world.task():
        spans.world.tool("anote", fan_out)()
    (outer,) = spans.named("execute_tool anote")
    inner = [*spans.named("http"), *spans.named("execute_tool note")]
    assert [span.parent.span_id for span in inner] == [outer.context.span_id] * 4


def test_a_thread_outside_of_any_task_keeps_its_own_context(spans: Spans):
    with spans.tracer.start_as_current_span("request"):
        thread = threading.Thread(target=lambda: spans.tracer.start_span("http").end())
        thread.start()
        thread.join()
    (span,) = spans.named("http")
    assert span.parent is None


def test_an_approval_shows_who_and_how_long(tmp_path: Path):
    spans = Spans(tmp_path, approver=RecordingApprover(answer=True))
    with spans.world.task("asking"):
        spans.world.tool("risky")(1)
    spans.world.guard.close()
    (span,) = spans.named("execute_tool risky")
    found = span.attributes
    assert (found["licet.approval.answer"], found["licet.decision.outcome"]) == ("approved", "allow")
    assert found["licet.approval.how"]
    assert found["licet.approval.waited"] >= 0
    assert span.status.status_code is StatusCode.UNSET


def test_a_refusal_shows_who_and_what_was_asked(tmp_path: Path):
    spans = Spans(tmp_path, approver=RecordingApprover(answer=False))
    with spans.world.task("asking"), pytest.raises(Denied):
        spans.world.tool("risky")(1)
    spans.world.guard.close()
    (span,) = spans.named("execute_tool risky")
    assert (span.attributes["licet.approval.answer"], span.attributes["licet.decision.reason"]) == ("refused", "approval.refused")
    assert span.attributes["error.type"] == "policy_denied"


def test_a_call_that_still_waits_is_seen_when_its_task_is_left_and_begins_anew_when_it_is_answered(spans: Spans):
    guard = spans.world.guard
    with guard.task("asking", agent="bot", principal="user:grace", intent="x", detached=True) as task:
        ticket = guard.begin(ToolCall("risky", {"what": "x"}, call_id="1", known=("what",)), task=task)
        assert ticket.action == "ask"
    (waiting,) = spans.named("execute_tool risky")
    assert (waiting.attributes["error.type"], waiting.attributes["licet.decision.outcome"]) == ("approval_required", "ask")
    guard.resolve(ticket, approved=True, by="ada")
    ticket.redeem()
    guard.end(ticket, result="done")
    (_, done) = spans.named("execute_tool risky")
    assert done.attributes["licet.call.id"] == waiting.attributes["licet.call.id"]
    assert (done.attributes["licet.approval.by"], done.attributes["licet.decision.outcome"]) == ("ada", "allow")


def test_a_task_that_an_exception_ends_is_an_error(spans: Spans):
    with pytest.raises(KeyError), spans.world.task():
        raise KeyError("x")
    (agent,) = spans.named("invoke_agent bot")
    assert (agent.attributes["error.type"], agent.status.status_code) == ("KeyError", StatusCode.ERROR)


def test_an_invented_tool_does_not_name_a_span(spans: Spans):
    """Back ends list the names of spans, and a model can invent names without end; the attribute has what was asked for."""
    with spans.world.task() as task:
        spans.world.guard.begin(ToolCall("invented", {}), task=task)
    (span,) = spans.named("execute_tool _OTHER")
    assert span.attributes["gen_ai.tool.name"] == "invented"


def test_a_denial_has_its_path_and_an_allowed_call_its_token(spans: Spans):
    with spans.world.task():
        spans.world.tool("send")("ada@acme.example")
        with pytest.raises(Denied):
            spans.world.tool("send")(object())
    sent, _ = spans.named("execute_tool send")
    assert sent.attributes["licet.token.jti"]
    assert sent.attributes["licet.token.exp"] > 0


def test_a_frameworks_own_span_of_the_call_is_the_one(spans: Spans):
    """One span per call: what the framework has begun is told what we know, and left to the framework to end."""
    with spans.world.task():
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "note"}
        with spans.tracer.start_as_current_span("framework's tool", attributes=attributes):
            spans.world.tool("note")(1)
    assert spans.named("execute_tool note") == []
    (span,) = spans.named("framework's tool")
    assert span.attributes["licet.decision.outcome"] == "allow"


def test_a_refusal_is_red_whatever_the_framework_says_of_its_own_span(spans: Spans):
    """Adapters hand the refusal on as a text, so that the framework sees nothing raised and says that all went well."""
    with spans.world.task():
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "send"}
        with spans.tracer.start_as_current_span("framework's tool", attributes=attributes) as theirs:
            with pytest.raises(Denied):
                spans.world.tool("send")(object())
            theirs.set_status(StatusCode.OK)
    (theirs,), (ours,) = spans.named("framework's tool"), spans.named("execute_tool send")
    assert (ours.status.status_code, ours.attributes["licet.decision.outcome"]) == (StatusCode.ERROR, "deny")
    assert ours.parent.span_id == theirs.context.span_id


def test_a_tasks_span_counts_its_calls_and_the_refused_ones(spans: Spans):
    with spans.world.task():
        spans.world.tool("note")(1)
        with pytest.raises(Denied):
            spans.world.tool("send")(object())
    (agent,) = spans.named("invoke_agent bot")
    assert (agent.attributes["licet.task.calls"], agent.attributes["licet.task.denied"]) == (2, 1)
    (send,) = spans.named("execute_tool send")
    assert send.attributes["licet.chain.previous_tool"] == "note"


def test_an_attribute_without_a_value_is_left_out(spans: Spans):
    with spans.world.task():
        spans.world.tool("note")(1)
    (span,) = spans.named("execute_tool note")
    assert "licet.chain.previous_tool" not in span.attributes  # the first call has none before it
    assert "licet.decision.reason" not in span.attributes


def test_an_exception_whose_name_is_no_name_is_other(spans: Spans):
    """Its class can be called anything; `error.type` has few values."""

    def note() -> None:
        raise type("X", (Exception,), {"__qualname__": "no such file: /home/ada"})

    with spans.world.task(), pytest.raises(Exception):  # noqa: B017, PT011 - of a class made up here
        spans.world.tool("note", note)()
    (span,) = spans.named("execute_tool note")
    assert span.attributes["error.type"] == "_OTHER"


def test_arguments_that_cannot_be_judged_have_no_digest(spans: Spans):
    """And not a text that looks like one."""
    with spans.world.task(), pytest.raises(Denied):
        spans.world.tool("risky", lambda thing: None)(object())
    (span,) = spans.named("execute_tool risky")
    assert "licet.args.digest" not in span.attributes


def test_a_declared_name_is_told_as_it_is_and_an_invented_one_is_not(tmp_path: Path):
    """A server called `secrets` is no secret; what a model makes up may be one."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    text = MANIFEST.replace("tools: &all\n", "tools: &all\n      'secrets:list': {}\n")
    text = text.replace("tools:\n", "tools:\n  'secrets:list': {access: read, egress: false}\n", 1)
    world = World(tmp_path, text, tracer_provider=provider)
    with world.task() as task:
        for tool in ("secrets:list", "password:hunter2hunter2"):
            world.guard.begin(ToolCall(tool, {}), task=task)
    world.guard.close()
    told = [span.attributes["gen_ai.tool.name"] for span in exporter.get_finished_spans() if "gen_ai.tool.name" in span.attributes]
    assert told == ["secrets:list", "password:[a secret]"]


def test_a_fork_while_another_thread_tells_of_a_call_goes_on(spans: Spans):
    """The thread that held a lock is not in the new process."""
    telling, held, done = spans.world.guard._gate._telling, threading.Event(), threading.Event()

    def holding() -> None:
        with telling._lock, spans.world.guard._clock._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=holding)
    with spans.world.task() as task:
        thread.start()
        held.wait(30)
        child = os.fork()
        if child == 0:
            spans.world.guard.begin(ToolCall("risky", {}), task=task)
            task.end()
            os._exit(7)
        done.set()
        thread.join()
        for _ in range(1_000):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            time.sleep(0.02)
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 7
