"""From a tally to a baseline: what it counts, what it leaves out, and how much is still to be expected."""

from __future__ import annotations

import pytest

from licet.learn.baselines import baseline_of, of_tools
from licet.learn.judged import Expected, Settings, day, evidence, expected, is_rare
from licet.learn.tally import KindTally, Tally
from licet.learn.values import Support
from licet.manifest import Manifest, loads
from licet.manifest.baseline import under
from runs_fixture import KIND, run, step

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [answer-ticket]}}
tools:
  read_ticket: {access: read, egress: false}
  refund: {access: write, egress: false}
  send_email: {access: read, egress: true}
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


def test_what_is_rare_is_left_out_if_it_could_do_harm_and_kept_if_not(manifest: Manifest):
    usual = [run(step("send_email", to=("a", ["intent"]))) for _ in range(39)]
    odd = run(
        step("read_ticket", x=("a", ["untrusted read_ticket"])),
        step("send_email", to=("a", ["untrusted read_ticket", "nowhere"])),
        step("refund"),
    )
    base = baseline_of(kind_of(*usual, odd), manifest, Settings())
    assert base is not None
    assert dict(base.tools) == {"read_ticket": 1, "send_email": 40}
    assert dict(base.edges) == {"start -> read_ticket": 1, "start -> send_email": 39}
    assert dict(base.origins["send_email"]["to"]) == {"intent": 39, "nowhere": 1}
    assert dict(base.origins["read_ticket"]["x"]) == {"untrusted read_ticket": 1}


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
    assert expected(kind, manifest, 0.0) == Expected(0.2, 0.0)
    assert expected(kind, manifest, 0.1) == Expected(0.2, 0.2)
    assert expected(kind, manifest, 0.1).share == 0.4
    assert expected(kind_of(run(step("refund"), doubts=("x",))), manifest, 0.05).share == 1.0


def test_a_source_that_nobody_else_chooses_is_nothing_new(manifest: Manifest):
    kind = kind_of(*[run(step("send_email"))] * 9, run(step("send_email", to=("a", ["trusted read_ticket", "nowhere", "intent"]))))
    assert expected(kind, manifest, 0.0).share == 0.0


@pytest.mark.parametrize("seen, doubtful, rare", [(2, 0, False), (1, 0, True), (2, 20, True), (0, 0, True)], ids=str)
def test_the_share_is_of_all_sessions_that_were_given(seen: int, doubtful: int, rare: bool):
    kind = KindTally(KIND, support=Support(20), doubtful=doubtful)
    assert is_rare(Support(seen), kind, 0.05) is rare


def test_evidence_says_how_often_and_when():
    kind = KindTally(KIND, support=Support(1_041))
    assert evidence(Support(38, 0.0, 86_400.0), kind) == "38 of 1,041 sessions, 1970-01-01 to 1970-01-02"
    assert evidence(Support(38, 0.0, 1.0), kind) == "38 of 1,041 sessions, 1970-01-01"
    assert evidence(Support(38), KindTally(KIND, support=Support(1))) == "38 of 1 session"


@pytest.mark.parametrize("time", [-1e30, 1e30, 253_402_300_800.0], ids=["long-ago", "far-away", "the-year-10000"])
def test_a_time_beyond_the_calendar_is_a_day_of_it(time: float):
    assert day(time) in ("1970-01-01", "9999-12-31")
