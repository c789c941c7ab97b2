"""The test of the test: each part of the pipeline is disabled in turn, and the drills must turn red and say which part it was.

All of it is done beside the live pipeline, in a folder that is gone afterwards, with an inventory, a ledger, a book, a key and a receiver
of its own. First nothing is disabled, and all drills must pass, with their twins and explanations. Then one play of each is drawn. Those
that need a part, by the registries, must pass among themselves while it is there, and not pass without it. Of a detector each reason that
it can give is taken away by itself, too. A part that no drill needs is a survivor.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from licet.clock import Clock
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book, Result
from licet.drill.drawing import curtain_of, drawn
from licet.drill.forgery import forgeries
from licet.drill.judging import delivered, told, verdict_of
from licet.drill.keys import FILE as KEY
from licet.drill.keys import DrillKey
from licet.drill.live import SOMEBODY, Choice, Drill, Live
from licet.drill.mutants import Mutant, Shadow, Way, mutants
from licet.drill.pipeline import Parts, Pipeline
from licet.drill.receiver import Receiver, Watched, receiving
from licet.drill.run import entered, run
from licet.drill.scenarios import SCENARIOS
from licet.guard.state import open_ledger, open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.monitor.exits import SINKS, Opener

ALL: Final = tuple(Choice(each, source) for each in SCENARIOS for source in each.sources)
"""Every scenario, on each of its sources."""


class Tested(NamedTuple):
    """What came of a part that was disabled.

    Attributes:
        part: as failures name it: `detector ends`.
        drills: how many need it.
        red: how many failed when all of it was gone.
        ways: in how many it is disabled.
        why: it survived: nothing turned red that names it; empty: it was found.
    """

    part: str
    drills: int
    red: int
    ways: int = 0
    why: str = ""


class Score(NamedTuple):
    """What came of a selftest.

    Attributes:
        whole: the drills through a pipeline from which nothing was taken.
        tested: one for each part; none where the whole is red already, as then nothing that is red says anything of a part.
    """

    whole: tuple[Result, ...]
    tested: tuple[Tested, ...]

    @property
    def failed(self) -> list[Result]:
        """Drills that do not pass though nothing is disabled."""
        return [each for each in self.whole if not each.passed]

    @property
    def survivors(self) -> list[Tested]:
        """Parts that nobody misses."""
        return [each for each in self.tested if each.why]

    @property
    def well(self) -> bool:
        """The whole is green, and red without each of its parts."""
        return bool(self.tested) and not self.failed and not self.survivors


class _Played(NamedTuple):
    """Drills that went through one pipeline, as far as judging."""

    live: Live
    drills: Sequence[Drill]
    since: float


def selftest(
    clock: Clock, progress: Callable[[str], None] = lambda _: None, *, choices: Sequence[Choice] = ALL, parts: Parts | None = None,
    sinks: Mapping[str, Opener] = SINKS,
) -> Score:  # fmt: skip
    """Disable each part in turn.

    Args:
        progress: is told what is done.
        choices: what is played.
        parts: what is disabled in turn: what is in the registries.
        sinks: by name, how they are opened; each must get through to a receiver on this machine.

    Raises:
        LicetError: a file of its own cannot be written.
    """
    with ExitStack() as stack:
        live, whole = stack.enter_context(_beside(clock, parts or Parts(), sinks))
        results = run(choices, live)
        if any(not each.passed for each in results):
            return Score(tuple(results), ())
        progress(f"{len(results)} drills pass while nothing is disabled")
        curtain = curtain_of(clock, len(choices))
        both = [drawn(choice, live, curtain, twin=twin) for choice in choices for twin in (False, True)]
        # Of a twin that is to say nothing at all, nothing can be missed.
        drills = [each for each in both if each.play.misuse or each.play.signals]
        bench = _Bench(live, whole, drills, stack)
        if failed := [each for each in bench.unharmed(drills) if not each.passed]:
            return Score((*results, *failed), ())
        tested: list[Tested] = []
        every = list(mutants(whole))
        for number, mutant in enumerate(every, 1):
            found = bench.tested(mutant)
            tested.append(found)
            progress(f"{number} of {len(every)}: without {mutant.part} {found.why or f'{found.red} of {found.drills} fail'}")
        return Score(tuple(results), tuple(tested))


@contextmanager
def _beside(clock: Clock, parts: Parts, sinks: Mapping[str, Opener]) -> Iterator[tuple[Live, Shadow]]:
    """A pipeline with nothing of the live one but its parts."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        os.chmod(name, 0o700)  # noqa: PTH101 - a name
        receiver = stack.enter_context(receiving())
        stack.enter_context(_exporting_to(receiver))
        opened = {each: Watched(stack.enter_context(way(receiver.url, receiver.secret)), receiver) for each, way in sinks.items()}
        folder = open_state(Path(name) / "state")
        ledger = stack.enter_context(closing(open_ledger(folder)))
        inventory = stack.enter_context(closing(Inventory(folder.path / FILE)))
        book = stack.enter_context(closing(Book(folder.path / BOOK)))
        whole = Shadow(parts._replace(passes=(*parts.passes, forgeries(book.enrolled))), opened)
        pipeline = Pipeline(inventory, Fingerprints(secret(folder)).of, clock, whole.parts)
        yield Live(pipeline, opened, ledger, DrillKey.of(folder.keys / KEY), book, clock, shadows=False), whole


