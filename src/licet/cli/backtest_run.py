"""One run of `licet backtest`: both manifests over all sessions, with progress, and from where an interrupted run stopped."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from licet.cli import output
from licet.cli.progress import Progress
from licet.cli.recordings import Recordings
from licet.errors import UsageError
from licet.escape import counted
from licet.guard.rehearsal import Rehearsal
from licet.learn.affected import Affected
from licet.learn.difference import Difference, differences
from licet.manifest import Manifest
from licet.replay import Backtest, Changes, Coverage, Moving
from licet.replay.checkpoint import Checkpoint, digest_of
from licet.replay.coverage import JUDGED_WITH_LESS
from licet.traces import is_address
from licet.version import VERSION

OK, FOUND, LITTLE = 0, 1, 3
EVERY = 5.0  # seconds between two checkpoints
SHARE = 0.05  # of the time, at most, goes into writing them
_AGE = re.compile(r"[0-9]+[smhd]")


@dataclass(slots=True)
class Run:
    """One run: what is held against what, and what came of it."""

    options: argparse.Namespace
    old: Manifest
    new: Manifest
    recordings: Recordings
    changes: Changes
    coverage: Coverage
    differences: list[Difference]
    affected: Affected
    seconds: float = 0.0

    @property
    def code(self) -> int:
        """The exit code."""
        if self.changes.found(self.options.fail_on):
            return FOUND
        return LITTLE if self.coverage.share < self.options.min_coverage else OK


def _affected_kept(affected: Affected) -> dict[str, Any]:
    rows = [[dict(count.changes), count.sessions, count.first] for count in (*affected.by_difference, affected.unexplained)]
    return {"calls": affected.calls, "counts": rows}


def _affected_again(affected: Affected, kept: Mapping[str, Any]) -> None:
    affected.calls = kept["calls"]
    for count, (changes, sessions, first) in zip((*affected.by_difference, affected.unexplained), kept["counts"], strict=True):
        count.changes, count.sessions, count.first = Counter(changes), sessions, first


def through(options: argparse.Namespace, old: Manifest, new: Manifest) -> Run:
    """The run over all sessions, from where an earlier one stopped."""
    checkpoint = _checkpoint(options, old, new) if options.checkpoint is not None else None
    kept = checkpoint.read() if checkpoint is not None else None
    since = None if options.since is None else moment(options.since) if kept is None else kept["since"]
    clock = Moving(None if kept is None else kept["base"])
    secret = checkpoint.secret if checkpoint is not None else os.urandom(32)
    sides = [Rehearsal(each, clock=clock, secret=secret) for each in (old, new)]
    try:
        recordings = Recordings(options.traces, suite=options.suite, since=since)
        found = [each for each in differences(old, new) if each.decides]
        done = Run(options, old, new, recordings, Changes(options.show), Coverage(), found, Affected(found, most=1))
        saving = None
        if checkpoint is not None:
            saving = Saving(checkpoint, done, dict(zip(("old", "new"), sides, strict=True)), base=clock.base, since=since)
            saving.resume(kept)
        # Only now: it looks at what both remember.
        backtest = Backtest(*sides, clock=clock, kind=options.task, agent=options.agent, approve=options.approve == "yes")
        backtest.coverage = done.coverage
        _all(done, backtest, saving)
    finally:
        for side in sides:
            side.close()
    if checkpoint is not None:
        checkpoint.remove()
    return done


def _checkpoint(options: argparse.Namespace, old: Manifest, new: Manifest) -> Checkpoint:
    if any(name == "-" or is_address(name) for name in options.traces):
        raise UsageError("--checkpoint goes on in files; what comes from `-` or a Jaeger cannot be read a second time")
    chosen = {f"--{name}": getattr(options, name) for name in ("task", "suite", "agent", "approve", "since", "show")}
    identity = {"old manifest": old.digest, "new manifest": new.digest, "traces": digest_of(options.traces), "release": VERSION, **chosen}
    return Checkpoint(options.checkpoint, identity)


@dataclass(slots=True)
class Saving:
    """Keeps a run's checkpoint. `at`: how many items of the input are done; `base`, `since`: moments that must not move."""

    checkpoint: Checkpoint
    done: Run
    sides: Mapping[str, Rehearsal]
    base: float
    since: float | None
    at: int = 0
    _saved: float = field(default_factory=time.monotonic)
    _pause: float = field(default_factory=lambda: EVERY)

    def resume(self, kept: Mapping[str, Any] | None) -> None:
        """Go on from there."""
        if kept is None:
            return
        self.at, self.done.seconds = kept["at"], kept["seconds"]
        self.done.changes, self.done.coverage = Changes.resumed(kept["changes"]), Coverage.of(kept["coverage"])
        _affected_again(self.done.affected, kept["affected"])
        for name, side in self.sides.items():
            side.remember(self.checkpoint.rows(name))
        output.error(f"{self.done.options.checkpoint}: goes on behind {counted(self.done.changes.sessions, 'session')}")

    def reached(self, number: int) -> None:
        """So many items are done: write that down, if it is time."""
        self.at = number
        begun = time.monotonic()
        if begun - self._saved < self._pause:
            return
        state: dict[str, Any] = {"at": number, "base": self.base, "since": self.since, "seconds": self.done.seconds}
        state |= {"changes": self.done.changes.kept(), "coverage": self.done.coverage.kept()}
        state |= {"affected": _affected_kept(self.done.affected)}
        self.checkpoint.write(state, ((name, *row) for name, side in self.sides.items() for row in side.remembered()))
        self._saved = time.monotonic()
        self._pause = max(EVERY, (self._saved - begun) / SHARE)


def _all(done: Run, backtest: Backtest, saving: Saving | None) -> None:
    changes, coverage = done.changes, done.coverage
    begun, before = time.monotonic(), done.seconds
    progress = Progress(done.options.traces, lambda seconds: _told(done, seconds))
    at = saving.at if saving is not None else 0
    try:
        for number, session in enumerate(islice(done.recordings.items(progress.at), at, None), at + 1):
            if session is not None:
                outcome = backtest.run(session)
                changes.add(outcome)
                done.affected.add(outcome)
            done.seconds = before + time.monotonic() - begun
            if saving is not None:
                saving.reached(number)
    finally:
        progress.done()
    left = done.recordings.left
    coverage.bad = done.recordings.bad
    coverage.lost("no arguments are recorded", left.without)
    coverage.lost("only some of the arguments are recorded", left.partly)
    if left.unanswered:
        coverage.note(JUDGED_WITH_LESS, "its result is not recorded, so that nothing is known to come from it", number=left.unanswered)


def _told(done: Run, seconds: float) -> str:
    changes = done.changes
    rate = f"{changes.calls / seconds:,.0f} calls/s" if seconds > 0 else ""
    return f"{counted(changes.sessions, 'session')}, {counted(changes.calls, 'call')}, {changes.changes.total():,} changed, {rate}"


def moment(text: str) -> float:
    """A point in time (ISO 8601; without an offset UTC) or an age (`30d`), in seconds since the epoch.

    Raises:
        ValueError, OverflowError, OSError: it is neither.
    """
    if _AGE.fullmatch(text):
        from licet.cli.acts import seconds

        return time.time() - seconds(text)
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
