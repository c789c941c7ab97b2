"""Plays on an inventory of their own, through the real parts, and what does not hold of what came of them."""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from licet.clock import SystemClock
from licet.drill.pipeline import Parts, Pipeline
from licet.drill.scenario import PROBE, Play, Record, Scenario
from licet.drill.stage import Actor, Stage
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import Inventory
from licet.monitor.baseline import ROLE as BASELINE
from licet.monitor.explain import holds
from licet.monitor.kept import Kept
from licet.monitor.stored import signal_of
from licet.monitor.told import native

FINGERPRINT = Fingerprints(b"k" * 32).of


def drawn(
    scenario: Scenario, source: str, seed: int, *, twin: bool = False, now: float = 0.0, actor: Actor | None = None
) -> Play:  # fmt: skip
    """A play. `now`: when its curtain rises, if not at once."""
    return scenario.draw(Stage(random.Random(seed), now or float(int(time.time())), actor), source, twin)


class Played:
    """A play that came in and was judged. Use it as a context: the inventory is gone then.

    Args:
        records: another choice of the play's records.
    """

    def __init__(self, play: Play, records: Sequence[Record] | None = None, parts: Parts | None = None) -> None:
        self._folder = TemporaryDirectory()
        folder = Path(self._folder.name)
        folder.chmod(0o700)
        self.inventory = Inventory(folder / "inventory.db")
        self.pipeline = Pipeline(self.inventory, FINGERPRINT, SystemClock(), parts or Parts())
        if play.declared:
            self.pipeline.declare(play.declared)
        self.refused = self.pipeline.enter(play.records if records is None else records)
        self.pipeline.judge()
        self.found = self.pipeline.found()

    def __enter__(self) -> Played:
        return self

    def __exit__(self, *_: object) -> None:
        self.inventory.close()
        self._folder.cleanup()

    def signals(self) -> set[str]:
        """The codes of all signals."""
        return {code for (code,) in self.inventory.rows("SELECT DISTINCT code FROM signals")}


def codes(each: Kept) -> set[str]:
    """What a finding says."""
    assert each.finding.explanation is not None
    return set(each.finding.explanation.codes)


def wrong(play: Play, parts: Parts | None = None) -> list[str]:
    """What does not hold of a misuse or a twin."""
    with Played(play, parts=parts) as played:
        found = []
        if (number := sum(played.refused.values())) != sum(each.refused for each in play.records):
            found.append(f"{number} records are refused: {', '.join(played.refused)}")
        if missing := play.signals - played.signals():
            found.append(f"no signal {', '.join(sorted(missing))}")
        if play.differs:
            return found + [f"the twin has a finding: {', '.join(sorted(codes(each)))}" for each in played.found]
        return found + list(_misuse(play, played))


def _misuse(play: Play, played: Played) -> Iterator[str]:
    for each in played.found:
        if beyond := codes(each) - play.codes - play.besides:
            yield f"another finding: {', '.join(sorted(beyond))}"
    right = [each for each in played.found if play.codes <= codes(each)]
    if len(right) != 1:
        yield f"{len(right)} findings say {', '.join(sorted(play.codes))}"
        return
    finding = right[0].finding
    why = finding.explanation
    assert why is not None
    if why.identity != play.identity:
        yield f"names {why.identity}, and not {play.identity}"
    if finding.owner != play.owner:
        yield f"names {finding.owner!r} as the owner, and not {play.owner!r}"
    if play.credential and FINGERPRINT(play.credential) not in why.credentials:
        yield "does not name the credential"
    said = " ".join(f"{each.observed} {each.expected}" for each in why.because)
    yield from (f"says nothing of {text!r}: {said}" for text in play.shows if text not in said)
    cited = {re.sub(r"/- at [^/ ]+Z:", "/-:", native(each.uid)[1]) for each in why.evidence}
    yield from (f"does not cite {uid}" for uid in play.cites if uid not in cited)
    digests = {each.digest for each in why.evidence if not each.body and native(each.uid)[0] not in ("probe", "refused")}
    if lost := digests - {_digest(each) for each in play.records}:
        yield f"cites what did not come in: {lost}"
    if any(each.role == BASELINE for each in why.evidence):
        yield from _by_signals(finding.id, played)
        return
    kinds = {native(each.uid)[0] for each in why.evidence}
    digests |= {
        _digest(each) for each in play.records if (each.source == PROBE and PROBE in kinds) or (each.refused and "refused" in kinds)
    }

    def part(keep: Callable[[bool], bool]) -> list[Record]:
        return [each for each in play.records if keep(_digest(each) in digests)]

    with Played(play, part(lambda is_cited: not is_cited)) as without:
        # A source that is silent is so since another event then, which is another finding; of an identity nothing of the kind may be left.
        left = [each for each in without.found if each.finding.id == finding.id or (play.identity and _whose(each) == play.identity)]
        if any(codes(each) & play.codes for each in left):
            yield "is there without what it cites"
    with Played(play, part(lambda is_cited: is_cited)) as alone:
        if not any(set(why.codes) <= codes(each) for each in alone.found):
            yield "is not there by what it cites alone"


def _whose(each: Kept) -> str:
    assert each.finding.explanation is not None
    return each.finding.explanation.identity


def _by_signals(finding: str, played: Played) -> Iterator[str]:
    """Where it rests on what was learned by then, each of its reasons is held against its baseline."""
    pipeline = played.pipeline
    for (body,) in played.inventory.rows("SELECT body FROM signals WHERE finding=?", (finding,)):
        signal = signal_of(body)
        held = holds(signal, played.inventory, pipeline.settings, SystemClock().now(), pipeline.parts.detectors)
        if not held.ablation:
            yield f"{signal.code} is there without what it cites"
        if not held.sufficiency:
            yield f"{signal.code} is not there by what it cites alone"


def _digest(record: Record) -> str:
    return hashlib.sha256(record.body).hexdigest()
