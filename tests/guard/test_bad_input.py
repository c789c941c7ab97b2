"""Bad input: each kind has a defined outcome. The table in docs/bad-input.md names these tests."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from evidence import kinds, records, whole
from licet import Denied, UsageError
from licet.errors import KeyFileError, StateError
from licet.records import ToolCall
from licet.testing import guard_for
from world import MANIFEST, World

PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"


def test_the_page_names_tests_that_exist_and_every_test_here():
    told = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]  # what follows is of tests/ledger/test_faults.py
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", told))
    here = {name for name in globals() if name.startswith("test_") and not name.startswith("test_the_page")}
    assert named == here


class Raising:
    """An object of which every access raises."""

    def __getattribute__(self, name: str) -> Any:
        raise LookupError(name)


@dataclasses.dataclass
class RaisingField:
    """A dataclass of which the field raises."""

    text: str

    def __getattribute__(self, name: str) -> Any:
        if name == "text":
            raise LookupError(name)
        return object.__getattribute__(self, name)


class Model(BaseModel):
    """A model that holds anything."""

    text: Any


def _cycle() -> list[Any]:
    held: list[Any] = []
    held.append(held)
    return held


def _deep() -> list[Any]:
    held: list[Any] = []
    for _ in range(5_000):
        held = [held]
    return held


OUTPUTS: dict[str, Any] = {
    "object": Raising,
    "field": lambda: RaisingField("x"),
    "model": lambda: Model(text=Raising()),
    "cycle": _cycle,
    "deep": _deep,
    "surrogate": lambda: "\ud800",
    "not a number": lambda: float("nan"),
    "many digits": lambda: 10**6000,
    "20 MB": lambda: "x" * 20_000_000,
    "ansi": lambda: "\x1b[2J\u202e<script>",
    "type with a hostile name": type("X", (), {"__qualname__": "a\ud800\x1b[2J" + "x" * 100}),
    "nothing": lambda: None,
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_hostile_output_reaches_the_agent_and_the_record(world: World, kind: str):
    """The agent gets the tool's own object; the record has a digest, and never the content."""
    made = OUTPUTS[kind]()
    with world.task() as task:
        assert world.tool("note", lambda: made)() is made
        (call,) = world.guard._store.calls(task.id)
    assert (call.status, call.result_digest[:12]) == ("done", "hmac-sha256:")
    whole(world.guard)


