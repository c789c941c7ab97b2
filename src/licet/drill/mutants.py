"""What a selftest disables, part by part: read off the registries, so that a new part is asked for the day it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from licet.drill.guarded import OWN, without
from licet.drill.hops import HOPS
from licet.drill.parts import PROBES
from licet.drill.pipeline import Parts
from licet.drill.receiver import Watched
from licet.drill.scenario import PROBE, Play
from licet.drill.scenarios.off_intent import CHECKS
from licet.events import LifecycleEvent, UseEvent
from licet.ingest.recognised import Place, Recognised, Source
from licet.monitor.deliveries import Message, Reply
from licet.monitor.detector import Detector, State
from licet.monitor.exits import Exporter
from licet.monitor.kept import Kept
from licet.monitor.ocsf import About
from licet.monitor.signal import Signal
from licet.monitor.world import World


class Shadow(NamedTuple):
    """A pipeline beside the live one.

    Attributes:
        parts: what it has between the entrance and the exit.
        sinks: where its findings go.
        judges: whether anything is judged.
    """

    parts: Parts
    sinks: Mapping[str, Watched]
    judges: bool = True


class Way(NamedTuple):
    """One way in which a part is disabled.

    Attributes:
        says: how, in a few words.
        left: what is left of a pipeline then.
        needed: whether a play is nothing in this way, where not all are that need the part.
    """

    says: str
    left: Callable[[Shadow], Shadow]
    needed: Callable[[Play], bool] | None = None


class Mutant(NamedTuple):
    """A part that is disabled.

    Attributes:
        part: as failures name it: `detector ends`.
        ways: each of them must turn the scorecard red; none is known: that is no proof.
        needed: whether a play is nothing without it.
        late: it comes after judging, and nothing before is another without it.
    """

    part: str
    ways: tuple[Way, ...]
    needed: Callable[[Play], bool]
    late: bool = False


def mutants(whole: Shadow) -> Iterator[Mutant]:
    """One for each part of this pipeline, and one for each hop."""
    parts = whole.parts
    for name in parts.sources:
        yield Mutant(f"reader {name}", (_without_reader(name),), _by_source(name))
    if parts.tried is not None:
        yield Mutant(PROBES, (Way("tries nothing", lambda whole: _with(whole, tried=None)),), _by_source(PROBE))
    if parts.own is not None:
        yield Mutant(OWN, (Way("reads nothing", lambda whole: _with(whole, own=None)),), _by_work)
    for check in CHECKS:
        yield Mutant(f"check {check}", (Way("says nothing", _unchecked(check)),), _by_check(check))
    for detector in parts.detectors:
        yield Mutant(f"detector {detector.name}", (_without("detectors", detector.name), *_but(detector)), _by_codes(detector.codes))
    for each in parts.passes:
        yield Mutant(f"pass {each.name}", (_without("passes", each.name),), _by_codes(each.codes))
    for name, export in parts.exporters.items():
        ways = (
            Way("writes nothing", _exporting(name, lambda *_: {})),
            Way("leaves out the reasons", _exporting(name, _without_codes(export))),
        )
        yield Mutant(f"exporter {name}", ways, _misuse, late=True)
    for name in whole.sinks:
        ways = (Way("answers nothing", _handing(name, _Silent())), Way("says that it has what it never got", _handing(name, _Liar())))
        yield Mutant(f"sink {name}", ways, _misuse, late=True)
    for hop in HOPS[1:]:
        yield Mutant(f"hop {hop}", (_DEAD[hop],) if hop in _DEAD else (), _misuse, late=hop == HOPS[-1])


def _misuse(play: Play) -> bool:
    return play.misuse


def _by_work(play: Play) -> bool:
    return play.work is not None


def _by_source(name: str) -> Callable[[Play], bool]:
    return lambda play: any(each.source == name and not each.refused for each in play.records)


def _by_check(check: str) -> Callable[[Play], bool]:
    return lambda play: play.work is not None and check in play.work.checks


def _unchecked(check: str) -> Callable[[Shadow], Shadow]:
    """The guard judges as ever, and gives this reason never."""
    return lambda whole: _with(whole, checks=without(whole.parts.checks, check))


def _by_codes(codes: Sequence[str]) -> Callable[[Play], bool]:
    return lambda play: not (play.codes | play.signals).isdisjoint(codes)


def _with(whole: Shadow, **parts: Any) -> Shadow:
    return whole._replace(parts=whole.parts._replace(**parts))


def _without(registry: str, name: str) -> Way:
    def left(whole: Shadow) -> Shadow:
        return _with(whole, **{registry: [each for each in getattr(whole.parts, registry) if each.name != name]})

    return Way("says nothing", left)


def _but(detector: Detector) -> Iterator[Way]:
    """All but one of the reasons that it can give, in turn."""
    for code in detector.codes if len(detector.codes) > 1 else ():
        yield Way(f"says nothing of {code}", _muted(detector, code), _by_codes((code,)))


def _muted(detector: Detector, code: str) -> Callable[[Shadow], Shadow]:
    mute = _Mute(detector, code)
    return lambda whole: _with(whole, detectors=[mute if each is detector else each for each in whole.parts.detectors])


class _Mute(Detector):
    """A detector that never gives one of its reasons, and is the same in all else."""

    def __init__(self, detector: Detector, code: str) -> None:
        self._detector, self._code = detector, code
        self.name, self.version, self.codes, self.standing = detector.name, detector.version, detector.codes, detector.standing
        self.uses, self.lives, self.by_cluster = detector.uses, detector.lives, detector.by_cluster
        self.start, self.settle, self.recall = detector.start, detector.settle, detector.recall  # type: ignore[method-assign]

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        """What it says of a use."""
        return self._left(self._detector.use(state, event, world))

    def lifecycle(self, state: State, event: LifecycleEvent, world: World) -> Iterable[Signal]:
        """What it says of what happened."""
        return self._left(self._detector.lifecycle(state, event, world))

    def end(self, state: State, identity: str, world: World) -> Iterable[Signal]:
        """What it says of how it stands."""
        return self._left(self._detector.end(state, identity, world))

    def _left(self, said: Iterable[Signal]) -> tuple[Signal, ...]:
        return tuple(each for each in said if each.code != self._code)


def _without_reader(name: str) -> Way:
    def left(whole: Shadow) -> Shadow:
        return _with(whole, sources={each: source for each, source in whole.parts.sources.items() if each != name})

    return Way("reads nothing", left)


def _exporting(name: str, export: Exporter) -> Callable[[Shadow], Shadow]:
    return lambda whole: _with(whole, exporters={**whole.parts.exporters, name: export})


def _without_codes(export: Exporter) -> Exporter:
    def mute(kept: Kept, about: About) -> dict[str, Any]:
        why = kept.finding.explanation
        codes = why.codes if why is not None else (kept.finding.check,)
        return {key: _blank(value, codes) for key, value in export(kept, about).items()}

    return mute


def _blank(said: Any, codes: Sequence[str]) -> Any:
    """The same, and not one of these words in it."""
    if isinstance(said, Mapping):
        return {key: _blank(value, codes) for key, value in said.items()}
    if isinstance(said, list | tuple):
        return [_blank(each, codes) for each in said]
    if isinstance(said, str):
        for code in codes:
            said = said.replace(code, "")
    return said


def _handing(name: str, sink: _Silent | _Liar) -> Callable[[Shadow], Shadow]:
    return lambda whole: whole._replace(sinks={**whole.sinks, name: whole.sinks[name].by(sink)})


class _Silent:
    """A sink that is not there."""

    name = "silent"

    def send(self, message: Message, now: float) -> Reply:  # noqa: ARG002 - of a sink
        """No answer."""
        return Reply(taken=False, why="no answer")


class _Liar:
    """A sink that says that it has what nobody was told."""

    name = "liar"

    def send(self, message: Message, now: float) -> Reply:  # noqa: ARG002 - of a sink
        """It has it, it says."""
        return Reply(taken=True)


def _vague(source: Source) -> Source:
    """Reads that there was something, and not what."""

    def read(record: Mapping[str, Any], place: Place) -> Recognised:
        found = source.read(record, place)
        return found._replace(uses=tuple(each._replace(operation="") for each in found.uses))

    return replace(source, read=read)


def _misled(source: Source) -> Source:
    """Reads all of it, and takes everybody for one and the same."""

    def read(record: Mapping[str, Any], place: Place) -> Recognised:
        found = source.read(record, place)
        return found._replace(uses=tuple(each._replace(identity=_SOMEBODY, credential="") for each in found.uses))

    return replace(source, read=read)


def _read_by(other: Callable[[Source], Source]) -> Callable[[Shadow], Shadow]:
    return lambda whole: _with(whole, sources={name: other(source) for name, source in whole.parts.sources.items()})


_SOMEBODY: Final = "somebody"
_DEAD: Final[Mapping[str, Way]] = {
    "received": Way("nothing comes in", lambda whole: _with(whole, sources={}, tried=None, own=None)),
    "normalised": Way("what was done is not read", _read_by(_vague)),
    "attributed": Way("everybody is taken for the same", _read_by(_misled)),
    "evaluated": Way("nothing is judged", lambda whole: whole._replace(judges=False)),
    "alerted": Way("nobody says anything", lambda whole: _with(whole, detectors=(), passes=())),
    "delivered": Way("nothing is handed over", lambda whole: whole._replace(sinks={})),
}
"""By hop, how it is broken."""
