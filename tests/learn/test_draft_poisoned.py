"""A twentieth of the sessions, whatever they hold, makes no rule of the draft wider: held against the draft without them by `differences`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from licet.learn.difference import differences
from licet.learn.draft import Draft, draft
from licet.learn.judged import Settings, known_tools
from licet.learn.runs import ATTACKED, DENIED, Run, Step
from licet.learn.tally import Tally
from licet.manifest import Manifest, loads
from runs_fixture import run, step

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOW = 1_764_000_000.0
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, model: good-model, tasks: [small, big]}}
tools:
  read_ticket: {access: read, egress: false, arguments: {number: {}}}
  read_secrets: {access: read, egress: false, reveals: [secret], arguments: {name: {}}, output: trusted}
  set_state: {access: write, egress: false, arguments: {state: {}, amount: {}, ref: {}, day: {}, note: {content: true}, tags: {}}}
  send_email: {access: write, egress: true, arguments: {to: {origin: [intent, trusted, counterpart]}, body: {content: true}}}
  wire: {access: admin, egress: true, arguments: {euros: {}}}
tasks:
  small: {intent: small, ttl: 10m, tools: {read_ticket: {}, set_state: {}, send_email: {}}}
  big: {intent: big, ttl: 10m, tools: {read_ticket: {}}}
"""


def state(n: int, **other: Any) -> Step:
    given: dict[str, Any] = {
        "state": (["open", "closed"][n % 2], ["intent"]),
        "amount": (1 + n % 20, ["intent"]),
        "ref": (f"INV-{100 + n}", ["intent"]),
        "day": (f"2026-10-{10 + n % 20}", ["trusted read_ticket"]),
        "tags": ([f"{'abcdefgh'[n % 8]}{n % 3}"], ["intent"]),
    }
    return step("set_state", **{**given, **other})


def mail(*to: str, source: str = "counterpart read_ticket") -> Step:
    return step("send_email", to=(list(to), [source]), body=("hello", ["nowhere"]))


def honest(n: int, kind: str = "small") -> Run:
    to = f"{'abcdefghij'[n % 10] * 3}@corp.example"
    calls = [step("read_ticket", number=(n, ["intent"])), *([state(n), mail(to)] if kind == "small" else [])]
    return run(*calls, id=f"h{n}", kind=kind, model="good-model", time=NOW - 86_400 * (n % 60))


UNTRUSTED = ["untrusted read_ticket"]
POISON: dict[str, Callable[[int], list[Step]]] = {
    "a-large-number": lambda n: [state(n, amount=(4 * 10**8, ["intent"]))],
    "a-number-beyond-all": lambda n: [state(n, amount=(10**30 * (-1) ** n, ["intent"]))],
    "another-word": lambda n: [state(n, state=("admin", ["intent"]))],
    "many-words": lambda n: [state(n, state=([f"word{m}" for m in range(90)], ["intent"]))],
    "a-word-each": lambda n: [state(n, state=(f"word{n}", ["intent"]))],
    "a-long-text": lambda n: [state(n, state=("x" * 5_000, ["intent"]))],
    "another-form": lambda n: [state(n, ref=("PWNED-1 and more", ["intent"]), day=("tomorrow", ["intent"]))],
    "another-head": lambda n: [state(n, ref=(f"PWN-{n}", ["intent"]))],
    "another-type": lambda n: [state(n, **{name: ({"a": [None]}, ["intent"]) for name in ("state", "amount", "ref", "day", "tags")})],
    "nothing": lambda n: [state(n, state=(None, []), amount=(None, []))],
    "left-out": lambda n: [step("set_state")],
    "from-a-stranger": lambda n: [state(n, state=("open", UNTRUSTED), amount=(3, UNTRUSTED), ref=("INV-7", UNTRUSTED))],
    "from-many-places": lambda n: [state(n, ref=("INV-7", [word])) for word in ("nowhere", "untrusted read_ticket", "unseen", "counterpart x")],
    "many-calls": lambda n: [state(n)] * 101,
    "many-receivers": lambda n: [mail(*(f"x{m}@evil.example" for m in range(50)), source="untrusted read_ticket")],
    "a-domain": lambda n: [mail(f"eve{n}@evil.example", source="intent")],
    "a-tool-that-reads": lambda n: [step("read_secrets", name=("root", ["intent"])), state(n)],
    "a-tool-that-acts": lambda n: [step("wire", euros=(10**6, UNTRUSTED)), step("wire", euros=(1, UNTRUSTED))],
    "everything": lambda n: [
        state(n, state=(f"admin{n}", UNTRUSTED), amount=(10**9, UNTRUSTED), ref=("PWNED", UNTRUSTED), tags=("x", UNTRUSTED)),
        *[mail(f"a{n}@evil.example", f"b{n}@evil.example", source="untrusted read_ticket")] * 30,
        step("read_secrets", name=("root", ["nowhere"])),
        step("wire", euros=(10**6, UNTRUSTED)),
    ],
}  # fmt: skip


