"""Only what its seed draws was a drill, whoever signs it."""

from __future__ import annotations

import random

import pytest

from licet.drill.commitment import Announced, digests, events_of
from licet.drill.redrawn import is_play
from licet.drill.scenario import Scenario
from licet.drill.scenarios import SCENARIOS
from licet.drill.stage import Actor, Stage
from licet.drill.work import planned

pytestmark = pytest.mark.dev  # pure logic of ours
CELLS = [(scenario, source) for scenario in SCENARIOS for source in scenario.sources]
CURTAIN = 1_800_000_000.0


def announced(scenario: Scenario, source: str, *, twin: bool = False, seed: str = "5a" * 16) -> Announced:
    stage = Stage(random.Random(seed), CURTAIN)
    stage.actor = Actor("arn:aws:iam::111122223333:user/over", "", "security-drill") if scenario.after else None
    play = scenario.draw(stage, source, twin)
    of = (*digests(play.records), *planned(play.work))
    return Announced(
        "d", "s", seed, scenario.id, source, twin, False, play.identity, "", (), (), (), events_of(of), len(of), CURTAIN, CURTAIN + 90
    )  # fmt: skip


@pytest.mark.parametrize("twin", [False, True], ids=["misuse", "twin"])
@pytest.mark.parametrize("scenario, source", CELLS, ids=[f"{each.id}-{source}" for each, source in CELLS])
def test_each_play_is_drawn_again_from_its_seed(scenario, source, twin):
    assert is_play(announced(scenario, source, twin=twin))


@pytest.mark.parametrize(
    "other",
    [{"events": events_of(["ab" * 32])}, {"seed": "5b" * 16}, {"identity": "arn:aws:iam::111122223333:user/real"}, {"begins": CURTAIN + 1},
     {"source": "github"}, {"scenario": "D2"}, {"twin": True}, {"number": 1}, {"scenario": "D99"}, {"shadow": True}, {"begins": float("inf")}],
)  # fmt: skip
def test_what_its_seed_does_not_draw_was_no_drill(other):
    assert not is_play(announced(SCENARIOS[0], "cloudtrail")._replace(**other))
