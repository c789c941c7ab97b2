"""What is suggested, on what evidence, and where too little is known to suggest anything."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from licet.learn.judged import known_tools
from licet.learn.runs import Run
from licet.learn.suggest import Evidence, Suggester, Suggestion
from licet.learn.tally import Tally
from licet.learn.uses import DAY, MAX_DAYS, Usage
from licet.manifest import Manifest, loads
from licet.manifest.baseline import under
from runs_fixture import run, step

NOW = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
WINDOW = 30 * DAY
TEXT = """\
licet: 1
environment: dev
agents:
  bot: {tasks: [answer]}
  other: {tasks: [rare]}
credentials: {key: {owner: us, expires: 2027-06-30, issued: 2026-11-01, rotate_every: 90d}}
owners: {us: {name: Us, contact: us@acme.example}}
tools:
  read: {access: read, egress: false, credential: key, arguments: {id: {}}}
  mail: {access: write, egress: true, arguments: {to: {origin: [intent, trusted]}, kind: {}}}
  pay: {access: write, egress: true}
tasks:
  answer:
    intent: Answer
    ttl: 10m
    tools: {read: {}, mail: {}, pay: {}}
    budgets: [{of: pay, at_most: 1}]
    chain: [start -> read, read -> mail, mail -> pay, start -> mail, mail -> mail, read -> read, start -> pay]
  rare: {intent: Rarely, ttl: 5m, tools: {read: {}}}
