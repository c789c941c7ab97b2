"""`record:` of the manifest: what is opted in to stands in spans, scrubbed and cut, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from licet import Denied, ManifestError
from licet.guard.shown import within
from licet.manifest import loads
from licet.testing import FakeClock
from world import World

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work, quiet]}}
tools:
  send:
    access: write
    egress: true
    arguments: {to: {origin: [intent, nowhere]}, subject: {}, body: {}}
    record: {arguments: [subject]}
  note: {access: read, egress: false, arguments: {value: {}, password: {}}, record: {arguments: [value, password], output: true}}
  plain: {access: read, egress: false}
tasks:
  work: {intent: Work, ttl: 10m, record: [intent], tools: {send: {arguments: {to: {pattern: '.*acme\\.example'}}}, note: {}, plain: {}}}
  quiet: {intent: Work, ttl: 10m, tools: {plain: {}}}
"""
ARGUMENTS, RESULT, INTENT = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "licet.intent.text"


class Shown(World):
    """A world whose spans are kept."""

    def __init__(self, folder: Path) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        super().__init__(folder, MANIFEST, tracer_provider=provider)

    def spans(self, name: str) -> list[Any]:
        return [span.attributes for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Shown]:
    made = Shown(tmp_path)
    yield made
    made.guard.close()


def send(to: str, subject: str = "", body: str = "") -> str:
    return "sent to " + to


def note(value: Any = None, password: str = "") -> Any:
    return value


def test_an_argument_that_is_named_stands_on_the_span_and_the_others_do_not(world: Shown) -> None:
    """Of a denied call too: what was tried is what one wants to see."""
    tool = world.tool("send", send)
    with world.task():
        tool(to="ada@acme.example", subject="Your ticket", body="not to be seen")
        with pytest.raises(Denied):
            tool(to="eve@evil.example", subject="Another", body="not to be seen")
    allowed, denied = world.spans("execute_tool send")
    assert json.loads(allowed[ARGUMENTS]) == {"subject": "Your ticket", "…": 2}, "how many others there were is told"
    assert json.loads(denied[ARGUMENTS]) == {"subject": "Another", "…": 2}
    assert RESULT not in allowed
    assert "not to be seen" not in repr([dict(each) for each in (allowed, denied)])
    assert "sent to" not in repr(dict(allowed))


def test_an_output_that_is_opted_in_stands_on_the_span(world: Shown) -> None:
    def stream(value: Any = None, password: str = "") -> Iterator[Any]:
        yield "one"
        yield {"two": 2}

    with world.task():
        world.tool("note", note)({"name": "Ada", "age": 36})
        list(world.tool("note", stream)())
        world.tool("plain", lambda: "not to be seen")()
    whole, yielded = world.spans("execute_tool note")
    assert json.loads(whole[RESULT]) == {"name": "Ada", "age": 36}
    assert json.loads(yielded[RESULT]) == ["one", {"two": 2}]
    (plain,) = world.spans("execute_tool plain")
    assert "not to be seen" not in repr(dict(plain))


def test_what_looks_like_a_secret_is_masked_in_what_is_opted_in(world: Shown) -> None:
    """By its look, and by the name of the argument or key that it stands behind; bytes are counted only."""
    key = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
    given = {"text": f"it is {key}", "api_key": "harmless", "raw": key.encode(), key: 1}
    with world.task():
        world.tool("note", note)(given, "hunter2")
    (span,) = world.spans("execute_tool note")
    shown = {"text": "it is [a secret]", "api_key": "[a secret]", "raw": f"<{len(key)} bytes>", "[a secret]": 1}
    assert json.loads(span[ARGUMENTS]) == {"value": shown, "password": "[a secret]"}
    assert json.loads(span[RESULT]) == shown


def test_what_is_masked_is_still_a_document(world: Shown) -> None:
    """Each text is masked by itself: what would match across the signs of JSON does not break it."""
    given = {"password": True, "secret": None, "note": "password=", "then": ["x", "secret: "], "last": "token:"}
    with world.task():
        world.tool("note", note)(given)
    (span,) = world.spans("execute_tool note")
    assert json.loads(span[RESULT]) == given


def test_the_users_words_stand_where_the_task_kind_opts_in_and_only_his(world: Shown) -> None:
    """What a value filled in was not written by the user."""
    with world.guard.task("work", intent="Answer {who}, PIN 4312", values={"who": "eve@evil.example"}, agent="bot", principal="user:a"):
        pass
    with world.guard.task("quiet", intent="not to be seen", agent="bot", principal="user:a"):
        pass
    work, quiet = world.spans("invoke_agent bot")
    assert work[INTENT] == "Answer …, PIN [a secret]"
    assert INTENT not in quiet
    assert "not to be seen" not in repr(dict(quiet))


@pytest.mark.parametrize(
    "value",
    ["x" * 100_000, ["y" * 300] * 1_000, {f"k{number}": "z" * 500 for number in range(100)}, [[[[[[[[[["deep"]]]]]]]]]], {"é" * 5_000: 1}],
    ids=["text", "list", "object", "deep", "name"],
)
def test_what_is_long_is_cut_and_still_a_document(value: Any) -> None:
    text = within(value)
    assert len(text) <= 2_000
    assert "…" in text or len(json.dumps(value)) <= 2_000
    json.loads(text)


def test_a_secret_is_not_cut_in_two() -> None:
    """It is masked before anything is cut."""
    key = "sk-proj-" + "Ab1" * 30
    for before in range(1_800, 2_010, 7):
        assert "Ab1Ab1" not in within("x " * (before // 2) + key)


@pytest.mark.parametrize(
    "old,new,code,key,line",
    [
        ("[subject]", "[subjekt]", "reference", "tools.send.record.arguments.0", 10),
        ("[subject]", "['*']", "wildcard", "tools.send.record.arguments.0", 10),
        ("{arguments: [subject]}", "{}", "empty", "tools.send.record", 10),
        ("{arguments: [subject]}", "{all: true}", "unknown-key", "tools.send.record.all", 10),
        ("record: [intent]", "record: [turns]", "wrong-value", "tasks.work.record.0", 14),
    ],
)  # fmt: skip
def test_what_would_opt_in_to_nothing_or_to_everything_is_an_error(old: str, new: str, code: str, key: str, line: int) -> None:
    """With file, line and key."""
    with pytest.raises(ManifestError) as refusal:
        loads(MANIFEST.replace(old, new), name="m.yaml", now=FakeClock().now())
    (problem,) = refusal.value.problems
    assert (problem.code, problem.key, problem.line, problem.file) == (code, key, line, "m.yaml")


def test_a_name_that_the_tool_does_not_take_is_an_error_when_it_is_wrapped(world: Shown) -> None:
    """The manifest declares it, so that it is known there; the function has the last word."""
    wrap: Callable[..., Any] = world.guard.wrap
    with pytest.raises(ValueError, match="subject"):
        wrap(lambda to, body: None, name="send")
