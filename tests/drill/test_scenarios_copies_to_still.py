"""Plays of copies, applications, decoys, people and orphans, cut logs, late records and probes: each comes back, and its twin is silent."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import pytest

from licet.drill.pipeline import Parts
from licet.drill.scenario import OWNER, PROBE, Play, Scenario
from licet.drill.scenarios import apps, beyond, blind, copies, decoys, late, people, still
from licet.drill.stage import DAY, Actor
from licet.inventory.probing import Tried
from licet.monitor.detectors import DETECTORS
from licet.monitor.passes import PASSES
from plays import Played, codes, drawn, wrong

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

CELLS = [
    (scenario, source)
    for family in (beyond, copies, apps, decoys, people, blind, late, still) for scenario in family.SCENARIOS for source in scenario.sources
]  # fmt: skip
NAMES = [f"{scenario.id}-{source}" for scenario, source in CELLS]
BY_ID = {scenario.id: scenario for scenario, _ in CELLS}
SEEDS = (31, 32)
NOW = 1_700_000_000.0
ANYBODY = "system:anonymous"
ACTING = [(scenario, source) for scenario, source in CELLS if scenario.id not in ("D17b", "D22", "D23")]  # the others are of nobody's doing
_ADDRESS = re.compile(r"(?<![0-9./])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
_SPEAKS = re.compile(rf"drill|canary|decoy|honey|misuse|fake|{OWNER}", re.IGNORECASE)

every = pytest.mark.parametrize("scenario, source", CELLS, ids=NAMES)
seeded = pytest.mark.parametrize("seed", SEEDS)


@every
@seeded
def test_a_misuse_comes_back_as_one_finding_whose_explanation_holds(scenario: Scenario, source: str, seed: int) -> None:
    """Of the right identity, with its owner, reasons, values and records; gone without these, and there by them alone."""
    play = drawn(scenario, source, seed)
    assert play.codes
    assert wrong(play) == []


@every
@seeded
def test_its_benign_twin_is_silent_and_says_what_differs(scenario: Scenario, source: str, seed: int) -> None:
    twin = drawn(scenario, source, seed, twin=True)
    assert twin.differs
    assert wrong(twin) == []


@every
def test_the_twin_of_one_seed_is_the_same_play_but_for_one_factor(scenario: Scenario, source: str) -> None:
    """Whoever acts, and all that was before but what the factor is of."""
    play, twin = drawn(scenario, source, 5, now=NOW), drawn(scenario, source, 5, now=NOW, twin=True)
    assert (play.identity, play.credential, twin.codes) == (twin.identity, twin.credential, frozenset())
    assert (play.records, play.declared) != (twin.records, twin.declared)
    before = [{record.body for record in each.records if not record.live} for each in (play, twin)]
    assert len(before[0] ^ before[1]) <= 2


@every
def test_the_same_seed_draws_the_same_play_and_another_one_shares_nothing_with_it(scenario: Scenario, source: str) -> None:
    one, other = drawn(scenario, source, 21, now=NOW), drawn(scenario, source, 22, now=NOW)
    assert one == drawn(scenario, source, 21, now=NOW)
    assert _things(one)
    assert _things(one) & _things(other) == set()


def _things(play: Play) -> set[str]:
    """Whom it names, with what, and from where."""
    text = b" ".join(each.body for each in play.records).decode(errors="replace")
    declared = {str(row["identity"]) for row in play.declared["identities"]}
    return {play.identity, play.credential, *declared, *_ADDRESS.findall(text)} - {"", ANYBODY}


@every
@pytest.mark.parametrize("twin", [False, True])
def test_nothing_in_a_record_tells_that_it_is_a_drill(scenario: Scenario, source: str, *, twin: bool) -> None:
    for seed in range(4):
        for record in drawn(scenario, source, seed, twin=twin).records:
            assert not _SPEAKS.search(record.body.decode(errors="replace"))


@every
@pytest.mark.parametrize("twin", [False, True])
def test_only_the_misuse_itself_is_not_before_the_curtain(scenario: Scenario, source: str, *, twin: bool) -> None:
    play = drawn(scenario, source, 3, now=NOW, twin=twin)
    for record in play.records:
        assert record.live == (record.time >= NOW)
        assert record.time < NOW + 30
        assert record.time == int(record.time)
    live = {record.source for record in play.records if record.live}
    assert live <= {source, "lifecycle", "entra", PROBE}
    # Of a source that is silent nothing comes; what a probe finds stands in no log.
    assert source in live or scenario.id in ("D17b", "D21")


ACTORS = {
    "kubernetes": "system:serviceaccount:payments:nightly",
    "cloudtrail": "arn:aws:iam::210987654321:{}/payments-nightly", "lifecycle": "bot:payments", "licet": "agent:payments",
    "okta": "okta:{}4abcdefgHIJKLM5d7", "m365": "entra:6f0d4d5c-3a57-4f0e-9d2b-8a1f6c2e7b90",
}  # fmt: skip


@pytest.mark.parametrize("scenario, source", ACTING, ids=[f"{scenario.id}-{source}" for scenario, source in ACTING])
def test_a_real_identity_of_the_platform_acts_in_it_under_its_own_name_and_owner(scenario: Scenario, source: str) -> None:
    kind = drawn(scenario, source, 3).identity
    if source == "entra":
        uid = "entra:payments@acme.example" if "@" in kind else ACTORS["m365"]
    else:
        uid = ACTORS[source].format("role" if ":role/" in kind else "user" if ":user/" in kind else kind[5:8])
    play = drawn(scenario, source, 3, actor=Actor(uid, "210987654321", "payments"))
    assert play.identity == uid
    assert play.owner in ("payments", "")
    assert wrong(play) == []


@pytest.mark.parametrize("name", ["generations", "apps", "canary", "human", "unowned", "sharing", "logging", "ends", "anonymous"])
def test_without_a_detector_the_plays_that_need_it_do_not_come_back(name: str) -> None:
    (taken,) = (each for each in DETECTORS if each.name == name)
    left = [each for each in DETECTORS if each.name != name]
    needing = [(scenario, source) for scenario, source in CELLS if drawn(scenario, source, 3).codes & set(taken.codes)]
    # What several identities share is told over all of them, and by no detector.
    needing = [each for each in needing if (each[0].id, each[1], name) != ("D12", "licet", "sharing")]
    assert needing
    for scenario, source in needing:
        assert wrong(drawn(scenario, source, 3), Parts(detectors=left))


def test_a_credential_that_two_identities_use_is_told_by_no_detector_and_names_both_of_them() -> None:
    """Its owner is called, and nobody is said to be who did it."""
    play = drawn(BY_ID["D12"], "licet", 3)
    with Played(play, parts=Parts(detectors=())) as played:
        (found,) = played.found
        assert codes(found) == {"SHARED_CREDENTIAL"}
        assert found.finding.explanation is not None
        (because,) = found.finding.explanation.because
        assert because.observed.startswith("used by 2 identities: ")
        assert all(uid in because.observed for uid in play.shows)


@pytest.mark.parametrize("result, found", [(True, 1), (False, 0), (None, 0)])
def test_only_a_probe_that_is_let_in_is_a_finding(result: bool | None, found: int) -> None:
    """A probe that nobody runs, or that cannot be decided, is none."""
    play = drawn(BY_ID["D21"], "lifecycle", 3)
    with Played(play, parts=Parts(tried=lambda *_: Tried(result, "by the test"))) as played:
        assert len(played.found) == found
    with Played(play, parts=Parts(tried=None)) as played:
        assert played.found == []


def test_a_probe_is_run_by_the_same_part_as_that_of_a_manifest_and_is_handed_only_its_secret() -> None:
    seen: list[tuple[Sequence[str], str, str]] = []

    def tried(probe: object, secret: str, folder: object) -> Tried:
        seen.append((probe.command, secret, (folder / "accepted").read_text().strip()))  # type: ignore[attr-defined,operator]
        return Tried(authenticates=False, detail="exit code 1")

    for twin in (False, True):
        with Played(drawn(BY_ID["D21"], "lifecycle", 3, twin=twin), parts=Parts(tried=tried)):
            pass
    (command, secret, accepted), (_, again, other) = seen
    assert secret == again == accepted != other
    assert not any(secret in word for word in command)


def test_records_that_come_late_twice_and_out_of_order_are_one_finding_at_whatever_time_they_are_judged() -> None:
    """Judged after each record, it ends as the same finding as judged once."""
    play = drawn(BY_ID["D19"], "cloudtrail", 3)
    with Played(play) as once, Played(play, ()) as stepwise:
        for record in play.records:
            stepwise.pipeline.enter([record])
            stepwise.pipeline.judge()
        (one,), (other,) = once.found, stepwise.pipeline.found()
        assert (one.finding.id, one.finding.sentence) == (other.finding.id, other.finding.sentence)
        assert one.finding.explanation is not None
        assert other.finding.explanation is not None
        assert one.finding.explanation.because == other.finding.explanation.because
        assert [each.uid for each in one.finding.explanation.evidence] == [each.uid for each in other.finding.explanation.evidence]


@pytest.mark.parametrize("name", [each.name for each in PASSES])
def test_without_a_pass_over_all_identities_the_play_that_needs_it_does_not_come_back(name: str) -> None:
    left = [each for each in PASSES if each.name != name]
    needing = {"shared": ("D12", "licet"), "likely": ("D11b", "m365"), "silence": ("D17b", "kubernetes"), "refusals": ("D23", "okta"),
               "probes": ("D21", "lifecycle")}  # fmt: skip
    scenario, source = needing[name]
    assert wrong(drawn(BY_ID[scenario], source, 3)) == []
    assert wrong(drawn(BY_ID[scenario], source, 3), Parts(passes=left))


def test_the_records_of_a_silent_source_came_in_when_they_were_written_else_they_are_history_and_no_silence() -> None:
    play = drawn(BY_ID["D17b"], "kubernetes", 3, now=float(int(time.time() - 8 * DAY)))
    with Played(play) as played:
        assert [codes(each) for each in played.found] == [{"SOURCE_SILENT"}]
    with Played(play, [each._replace(arrived=0.0) for each in play.records]) as played:
        assert played.found == []
