"""A draft loads, keeps what a person wrote, and says on what each line rests."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.learn.draft import Draft, draft
from licet.learn.judged import Settings, known_tools
from licet.learn.splice import HEAD
from licet.learn.tally import Tally
from licet.manifest import Manifest, loads
from licet.manifest.lint import check
from licet.manifest.yaml_reader import read
from runs_fixture import KIND, run, runs, step

NOW = 1_764_000_000.0
DAY = 86_400
MANIFEST = """\
# The support bot. Ask Grace before changing this.
licet: 1
environment: dev   # not prod
owners: {support: {name: Support, contact: oncall@acme.example}}

agents:
  bot: {owner: support, purpose: Work, tasks: [answer-ticket, other-work]}
tools:
  read_ticket: {access: read, egress: false, arguments: {number: {type: integer}}, fields: {number: trusted, from: counterpart}}
  find_order: {access: read, egress: false, arguments: {number: {}}, output: trusted}
  refund:
    access: write
    egress: false
    arguments:
      order: {origin: [intent, trusted]}
      euros: {type: integer, minimum: 1, maximum: 50}
  send_email:
    access: write
    egress: true
    arguments:
      to: {format: email, origin: [intent, trusted, counterpart]}  # whom the user names
      body: {content: true}
      other: {}

tasks:
  # what we do all day
  answer-ticket:
    intent: "Answer one customer ticket by e-mail"   # quoted
    ttl: 10m
    tools:
      # reading is free
      read_ticket: {}
      find_order:
      refund: {ask: true,   # a person
               at_most: 1}
      send_email: {arguments: {to: {maxLength: 80}}}

  other-work: {intent: Other work, ttl: 5m, tools: {read_ticket: {}}}   # short