REFUSED: dict[str, Any] = {
    "not a number": lambda: float("nan"),
    "infinite": lambda: float("-inf"),
    "cycle": _cycle,
    "deep": _deep,
    "20 MB": lambda: "x" * 20_000_000,
    "20 MB of bytes": lambda: b"x" * 20_000_000,
    "many values": lambda: [[]] * 300_000,
    "many digits": lambda: 10**6000,
    "surrogate": lambda: "a\ud800b",
    "surrogate in a key": lambda: {"\udfff": 1},
    "number for a key": lambda: {1: 2},
    "reserved key": lambda: {"$bytes": "eHh4"},
    "object": object,
    "raising object": Raising,
    "raising field": lambda: RaisingField("x"),
    "open file": lambda: iter([1]),
    "function": lambda: len,
    "class": lambda: int,
    "complex": lambda: 1j,
    "range": lambda: range(3),
    "memory": lambda: memoryview(b"x"),
    "exception": lambda: ValueError("x"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_argument_that_cannot_be_judged_is_refused(world: World, kind: str):
    """The call is refused by `scope.argument`, recorded, and the next call goes on."""
    tool = world.tool("note")
    with world.task() as task:
        denial = world.denied("scope.argument", tool, REFUSED[kind]())
        assert tool(1) == 1
        calls = world.guard._store.calls(task.id)
    assert [call.status for call in calls] == ["denied", "done"]
    assert len(str(denial)) < 1_000
    whole(world.guard)


@pytest.mark.parametrize(
    "value", [b"\xff\x00", bytearray(b"x"), "x" * 10_000_000, {"a": [1, {"b": None}]}, "\x00\x1b[2J", 2**63, -0.0, {1, 2}]
)
def test_an_unusual_argument_arrives_as_it_is(world: World, value: Any):
    """Bytes, 10 MB of text, control characters, big numbers and sets are judged, and the tool gets an equal copy."""
    with world.task():
        world.tool("note")(value)
    ((_, got),) = world.ran
    assert (type(got), got) == (type(value), value)


@pytest.mark.parametrize("error", [ValueError("x"), Denied("x", None), KeyError(), StopIteration(1), ExceptionGroup("x", [OSError()])])  # type: ignore[arg-type]
def test_a_tool_that_raises(world: World, error: Exception):
    """The agent gets the tool's own exception object; the call is recorded as failed, by the exception's type."""

    def note() -> None:
        raise error

    with world.task() as task:
        with pytest.raises(type(error)) as raised:
            world.tool("note", note)()
        (call,) = world.guard._store.calls(task.id)
    assert raised.value is error
    assert (call.status, call.error_type) == ("failed", type(error).__qualname__)


def test_an_exception_with_a_hostile_name(world: World):
    """An exception of which the class has any name at all still reaches the agent, and is recorded."""
    error = type("X", (Exception,), {"__qualname__": "X\ud800" + "y" * 3_000_000})()

    def note() -> None:
        raise error

    with world.task():
        with pytest.raises(Exception) as raised:  # noqa: PT011 - by identity below
            world.tool("note", note)()
        assert raised.value is error
        assert world.tool("send")("ada@acme.example") == "sent"
    whole(world.guard)


async def test_a_tool_that_hangs_and_is_cancelled(world: World):
    """Cancelling reaches the tool; whether it had its effect is not known, and that is what is recorded."""
    reached: list[BaseException] = []

    async def anote() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as cancelled:
            reached.append(cancelled)
            raise

    async with world.guard.task("work", intent="x", agent="bot", principal="user:a") as task:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await world.tool("anote", anote)()
        (call,) = world.guard._store.calls(task.id)
    assert len(reached) == 1
    assert (call.status, call.error_type) == ("unknown", "CancelledError")


def test_two_threads_in_one_task(world: World):
    """Both work in the task; entering it a second time in a thread does not end it for the first."""
    tool, failures = world.tool("note"), []

    def work(task: Any) -> None:
        try:
            for number in range(10):
                with task:
                    tool(number)
        except BaseException as error:
            failures.append(error)

    with world.task() as task:
        threads = [threading.Thread(target=work, args=(task,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tool("last")
        calls = world.guard._store.calls(task.id)
    assert failures == []
    assert [call.seq for call in calls] == list(range(1, 22))


def test_a_task_ended_while_a_call_runs(world: World):
    """The call runs to its end and its result arrives; that it outlived its task is a finding; the next call is refused."""
    with world.task() as task:

        def note() -> str:
            task.end()
            return "done"

        assert world.tool("note", note)() == "done"
        world.denied("scope.expired", world.tool("note"))
    (call, refused) = world.guard._store.calls(task.id)
    assert (call.status, refused.status) == ("done", "denied")
    assert any("still running" in finding.sentence for finding in world.guard._store.findings(task.id))


def test_an_argument_changed_while_the_call_runs(world: World):
    """The tool works on its own copy, and the caller's object is not changed by the tool."""
    given = {"to": ["ada"]}

    def note(value: dict[str, list[str]]) -> list[str]:
        given["to"].append("eve")
        value["to"].append("tool")
        return value["to"]

    with world.task():
        assert world.tool("note", note)(given) == ["ada", "tool"]
    assert given == {"to": ["ada", "eve"]}


def test_a_path_to_the_guards_own_files_is_refused(world: World):
    """See also the spellings in test_ways_around.py."""
    with world.task():
        world.denied("guard.self", world.tool("open_file"), str(world.guard.state / "licet.db"))


@pytest.mark.parametrize("moment", ["before", "while the tool runs"])
@pytest.mark.parametrize("trouble", ["locked", "read-only"])
def test_a_store_that_is_locked_or_read_only(world: World, trouble: str, moment: str):
    """Before the call it is refused; while the tool runs its result arrives, and the ledger has the outcome."""
    database = world.guard._store._db()
    database.execute("PRAGMA busy_timeout=1")
    other = sqlite3.connect(str(world.guard.state / "licet.db"), isolation_level=None, check_same_thread=False)

    def break_it() -> str:
        if trouble == "locked":
            other.execute("BEGIN EXCLUSIVE")
        else:
            database.execute("PRAGMA query_only=1")
        return "result"

    with world.task():
        if moment == "before":
            tool = world.tool("note")
            break_it()
            world.denied("guard.undecided", tool)
        else:
            assert world.tool("note", break_it)() == "result"
        other.close()
        database.execute("PRAGMA query_only=0")
        assert world.tool("note", lambda: 1)() == 1, "and it goes on when the store can be used again"
    assert kinds(world.guard).count("call.denied" if moment == "before" else "call.outcome") >= 1


def test_a_store_that_is_full(world: World):
    """No task begins, and no call runs; what is there can still be read."""
    with world.task() as task:
        tool = world.tool("note")
        tool(1)
        database = world.guard._store._db()
        database.execute(f"PRAGMA max_page_count={database.execute('PRAGMA page_count').fetchone()[0]}")
        while world.guard.begin(ToolCall("note", {}, known=())).allowed:
            continue
        world.denied("guard.undecided", tool, 2)
        assert world.guard._store.calls(task.id)[0].status == "done"


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, but long enough to be looked at" * 40, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_store_that_is_no_store(tmp_path: Path, content: bytes):
    """A damaged file is an error at once, that says what to do; an empty one is a new store."""
    folder = tmp_path / "licet-state"
    folder.mkdir(mode=0o700)
    (folder / "licet.db").write_bytes(content)
    (folder / "licet.db").chmod(0o600)
    with contextlib.nullcontext() if not content else pytest.raises(StateError, match=r"licet\.db"):
        guard_for(MANIFEST, tmp_path).close()


@pytest.mark.parametrize("trouble", ["mode", "content", "kind", "folder", "half"])
def test_a_key_file_that_cannot_be_used(tmp_path: Path, trouble: str):
    """A key file that others can read, that is damaged, or holds another kind of key is an error at once; no new key is made."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    guard_for(MANIFEST, tmp_path, key=None).close()
    file = tmp_path / "licet-state" / "keys" / "call-token.pem"
    before = file.read_bytes()
    if trouble == "mode":
        file.chmod(0o640)
    elif trouble == "content":
        file.write_bytes(b"\x00junk")
    elif trouble == "half":
        file.write_bytes(before[: len(before) // 2])
    elif trouble == "kind":
        other = generate_private_key(SECP256R1())
        file.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    else:
        file.unlink()
        file.mkdir()
    changed = file.read_bytes() if file.is_file() else None
    with pytest.raises(KeyFileError, match=r"call-token\.pem"):
        guard_for(MANIFEST, tmp_path, key=None)
    assert changed == (file.read_bytes() if file.is_file() else None)


def test_a_clock_that_steps_back(world: World):
    """No task gets longer, no rate comes back earlier, and the times in the records never go back."""
    with world.task() as task:
        world.tool("note")(1)
        world.clock.advance(100)
        world.clock.step_wall(-5_000)
        world.tool("note")(2)
        world.clock.advance(501)
        world.denied("scope.expired", world.tool("note"))
    times = [call.started for call in world.guard._store.calls(task.id)]
    assert times == sorted(times)


@pytest.mark.parametrize("text", ["\ud800", "", "   ", "x" * 30_000, None, 7, b"bytes"])
@pytest.mark.parametrize("name", ["intent", "agent", "principal"])
def test_a_task_with_names_that_are_none(world: World, name: str, text: Any):
    """A program's mistake, and a `UsageError` before anything is recorded."""
    words: dict[str, Any] = {"intent": "x", "agent": "bot", "principal": "user:a"} | {name: text}
    with pytest.raises(UsageError):
        world.guard.task("work", **words)


@pytest.mark.parametrize("tail", [b"{", b'{"half": ', b"\xff\xfe", b"\n", b"not a record\n"])
def test_a_ledger_with_a_broken_tail(tmp_path: Path, tail: bytes):
    """A half line of a writer that died is taken away, and said; a whole line that is no record stops the guard."""
    first = World(tmp_path)
    with first.guard, first.task():
        first.tool("note")(1)
    (segment,) = (first.guard.state / "ledger" / "live").iterdir()
    written = len(kinds(first.guard))
    segment.write_bytes(segment.read_bytes() + tail)
    second = World(tmp_path)
    if tail.endswith(b"\n"):
        with second.guard, pytest.raises(StateError), second.task():
            pass
        with pytest.raises(AssertionError, match=f"seq={written + 1}"):
            whole(first.guard.state)
    else:
        with second.guard, second.task():
            second.tool("note")(2)
        whole(first.guard.state)
        (repaired,) = records(first.guard.state, "ledger.repaired")
        assert (repaired["lost"], repaired["bytes"]) == ("sha256:" + hashlib.sha256(tail).hexdigest(), len(tail))


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() <= before + 1
