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
ENOUGH = 0.9
"""What share must be judged by both, if the user says nothing."""
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
        return LITTLE if self.too_little else OK

    @property
    def too_little(self) -> str:
        """Why too little could be judged for the run to say anything; empty: enough was."""
        coverage, asked = self.coverage, self.options.min_coverage
        if not coverage.judged:
            return "no call was judged by both, so that nothing is known of the change"
        if coverage.bad and asked is None:
            return f"{counted(coverage.bad, 'line')} could not be read as a session; --min-coverage says how much is enough all the same"
        share = ENOUGH if asked is None else asked
        return f"less than {100 * share:g} % could be judged (--min-coverage)" if coverage.share < share else ""


def _affected_kept(affected: Affected) -> dict[str, Any]:
    rows = [[dict(count.changes), count.sessions, count.first] for count in (*affected.by_difference, affected.unexplained)]
    return {"calls": affected.calls, "counts": rows}


def _affected_again(affected: Affected, kept: Mapping[str, Any]) -> None:
    affected.calls = kept["calls"]
    for count, (changes, sessions, first) in zip((*affected.by_difference, affected.unexplained), kept["counts"], strict=True):
        count.changes, count.sessions, count.first = Counter(changes), sessions, first


def through(options: argparse.Namespace, old: Manifest, new: Manifest) -> Run:
    """The run over all sessions, from where an earlier one stopped."""
    checkpoint, kept = None, None
    if options.checkpoint is not None:
        checkpoint = _checkpoint(options, old, new)
        kept = checkpoint.read()
        checkpoint.try_out()
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
        backtest = Backtest(
            *sides, clock=clock, kind=options.task, agent=options.agent, approve=options.approve == "yes", apart=options.apart
        )
        backtest.coverage = done.coverage
        _all(done, backtest, saving)
    except KeyboardInterrupt:
        if saving is not None:
            saving.say()
        raise
    finally:
        for side in sides:
            side.close()
    if checkpoint is not None:
        checkpoint.remove()
    return done


def _checkpoint(options: argparse.Namespace, old: Manifest, new: Manifest) -> Checkpoint:
    if any(name == "-" or is_address(name) for name in options.traces):
        raise UsageError("--checkpoint goes on in files; what comes from `-` or a Jaeger cannot be read a second time")
    chosen = {f"--{name}": getattr(options, name) for name in ("task", "suite", "agent", "approve", "apart", "since", "show")}
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
    written: int | None = None  # items, as they stand in the file
    _saved: float = field(default_factory=time.monotonic)
    _pause: float = field(default_factory=lambda: EVERY)

    def resume(self, kept: Mapping[str, Any] | None) -> None:
        """Go on from there."""
        if kept is None:
            return
        if len(kept["affected"]["counts"]) != len(self.done.differences) + 1:
            raise self.checkpoint.broken("it counts other differences than the two manifests have")
        self.at, self.done.seconds = kept["at"], kept["seconds"]
        self.done.changes, self.done.coverage = Changes.resumed(kept["changes"]), Coverage.of(kept["coverage"])
        _affected_again(self.done.affected, kept["affected"])
        self.written = self.at
        for name, side in self.sides.items():
            side.remember(self.checkpoint.rows(name))
        output.error(f"{self.done.options.checkpoint}: goes on behind {counted(self.done.changes.sessions, 'session')}")

    def say(self) -> None:
        """Say what is kept of an interrupted run, and how it goes on."""
        name = self.done.options.checkpoint
        if self.written is None:
            output.error(f"{name}: nothing was kept yet; the first time is after {EVERY:g} s")
        else:
            output.error(f"{name}: keeps how far it is ({counted(self.written, 'line')}); the same command goes on from there")

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
        self.written = number
        self._saved = time.monotonic()
        self._pause = max(EVERY, (self._saved - begun) / SHARE)


def _all(done: Run, backtest: Backtest, saving: Saving | None) -> None:
    changes, coverage = done.changes, done.coverage
    begun, before = time.monotonic(), done.seconds
    progress = Progress(done.options.traces, lambda seconds: _told(done, seconds))
    at = saving.at if saving is not None else 0
    try:
        items = done.recordings.items(progress.at)
        skipped = sum(1 for _ in islice(items, at))
        if saving is not None and skipped < at:
            raise saving.checkpoint.broken(f"it says that {at:,} lines are done, and there are {skipped:,}")
        for number, session in enumerate(items, at + 1):
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
