"""What came back, held against what had to: pure, and without mercy. What did not hold is said in a sentence, with the parts to blame."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from licet.drill.hops import HOPS, Reached
from licet.drill.scenario import Play, Scenario
from licet.monitor.explain import Held
from licet.monitor.told import native
from licet.records import Explanation, Finding

FIRED: Final = "the benign twin "
"""With which the failure of a twin begins that was not silent."""
_STDIN: Final = re.compile(r"/- at [^/ ]+Z:")  # the place of a refused record: of standard input each run is a file
_NO_RECORD: Final = ("declared", "probe", "refused")  # what is cited of those was said or tried, or is only known to have been there


class Failure(NamedTuple):
    """What did not hold, and the parts of the pipeline that this points to, as `detector ends`."""

    sentence: str
    parts: tuple[str, ...] = ()


class Came(NamedTuple):
    """What came back of one drill.

    Attributes:
        findings: those that are about an identity of the drill, oldest first.
        signals: codes of the signals that it gave.
        reached: how far its records came.
        seconds: by finding, after how many seconds a sink said that it has it.
        held: whether the explanation of the finding that was expected holds; None if there is none.
        exported: by exporter, the finding as that writes it.
        taken: by sink, whether it said that it has the finding.
        digests: of the records that were let in.
        parts: by reason code, the parts that can give it.
        whys: by sink, its address and why it took nothing.
    """

    findings: Sequence[Finding]
    signals: Collection[str]
    reached: Reached
    seconds: Mapping[str, float]
    held: Held | None
    exported: Mapping[str, Any]
    taken: Mapping[str, bool]
    digests: Collection[str]
    parts: Callable[[str], tuple[str, ...]]
    whys: Mapping[str, str] = {}


class Verdict(NamedTuple):
    """The verdict on one drill: nothing but `failures` makes it fail."""

    failures: tuple[Failure, ...]
    finding: Finding | None = None
    seconds: float = -1.0

    @property
    def passed(self) -> bool:
        """All held."""
        return not self.failures


def expected_of(play: Play, findings: Sequence[Finding]) -> Finding | None:
    """The finding that says all that had to come back, else the one that says most of it; None if none says any."""

    def hits(finding: Finding) -> int:
        why = finding.explanation
        return 0 if why is None or why.identity != play.identity else len(play.codes & set(why.codes))

    best = max(findings, key=hits, default=None)
    return best if best is not None and hits(best) else None


def judged(scenario: Scenario, play: Play, came: Came) -> Verdict:
    """The verdict."""
    if not play.misuse:
        return Verdict(tuple(_twin(play, came)))
    finding = expected_of(play, came.findings)
    seconds = came.seconds.get(finding.id, -1.0) if finding is not None else -1.0
    return Verdict(tuple(_misuse(scenario, play, came, finding, seconds)), finding, seconds)


def _twin(play: Play, came: Came) -> Iterator[Failure]:
    yield from _lost(came)
    yield from _silent(play, came)
    for finding in came.findings:
        codes = _codes(finding)
        parts = tuple(part for code in codes for part in came.parts(code))
        yield Failure(f"{FIRED}({play.differs}) has a finding: {', '.join(codes)}", parts)


def _lost(came: Came) -> Iterator[Failure]:
    """A source whose records do not arrive is blind, whatever else is there."""
    if not came.reached.has("received"):
        for source, number in came.reached.sources.items():
            yield Failure(f"{number} records of {source} were let in, and are not in the inventory", (f"reader {source}",))


def _silent(play: Play, came: Came) -> Iterator[Failure]:
    """What is no finding alone is said all the same."""
    for code in sorted(play.signals - set(came.signals)):
        yield Failure(f"no signal {code}", _silenced(came, code))


def _misuse(scenario: Scenario, play: Play, came: Came, finding: Finding | None, seconds: float) -> Iterator[Failure]:
    yield from _lost(came)
    if came.reached.hop != HOPS[-1]:
        dead = HOPS[HOPS.index(came.reached.hop) + 1]
        yield Failure(f"dead after `{came.reached.hop}`: it did not come to `{dead}`", (f"hop {dead}",))
    yield from _silent(play, came)
    why = finding.explanation if finding is not None else None
    if finding is None or why is None:
        for code in sorted(play.codes):
            yield Failure(f"no finding says {code}", _silenced(came, code))
        return
    for code in sorted(play.codes - set(why.codes)):
        yield Failure(f"the finding does not say {code}", came.parts(code))
    for other in came.findings:
        beyond = sorted(set(_codes(other)) - play.codes - play.besides)
        if beyond:
            yield Failure(f"a wrong alarm beside it: {', '.join(beyond)}", tuple(part for code in beyond for part in came.parts(code)))
    yield from _explained(play, finding, why, came)
    yield from _handed_on(scenario, finding, seconds, came)


def _silenced(came: Came, code: str) -> tuple[str, ...]:
    """Which parts to blame where a code is missing. What nobody judged speaks against no detector: a hop before it is dead."""
    return came.parts(code) if came.reached.has("evaluated") else ()


def _explained(play: Play, finding: Finding, why: Explanation, came: Came) -> Iterator[Failure]:
    if finding.owner != play.owner:
        yield Failure(f"names {finding.owner or 'nobody'} as the owner, and not {play.owner or 'nobody'}", ("owners",))
    if play.credential and play.credential not in why.credentials:
        yield Failure("does not name the credential", ("attribution",))
    said = " ".join(f"{each.observed} {each.expected}" for each in why.because)
    for text in play.shows:
        if text not in said:
            yield Failure(f"says nothing of {text!r}, in what was observed or expected", ("explanation",))
    if any(not each.observed or not each.expected for each in why.because):
        yield Failure("a reason says not what was observed, or not what was expected", ("explanation",))
    events = [each for each in why.evidence if not each.body]
    cited = {_STDIN.sub("/-:", native(each.uid)[1]) for each in events}
    for uid in play.cites:
        if uid not in cited:
            yield Failure(f"does not cite {uid}", ("evidence",))
    foreign = [each.uid for each in events if each.digest not in came.digests and native(each.uid)[0] not in _NO_RECORD]
    if foreign:
        yield Failure(f"cites what was not let in, or is not as it was: {foreign[0]}", ("evidence",))
    if came.held is not None and not came.held.ablation:
        yield Failure("is still there without the evidence that it cites", ("explanation",))
    if came.held is not None and not came.held.sufficiency:
        yield Failure("is not there by the evidence that it cites alone", ("explanation",))


def _handed_on(scenario: Scenario, finding: Finding, seconds: float, came: Came) -> Iterator[Failure]:
    for name, taken in came.taken.items():
        if not taken:
            why = f": {came.whys[name]}" if name in came.whys else ""
            yield Failure(f"the sink {name} did not say that it has the finding{why}", (f"sink {name}",))
    if not came.taken:
        yield Failure("there is no sink: nobody is told", ("sink",))
    if seconds > scenario.limit:
        yield Failure(f"was delivered after {seconds:.1f} s, and the limit is {scenario.limit:g} s", ("time",))
    codes = _codes(finding)
    for name, form in came.exported.items():
        text = str(form)
        if not all(code in text for code in codes) or finding.id not in text:
            yield Failure(f"the exporter {name} leaves out what the finding says", (f"exporter {name}",))


def _codes(finding: Finding) -> tuple[str, ...]:
    return finding.explanation.codes if finding.explanation is not None else (finding.check,)
