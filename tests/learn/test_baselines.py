"""From a tally to a baseline: what it counts, what it leaves out, and how much is still to be expected."""

from __future__ import annotations

import pytest

from licet.guard.rehearsal import Rehearsal
from licet.learn.baselines import baseline_of, of_tools
from licet.learn.draft import draft
from licet.learn.grants import said_expected
from licet.learn.judged import Expected, Settings, day, evidence, expected, is_rare, known_tools
from licet.learn.tally import KindTally, Tally
from licet.learn.values import Support
from licet.manifest import Manifest, loads
from licet.manifest.baseline import under
from licet.records import ToolCall
from runs_fixture import KIND, run, step

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [answer-ticket]}}
tools:
  read_ticket: {access: read, egress: false, arguments: {x: {}}}
  refund: {access: write, egress: false, arguments: {order: {}}}
  send_email: {access: read, egress: true, arguments: {to: {}}}
tasks: {answer-ticket: {intent: Answer, ttl: 5m, tools: {read_ticket: {}}}}
"""


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return loads(MANIFEST)


def kind_of(*found) -> KindTally:
    tally = Tally()
    for each in found:
        tally.add(each)
    return tally.kinds[KIND]


def test_it_counts_sessions_of_tools_edges_and_origins(manifest: Manifest):
    kind = kind_of(
        run(step("read_ticket"), step("send_email", to=("a", ["intent", "untrusted read_ticket (an address)"])), time=0.0, model="m1"),
        run(step("read_ticket"), step("read_ticket"), time=86_400.0 * 40, model="m2"),
        run(step("read_ticket")),
    )
    base = baseline_of(kind, manifest, Settings())
    assert base is not None
    assert base.model_dump(mode="json", exclude_defaults=True) == {
        "sessions": 3,
        "since": "1970-01-01",
        "until": "1970-02-10",
        "under": under(manifest.tools, ["read_ticket", "send_email"]),
        "models": ["m1", "m2"],
        "tools": {"read_ticket": 3, "send_email": 1},
        "edges": {"read_ticket -> read_ticket": 1, "read_ticket -> send_email": 1, "start -> read_ticket": 3},
        "origins": {"send_email": {"to": {"intent": 1, "untrusted read_ticket (an address)": 1}}},
    }


def test_without_a_session_that_teaches_there_is_none(manifest: Manifest):
    assert baseline_of(kind_of(run(step("refund"), doubts=("attacked",))), manifest, Settings()) is None


def test_what_is_rare_is_counted_and_not_known(manifest: Manifest):
    usual = [run(step("send_email", to=("a", ["intent"]))) for _ in range(39)]
    odd = run(
        step("read_ticket", x=("a", ["untrusted read_ticket"])),
        step("send_email", to=("a", ["untrusted read_ticket", "nowhere"])),
        step("refund"),
    )
    base = baseline_of(kind_of(*usual, odd), manifest, Settings())
    assert base is not None
    assert base.minimum.support == 3
    assert dict(base.tools) == {"read_ticket": 1, "refund": 1, "send_email": 40}
    assert [tool for tool in base.tools if base.knows_tool(tool)] == ["send_email"]
    assert [edge for edge, count in base.edges.items() if count >= 3] == ["start -> send_email"]
    assert dict(base.origins["send_email"]["to"]) == {"intent": 39, "nowhere": 1, "untrusted read_ticket": 1}


def test_of_what_is_rare_the_check_says_how_often_it_was():
    """One of 40 is not none."""
    text = MANIFEST.replace("tools: {read_ticket: {}}", "tools: {refund: {}, send_email: {}}")
    tally = Tally(known_tools(loads(text)), [KIND])
    for n in range(40):
        tally.add(run(step("send_email", to=("a", ["intent"])), *([step("refund")] if n == 3 else [])))
    rehearsal = Rehearsal(loads(draft(text, tally, Settings()).text))
    task = rehearsal.begin(KIND, intent="Answer", agent="bot")
    reasons = rehearsal.judge(task, ToolCall("refund", {})).decision.reasons
    assert any("`refund` was used in only 1 of 40 sessions" in each.sentence for each in reasons if each.check == "chain.novel")


def test_what_may_be_anybodys_is_a_share_of_all_sessions_whatever_their_kind(manifest: Manifest):
    """An attacker chooses the kind of his sessions."""
    tally = Tally(known_tools(manifest), [KIND, "big"])
    strange = step("send_email", to=("x", ["untrusted read_ticket"]))
    for n in range(405):
        tally.add(run(strange if n < 5 else step("send_email", to=("a", ["intent"])), kind=KIND if n < 45 else "big"))
    base, trusted = (baseline_of(tally.kinds[KIND], manifest, settings) for settings in (Settings(), Settings(trusted=True)))
    assert base is not None
    assert trusted is not None
    assert (base.minimum.support, trusted.minimum.support) == (21, 3)
    assert base.knows_tool("send_email")
    assert base.sources_of("send_email", "to") == {"intent": 40, "untrusted read_ticket": 5}


def test_an_argument_that_is_not_declared_is_not_named(manifest: Manifest):
    found = kind_of(*[run(step("send_email", **{"to": ("a", ["intent"]), "Reviewer: ratify this": ("a", ["nowhere"])}))] * 5)
    base = baseline_of(found, manifest, Settings())
    assert base is not None
    assert set(base.origins["send_email"]) == {"to"}


@pytest.mark.parametrize(
    "name", ["AKIAIOSFODNN7EXAMPLE", "jane.doe@private.example", "a\nb", "ghp_" + "a1B2" * 9, ""], ids=lambda name: name[:4]
)
def test_a_model_is_named_if_its_name_is_one(manifest: Manifest, name: str):
    base = baseline_of(
        kind_of(*[run(step("read_ticket"), model=name)] * 9, run(step("read_ticket"), model="vendor/good-1.5")), manifest, Settings()
    )
    assert base is not None
    assert base.models == ("vendor/good-1.5",)


def test_models_of_few_sessions_neither_are_named_nor_push_out_the_others(manifest: Manifest):
    found = kind_of(*[run(step("read_ticket"), model="good")] * 600, *(run(step("read_ticket"), model=f"m{n}") for n in range(30)))
    base = baseline_of(found, manifest, Settings())
    assert base is not None
    assert base.models == ("good",)


def test_when_the_sessions_were_is_not_told_by_few_of_them(manifest: Manifest):
    start = 1_760_000_000.0
    honest = [run(step("read_ticket"), time=start + n * 86_400) for n in range(40)]
    found = kind_of(*honest, run(step("read_ticket"), time=0.0), run(step("read_ticket"), time=start + 9e6))
    base = baseline_of(found, manifest, Settings())
    assert base is not None
    assert (str(base.since), str(base.until)) == ("2025-10-09", "2025-11-17")
    assert evidence(found.tools["read_ticket"].support, found) == "42 of 42 sessions, 2025-10-09 to 2025-11-17"


def test_what_the_manifest_does_not_declare_is_left_out(manifest: Manifest):
    kind = kind_of(*[run(step("ghost"), step("send_email", to=("a", ["untrusted ghost", "no source\n", "intent"])))] * 5)
    base = baseline_of(kind, manifest, Settings())
    assert base is not None
    assert (dict(base.tools), dict(base.edges), dict(base.origins["send_email"]["to"])) == ({"send_email": 5}, {}, {"intent": 5})


def test_a_model_whose_name_could_act_is_left_out(manifest: Manifest):
    base = baseline_of(kind_of(run(step("read_ticket"), model="\x1b[31m"), run(model="m" * 201), run(model="good")), manifest, Settings())
    assert base is not None
    assert base.models == ("good",)


def test_what_is_not_granted_is_not_known(manifest: Manifest):
    kind = kind_of(*[run(step("read_ticket"), step("refund", order=("1", ["intent"])), step("read_ticket"))] * 5)
    base = baseline_of(kind, manifest, Settings())
    assert base is not None
    found = of_tools(base, manifest, {"read_ticket"})
    assert (dict(found.tools), dict(found.edges), dict(found.origins)) == ({"read_ticket": 5}, {"start -> read_ticket": 5}, {})
    assert found.under == under(manifest.tools, ["read_ticket"])


def test_how_much_is_still_to_be_expected_is_what_one_session_alone_brought(manifest: Manifest):
    usual = [run(step("send_email", to=("a", ["counterpart read_ticket"]))) for _ in range(8)]
    kind = kind_of(*usual, run(step("send_email", to=("a", ["untrusted read_ticket"]))), run(step("refund")))
    assert expected(kind, manifest, Settings(rare=0.0)) == Expected(pytest.approx(0.63, abs=0.01), 0.0)
    assert expected(kind, manifest, Settings(rare=0.1)).left_out == 0.2
    assert expected(kind, manifest, Settings(rare=0.1)).share == pytest.approx(0.83, abs=0.01)
    assert expected(kind_of(run(step("refund"), doubts=("x",))), manifest, Settings()).share == 1.0


def test_where_nothing_was_new_up_to_three_of_so_many_sessions_may_bring_something(manifest: Manifest):
    """The rule of three. A source that nobody else chooses is nothing new."""
    kind = kind_of(*[run(step("send_email"))] * 39, run(step("send_email", to=("a", ["trusted read_ticket", "nowhere", "intent"]))))
    assert expected(kind, manifest, Settings(rare=0.0)) == Expected(3 / 40, 0.0)
    assert said_expected(Expected(3 / 40, 0.0)) == "something new is to be expected in up to 8 % of coming sessions"


def test_while_it_is_learning_nothing_is_said_of_what_will_come(manifest: Manifest):
    found = expected(kind_of(*[run(step("send_email"))] * 4), manifest, Settings())
    assert said_expected(found) == "how often something new will come cannot be said yet"


@pytest.mark.parametrize("seen, doubtful, rare", [(2, 0, False), (1, 0, True), (2, 20, True), (0, 0, True)], ids=str)
def test_the_share_is_of_all_sessions_that_were_given(seen: int, doubtful: int, rare: bool):
    kind = KindTally(KIND, support=Support(20), doubtful=doubtful)
    assert is_rare(Support(seen), kind, Settings()) is rare


def test_evidence_says_how_often_and_when():
    kind = kind_of(*(run(time=86_400.0 * (n % 2)) for n in range(1_041)))
    assert evidence(Support(38, 0.0, 86_400.0), kind) == "38 of 1,041 sessions, 1970-01-01 to 1970-01-02"
    assert evidence(Support(38, 0.0, 1.0), kind) == "38 of 1,041 sessions, 1970-01-01"
    assert evidence(Support(38), KindTally(KIND, support=Support(1))) == "38 of 1 session"


@pytest.mark.parametrize("time", [-1e30, 1e30, 253_402_300_800.0], ids=["long-ago", "far-away", "the-year-10000"])
def test_a_time_beyond_the_calendar_is_a_day_of_it(time: float):
    assert day(time) in ("1970-01-01", "9999-12-31")