"""


def manifest(*changes: tuple[str, str]) -> Manifest:
    text = TEXT
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return loads(text, now=NOW)


def suggested(
    runs: Iterable[Run],
    declared: Manifest | None = None,
    *,
    window: float = WINDOW,
    agents: frozenset[str] | None = None,
    unratified: str = "",
) -> tuple[list[Suggestion], list[str]]:
    declared = declared or manifest()
    usage, tally = Usage(declared, NOW - window), Tally(known_tools(declared), declared.tasks)
    for each in runs:
        usage.add(each)
        tally.add(each)
    suggester = Suggester(declared, Evidence(usage, tally, agents, unratified), now=NOW, window=window)
    return suggester.all(), suggester.notes


def days(*ago: int, tools: tuple[str, ...] = ("read",), kind: str = "answer", doubts: tuple[str, ...] = ()) -> list[Run]:
    """One session on each of these days before now."""
    return [run(*(step(tool) for tool in tools), kind=kind, time=NOW - day * DAY, doubts=doubts) for day in ago]


def of(found: list[Suggestion], what: str) -> list[Suggestion]:
    return [each for each in found if each.what == what]


WORK = days(*range(0, 60, 5))  # six sessions in the window, and as many before
RARE = days(1, kind="rare")


def test_a_grant_that_no_session_of_the_window_used_is_suggested_with_its_evidence_and_what_to_take_out_with_it():
    found, notes = suggested([*WORK, *RARE, *days(50, tools=("read", "mail"))])
    pay, mail = sorted(of(found, "unused-grant"), key=lambda each: each.tool, reverse=True)
    assert (pay.path, pay.tool, pay.kind) == (("tasks", "answer", "tools", "pay"), "pay", "answer")
    assert pay.sentence == "`pay` was never used"
    assert pay.evidence == "of 7 sessions in the window none used it, since 2026-09-29"
    assert pay.change == "take `pay` out of `tools:` and `budgets:` and `chain:`"
    assert mail.sentence == "`mail` has not been used for 50 d"
    assert (
        mail.evidence == "of 7 sessions in the window none used it; 1 session did before, the last on 2026-10-04; its longest pause was 5 d"
    )
    assert not any("`answer`" in note for note in notes)


def test_a_grant_that_was_used_in_the_window_is_not():
    found, _ = suggested([*WORK, *RARE, *days(3, tools=("mail", "pay"))])
    assert of(found, "unused-grant") == []


def test_a_call_that_did_not_run_is_no_use():
    found, _ = suggested([*WORK, *RARE, run(step("pay", ran=False), step("mail"), kind="answer", time=NOW - DAY)])
    assert [each.tool for each in of(found, "unused-grant")] == ["pay"]


@pytest.mark.parametrize(
    "used, unused",
    [(tuple(range(90, 390, 40)), False), ((301, 346, 396), True)],
    ids=["paused-for-nearly-as-long", "idle-for-longer-than-ever"],
)
def test_a_rare_job_is_not_over_before_three_times_its_longest_pause(used: tuple[int, ...], unused: bool):
    work = [*days(*range(0, 400, 4)), *RARE, *days(1, tools=("pay",))]
    found, notes = suggested([*work, *days(*used, tools=("mail",))])
    assert [each.tool for each in of(found, "unused-grant")] == (["mail"] if unused else [])
    assert any("idle for 90 d, and it has paused for 40 d before: not unused until 120 d" in note for note in notes) == (not unused)


def test_the_time_before_the_first_use_is_a_pause_too():
    found, notes = suggested([*days(*range(0, 200, 4)), *RARE, *days(1, tools=("pay",)), *days(60, tools=("mail",))])
    assert of(found, "unused-grant") == []
    assert any(note.startswith("`mail` of `answer`: idle for 60 d, and it has paused for 136 d before") for note in notes)


def test_a_kind_without_a_session_in_the_window_says_so_instead():
    found, notes = suggested([*days(*range(40, 90, 5)), *RARE])
    assert of(found, "unused-grant") == []
    assert "`answer`: no session in the window, the last on 2026-10-14; of its grants nothing can be told" in notes


def test_few_sessions_say_nothing_of_grants():
    found, notes = suggested([*days(1, 2, 3, 40), *RARE])
    assert of(found, "unused-grant") == []
    assert any(note.startswith("`answer`: only 3 sessions in the window") for note in notes)


def test_records_that_are_younger_than_the_window_say_nothing_of_what_is_unused():
    found, notes = suggested([*days(*range(20)), *RARE])
    assert of(found, "unused-grant") == []
    assert any("its sessions begin on 2026-11-04" in note for note in notes)


def test_sessions_without_a_time_count_as_in_the_window_and_the_evidence_says_so():
    found, _ = suggested([run(step("read"), kind="answer", id=str(number)) for number in range(6)])
    assert [each.tool for each in of(found, "unused-grant")] == ["mail", "pay"]
    assert of(found, "unused-grant")[0].evidence.endswith("whose days are not known")


def test_a_grant_used_only_in_doubtful_sessions_is_told_apart():
    found, _ = suggested([*WORK, *RARE, *days(2, 3, tools=("mail", "pay"), doubts=("it was attacked",))])
    assert [(each.tool, each.sessions) for each in of(found, "doubted-grant")] == [("mail", 2), ("pay", 2)]
    assert of(found, "unused-grant") == []


def test_one_session_without_doubt_is_use_enough():
    found, _ = suggested([*WORK, *RARE, *days(2, tools=("mail", "pay"), doubts=("it was attacked",)), *days(4, tools=("mail", "pay"))])
    assert of(found, "doubted-grant") == []


def test_an_argument_that_nothing_names_is_not_named_by_a_suggestion():
    used = step("mail", other=("urgent", ["nowhere"]))
    runs = [run(used, id=str(number), kind="answer", time=NOW - number * DAY) for number in range(29)]
    found, _ = suggested(runs)
    assert of(found, "fewer-calls") != []
    assert of(found, "narrower-argument") == []


def test_kinds_and_agents_without_any_session_are_told():
    found, _ = suggested(WORK)
    assert [each.path for each in of(found, "unused-kind")] == [("tasks", "rare")]
    assert [each.path for each in of(found, "unused-agent")] == [("agents", "other")]


def test_where_the_store_tells_who_acted_it_counts():
    found, _ = suggested([*WORK, *RARE], agents=frozenset({"other"}))
    assert [each.path for each in of(found, "unused-agent")] == [("agents", "bot")]


def test_without_any_session_nothing_is_told_of_kinds_and_agents():
    found, notes = suggested([])
    assert found == []
    assert notes == ["`answer`: no session at all was given", "`rare`: no session at all was given"]


def test_rules_that_could_be_narrower_are_suggested_from_enough_sessions():
    used = step("mail", to=("ada@acme.example", ["intent"]), kind=("urgent", ["nowhere"]))
    runs = [
        run(step("read", id=(4, ["intent"])), used, id=str(number), kind="answer", time=NOW - (number % 29) * DAY) for number in range(30)
    ]
    found, _ = suggested(runs)
    (calls,) = of(found, "fewer-calls")
    assert (calls.path, calls.change, calls.sessions) == (("tasks", "answer", "tools", "mail", "at_most"), "at_most: 2", 30)
    narrower = {each.path[-1]: each for each in of(found, "narrower-argument")}
    assert narrower["kind"].path == ("tasks", "answer", "tools", "mail", "arguments", "kind")
    assert narrower["kind"].change == "kind: {type: string, enum: [urgent]}"
    assert narrower["to"].change.startswith("to: {")
    assert "origin: [intent]" in narrower["to"].change
    # What is suggested is a rule, and once it stands there it is not suggested again.
    grants = "{read: {}, mail: {at_most: 2, arguments: {" + narrower["kind"].change + ", " + narrower["to"].change + "}}, pay: {}}"
    again, _ = suggested(runs, manifest(("{read: {}, mail: {}, pay: {}}", grants)))
    assert of(again, "fewer-calls") == of(again, "narrower-argument") == []


@pytest.mark.parametrize(
    "day, what", [("2026-12-01", "expires on 2026-12-01"), ("2026-11-20", "expired on 2026-11-20"), ("2027-01-15", "")],
)  # fmt: skip
def test_a_credential_that_ends_within_the_window_is_told(day: str, what: str):
    found, _ = suggested([], manifest(("2027-06-30", day)))
    assert [each.sentence for each in of(found, "expiry")] == ([f"credential `key` {what}"] if what else [])
    assert all(each.evidence == "used by `read`" for each in of(found, "expiry"))


def test_one_that_is_revoked_is_not():
    found, _ = suggested([], manifest(("expires: 2027-06-30", "expires: 2026-12-01, revoked: 2026-11-01")))
    assert found == []


def test_a_rotation_that_is_due_is_told():
    found, _ = suggested([], manifest(("issued: 2026-11-01", "issued: 2026-09-10")))
    assert [each.sentence for each in of(found, "rotation")] == ["credential `key` is to be rotated by 2026-12-09"]


@pytest.mark.parametrize("until, over", [("2026-12-10", False), ("2026-11-20", True)])
def test_observe_that_ends_is_told_where_it_stands(until: str, over: bool):
    observed = f"ttl: 10m\n    mode: observe\n    until: {until}\n    reason: trial"
    found, _ = suggested([], manifest(("ttl: 10m", observed)))
    (each,) = of(found, "observe")
    assert each.path == ("tasks", "answer", "until")
    assert ("ended" in each.sentence) == over


def baseline(*, until: str = "2026-11-20", sessions: int = 9, digest: str = "") -> tuple[str, str]:
    declared = manifest()
    digest = digest or under(declared.tools, ["read"])
    text = f"ttl: 10m\n    baseline: {{sessions: {sessions}, since: 2026-01-01, until: {until}, under: {digest}, tools: {{read: 3}}}}"
    return "ttl: 10m", text


@pytest.mark.parametrize(
    "changes, unratified, expected",
    [
        ({}, "", []),
        ({"until": "2026-08-01"}, "", ["is 114 d old"]),
        ({"sessions": 3}, "", ["is not in force: it is still learning: 3 of 5 sessions"]),
        ({"digest": "sha256:" + "0" * 64}, "", ["is not in force: the tools that it speaks of are declared otherwise"]),
        ({}, "licet.yaml.ratified: is not there", ["only flags, since the manifest is not ratified"]),
    ],
    ids=["well", "old", "young", "other-tools", "unratified"],
)
def test_a_baseline_that_is_old_does_not_fit_or_is_not_ratified_is_told(changes: dict[str, object], unratified: str, expected: list[str]):
    found, _ = suggested([], manifest(baseline(**changes)), unratified=unratified)  # type: ignore[arg-type]
    told = of(found, "baseline")
    assert len(told) == len(expected)
    assert all(part in each.sentence for each, part in zip(told, expected, strict=True))
    assert all(each.path == ("tasks", "answer", "baseline") for each in told)


def test_days_are_kept_in_bounded_memory_whatever_times_a_recording_has():
    usage = Usage(manifest(), NOW - WINDOW)
    for number in range(MAX_DAYS + 50):
        usage.add(run(step("read"), kind="answer", time=number * DAY))
    for time in (-1.0, 1e30, float("inf"), float("nan")):
        usage.add(run(step("read"), kind="answer", time=time))
    found = usage.kinds["answer"].tools["read"]
    assert len(found.days) == MAX_DAYS
    assert min(found.days) == 50


def test_sessions_of_other_kinds_are_counted_apart():
    usage = Usage(manifest(), NOW - WINDOW)
    usage.add(run(step("read"), kind="unknown"))
    assert usage.others == 1