@contextmanager
def _exporting_to(receiver: Receiver) -> Iterator[None]:
    """What exports by the usual environment variables goes there and nowhere else, whatever they say."""
    ours = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf", "no_proxy": "127.0.0.1"}
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OTEL_") or name.lower() == "no_proxy"}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
        os.environ.update(before)


class _Bench:
    """Where a pipeline is tried without one of its parts."""

    def __init__(self, live: Live, whole: Shadow, drills: Sequence[Drill], stack: ExitStack) -> None:
        self._live, self._whole, self._drills = live, whole, drills
        # What is taken away behind the judging is taken away here: all that is before is the same.
        self._judged = [self._judge(each, whole, stack) for each in _groups(drills)]
        self._known: dict[tuple[str, ...], list[Result]] = {}

    def unharmed(self, drills: Sequence[Drill]) -> list[Result]:
        """What comes of these among themselves while nothing is disabled."""
        which = tuple(each.announced.drill for each in drills)
        if which not in self._known:
            everything = len(drills) == len(self._drills)
            self._known[which] = list(_results(self._judged, self._whole)) if everything else self._played(drills, self._whole)
        return self._known[which]

    def tested(self, mutant: Mutant) -> Tested:
        """Take the part away, in each way that is known."""
        drills = [each for each in self._drills if mutant.needed(each.play)]
        told = Tested(mutant.part, len(drills), 0, len(mutant.ways))
        if not drills:
            return told._replace(why="no drill needs it")
        if not mutant.ways:
            return told._replace(why="no way is known to disable it")
        for number, way in enumerate(mutant.ways):
            needing = [each for each in drills if way.needed is None or way.needed(each.play)]
            red, why = self._missed(mutant, way, needing)
            told = told._replace(red=told.red if number else red, why=f"{way.says}, and {why}" if why else "")
            if why:
                break
        return told

    def _missed(self, mutant: Mutant, way: Way, drills: Sequence[Drill]) -> tuple[int, str]:
        """How many of these drills fail without it, and, if that proves nothing, why."""
        if not drills:
            return 0, "no drill asks for that"
        if any(not each.passed for each in self.unharmed(drills)):
            return 0, "the drills that need it fail among themselves while it is there, too"
        left = way.left(self._whole)
        results = list(_results(self._judged, left)) if mutant.late else self._played(drills, left)
        red = [each for each in results if not each.passed]
        if not red:
            return 0, "all drills pass"
        if not any(mutant.part in each.parts for each in red):
            return len(red), f"what is blamed is {', '.join(sorted({part for each in red for part in each.parts})) or 'nothing'}"
        return len(red), ""

    def _played(self, drills: Iterable[Drill], shadow: Shadow) -> list[Result]:
        with ExitStack() as stack:
            return list(_results([self._judge(each, shadow, stack) for each in _groups(drills)], shadow))

    def _judge(self, drills: Sequence[Drill], shadow: Shadow, stack: ExitStack) -> _Played:
        """Let drills into an inventory of their own, which is there as long as the stack is."""
        folder = stack.enter_context(TemporaryDirectory())
        os.chmod(folder, 0o700)  # noqa: PTH101 - a name
        inventory = stack.enter_context(closing(Inventory(Path(folder) / FILE)))
        before = self._live.pipeline
        pipeline = Pipeline(inventory, before.fingerprint, self._live.clock, shadow.parts, before.settings)
        for said in (SOMEBODY, *(each.play.declared for each in drills)):
            if said:
                pipeline.declare(said)
        drills = [entered(each, pipeline) for each in drills]
        since = time.monotonic()
        if shadow.judges:
            pipeline.judge()
        apart = any(each.choice.scenario.apart for each in drills)
        return _Played(self._live._replace(pipeline=pipeline, alone=apart, explains=False), drills, since)


def _groups(drills: Iterable[Drill]) -> Iterator[list[Drill]]:
    """Those that can be in one inventory."""
    together = []
    for each in drills:
        if each.choice.scenario.apart:
            yield [each]
        else:
            together.append(each)
    if together:
        yield together


def _results(judged: Iterable[_Played], shadow: Shadow) -> Iterator[Result]:
    """What comes of what was judged, by these exporters and sinks."""
    for each in judged:
        before = each.live.pipeline
        pipeline = Pipeline(before.inventory, before.fingerprint, each.live.clock, shadow.parts, before.settings)
        live = each.live._replace(pipeline=pipeline, sinks=shadow.sinks)
        seconds = delivered(live, each.drills, each.since)
        for drill in each.drills:
            result, _ = told(drill, verdict_of(drill, live, seconds), live.clock)
            yield result
