"""What a backtest says to recorded calls is what a guard says that runs them, on both sides."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from licet import Guard
from licet.guard import Ticket
from licet.guard.rehearsal import Rehearsal
from licet.manifest import Manifest, load, loads
from licet.records import Decision
from licet.replay import Backtest, CallOutcome, Moving, Replay, Session, Statistics, Verdict, read, told
from made_sessions import NEW, OLD, made

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROOT = Path(__file__).parents[2]
RECORDINGS = os.environ.get("LICET_RECORDINGS", "")
Answer = tuple[str, tuple[Any, ...], bool]


class Heard:
    """Takes the place of what keeps a replay's calls, and hears every one of them."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def add(self, session: Session, ticket: Ticket, first: Decision) -> None:
        self.answers.append((first.outcome, told(first.reasons), ticket.allowed))


def live(manifest: Manifest, sessions: list[Session], state: Path, *, kind: str | None = None, approve: bool = False) -> list[Answer]:
    heard = Heard()
    with Guard(manifest, state=state) as guard:
        replay = Replay(guard, Statistics(), kind, None, approve, heard)  # type: ignore[arg-type]
        for session in sessions:
            replay.run(session)
    return heard.answers


def both_sides(old: Manifest, new: Manifest, sessions: list[Session], **options: Any) -> list[CallOutcome]:
    clock = Moving()
    both = [Rehearsal(each, clock=clock, ratified=False, secret=bytes(32)) for each in (old, new)]
    backtest = Backtest(*both, clock=clock, **options)
    return [call for session in sessions for call in backtest.run(session).calls]


def answers(verdicts: list[Verdict]) -> list[Answer]:
    return [(each.decision.outcome, told(each.reasons), each.ran) for each in verdicts if each.decision is not None]


def manifests() -> tuple[Manifest, Manifest]:
    until = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    old, new = (loads(text.replace("UNTIL", until), now=time.time()) for text in (OLD, NEW))
    return old, new


@pytest.mark.parametrize("approve", [False, True], ids=["refused", "approved"])
def test_made_sessions_are_decided_as_a_guard_decides_them(tmp_path: Path, approve: bool) -> None:
    """300 of them, in which each outcome and most checks occur, and stores are tainted across tasks."""
    old, new = manifests()
    sessions = [each for each in made(300, seed=11 + approve) if each.suite != "nowhere"]
    calls = both_sides(old, new, sessions, approve=approve)
    assert len(calls) > 1_000
    assert answers([call.old for call in calls]) == live(old, sessions, tmp_path / "old", approve=approve)
    assert answers([call.new for call in calls]) == live(new, sessions, tmp_path / "new", approve=approve)
    checks = {found.check for call in calls for side in (call.old, call.new) for found in side.reasons}
    assert checks >= {
        "scope.tool", "scope.argument", "scope.budget", "scope.approval", "chain.order", "origin.argument", "origin.content",
        "origin.unanchored", "origin.probing", "flow.egress", "flow.declared", "credential.expired", "approval.refused",
    } - ({"approval.refused"} if approve else set())  # fmt: skip
    assert {call.old.decision.outcome for call in calls if call.old.decision} == {"allow", "ask", "deny"}
    assert {call.change for call in calls} == {None, "newly denied", "newly asked", "newly allowed", "other reason"}
    sentences = " ".join(found.sentence for call in calls for found in call.old.reasons)
    assert "a task wrote it into that store" in sentences


def test_the_examples_recordings_are_decided_as_a_guard_decides_them(tmp_path: Path) -> None:
    folder = ROOT / "examples" / "replay"
    manifest = load(folder / "licet.yaml")
    sessions = [item for item in read(folder / "sessions.jsonl") if isinstance(item, Session)]
    calls = both_sides(manifest, manifest, sessions)
    assert answers([call.old for call in calls]) == live(manifest, sessions, tmp_path / "state")
    assert [call.change for call in calls] == [None] * len(calls)


@pytest.mark.skipif(
    not RECORDINGS, reason="LICET_RECORDINGS names no folder with the AgentDojo recordings (benchmarks/agentdojo/README.md)"
)
def test_five_hundred_recorded_sessions_are_decided_as_a_guard_decides_them(tmp_path: Path) -> None:
    """Of both suites, and each suite held against the manifest of its own and against one that is altered."""
    picked = 0
    for suite in ("workspace", "banking"):
        found = [
            item
            for path in sorted(Path(RECORDINGS).glob("*.jsonl*"))
            for item in read(path)
            if isinstance(item, Session) and item.suite == suite
        ]
        sessions = found[:: max(1, len(found) // 260)][:260]
        picked += len(sessions)
        text = (ROOT / "benchmarks" / "agentdojo" / f"{suite}.yaml").read_text(encoding="utf-8")
        old, new = loads(text), loads(text.replace(": trusted", ": untrusted"))
        calls = both_sides(old, new, sessions, kind="user-task")
        assert answers([call.old for call in calls]) == live(old, sessions, tmp_path / suite / "old", kind="user-task")
        assert answers([call.new for call in calls]) == live(new, sessions, tmp_path / suite / "new", kind="user-task")
        assert any(call.change for call in calls)
    assert picked >= 500
