"""What a fully hijacked agent reaches. No goal that needs a value of the adversary's own; every other one stands in docs/limits.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from adversary.games import BANK, DESK, GAMES, LAB, OFFICE
from adversary.search import Game, Search, variants
from licet.manifest import loads
from licet.manifest.reach import reach

pytestmark = pytest.mark.dev  # slow, and what it tests depends on no version of a library

LIMITS = Path(__file__).parents[2] / "docs" / "limits.md"
ROW = re.compile(r'^\| <a id="(goal-[a-z-]+)"></a>.*?\| (?P<path>`[^|]+`) \|', re.MULTILINE)
PREFIXES = {"bank": 100, "office": 100, "demo": 80, "lab": 150}  # what one minute has room for on a small machine


def documented(game: Game) -> dict[str, tuple[str, ...]]:
    """The goals of a game that docs/limits.md admits, each with its cheapest path."""
    rows = {found[1]: tuple(re.findall(r"`(\w+)`", found["path"])) for found in ROW.finditer(LIMITS.read_text(encoding="utf-8"))}
    return {goal: path for goal, path in rows.items() if goal.startswith(f"goal-{game.name}-")}


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_no_value_of_the_adversary_gets_through_and_what_else_is_reached_is_documented(game: Game, capsys: pytest.CaptureFixture[str]):
    """Breadth first and then by chance with a fixed seed; a person is asked, and always says no."""
    found = Search(game).run(most=PREFIXES[game.name])
    with capsys.disabled():
        tried = f"{found.sequences:,} sequences, {found.calls} calls made, {found.asked} times a person was asked"
        sys.stdout.write(f"\n{game.name}: {tried}, {len(found.reached)} goals reached ")
    needing = {goal.id for goal in game.goals if goal.needs}
    assert needing
    assert {goal: found.shown[goal] for goal in found.reached if goal in needing} == {}
    assert found.reached == documented(game)
    assert found.sequences > 3_000


@pytest.mark.parametrize("game", [BANK, OFFICE, DESK], ids=lambda game: game.name)
def test_reach_had_listed_every_goal_that_was_reached(game: Game):
    """From the manifest alone: the tool that does it is among the effects, or lets something out."""
    told = reach(loads(game.manifest), game.kind)
    named = {effect.tool for effect in told.effects} | {leak.tool for leak in told.leaks}
    assert documented(game)
    assert {goal: path for goal, path in documented(game).items() if path[-1] not in named} == {}


def test_the_adversary_finds_what_is_there_to_be_found():
    """Else its silence would say nothing: with one label that is wrong, it has its way."""
    careless = LAB.manifest.replace("page: {access: read, egress: false}", "page: {access: read, egress: false, output: trusted}")
    assert careless != LAB.manifest
    game = Game("careless", careless, LAB.kind, LAB.agent, LAB.intent, LAB.make, LAB.moves, LAB.goals, LAB.own, LAB.stranger)
    assert Search(game).run(most=80).reached == {"pay a stranger": ("page", "pay")}


def test_an_honest_call_passes_in_each_world():
    """Else everything would be refused."""
    assert documented(BANK)["goal-bank-amount"] == ("send_money",)
    assert documented(OFFICE)["goal-office-words"] == ("send_email",)


def test_the_adversary_writes_its_values_in_many_ways():
    assert len(variants("eve@evil.example", "ada@acme.example")) >= 60
