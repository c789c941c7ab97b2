"""Plays of what ended, what is elsewhere, and what reaches too far: each comes back as what it is, and its twin stays silent."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from licet.clock import SystemClock
from licet.drill.explained import explained
from licet.drill.pipeline import Parts, Pipeline
from licet.drill.scenario import Play, Record, Scenario
from licet.drill.scenarios import elsewhere, ended, reach
from licet.drill.scenarios.workers import SOURCES as MACHINES
from licet.drill.scenarios.workers import away, worker
from licet.drill.stage import Actor, Stage
from licet.events import UseEvent
from licet.ingest.recognised import Place
from licet.ingest.sources import SOURCES
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import Inventory
from licet.monitor.detectors import DETECTORS
from licet.monitor.kept import Kept
from licet.monitor.told import native

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

CELLS = [(scenario, source) for of in (ended, elsewhere, reach) for scenario in of.SCENARIOS for source in scenario.sources]
NAMES = [f"{scenario.id}-{source}" for scenario, source in CELLS]
SEEDS = (11, 12)
OTHERS = {"identities": [{"identity": "arn:aws:iam::999999999999:role/other", "owner": "team"}]}
PRINTS = Fingerprints(b"k" * 32)

every = pytest.mark.parametrize("scenario, source", CELLS, ids=NAMES)
seeded = pytest.mark.parametrize("seed", SEEDS)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    inventory = Inventory(tmp_path / "inventory.db")
    yield Pipeline(inventory, PRINTS.of, SystemClock())
    inventory.close()


def drawn(scenario: Scenario, source: str, seed: int, *, twin: bool = False, now: float = 0.0, actor: Actor | None = None) -> Play:
    return scenario.draw(Stage(random.Random(seed), now or float(int(SystemClock().now())), actor), source, twin)


def played(pipeline: Pipeline, play: Play) -> list[Kept]:
    """What is found of it, where somebody keeps book of owners. Nothing of it is refused."""
    pipeline.declare(OTHERS)
    pipeline.declare(play.declared)
    assert pipeline.enter(play.records) == {}
    pipeline.judge()
    return pipeline.found()


def signals(pipeline: Pipeline, identity: str) -> set[str]:
    rows = pipeline.inventory.rows("SELECT code FROM signals JOIN identities ON identities.id=subject WHERE uid=?", (identity,))
    return {code for (code,) in rows}


def comes_back(pipeline: Pipeline, play: Play) -> None:
    (found,) = played(pipeline, play)
    why = found.finding.explanation
    assert why is not None
    assert why.identity == play.identity
    assert play.codes <= set(why.codes) <= play.codes | play.besides
    assert PRINTS.of(play.credential) in why.credentials
    assert found.finding.owner == play.owner
    said = " ".join(f"{each.observed} {each.expected}" for each in why.because)
    assert [text for text in play.shows if text not in said] == []
    assert set(play.cites) <= {native(each.uid)[1] for each in why.evidence if not each.body}
    assert explained(found.finding, pipeline, play.declared, SystemClock().now()) == (True, True)


def stays_silent(pipeline: Pipeline, play: Play) -> None:
    assert [each.finding.sentence for each in played(pipeline, play)] == []
    assert play.signals <= signals(pipeline, play.identity)
    assert play.differs


@every
@seeded
def test_a_misuse_comes_back_as_the_finding_that_it_is_with_an_explanation_that_holds(
    pipeline: Pipeline, scenario: Scenario, source: str, seed: int
) -> None:
    comes_back(pipeline, drawn(scenario, source, seed))


@every
@seeded
def test_its_benign_twin_is_silent_and_gives_the_signals_that_are_no_finding_alone(
    pipeline: Pipeline, scenario: Scenario, source: str, seed: int
) -> None:
    stays_silent(pipeline, drawn(scenario, source, seed, twin=True))


@every
def test_the_twin_of_one_seed_is_the_same_play_but_for_one_factor(scenario: Scenario, source: str) -> None:
    misuse, twin = drawn(scenario, source, 5, now=1e9), drawn(scenario, source, 5, now=1e9, twin=True)
    assert (misuse.identity, twin.codes) == (twin.identity, frozenset())
    assert misuse.codes
    assert (misuse.records, misuse.declared) != (twin.records, twin.declared)


@every
def test_two_draws_share_no_identity_no_credential_and_no_address(scenario: Scenario, source: str) -> None:
    one, other = (_things(drawn(scenario, source, seed)) for seed in (21, 22))
    assert one
    assert one & other == set()


@every
def test_the_same_seed_draws_the_same_play(scenario: Scenario, source: str) -> None:
    assert drawn(scenario, source, 7, now=1e9) == drawn(scenario, source, 7, now=1e9)


def _things(play: Play) -> set[str]:
    """Whom it names, with what, and from where."""
    text = b" ".join(each.body for each in play.records).decode()
    addresses = re.findall(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])", text)
    return {play.identity, play.credential, *addresses}


@every
@pytest.mark.parametrize("twin", [False, True])
def test_nothing_in_a_record_says_that_it_is_a_drill_and_only_the_misuse_itself_is_not_before_the_curtain(
    scenario: Scenario, source: str, twin: bool
) -> None:
    now = 1_700_000_000.0
    play = drawn(scenario, source, 3, now=now, twin=twin)
    for record in play.records:
        assert not re.search(
            rb"drill|canary|licet|test|fake|security|example\.com", record.body.replace(b"securityContext", b""), re.IGNORECASE
        )
        assert record.live == (record.time >= now)
        assert record.time < now + 30
        assert record.time == int(record.time)
    assert any(record.live for record in play.records)
    assert any(record.source == source for record in play.records if record.live)


@every
def test_a_real_identity_of_the_platform_acts_in_it_under_its_own_name_and_owner(
    pipeline: Pipeline, scenario: Scenario, source: str
) -> None:
    kind = drawn(scenario, source, 3).identity
    uid = {
        "cloudtrail": f"arn:aws:iam::210987654321:{'role' if ':role/' in kind else 'user'}/payments-nightly",
        "kubernetes": "system:serviceaccount:payments:nightly", "github": "github:payments-nightly", "okta": "okta:00u4abcdefgHIJKLM5d7",
        "entra": "entra:6f0d4d5c-3a57-4f0e-9d2b-8a1f6c2e7b90",
    }[source]  # fmt: skip
    play = drawn(scenario, source, 3, actor=Actor(uid, "210987654321", "payments"))
    assert (play.identity, play.owner) == (uid, "payments")
    comes_back(pipeline, play)


@pytest.mark.parametrize("before", [1, 4, 14, 16])
@pytest.mark.parametrize("twin", [False, True])
def test_a_burst_that_begins_just_before_the_hour_or_the_day_ends_is_counted_as_one(pipeline: Pipeline, before: int, twin: bool) -> None:
    (burst,) = (each for each in elsewhere.SCENARIOS if each.name == "burst")
    midnight = SystemClock().now() // 86_400 * 86_400
    play = drawn(burst, "cloudtrail", 4, now=midnight - before, twin=twin)
    (stays_silent if twin else comes_back)(pipeline, play)


@pytest.mark.parametrize("source", MACHINES)
def test_what_a_worker_calls_sensitive_is_that_to_its_reader_and_what_it_does_every_day_is_not(source: str) -> None:
    for seed in range(6):
        stage = Stage(random.Random(seed), 1_700_000_000.0)
        who = worker(stage, source)
        for operation in who.sensitive:
            assert _read(who.work(stage.now, operation=operation)[0], source).access == "admin"
        for operation in (*[""] * 6, who.unusual):
            use = _read(who.work(stage.now, operation=operation, away=away(stage))[0], source)
            assert (use.access != "admin", use.outcome, use.identity, use.credential) == (
                True,
                "success",
                who.uid,
                PRINTS.of(who.credential),
            )


class _Here:
    """What a reader is told beside a record."""

    fingerprint = staticmethod(PRINTS.of)
    account = ""


def _read(record: Record, source: str) -> UseEvent:
    (use,) = SOURCES[source].read(json.loads(record.body), cast("Place", _Here())).uses
    return use


@pytest.mark.parametrize("name", ["ends", "dormant", "novelty", "crossing", "purpose", "escalation", "holders", "rate", "sensitive"])
def test_without_a_detector_some_play_does_not_come_back(tmp_path: Path, name: str) -> None:
    left = [each for each in DETECTORS if each.name != name]
    assert len(left) == len(DETECTORS) - 1
    missed = []
    for number, (scenario, source) in enumerate(CELLS):
        play = drawn(scenario, source, 11)
        if not any(play.codes & set(each.codes) for each in DETECTORS if each.name == name):
            continue
        inventory = Inventory(tmp_path / f"{number}.db")
        found = played(Pipeline(inventory, PRINTS.of, SystemClock(), Parts(detectors=left)), play)
        codes = {code for each in found if each.finding.explanation for code in each.finding.explanation.codes}
        missed.append(not play.codes <= codes)
        inventory.close()
    assert missed
    assert all(missed)
