"""Which differences a changed call is counted for."""

from __future__ import annotations

import pytest

from licet.learn.affected import Affected
from licet.learn.difference import Difference
from licet.records import Decision, Reason
from licet.replay.verdicts import CallOutcome, SessionOutcome, Verdict

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ALLOW = Verdict(Decision("allow"), ran=True)


def denied(check: str, *path: str) -> Verdict:
    return Verdict(Decision("deny", (Reason(check, "deny", f"{check}: why", path),), "deny"))


def counted(difference: Difference, *outcomes: CallOutcome, kind: str = "answer") -> Affected:
    affected = Affected([difference])
    affected.add(SessionOutcome("s1", "runs.jsonl:1", kind, kind, outcomes))
    return affected


def at(*path: str, kind: str = "", tool: str = "") -> Difference:
    return Difference("narrowed", path, "told", kind, tool)


MAIL = ("tasks", "answer", "tools", "mail")
CASES = {
    "the-argument": (at(*MAIL, "arguments", "to", "pattern", kind="answer", tool="mail"), denied("scope.argument", "to"), True),
    "another-argument": (at(*MAIL, "arguments", "cc", "pattern", kind="answer", tool="mail"), denied("scope.argument", "to"), False),
    "another-tool": (at("tasks", "answer", "tools", "pay", "at_most", kind="answer", tool="pay"), denied("scope.budget"), False),
    "another-kind": (at("tasks", "other", "ttl", kind="other"), denied("scope.expired"), False),
    "its-budget": (at(*MAIL, "at_most", kind="answer", tool="mail"), denied("scope.budget"), True),
    "a-budget-of-several-tools": (at("tasks", "answer", "budgets", "calls of mail, pay", kind="answer"), denied("scope.budget"), True),
    "the-grant": (at(*MAIL, kind="answer", tool="mail"), denied("scope.tool", "mail"), True),
    "the-kind": (at("tasks", "answer", kind="answer"), denied("scope.tool", "mail"), True),
    "what-another-tool-returns": (at("tools", "read", "output", tool="read"), denied("origin.argument", "to"), True),
    "what-another-tool-may-do": (at("tools", "read", "access", tool="read"), denied("origin.argument", "to"), False),
    "what-another-tool-reveals": (at("tools", "read", "reveals", tool="read"), denied("flow.egress", "secrets"), True),
    "a-flow": (at("flows", "secrets -> egress", "then"), denied("flow.declared"), True),
    "a-flow-and-an-origin": (at("flows", "secrets -> egress", "then"), denied("origin.argument", "to"), False),
    "the-check-itself": (at("checks", "origin.content", "then"), denied("origin.content"), True),
    "another-check": (at("checks", "chain.order", "then"), denied("origin.content"), False),
    "observing-all": (at("tasks", "answer", "mode", kind="answer"), denied("origin.content"), True),
    "the-order": (at("tasks", "answer", "chain", "read -> mail", kind="answer", tool="mail"), denied("chain.order"), True),
    "a-credential": (at("credentials", "key", "expires"), denied("credential.expired"), True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_call_counts_for_what_its_reasons_look_at(name: str):
    difference, verdict, speaks = CASES[name]
    affected = counted(difference, CallOutcome(1, "mail", ALLOW, verdict))
    assert affected.calls == 1
    assert affected.by_difference[0].changes == ({"newly denied": 1} if speaks else {})
    assert affected.unexplained.changes == ({} if speaks else {"newly denied": 1})


def test_what_both_decide_alike_for_the_same_reasons_counts_for_nothing():
    affected = counted(CASES["the-grant"][0], CallOutcome(1, "mail", ALLOW, ALLOW), CallOutcome(2, "mail", denied("a.b"), denied("a.b")))
    assert (affected.calls, affected.by_difference[0].changes, affected.unexplained.changes) == (0, {}, {})


def test_sessions_are_counted_once_and_the_first_calls_are_named():
    difference, verdict, _ = CASES["its-budget"]
    calls = [CallOutcome(number, "mail", ALLOW, verdict) for number in range(1, 6)]
    found = counted(difference, *calls).by_difference[0]
    assert (found.changes, found.sessions, len(found.first)) == ({"newly denied": 5}, 1, 3)
    assert found.first[0] == {
        "session": "s1", "place": "runs.jsonl:1", "call": 1, "tool": "mail", "change": "newly denied",
        "old": {"outcome": "allow", "checks": []}, "new": {"outcome": "deny", "checks": ["scope.budget"]},
    }  # fmt: skip


def test_a_reason_that_both_have_is_not_why():
    both = Reason("scope.budget", "flag", "the same", ())
    old, new = Verdict(Decision("allow", (both,))), Verdict(Decision("deny", (both, Reason("chain.order", "deny", "x")), "deny"))
    affected = counted(CASES["its-budget"][0], CallOutcome(1, "mail", old, new))
    assert affected.by_difference[0].changes == {}


def test_what_is_decided_alike_for_another_reason_counts_for_what_gave_the_reason():
    """Else a backtest says that it changed, and no key that it did."""
    flag = Reason("chain.novel", "flag", "was never used")
    old, new = denied("scope.tool"), Verdict(Decision("deny", (*denied("scope.tool").reasons, flag), "deny"))
    affected = counted(at("tasks", "answer", "baseline", kind="answer"), CallOutcome(1, "mail", old, new))
    assert (affected.calls, affected.by_difference[0].changes) == (1, {"other reason": 1})


def test_what_only_flags_is_not_why_a_call_is_denied():
    flag, stop = Reason("chain.novel", "flag", "was never used"), Reason("chain.order", "deny", "x")
    call = CallOutcome(1, "mail", ALLOW, Verdict(Decision("deny", (flag, stop), "deny")))
    assert counted(at("tasks", "answer", "baseline", kind="answer"), call).by_difference[0].changes == {}
    assert counted(at("tasks", "answer", "chain", kind="answer"), call).by_difference[0].changes == {"newly denied": 1}
