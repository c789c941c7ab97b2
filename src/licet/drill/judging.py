"""What came of a drill in a pipeline: handed to the sinks, held against what had to come back, as the book keeps it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from licet.clock import Clock
from licet.drill.book import Result
from licet.drill.explained import explained
from licet.drill.hops import Reached, reached
from licet.drill.live import SOMEBODY, Drill, Live
from licet.drill.parts import part_names
from licet.drill.sinks import whys
from licet.drill.stopped import of_guard
from licet.drill.verdict import Came, Failure, Verdict, expected_of, judged
from licet.inventory.store import Inventory
from licet.monitor.deliveries import Stands, deliver
from licet.monitor.kept import Kept
from licet.monitor.ocsf import About
from licet.records import Finding

_EVERY: Final = 0.5  # seconds between two looks


def delivered(live: Live, drills: Iterable[Drill], since: float) -> dict[str, dict[str, float]]:
    """Hand the findings of drills over to every sink; by sink and finding, after how many seconds it said that it has it."""
    drills = list(drills)
    whose = {name for each in drills for name in each.announced.identities}
    let_in = {digest for each in drills for digest in each.digests}
    stands = [
        Stands(each.finding, each.version, each.withdrawn, each.updated)
        for each in live.pipeline.found()
        if live.alone or _whom(each.finding) in whose or _cites(each, let_in)
    ]
    stands += [Stands(each.finding, each.version, each.withdrawn, each.updated) for drill in drills for each in _of_guard(drill)]
    taken: dict[str, dict[str, float]] = {}
    for name, sink in live.sinks.items():
        if not live.waits:
            deliver(live.pipeline.inventory, sink, stands, live.clock.now())
        after = time.monotonic() - since
        rows = live.pipeline.inventory.rows("SELECT finding FROM deliveries WHERE sink=? AND delivered>0", (sink.name,))
        taken[name] = dict.fromkeys((uid for (uid,) in rows), after)
    return taken


def waited(live: Live, drills: Sequence[Drill], since: float) -> dict[str, dict[str, float]]:
    """Wait for those who judge and deliver all the time; as `delivered`. Ends early once all that had to come back is with every sink."""
    found: dict[str, dict[str, float]] = {}
    while True:
        for name, taken in delivered(live, drills, since).items():
            found[name] = taken | found.get(name, {})  # when it was seen first
        there = set.intersection(*(set(each) for each in found.values())) if found else set()
        if time.monotonic() - since >= live.waits or all(_came(each, live, there) for each in drills):
            return found
        time.sleep(_EVERY)


def _came(drill: Drill, live: Live, there: Collection[str]) -> bool:
    if not drill.play.codes:
        return not live.pipeline.inventory.dirty()
    finding = expected_of(drill.play, [each.finding for each in live.pipeline.found()])
    why = finding.explanation if finding is not None else None
    return finding is not None and why is not None and drill.play.codes <= set(why.codes) and finding.id in there


def _of_guard(drill: Drill) -> list[Kept]:
    """What the guard found of it."""
    return [Kept(each, each.time, withdrawn=False) for each in (drill.acted.findings if drill.acted is not None else ())]


def _whom(finding: Finding) -> str:
    return finding.explanation.identity if finding.explanation is not None else ""


def verdict_of(drill: Drill, live: Live, taken: Mapping[str, Mapping[str, float]]) -> tuple[Verdict, Reached]:
    """Held against what came of it in this pipeline."""
    play, pipeline = drill.play, live.pipeline
    names = drill.announced.identities
    kept = [each for each in pipeline.found() if live.alone or _whom(each.finding) in names or _cites(each, drill.digests)]
    findings = [each.finding for each in kept]
    finding = expected_of(play, findings)
    everywhere = set.intersection(*(set(each) for each in taken.values())) if taken else set()
    guards = _of_guard(drill)
    expected = [each for each in kept if finding is not None and each.finding.id == finding.id] + guards
    way = reached(pipeline.inventory, drill.sent, play.identity, play.credential, expected, everywhere, drill.names)
    held = None
    if finding is not None and live.explains:
        held = explained(finding, pipeline, play.declared or SOMEBODY, live.clock.now())
    uid = finding.id if finding is not None else ""
    came = Came(
        findings, {code for name in drill.announced.identities for code in _signals(pipeline.inventory, name)}, way,
        {uid: max(each.get(uid, -1.0) for each in taken.values())} if taken and uid in everywhere else {}, held,
        {name: export(each, About()) for each in expected for name, export in pipeline.parts.exporters.items()} if expected else {},
        {name: uid in each for name, each in taken.items()}, drill.digests, part_names, whys(live),
    )  # fmt: skip
    return _with_guard(judged(drill.choice.scenario, play, came), drill, live, taken, guards), way


def _with_guard(
    found: Verdict, drill: Drill, live: Live, taken: Mapping[str, Mapping[str, float]], guards: Sequence[Kept]
) -> Verdict:  # fmt: skip
    """The verdict, and what the guard made of the agent's work."""
    play, inventory = drill.play, live.pipeline.inventory
    if play.work is None:
        return found
    arrived = {(use.operation, use.outcome) for use in inventory.uses(play.identity) if use.digest in drill.digests}
    forms = (
        (name, each.finding.id, each.finding.check, export(each, About()))
        for each in guards for name, export in live.pipeline.parts.exporters.items()
    )  # fmt: skip
    failures = (*found.failures, *of_guard(play.work, drill.acted, play.owner, arrived, taken, forms, whys(live)))
    if found.finding is not None or not guards:
        return found._replace(failures=failures)
    after = [max((each.get(one.finding.id, -1.0) for each in taken.values()), default=-1.0) for one in guards]
    seconds, limit = -1.0 if min(after) < 0 else max(after), drill.choice.scenario.limit
    late = [Failure(f"was delivered after {seconds:.1f} s, and the limit is {limit:g} s", ("time",))] if seconds > limit else []
    return found._replace(failures=(*failures, *late), finding=guards[0].finding, seconds=seconds)


def _cites(kept: Kept, records: Collection[str]) -> bool:
    why = kept.finding.explanation
    return why is not None and any(each.digest in records for each in why.evidence if each.digest)


def _signals(inventory: Inventory, identity: str) -> list[str]:
    rows = inventory.rows("SELECT DISTINCT code FROM signals JOIN identities ON identities.id=subject WHERE uid=?", (identity,))
    return [code for (code,) in rows]


def told(drill: Drill, verdict: tuple[Verdict, Reached], clock: Clock, sinks: tuple[str, ...] = ()) -> tuple[Result, Verdict]:
    """As the book keeps it. `sinks`: to which findings were handed that others read."""
    found, way = verdict
    now = clock.now()
    of, finding = drill.announced, found.finding  # its curtain was drawn with room for the others': it may be over before that
    why = finding.explanation if finding is not None else None
    return Result(
        of.drill, of.scenario, of.source, of.twin, of.shadow, found.passed, way.hop, tuple(each.sentence for each in found.failures),
        tuple(dict.fromkeys(part for each in found.failures for part in each.parts)), round(found.seconds, 3),
        finding.id if finding is not None else "", min(of.begins, now), now, finding is not None and finding.owner == drill.play.owner,
        finding is not None and drill.play.credential in ("", *(why.credentials if why is not None else ())), sinks,
        *((acted.digests, tuple(each.id for each in acted.findings)) if (acted := drill.acted) is not None else ()),
    ), found  # fmt: skip
