"""Records that cannot be written, or not be told to be: no intent is left with a denial, and nothing that has happened is forgotten."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence import records
from licet import Denied, Guard, ToolCall
from licet.errors import LedgerError
from licet.guard import recorder as recording
from licet.guard.contents import FILE
from licet.guard.gate import NOT_RUN
from licet.ledger.fields import problems
from licet.store import ContentsStore
from licet.testing import guard_for

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  look: {access: read, egress: false, record: {output: true}}
  send: {access: write, egress: true, arguments: {to: {origin: [intent]}}, record: {arguments: [to]}}
tasks: {work: {intent: Work, ttl: 10m, tools: {look: {}, send: {arguments: {to: {format: email}}}}}}
checks: {origin.unanchored: {then: flag}}
"""


@pytest.fixture
def guard(tmp_path: Path) -> Any:
    with guard_for(MANIFEST, tmp_path) as made:
        yield made


def task(guard: Guard) -> Any:
    return guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace")


def failing(guard: Guard, monkeypatch: pytest.MonkeyPatch, error: BaseException, kind: str, *, written: bool) -> Callable[[], None]:
    """The ledger raises at records of one kind (empty: all), with the record `written` or not. The answer mends it."""
    append = guard._ledger.append

    def broken(given: str, fields: Any, **more: Any) -> int:
        if kind in ("", given):
            if written:
                append(given, fields, **more)
            raise error
        return append(given, fields, **more)

    monkeypatch.setattr(guard._ledger, "append", broken)
    return lambda: monkeypatch.setattr(guard._ledger, "append", append)


class TooLong(Exception):
    """What a time limit of the program raises, wherever it is."""


@pytest.mark.parametrize(
    "error", [TooLong(), KeyboardInterrupt(), LedgerError("may not be on the disk")], ids=lambda error: type(error).__name__
)
def test_an_intent_that_stands_although_writing_it_failed_gets_an_outcome_that_says_it_did_not_run(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    ran: list[int] = []
    look = guard.wrap(lambda: ran.append(1), name="look")
    with task(guard):
        mend = failing(guard, monkeypatch, error, "call.intent", written=True)
        with pytest.raises(Denied if isinstance(error, Exception) else KeyboardInterrupt):
            look()
        mend()
        look()
    [first, second], [failed, done] = records(guard, "call.intent"), records(guard, "call.outcome")
    assert ran == [1]
    assert records(guard, "call.denied") == []
    assert (failed["call"], failed["status"], failed["why"], failed["intent_seq"]) == (first["call"], "failed", NOT_RUN, first["seq"])
    assert "guard.undecided" in [each["check"] for each in failed["reasons"]]
    assert list(problems(failed)) == []
    assert (done["call"], done["status"]) == (second["call"], "done")
    assert {call.id: call.status for each in guard._store.tasks() for call in guard._store.calls(each.id)} == {
        first["call"]: "denied", second["call"]: "done",
    }  # fmt: skip


def test_a_call_that_fails_behind_its_intent_has_an_outcome_too(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_ticket: Any) -> None:
        raise ZeroDivisionError

    with task(guard) as own:
        monkeypatch.setattr(guard._gate._telling, "allowed", broken)
        ticket = guard.begin(ToolCall("look", {}), task=own)
        assert not ticket.allowed
        assert not guard._gate.admit(ticket)
    [intent], [outcome] = records(guard, "call.intent"), records(guard, "call.outcome")
    assert (outcome["call"], outcome["status"], outcome["why"]) == (intent["call"], "failed", NOT_RUN)
    assert records(guard, "call.denied") == []


def test_an_intent_that_does_not_stand_leaves_a_denial(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    look = guard.wrap(lambda: 1, name="look")
    with task(guard):
        failing(guard, monkeypatch, TooLong(), "call.intent", written=False)
        with pytest.raises(Denied):
            look()
    assert len(records(guard, "call.denied")) == 1
    assert records(guard, "call.outcome") == []


@pytest.mark.parametrize("error", [StopIteration(), OverflowError(), LedgerError("full")], ids=lambda error: type(error).__name__)
def test_an_outcome_waits_whatever_the_ledger_raises_and_the_result_reaches_the_agent(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    mend: list[Callable[[], None]] = []
    look = guard.wrap(lambda: mend.append(failing(guard, monkeypatch, error, "", written=False)) or "seen", name="look")
    with task(guard):
        assert look() == "seen"
        with pytest.raises(Denied):
            look()
        mend[0]()
        with pytest.raises(Denied):
            guard.wrap(lambda: 1, name="nothing")()
    [outcome] = records(guard, "call.outcome")
    assert (outcome["status"], outcome["tool"]) == ("done", "look")
    # What the record speaks of is kept when it stands.
    store = ContentsStore(guard.state / FILE)
    try:
        [content] = store.of(outcome["seq"])
        assert content.matches(outcome)
    finally:
        store.close()


def test_ending_a_call_never_raises(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    look = guard.wrap(lambda: "seen", name="look")
    with task(guard):
        monkeypatch.setattr("licet.guard.gate.keep_output", broken)
        monkeypatch.setattr(guard._gate._telling, "ended", broken)
        assert look() == "seen"
        assert guard._gate._p.origins._of(guard._tasks.find(None)).index.full  # what was not looked at may have been anything
    assert [each["status"] for each in records(guard, "call.outcome")] == ["done"]


def test_that_records_were_lost_is_not_lost(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was, where there was room for all that waited, and none for the record that says what did not."""
    own = guard._gate._p.recorder
    monkeypatch.setattr(recording, "MAX_WAITING", 3)
    mend = failing(guard, monkeypatch, LedgerError("full"), "", written=False)
    for _ in range(5):
        own.after("task.end", {"task": "t" * 32})
    mend()
    mend = failing(guard, monkeypatch, LedgerError("full"), "ledger.lost", written=False)
    with pytest.raises(LedgerError):
        own.before("task.begin", {})
    mend()
    own.before("task.begin", {})
    own.before("task.begin", {})
    assert [each["records"] for each in records(guard, "ledger.lost")] == [2]
    assert len(records(guard, "task.end")) == 3


@pytest.mark.parametrize("mended", [True, False])
def test_what_waits_at_the_end_is_tried_once_more_and_said_where_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mended: bool
) -> None:
    with guard_for(MANIFEST, tmp_path) as guard:
        own = guard._gate._p.recorder
        mend = failing(guard, monkeypatch, LedgerError("the disk is full"), "", written=False)
        own.after("call.denied", {"call": "c"})
        if mended:
            mend()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(records(guard, "call.denied")) == mended
    assert bool([text for text in said if "1 call.denied" in text and "the disk is full" in text]) != mended
    mend()
    own.close()


def test_a_forked_child_does_not_write_what_its_parent_will(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    own = guard._gate._p.recorder
    mend = failing(guard, monkeypatch, LedgerError("full"), "", written=False)
    own.after("task.end", {"task": "t" * 32})
    mend()
    child = os.fork()
    if not child:
        own.close()
        os._exit(0)
    os.waitpid(child, 0)
    own.close()
    assert len(records(guard, "task.end")) == 1
