"""kill -9 at random points, on one state folder round after round: every effect has its intent, every intent an outcome, and nobody helps.

`python -m benchmarks.crash --rounds 200` prints what was hit; LICET_CRASH_ROUNDS sets how many rounds the suite runs.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]
from benchmarks import crash  # noqa: E402

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROUNDS = int(os.environ.get("LICET_CRASH_ROUNDS", "40"))


def test_after_kill_9_at_random_points_the_ledger_goes_on_and_accounts_for_every_effect(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers are killed all at once, one by one, at their start, in the middle of sealing and of settling; segments rotate meanwhile."""
    rounds = crash.Rounds(tmp_path_factory.mktemp("crash"), random.SystemRandom().randrange(10**9))
    rounds.run(ROUNDS)
    shown = rounds.shown()
    with capsys.disabled():
        sys.stdout.write(f"\n  {shown}\n")
    assert shown["problems"] == []
    # What was meant to be hit was hit.
    assert shown["rounds"] == ROUNDS
    assert shown["killed"] > 4 * ROUNDS
    assert shown["effects"] > ROUNDS
    assert shown["outcomes"]["unknown"] > 0
    assert shown["segments taken away"] > 0