def poisoned(n: int, kind: str) -> Run:
    calls = [step("read_ticket", number=(n, ["intent"])), *POISON[kind](n)]
    return run(*calls, id=f"e{n}", kind="small", model=["evil-model", f"m{n}"][n % 2], time=[0.0, 253_402_300_000.0][n % 2])


def drafted(runs: list[Run], **how: Any) -> Draft:
    manifest = loads(MANIFEST, now=NOW)
    tally = Tally(known_tools(manifest), manifest.tasks)
    for each in runs:
        tally.add(each)
    return draft(MANIFEST, tally, Settings(**how), now=NOW)


def manifest_of(made: Draft) -> Manifest:
    return loads(made.text, now=NOW)


HONEST = [honest(n) for n in range(190)]


@pytest.fixture(scope="module", params=[False, True], ids=["as-it-is", "with-the-order"])
def chain(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def clean(chain: bool) -> Manifest:
    return manifest_of(drafted(HONEST, chain=chain))


def test_the_draft_without_poison_has_a_rule_of_each_kind(clean: Manifest):
    """So that there is something to widen."""
    grants = clean.tasks["small"].tools
    rules = grants["set_state"].arguments
    assert rules["state"].enum == ("closed", "open")
    assert (rules["amount"].minimum, rules["amount"].maximum, rules["ref"].pattern) == (0, 50, "INV-[0-9]+")
    assert rules["day"].pattern == "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    assert [str(rules[name].origin) for name in ("state", "amount", "ref")] == ["intent"] * 3
    assert str(rules["day"].origin) == "intent or trusted"
    assert str(grants["send_email"].arguments["to"].origin) == "intent or counterpart"
    assert (grants["set_state"].at_most, grants["send_email"].at_most) == (2, 2)
    assert [budget.distinct for budget in clean.tasks["small"].budgets] == ["to"]
    assert clean.tasks["small"].baseline is not None


@pytest.mark.parametrize("kind", list(POISON))
def test_a_twentieth_of_the_sessions_makes_nothing_wider(kind: str, clean: Manifest, chain: bool):
    poison = [poisoned(n, kind) for n in range(10)]
    assert len(poison) == 0.05 * (len(HONEST) + len(poison))
    made = drafted([*poison, *HONEST], chain=chain)
    assert [found.sentence for found in differences(clean, manifest_of(made)) if found.way == "widened"] == []
    base, before = manifest_of(made).tasks["small"].baseline, clean.tasks["small"].baseline
    assert base is not None
    assert before is not None
    assert (base.models, base.since, base.until) == (before.models, before.since, before.until)


def test_one_session_more_than_that_is_believed():
    """That the bound is where it is said to be, and the tests above could fail."""
    made = manifest_of(drafted([*(poisoned(n, "everything") for n in range(12)), *HONEST]))
    assert any(found.way == "widened" for found in differences(manifest_of(drafted(HONEST)), made))


def test_what_was_left_out_of_a_rule_is_listed_without_its_value():
    made = drafted([*(poisoned(n, "everything") for n in range(10)), *HONEST])
    said = "\n".join(made.kinds[0].left_out)
    assert "`amount` of `set_state`: something else in 10 of 200 sessions" in said
    assert "calls of `send_email`: more than 1 in 10 of 200 sessions" in said
    assert "`read_secrets`: 10 of 200 sessions, " in said
    assert "admin1" not in made.text
    assert "evil" not in made.text


def test_attacked_sessions_of_one_small_kind_teach_it_no_more():
    """1.5 % of all sessions, and 9 % of those of the kind."""
    others = [honest(n, "big") for n in range(320)]
    small = [honest(n) for n in range(100)]
    clean = drafted([*small, *others])
    made = drafted([*small, *others, *(poisoned(n, "from-a-stranger") for n in range(9))])
    assert [found.sentence for found in differences(manifest_of(clean), manifest_of(made)) if found.way == "widened"] == []
    base = manifest_of(made).tasks["small"].baseline
    assert base is not None
    assert base.sources_of("set_state", "ref")["untrusted read_ticket"] < base.minimum.support


def test_of_a_kind_that_is_too_small_it_is_said_and_nothing_is_known():
    made = drafted([*(honest(n) for n in range(20)), *(honest(n, "big") for n in range(380))])
    (small,) = [kind for kind in made.kinds if kind.kind == "small"]
    assert small.left_out[0].startswith(
        "all that could do harm: each of 20 sessions could be an attacker's, who may have 5 % of the 400 sessions"
    )
    base = manifest_of(made).tasks["small"].baseline
    assert base is not None
    assert not base.knows_tool("set_state")
    narrow = drafted([*(honest(n) for n in range(20)), *(honest(n, "big") for n in range(380))], narrow=True)
    assert "set_state" in manifest_of(narrow).tasks["small"].tools
    looked_at = manifest_of(drafted([*(honest(n) for n in range(20)), *(honest(n, "big") for n in range(380))], trusted=True))
    trusted = looked_at.tasks["small"].baseline
    assert trusted is not None
    assert trusted.knows_tool("set_state")


@pytest.mark.parametrize("tool, number, granted", [
    ("read_secrets", 5, False), ("read_secrets", 6, True), ("wire", 5, False), ("wire", 6, True),
], ids=str)  # fmt: skip
def test_a_new_grant_needs_more_than_a_twentieth_whatever_the_tool_does(tool: str, number: int, granted: bool):
    made = manifest_of(drafted([run(step("read_ticket"), *([step(tool)] if n < number else []), kind="big") for n in range(100)]))
    assert (tool in made.tasks["big"].tools) is granted


def test_a_new_grant_needs_more_than_one_session_however_few_there_are():
    made = [
        manifest_of(drafted([run(step("read_ticket"), *([step("read_secrets")] if n < number else []), kind="big") for n in range(3)]))
        for number in (1, 2)
    ]
    assert ["read_secrets" in each.tasks["big"].tools for each in made] == [False, True]


def test_a_new_grant_of_what_could_do_harm_is_asked_about_and_limited():
    made = manifest_of(drafted([run(step("read_ticket"), step("wire"), step("wire"), step("read_secrets"), kind="big") for _ in range(8)]))
    wire, read = made.tasks["big"].tools["wire"], made.tasks["big"].tools["read_secrets"]
    assert (wire.ask, wire.at_most) == (True, 3)
    assert (read.ask, read.at_most) == (False, None)


def test_known_attacks_do_not_empty_the_baseline():
    """Of what the record itself says to be attacked or denied nobody has to fear that it is taken for honest work."""
    marked = [run(step("wire"), kind="small", doubts=(doubt,)) for doubt in (ATTACKED, DENIED) for _ in range(1_000)]
    made = drafted([*HONEST, *marked])
    base = manifest_of(made).tasks["small"].baseline
    assert base is not None
    assert base.knows_tool("set_state")
    assert "set_state:  # 190 of 190 sessions" in made.text


def test_a_baseline_without_a_tool_is_not_written_and_the_one_before_stays():
    made = drafted(HONEST)
    nothing = draft(made.text, tally_of_undeclared(made.text), Settings(), now=NOW)
    assert manifest_of(nothing).tasks["small"].baseline == manifest_of(made).tasks["small"].baseline
    assert [kind.kind for kind in nothing.without] == ["small"]


def tally_of_undeclared(text: str) -> Tally:
    manifest = loads(text, now=NOW)
    tally = Tally(known_tools(manifest), manifest.tasks)
    for _ in range(30):
        tally.add(run(step("nobody's"), kind="small"))
    return tally


def test_an_agent_that_names_no_model_is_named():
    text = MANIFEST.replace("model: good-model, ", "")
    manifest = loads(text, now=NOW)
    tally = Tally(known_tools(manifest), manifest.tasks)
    for each in HONEST:
        tally.add(each)
    assert "`bot` may run on any model, having no `model:`" in draft(text, tally, Settings(), now=NOW).text


@pytest.mark.parametrize("name, values", [
    pytest.param("pass", ["hunter2"], id="password"), pytest.param("approver", ["alice"], id="person"),
    pytest.param("diagnosis", ["cancer", "hiv"], id="health"), pytest.param("channel", ["general", "sales"], id="channel"),
    pytest.param("pin", [f"{n}-{n}" for n in range(1000, 1030)], id="pin"),
    pytest.param("ref", [f"Jane.Doe/{n}" for n in range(30)], id="name-and-number"),
    pytest.param("folder", [f"https://jane-doe-medical.example/{n}" for n in range(30)], id="host-of-one"),
    pytest.param("to", [f"k{n}@smith-family.example" for n in range(30)], id="domain-of-one"),
])  # fmt: skip
def test_what_may_be_private_is_in_no_rule(name: str, values: list[str]):
    text = MANIFEST.replace("arguments: {state: {}, amount: {}, ref: {},", f"arguments: {{{name}: {{}},")
    manifest = loads(text, now=NOW)
    tally = Tally(known_tools(manifest), manifest.tasks)
    for n in range(40):
        tally.add(run(step("set_state", **{name: (values[n % len(values)], ["intent"])}), kind="small"))
    made = draft(text, tally, Settings(), now=NOW).text
    rule = loads(made, now=NOW).tasks["small"].tools["set_state"].arguments.get(name)
    assert rule is None or not ({"enum", "pattern"} & rule.model_fields_set)
    assert not any(private in made for private in ("hunter2", "alice", "hiv", "Jane", "jane", "smith", "general"))
