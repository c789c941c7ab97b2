"""What happens to an argument that a tool is not known to take."""

from __future__ import annotations

import pytest

from licet import Denied, Guard, ToolCall
from licet.manifest import loads

MANIFEST = """
licet: 1
environment: test
owners: {{o: {{name: Owner, contact: o@acme.example}}}}
agents: {{bot: {{owner: o, tasks: [work]}}}}
tools:
  pay: {{access: write, egress: true, {choice}arguments: {{to: {{const: ada}}, note: {{}}}}}}
tasks:
  work: {{intent: Work, ttl: 10m, tools: {{pay: {{}}}}}}
"""


@pytest.fixture
def calls():
    return []


def guard_that(choice: str, state) -> Guard:
    return Guard(loads(MANIFEST.format(choice=choice)), state=state)


def test_an_unknown_argument_is_refused_unless_the_manifest_says_otherwise(tmp_path, calls):
    """Closed world is the default."""
    with guard_that("", tmp_path) as guard, guard.task("work", intent="Work", agent="bot", principal="u"):
        tool = guard.wrap(lambda **given: calls.append(given), name="pay")
        with pytest.raises(Denied) as denial:
            tool(to="ada", sender="eve")
    assert denial.value.decision.checks == ("scope.argument",)
    assert calls == []


@pytest.mark.parametrize("form", ["kwargs", "signature", "adapter"])
def test_a_dropped_argument_never_reaches_the_tool_and_is_flagged(form, tmp_path, calls):
    """`drop` takes it out before the call is judged, however the tool is written."""
    with guard_that("unknown_arguments: drop, ", tmp_path) as guard, guard.task("work", intent="Work", agent="bot", principal="u") as task:
        if form == "kwargs":
            guard.wrap(lambda **given: calls.append(given), name="pay")(to="ada", sender="eve")
        elif form == "signature":

            def pay(to, note="n"):
                calls.append({"to": to})

            guard.wrap(pay)(to="ada", sender="eve")
        else:
            ticket = guard.begin(ToolCall("pay", {"to": "ada", "sender": "eve"}, framework="other"))
            calls.append(dict(ticket.redeem().values))
            guard.end(ticket, result=None)
        call = guard._store.calls(task.id)[0]
    assert calls == [{"to": "ada"}]
    assert call.decision.outcome == "allow"
    assert [(found.check, found.effect) for found in call.decision.reasons] == [("scope.argument", "flag")]


def test_dropping_lifts_no_limit_on_the_arguments_that_are_known(tmp_path, calls):
    """What is left is judged as ever."""
    with guard_that("unknown_arguments: drop, ", tmp_path) as guard, guard.task("work", intent="Work", agent="bot", principal="u"):
        tool = guard.wrap(lambda **given: calls.append(given), name="pay")
        with pytest.raises(Denied):
            tool(to="eve", sender="x")
    assert calls == []


MADE_UP = "PATIENT John Doe has HIV"


@pytest.mark.parametrize("form", ["kwargs", "signature", "adapter", "drop", "long"])
def test_a_name_that_the_model_made_up_stands_in_no_record(form, tmp_path, calls):
    """No record is ever purged. The model is told the name; the record has a keyed digest, by which two of one name can be told."""
    name = f"{MADE_UP} {'x' * 200}" if form == "long" else MADE_UP
    with guard_that("unknown_arguments: drop, " if form == "drop" else "", tmp_path) as guard:
        with guard.task("work", intent=f"Work for {name}", agent="bot", principal="u") as task:
            if form == "signature":

                def pay(to, note="n"):
                    raise AssertionError

                with pytest.raises(Denied) as denial:
                    guard.wrap(pay)(to="ada", **{name: "1"})
                said = str(denial.value)
            elif form == "kwargs":
                with pytest.raises(Denied) as denial:
                    guard.wrap(lambda **given: calls.append(given), name="pay")(to="ada", **{name: "1"})
                said = str(denial.value)
            else:
                ticket = guard.begin(ToolCall("pay", {"to": "ada", name: "ada", "more": "1"}, framework="other"))
                said = " ".join(found.sentence for found in ticket.decision.reasons)
                if ticket.allowed:
                    ticket.redeem()
                    guard.end(ticket, result=None)
            assert MADE_UP in said or form == "signature"
        guard._ledger.seal()
        kept = [line.decode() for line in guard._ledger.files.records()]
    of_calls = [line for line in kept if '"call":' in line]
    assert of_calls
    assert "scope.argument" in "".join(of_calls)
    assert "undeclared-" in "".join(of_calls) or form == "signature"
    assert [line for line in kept if "John" in line] == []
    assert task.id in "".join(of_calls)
