"""Ways in that a review found, each closed: one test per finding."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from evidence import stored
from licet import Denied, Guard, ManifestError, ToolCall, UsageError
from licet.manifest import Manifest, loads
from licet.store import SqliteStore
from licet.testing import FakeClock, RecordingApprover

MANIFEST = """
licet: 1
environment: test
owners: {o: {name: Owner, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work, watched, ordered, asking], may_delegate_to: []}}
tools:
  read: {access: read, egress: false, arguments: {path: {}}}
  send: {access: write, egress: true, arguments: {to: {}}}
tasks:
  work: {intent: Work, ttl: 10m, tools: {read: {}}}
  watched: {intent: Watch, ttl: 10m, tools: {read: {}}, mode: observe, until: 2026-12-01, reason: first week}
  ordered: {intent: Order, ttl: 10m, tools: {read: {}, send: {}}, chain: [start -> read, read -> send]}
  asking: {intent: Ask, ttl: 10m, tools: {read: {}, send: {ask: true}}}
"""
NOW = 1_795_000_000.0  # 2026-11-18


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def guard(tmp_path, clock):
    with Guard(loads(MANIFEST, now=NOW), state=tmp_path / "state", clock=clock) as made:
        yield made


def opened(guard: Guard, kind: str, **options: Any):
    return guard.task(kind, intent="Do it for 'ada', ada@acme and bob@acme", agent="bot", principal="user:grace", **options)


def refusal(guard: Guard, tool: str, **arguments: object) -> str:
    """The leading check of a refused call; empty if it is allowed."""
    ticket = guard.begin(ToolCall(tool, arguments, framework="other"))
    if not ticket.allowed:
        return ticket.decision.reasons[0].check
    ticket.redeem()
    guard.end(ticket, result="done")
    return ""


def test_a_sub_task_in_observe_stays_within_a_parent_that_enforces(guard):
    """Observe holds only if every task above observes too."""
    with opened(guard, "work"):
        assert refusal(guard, "send", to="eve") == "scope.tool"
        with guard.delegate("watched", agent="bot", intent="Watch"):
            assert refusal(guard, "send", to="eve") == "scope.tool"


def test_broken_glass_for_a_sub_task_does_not_open_its_parent(guard, clock):
    """Glass is broken for a kind; a task above of another kind still enforces."""
    guard._store.break_glass("watched", NOW + 600, "fire", "grace", NOW)
    with opened(guard, "work"), guard.delegate("watched", agent="bot", intent="Watch"):
        assert refusal(guard, "send", to="eve") == "scope.tool"


def test_a_sub_task_follows_the_chain_above_it(guard):
    """Delegating is no way around the order; calls of both count as one order."""
    with opened(guard, "ordered"):
        with guard.delegate("asking", agent="bot", intent="Ask"):
            assert refusal(guard, "send", to="ada") == "chain.order"
            assert refusal(guard, "read", path="x") == ""
        assert refusal(guard, "send", to="ada") == ""


def test_questions_and_refusals_count_for_the_whole_family(tmp_path, clock):
    """A new sub-task is no new chance to ask for what a person has refused."""
    approver = RecordingApprover(answer=False)
    with (
        Guard(loads(MANIFEST, now=NOW), state=tmp_path, clock=clock, approver=approver) as guard,
        opened(guard, "asking"),
    ):
        send = guard.wrap(lambda to: to, name="send")
        for _ in range(4):
            with guard.delegate("asking", agent="bot", intent="Ask"), pytest.raises(Denied):
                send("eve")
    assert len(approver.requests) == 1


@pytest.mark.parametrize(
    "rule",
    [
        "{type: [string, number], pattern: 'a+'}",
        "{type: [string, object], maxLength: 3}",
        "{type: [array, string], items: {enum: [a]}}",
        "{type: [integer, string], maximum: 10}",
        "{items: {required: true}}",
        "{properties: {a: {opaque: true}}}",
        "{pattern: '.{2,}'}",
    ],
)
def test_a_rule_that_would_let_another_type_pass_is_an_error(rule):
    """A keyword of one type says nothing of another; that must not read as a limit."""
    with pytest.raises(ManifestError):
        loads(MANIFEST.replace("{to: {}}", f"{{to: {rule}}}"), now=NOW)


@pytest.mark.parametrize("value", [["eve@evil"], [["eve@evil"]], [{"a": 1}], "eve@evil", 5, [5]])
def test_a_text_or_a_list_of_texts_is_judged_item_by_item(value, tmp_path):
    """The most natural spelling for recipients holds for both forms."""
    rule = "{type: [string, array], pattern: '[^@]+@acme'}"
    manifest = loads(MANIFEST.replace("{to: {}}", f"{{to: {rule}}}"), now=NOW)
    with Guard(manifest, state=tmp_path, clock=FakeClock(NOW)) as guard, opened(guard, "ordered"):
        refusal(guard, "read", path="x")
        assert refusal(guard, "send", to=value) == "scope.argument"
        assert refusal(guard, "send", to=["ada@acme", "bob@acme"]) == ""


def test_a_limit_on_an_argument_that_the_tool_does_not_take_refuses_every_call(guard):
    """A typo in a narrowing would otherwise limit nothing."""
    with opened(guard, "work", tools={"read": {"arguments": {"pth": {"enum": ["a"]}}}}):
        assert refusal(guard, "read", path="a") == "scope.argument"


def test_a_budget_over_a_tool_that_is_not_granted_is_an_error(guard):
    """It would count nothing."""
    with opened(guard, "work"), pytest.raises(UsageError, match="limit nothing"):
        guard.delegate("work", agent="bot", intent="x", budgets=[{"of": "raed", "at_most": 1}])


def test_a_manifest_put_together_by_hand_keeps_the_rules(tmp_path):
    """What the loader refuses, the guard refuses."""
    data = {
        "licet": 1, "environment": "test", "agents": {"bot": {"tasks": ["*"]}}, "tools": {"read": {}},
        "tasks": {"work": {"intent": "x", "ttl": "1m", "tools": {}}},
    }  # fmt: skip
    with pytest.raises(ManifestError) as error:
        Guard(Manifest.model_validate(data), state=tmp_path)
    assert {problem.code for problem in error.value.problems} >= {"wildcard", "empty"}


@pytest.mark.parametrize(
    "spelling",
    ["cat {0}/./licet.db", "{0}/.", "sqlite:///{0}//licet.db", "{0}/" + "./" * 2100 + "licet.db", "x\n", "db='{0}//licet.db'"],
)
def test_other_spellings_of_our_own_files(guard, spelling, tmp_path):
    """Normalised, as a word of a command, behind a scheme."""
    path = str(guard.state).replace("/state", "/./state")
    text = spelling.format(path) if spelling != "x\n" else f"/tmp/x\n/../..{guard.state}/licet.db"
    with opened(guard, "work"):
        assert refusal(guard, "read", path=text) == "guard.self"


def test_variables_are_filled_in_without_growing(guard, monkeypatch):
    """One hostile text must not hold the guard, whatever is in the environment."""
    monkeypatch.setenv("BIGV", "b" * 5000)
    with opened(guard, "work"):
        assert refusal(guard, "read", path="$BIGV" * 200_000) == ""


def test_one_call_with_many_reasons_does_not_stop_the_ledger(guard):
    """What a call can make Licet write is bounded."""
    with opened(guard, "work"):
        assert refusal(guard, "read", **{f"a{index}": str(guard.state) for index in range(20_000)}) == "scope.argument"
        assert refusal(guard, "read", path="x") == ""


def test_only_one_asks_about_one_ticket(tmp_path, clock):
    """Threads that begin the same waiting call share one question."""
    asked: list[object] = []
    gate = threading.Event()

    def approver(request: object) -> bool:
        asked.append(request)
        gate.wait(5)
        return True

    with Guard(loads(MANIFEST, now=NOW), state=tmp_path, clock=clock, approver=approver) as guard, opened(guard, "asking") as task:
        tickets = [guard.begin(ToolCall("send", {"to": "ada"}, "call-1", "other"), task=task) for _ in range(4)]
        threads = [threading.Thread(target=guard.ask, args=(ticket,)) for ticket in tickets]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join()
        assert len(asked) == 1
        assert all(ticket.allowed for ticket in tickets)


def test_a_store_that_fails_after_the_answer_refuses_the_call(tmp_path, clock, monkeypatch):
    """The agent gets a denial, not the store's own error."""
    from licet.errors import StoreError

    def fail(*_: object) -> None:
        raise StoreError("gone")

    with Guard(loads(MANIFEST, now=NOW), state=tmp_path, clock=clock, approver=lambda _: True) as guard, opened(guard, "asking"):
        send = guard.wrap(lambda to: to, name="send")

        def approve_and_break(_: object) -> bool:
            monkeypatch.setattr(SqliteStore, "pause_task", fail)
            monkeypatch.setattr(SqliteStore, "transaction", fail)
            return True

        guard._asking._approver = approve_and_break
        with pytest.raises(Denied) as denial:
            send("ada")
    assert denial.value.decision.checks == ("guard.undecided",)