# nothing flows
flows: []
"""


def tally_of(found: Any, manifest: Manifest | None = None) -> Tally:
    manifest = manifest or loads(MANIFEST, now=NOW)
    out = Tally(known_tools(manifest), manifest.tasks)
    for each in found:
        out.add(each)
    return out


def drafted(found: Any, text: str = MANIFEST, **how: Any) -> Draft:
    return draft(text, tally_of(found, loads(text, now=NOW)), Settings(**how), now=NOW)


def work(n: int, *more: Any, time: float | None = None, **how: Any) -> Any:
    calls = [
        step("read_ticket", number=(4312 + n, ["intent"])),
        step("find_order", number=(800 + n, ["trusted read_ticket"])),
        step("send_email", to=(f"c{n}@customer{n}.example", ["counterpart read_ticket"]), body=("Hello", ["nowhere"])),
        *more,
    ]
    return run(*calls, id=str(n), time=NOW + n * DAY if time is None else time, **how)


def comments(text: str) -> Counter[str]:
    """Those of a grant that was taken out say so, and are the same comments."""
    text = re.sub(r"# \S+ \(taken out\): ", "# ", text)
    return Counter(found[1].strip() for line in text.split("\n") if (found := re.search(r"(?:^|\s)(#.*)$", line)))


@given(st.lists(runs(), max_size=4).map(lambda found: found * 7), st.booleans(), st.booleans(), st.sampled_from([0.0, 0.05, 1.0]))
@settings(max_examples=25, deadline=None)
def test_a_draft_of_any_runs_loads_and_passes_check_and_keeps_the_rest(found, narrow, chain, rare):
    made = draft(MANIFEST, tally_of(found), Settings(narrow=narrow, chain=chain, rare=rare), now=NOW)
    _, problems = check(made.text, name="draft", now=NOW)
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert not comments(MANIFEST) - comments(made.text)
    before, after = read(MANIFEST).data, read(made.text).data
    tasks = after.pop("tasks")
    assert {**before, "tasks": None} == {**after, "tasks": None}
    learned = {kind.kind for kind in made.kinds}
    assert list(tasks) == list(before["tasks"])
    assert all(tasks[kind] == value for kind, value in before["tasks"].items() if kind not in learned)
    assert all(
        tasks[kind]["baseline"]["sessions"] == tally.tally.support.sessions
        for kind in learned
        for tally in made.kinds
        if tally.kind == kind and tally.baseline.tools
    )
    again = draft(made.text, tally_of(found), Settings(narrow=narrow, chain=chain, rare=rare), now=NOW)
    assert again.text.count(HEAD) == (1 if learned else 0)
    assert comments(again.text) <= comments(made.text) + comments(again.text[again.text.find(HEAD) :]) or learned


@given(st.lists(runs(), min_size=1, max_size=4).map(lambda found: found * 8))
@settings(max_examples=20, deadline=None)
def test_what_a_person_wrote_of_a_grant_stands_in_the_draft(found):
    grants = loads(draft(MANIFEST, tally_of(found), Settings(), now=NOW).text, now=NOW).tasks[KIND].tools
    assert (grants["refund"].ask, grants["refund"].at_most) == (True, 1)
    assert grants["send_email"].arguments["to"].maxLength == 80


def test_each_line_of_the_kind_says_on_what_it_rests():
    text = drafted(work(n) for n in range(41)).text
    lines = {line.split(":")[0].strip(): line for line in text.split("\n") if "#" in line}
    span = "2025-11-24 to 2026-01-03"
    assert lines["read_ticket"] == f"      read_ticket: {{}}  # 41 of 41 sessions, {span}"
    assert lines["to"].endswith(f"# 41 of 41 sessions, {span}; from counterpart in 41")
    assert "# never used: 0 of 41 sessions" in text
    assert f"at_most: 2  # 41 of 41 sessions, {span}: 1 call at most in one" in text


def test_what_was_learned_makes_the_baseline():
    base = (
        loads(drafted([*(work(n, model="gpt-4o") for n in range(30)), work(30, doubts=("attacked",))]).text, now=NOW).tasks[KIND].baseline
    )
    assert base is not None
    assert (base.sessions, str(base.since), str(base.until), base.models) == (30, "2025-11-24", "2025-12-23", ("gpt-4o",))
    assert dict(base.tools) == {"read_ticket": 30, "find_order": 30, "send_email": 30}
    assert dict(base.edges) == {"start -> read_ticket": 30, "read_ticket -> find_order": 30, "find_order -> send_email": 30}
    assert dict(base.origins["send_email"]["to"]) == {"counterpart read_ticket": 30}


def test_an_origin_is_narrowed_to_what_was_seen_and_never_widened():
    grants = loads(drafted(work(n) for n in range(30)).text, now=NOW).tasks[KIND].tools
    assert str(grants["send_email"].arguments["to"].origin) == "intent or counterpart"
    strange = [work(n, step("refund", order=(n, ["untrusted read_ticket"]), euros=(5, ["intent"]))) for n in range(30)]
    made = drafted(strange)
    assert "order" not in loads(made.text, now=NOW).tasks[KIND].tools["refund"].arguments
    assert any(
        "`order` of `refund` came from untrusted, which its `origin:` does not name: 30 of 30" in line for line in made.kinds[0].wider
    )


def test_a_type_alone_is_not_worth_a_line():
    text = drafted(work(n, step("send_email", body=(f"text {n} of many words", ["nowhere"]))) for n in range(30)).text
    assert set(loads(text, now=NOW).tasks[KIND].tools["send_email"].arguments) == {"to"}


def test_a_grant_that_was_never_used_is_kept_and_marked_and_taken_out_only_when_asked():
    kept, out = drafted(work(n) for n in range(30)), drafted((work(n) for n in range(30)), narrow=True)
    assert "refund" in loads(kept.text, now=NOW).tasks[KIND].tools
    assert "refund" not in loads(out.text, now=NOW).tasks[KIND].tools
    assert "`refund` was never used, and is taken out" in out.text


def test_a_grant_of_which_a_budget_speaks_is_kept():
    text = MANIFEST.replace("    ttl: 10m\n", "    ttl: 10m\n    budgets: [{at_most: 2, of: refund}]\n")
    assert "refund" in loads(drafted((work(n) for n in range(30)), text, narrow=True).text, now=NOW).tasks[KIND].tools


def test_a_tool_that_is_not_granted_is_added_and_marked():
    found = [run(step("read_ticket"), step("find_order"), kind="other-work", id=str(n)) for n in range(30)]
    made = drafted(found)
    assert "find_order: {}  # NEW: 30 of 30 sessions" in made.text or re.search(r"find_order:  # NEW: 30 of 30 sessions", made.text)
    assert made.kinds[0].new == ["`find_order`: 30 of 30 sessions"]
    assert set(loads(made.text, now=NOW).tasks["other-work"].tools) == {"read_ticket", "find_order"}


def test_a_tool_that_is_not_declared_is_listed_and_never_guessed():
    made = drafted(work(n, step("wire\n# money", amount=(5, ["intent"]))) for n in range(30))
    assert "wire" not in str(read(made.text).data)
    assert "# - `wire\\u{a}# money`: 30 of 30 sessions" in made.text


def test_an_argument_that_is_not_declared_is_listed_and_not_added():
    made = drafted(work(n, step("send_email", bcc=("x@acme.example", ["intent"]))) for n in range(30))
    assert "bcc" not in loads(made.text, now=NOW).tasks[KIND].tools["send_email"].arguments
    assert "`bcc` of `send_email`: 30 of 30 sessions" in made.text


def test_a_new_grant_with_which_check_would_find_an_error_is_left_to_a_person():
    text = MANIFEST.replace("  read_ticket: {access: read,", "  read_ticket: {access: read, reveals: [customer-data],", 1)
    made = drafted((run(step("read_ticket"), step("send_email"), kind="other-work", id=str(n)) for n in range(30)), text)
    before = [problem.code for problem in check(text, name="m", now=NOW)[1] if problem.severity == "error"]
    after = [problem.code for problem in check(made.text, name="m", now=NOW)[1] if problem.severity == "error"]
    assert after == before


def test_a_chain_is_enforced_only_when_asked():
    found = [work(n) for n in range(30)]
    assert loads(drafted(found).text, now=NOW).tasks[KIND].chain is None
    chain = loads(drafted(found, chain=True).text, now=NOW).tasks[KIND].chain
    assert chain is not None
    assert set(chain) == {("start", "read_ticket"), ("read_ticket", "find_order"), ("find_order", "send_email")}


@pytest.mark.parametrize("change", [
    pytest.param(lambda text: text.replace("\n", "\r\n"), id="windows-line-ends"),
    pytest.param(lambda text: "\ufeff" + text, id="byte-order-mark"),
    pytest.param(lambda text: "---\n" + text + "...\n", id="document-marks"),
    pytest.param(lambda text: text.rstrip("\n"), id="no-last-line-end"),
    pytest.param(lambda text: re.sub(r"(?m)^( +)", r"\1\1", text), id="other-indentation"),
])  # fmt: skip
def test_a_draft_can_be_made_of_a_manifest_of_any_form(change):
    text = change(MANIFEST)
    if text.startswith("\ufeff") or read(text).refused:
        text = text if not read(text).refused else MANIFEST
    made = drafted((work(n) for n in range(30)), text)
    assert loads(made.text, now=NOW).tasks[KIND].baseline is not None
    assert ("\r\n" in made.text) == ("\r\n" in text)


def test_a_manifest_in_json_becomes_a_draft():
    import json

    text = json.dumps(read(MANIFEST).data)
    made = drafted((work(n) for n in range(30)), text)
    assert loads(made.text, now=NOW).tasks[KIND].baseline is not None
    assert {**read(made.text).data, "tasks": None} == {**read(text).data, "tasks": None}


def test_learning_again_says_everything_once():
    found = [work(n) for n in range(30)]
    once = drafted(found).text
    twice = drafted(found, once).text
    thrice = drafted(found, twice).text
    assert twice == thrice
    assert read(twice).data == read(once).data
    assert twice.count("never used") == once.count("never used")


def test_a_baseline_that_nobody_learned_is_replaced_and_a_choice_in_it_kept():
    text = drafted(work(n) for n in range(30)).text.replace("      sessions: 30\n", "      sessions: 30\n      transitions: true\n")
    base = loads(drafted((work(n) for n in range(40)), text).text, now=NOW).tasks[KIND].baseline
    assert base is not None
    assert (base.sessions, base.transitions) == (40, True)


def test_kinds_that_nothing_teaches_stay_as_they_are_and_are_named():
    made = drafted([work(0, doubts=("attacked",)), *(work(n) for n in range(0)), run(step("read_ticket"), kind="nobody's")])
    assert (made.text, made.kinds, [kind.kind for kind in made.without]) == (MANIFEST, (), [KIND, "nobody's"])


def many(n: int) -> Any:
    calls = [
        step("send_email", to=([f"a{n}{m}@customer.example" for m in range(4)], ["intent"]), body=("Hello", ["nowhere"])) for _ in range(2)
    ]
    return run(*calls, id=str(n), time=NOW + n * DAY)


def test_different_receivers_are_counted_where_one_call_can_have_several():
    made = drafted(many(n) for n in range(30))
    budgets = loads(made.text, now=NOW).tasks[KIND].budgets
    assert [(budget.distinct, budget.of, budget.at_most) for budget in budgets] == [("to", ("send_email",), 6)]
    assert "budgets:  # 30 of 30 sessions, 2025-11-24 to 2025-12-23: 4 different `to` of `send_email` at most in one" in made.text
    assert loads(drafted((many(n) for n in range(30)), made.text).text, now=NOW).tasks[KIND].budgets == budgets


def test_a_budget_that_a_person_wrote_is_kept_as_it_is():
    text = MANIFEST.replace("    ttl: 10m\n", "    ttl: 10m\n    budgets:\n    - {distinct: to, of: send_email, at_most: 9} # nine\n")
    made = drafted((many(n) for n in range(30)), text)
    assert [budget.at_most for budget in loads(made.text, now=NOW).tasks[KIND].budgets] == [9]
    assert "# nine" in made.text


def test_a_grant_that_is_rare_and_could_do_harm_is_kept_and_marked_and_taken_out_only_when_asked():
    found = [work(n, *([step("refund", order=(1, ["intent"]), euros=(2, ["intent"]))] if n == 3 else [])) for n in range(30)]
    kept, out = drafted(found), drafted(found, narrow=True)
    assert "# rare: 1 of 30 sessions, 2025-11-27" in kept.text
    assert loads(kept.text, now=NOW).tasks[KIND].tools["refund"] == loads(MANIFEST, now=NOW).tasks[KIND].tools["refund"]
    assert "refund" not in loads(out.text, now=NOW).tasks[KIND].tools
    assert "`refund`: 1 of 30 sessions, 2025-11-27; its grant is taken out" in out.text


def test_the_end_of_the_draft_is_bounded():
    """However many different things the traces hold."""
    made = drafted(work(n, *(step(f"ghost{n}x{m}") for m in range(5))) for n in range(30))
    assert len(made.text[made.text.index(HEAD) :].split("\n")) < 150
    assert "Too many different tools to tell apart" in made.text
