"""Where nothing but `narrowed` is told, the guard's own judge lets no recorded call pass further than before."""

from __future__ import annotations

import random
from typing import Any

import pytest

from licet.guard.rehearsal import Rehearsal
from licet.learn.difference import differences
from licet.manifest import Manifest
from licet.replay import Backtest, Moving, RecordedCall, Session
from random_manifests import NOW, TOOLS, manifest, near

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PEOPLE = ("ada@acme.example", "eve@evil.example", "bo@lindqvist.example")
WORDS = (*PEOPLE, "a", "ab", "4312", "https://evil.example/x", "2026-01-01")


def word(rng: random.Random) -> Any:
    return rng.choice((*WORDS, 1, 2, 3, 7.5, None, ["a"], [rng.choice(PEOPLE), "a"], f"write to {rng.choice(PEOPLE)} at once"))


def call(rng: random.Random) -> RecordedCall:
    arguments = {name: word(rng) for name in ("to", "amount", "body") if rng.random() < 0.5}
    output = {"id": rng.choice(WORDS), "mail": rng.choice(PEOPLE), "inner": {"id": rng.choice(WORDS)}, "text": f"ask {rng.choice(PEOPLE)}"}
    return RecordedCall(rng.choice(TOOLS), arguments, output, None, executed=True)


def session(rng: random.Random, kind: str, number: int) -> Session:
    prompt = f"Work on 4312 for {rng.choice(PEOPLE)} {'ab' if rng.random() < 0.5 else ''}"
    return Session(str(number), kind, (prompt,), tuple(call(rng) for _ in range(rng.randrange(1, 6))), f"s:{number}")


def widened(old: Manifest, new: Manifest, rng: random.Random) -> list[tuple[Session, int, str]]:
    """Calls that the new one lets pass further, up to the first in each session that is decided otherwise: what follows stands on it."""
    out = []
    clock = Moving(NOW)
    sides = [Rehearsal(each, clock=clock) for each in (old, new)]
    try:
        backtest = Backtest(*sides, clock=clock, agent="bot")
        for number in range(25):
            given = session(rng, rng.choice(("answer", "refund")), number)
            for judged in backtest.run(given).calls:
                if judged.widened:
                    out.append((given, judged.number, f"{judged.old.decision}\n{judged.new.decision}"))
                if not judged.judged or judged.old.outcome != judged.new.outcome:
                    break
    finally:
        for side in sides:
            side.close()
    return out


@pytest.mark.parametrize("seed", range(3))
def test_what_is_only_narrowed_lets_no_call_pass_further(seed: int):
    rng, held = random.Random(400 + seed), 0
    for _ in range(70):
        found, old = manifest(rng)
        new = near(rng, found)
        for before, after in ((old, new), (new, old)):
            told = differences(before, after)
            if told and not any(each.stops for each in told):
                held += 1
                assert widened(before, after, rng) == [], told
    assert held > 5