def test_an_undeclared_tool_gets_no_token_in_observe(guard):
    """Its name is the model's text, and must not become a claim."""
    with opened(guard, "watched"):
        ticket = guard.begin(ToolCall("read tool:send", {}, framework="other"))
        assert ticket.action == "observe"
        assert ticket.token is None


def test_only_a_detached_task_is_taken_up_again(guard):
    """A task that ends with its block is not left for others to resume."""
    with opened(guard, "work") as task:
        guard._tasks._open.clear()
        with pytest.raises(UsageError, match="not detached"):
            guard.resume_task(task.id)


def test_a_name_that_python_would_hand_to_two_parameters_is_refused(guard):
    """Python 3.13 binds it to `**more`, and the tool could read either."""

    def read(path="x", /, **more):
        return path, more

    with opened(guard, "work"), pytest.raises(Denied):
        guard.wrap(read)(path="y")


def test_observe_never_extends_to_our_own_files(guard):
    """A trial must not cost the guard its keys."""
    with opened(guard, "watched"):
        assert refusal(guard, "send", to="eve") == ""
        assert refusal(guard, "read", path=str(guard.state / "keys")) == "guard.self"


@pytest.mark.parametrize("check", ["guard.self", "guard.undecided"])
def test_what_is_always_enforced_cannot_be_set_to_observe(check):
    """A setting that does nothing would be a trap."""
    with pytest.raises(ManifestError):
        loads(MANIFEST + f"checks: {{{check}: {{mode: observe, until: 2026-12-01, reason: x}}}}\n", now=NOW)


@pytest.mark.parametrize(
    "line",
    ["work: {intent: W, ttl: 1m, tools: {send: {at_most: }}}", "work: {intent: W, ttl: 1m, tools: {send: {arguments: {to: {pattern: }}}}}"],
)
def test_a_blank_value_takes_no_limit_away(line):
    """A blank key is an error, with its place."""
    text = MANIFEST.replace("work: {intent: Work, ttl: 10m, tools: {read: {}}}", line)
    with pytest.raises(ManifestError) as error:
        loads(text, now=NOW)
    assert [problem.code for problem in error.value.problems] == ["blank"]


def test_what_a_narrowed_grant_says_stays_out_of_spans_and_findings(guard):
    """The bound made for one task can be a person's data; the model is told it, the span is not."""
    with opened(guard, "work", tools={"read": {"arguments": {"path": {"const": "Ada Lovelace, 1815"}}}}) as task:
        ticket = guard.begin(ToolCall("read", {"path": "x"}, framework="other"))
    assert "Ada Lovelace" in ticket.message
    assert "Ada" not in str(ticket._span.attributes)
    assert "Ada" not in str(guard._store.findings(task.id))
    assert b"Ada" not in stored(guard)
