"""Drills, from the draw to the verdict: all that were chosen at once, so that none of them stands out.

    draw → declare → commit → let in → judge → deliver → verdict → reveal → retract

Misuse and twins come in mixed. Beside each misuse a shadow of it is judged apart, acting as a real identity, or as one whose owner is
nobody's drill: who answers only to drills is silent there.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from licet.canonical import Plain
from licet.clock import Clock, iso
from licet.drill.audit import COMMIT, ENROL, REVEAL, marked
from licet.drill.book import Book, Result
from licet.drill.commitment import Announced, digests, events_of
from licet.drill.explained import explained
from licet.drill.guarded import OWN, Acted
from licet.drill.hops import Reached, Sent, reached
from licet.drill.involved import Involved, involved, known_already
from licet.drill.keys import DrillKey, name_of
from licet.drill.parts import part_names
from licet.drill.pipeline import Pipeline
from licet.drill.receiver import receiving
from licet.drill.scenario import OWNER, PROBE, Play, Scenario
from licet.drill.scenarios import SCENARIOS
from licet.drill.stage import Actor, Stage
from licet.drill.stopped import of_guard
from licet.drill.ticking import since as ticking
from licet.drill.ticking import stopped
from licet.drill.verdict import Came, Failure, Verdict, expected_of, judged
from licet.drill.work import planned
from licet.errors import UsageError
from licet.ingest.calls import NAME as OWN_CALLS
from licet.inventory.retracted import Concerned, Counted, counted, forget, retract
from licet.inventory.store import FILE, Inventory
from licet.ledger import Ledger, LedgerFiles
from licet.monitor.deliveries import Sink, Stands, deliver
from licet.monitor.kept import Kept
from licet.monitor.ocsf import About
from licet.monitor.webhook import Webhook
from licet.records import Finding

SOMEBODY: Mapping[str, list[dict[str, str]]] = {"owners": [{"owner": "somebody", "name": "Somebody", "contact": "", "kind": "team"}]}
_DRAWS = 8  # until nobody is in a play who is known already
_COMMITTING = 0.02  # seconds that a commitment may take
_MEANTIME = 30.0  # seconds beyond the limit in which a finding may still come, and be late


class Choice(NamedTuple):
    """A scenario on one of its sources."""

    scenario: Scenario
    source: str


class Live(NamedTuple):
    """What a drill goes through, and what it is written down in.

    Attributes:
        pipeline: over the live inventory.
        sinks: by name, where findings go.
        actors: real identities as which shadows act, by the source on which they act.
        alone: the inventory has nothing but one drill, to which all that is found belongs.
        shadows: each misuse is judged as somebody else too.
        explains: explanations are held against what they cite.
    """

    pipeline: Pipeline
    sinks: Mapping[str, Sink]
    ledger: Ledger
    key: DrillKey
    book: Book
    clock: Clock
    actors: Mapping[str, Sequence[Actor]] = {}
    alone: bool = False
    shadows: bool = True
    explains: bool = True


class Drill(NamedTuple):
    """One that was drawn. `play`: its credential is a fingerprint."""

    choice: Choice
    play: Play
    whom: Involved
    announced: Announced
    records: tuple[str, ...]  # digests
    acted: Acted | None = None

    @property
    def digests(self) -> set[str]:
        """Of all that came of it."""
        return {*self.records, *(self.acted.digests if self.acted is not None else ())}

    @property
    def names(self) -> set[str]:
        """Under which its records lie."""
        return {*self.whom.identities, *(uid for uid, *_ in self.whom.shared)}

    @property
    def sent(self) -> list[Sent]:
        """By source, what is let in. A probe is no record of a source."""
        found: dict[str, Sent] = {}
        for record, uid in zip(self.play.records, self.records, strict=False):  # behind those, calls
            if record.source != PROBE and not record.refused:
                sent = found.setdefault(record.source, Sent(record.source, [], set()))
                sent.digests.append(uid)
                sent.live.update({uid} if record.live else ())
        own = self.acted.digests if self.acted is not None else ()
        return [*found.values(), *([Sent(OWN.removeprefix("reader "), list(own), set(own))] if own else [])]


def run(choices: Sequence[Choice], live: Live, progress: Callable[[str], None] = lambda _: None) -> list[Result]:
    """Play them, each with its twin and its shadow, and keep what came of them.

    Raises:
        LicetError: a commitment, the inventory or the book cannot be written: nothing was let in of which there is none.
    """
    enrolled(live)
    first = [each for each in choices if not each.scenario.after]
    later = [each for each in choices if each.scenario.after]
    results = _round(first, live, progress) if first else []
    # Who acts in these acted in drills that are over.
    if later and (missing := [each for each in later if _before(each, live) is None]):
        needed = [Choice(_BY_ID[each.scenario.after], each.source) for each in missing]
        results += _round(needed, live, progress)
    results += _round(later, live, progress) if later else []
    marked(live.book, LedgerFiles(live.ledger.path), live.key)
    return results


def _before(choice: Choice, live: Live) -> Actor | None:
    """Who acted in the last drill that must be over before this one; None: there is none."""
    wanted = (choice.scenario.after, choice.source, False, False)
    known = (row.announced for row in live.book.drills())
    over = [each for each in known if each is not None and (each.scenario, each.source, each.twin, each.shadow) == wanted]
    return Actor(over[-1].identity, "", OWNER) if over else None


def _round(choices: Sequence[Choice], live: Live, progress: Callable[[str], None]) -> list[Result]:
    """All of these at once."""
    begun = ticking(live.clock)
    together = [each for each in choices if not each.scenario.apart]
    curtain = curtain_of(live.clock, 2 * len(together))
    drills = [drawn(choice, live, curtain, twin=twin) for choice in together for twin in (False, True)]
    secrets.SystemRandom().shuffle(drills)
    for each in drills:
        live.pipeline.declare(each.play.declared or SOMEBODY)
    _commit(live, drills)
    progress(f"{len(drills)} drills are committed to")
    counts = _counted(live, drills)
    drills = [entered(each, live.pipeline) for each in drills]
    since = time.monotonic()
    live.pipeline.judge()
    seconds = delivered(live, drills, since)
    verdicts = [(each, *verdict_of(each, live, seconds)) for each in drills]
    stands = stopped(live.clock, begun)
    wrong = (stands,) if stands is not None else ()
    results = [
        told(each, (found._replace(failures=(*found.failures, *wrong)), way), live.clock, tuple(live.sinks))
        for each, found, way in verdicts
    ]
    progress("judged and delivered")
    _reveal(live, [(each, result) for each, (result, _) in zip(drills, results, strict=True)])
    _taken_back(live, drills, counts)
    progress("revealed and taken back")
    apart = [_beside(choice, live, twin=twin) for choice in choices if choice.scenario.apart for twin in (False, True)]
    shadows = [_shadow(choice, live) for choice in choices if live.shadows and not choice.scenario.after]
    return [*(result for result, _ in results), *apart, *shadows]


def drawn(choice: Choice, live: Live, curtain: float, *, twin: bool, shadow: Actor | str = "") -> Drill:
    """One draw, and all that is to be committed to. Nobody who is known already is in it, unless it is a shadow.

    Raises:
        UsageError: so often somebody was that it is no chance.
    """
    fingerprint = live.pipeline.fingerprint
    for _ in range(_DRAWS):
        seed = secrets.token_hex(16)
        stage = Stage(random.Random(seed), curtain)  # noqa: S311 - its seed is of `secrets`
        stage.actor, stage.team = (None, shadow or OWNER) if isinstance(shadow, str) else (shadow, OWNER)
        if choice.scenario.after:
            stage.actor = _before(choice, live)
        play = choice.scenario.draw(stage, choice.source, twin)
        whom = involved(play, fingerprint)
        known = known_already(live.pipeline.inventory, whom) if not shadow else []
        if not known:
            break
    else:
        raise UsageError(f"{choice.scenario.id}: its draws always name {known[0]}, which is known already")
    of = (*digests(play.records), *planned(play.work))
    play = play._replace(credential=fingerprint(play.credential) if play.credential else "")
    announced = Announced(
        secrets.token_hex(8), secrets.token_hex(32), seed, choice.scenario.id, choice.source, twin, bool(shadow), play.identity,
        play.credential, tuple(sorted(whom.identities)), tuple(sorted(whom.credentials)), tuple(sorted(play.asked)), events_of(of), len(of),
        curtain, curtain + choice.scenario.limit + _MEANTIME,
    )  # fmt: skip
    return Drill(choice, play, whom, announced, of)


def entered(drill: Drill, pipeline: Pipeline) -> Drill:
    """Let its records in, and have its agent do its work.

    Raises:
        LicetError: the guard cannot be opened, or something cannot be read or written.
    """
    pipeline.enter(drill.play.records)
    return drill if drill.play.work is None else drill._replace(acted=pipeline.act(drill.play.work))


def curtain_of(clock: Clock, number: int) -> float:
    """When so many drills begin: whole, and so late that all of them are committed to before."""
    return float(int(clock.now() + 2 + _COMMITTING * number))


def _commit(live: Live, drills: Sequence[Drill]) -> None:
    """Say in the ledger that they are about to be, before the first record is let in."""
    for each in drills:
        now = live.clock.now()
        seq = live.ledger.append(COMMIT, _committed(each.announced, live.key), time=iso(now))
        live.book.committed(each.announced.drill, each.announced.commitment, now, each.announced.ends, seq)
    live.ledger.sync()


def _reveal(live: Live, drills: Iterable[tuple[Drill, Result]]) -> None:
    """Say what they were, and what came of them."""
    for each, result in drills:
        said: dict[str, Plain] = {"drill": each.announced.drill, "announced": each.announced.plain(), "passed": result.passed}
        seq = live.ledger.append(REVEAL, signed(said, live.key), time=iso(live.clock.now()))
        live.book.revealed(each.announced, each.records, result, live.key, seq)
    live.ledger.sync()


def _counted(live: Live, drills: Iterable[Drill]) -> list[Counted]:
    ours: Counter[tuple[str, str]] = Counter()
    for each in drills:
        ours.update(each.whom.counts)
        ours.update({(OWN_CALLS, live.pipeline.guards.account): 0} if each.play.work is not None else {})
    return counted(live.pipeline.inventory, ours)


def _taken_back(live: Live, drills: Sequence[Drill], counts: Sequence[Counted]) -> None:
    """Take all of it back: what is left of those who were drawn is no drill, and is judged."""
    inventory, identities = live.pipeline.inventory, {uid for each in drills for uid in each.whom.identities}
    acted = [each.acted for each in drills if each.acted is not None]
    own, made = (OWN_CALLS, live.pipeline.guards.account), sum(each.uses for each in acted)
    concerned = Concerned(
        {digest for each in drills for digest in each.digests} | ({""} if acted else set()),  # a task's begin and end have none
        identities, {uid for each in drills for uid in each.whom.credentials}.union(*(each.credentials for each in acted)),
        {name for each in drills for name in each.whom.workloads} | {each.task for each in acted},
        [use for each in drills for use in each.whom.shared],
        {name for each in drills for name in each.whom.environments}, {pair for each in drills for pair in each.whom.edges},
        [each._replace(ours=each.ours + made) if (each.source, each.account) == own else each for each in counts],
    )  # fmt: skip
    retract(inventory, concerned)
    live.pipeline.judge()
    forget(inventory, {*identities, *(uid for each in drills for uid, *_ in each.whom.shared)})


def enrolled(live: Live) -> None:
    """That the key is the drills' key stands in the ledger before the first drill."""
    name = name_of(live.key.public)
    if live.book.key() != name:
        said: dict[str, Plain] = {"key": name, "public": live.key.public.hex()}
        seq = live.ledger.append(ENROL, signed(said, live.key), time=iso(live.clock.now()), durable=True)
        live.book.enrol(name, live.key.public, seq)


def signed(said: dict[str, Plain], key: DrillKey) -> dict[str, Plain]:
    """What is said, with the name of the key and its signature."""
    return said | {"key": name_of(key.public), "signature": key.sign(said)}


def _committed(announced: Announced, key: DrillKey) -> dict[str, Plain]:
    """What the ledger says of a drill before it: nothing that tells what it is, or whether it is a twin."""
    return signed({"drill": announced.drill, "commitment": announced.commitment, "ends": announced.ends}, key)


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
        deliver(live.pipeline.inventory, sink, stands, live.clock.now())
        after = time.monotonic() - since
        rows = live.pipeline.inventory.rows("SELECT finding FROM deliveries WHERE sink=? AND delivered>0", (sink.name,))
        taken[name] = dict.fromkeys((uid for (uid,) in rows), after)
    return taken


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
        {name: uid in each for name, each in taken.items()}, drill.digests, part_names,
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
    failures = (*found.failures, *of_guard(play.work, drill.acted, play.owner, arrived, taken, forms))
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
    of, finding = drill.announced, found.finding
    why = finding.explanation if finding is not None else None
    return Result(
        of.drill, of.scenario, of.source, of.twin, of.shadow, found.passed, way.hop, tuple(each.sentence for each in found.failures),
        tuple(dict.fromkeys(part for each in found.failures for part in each.parts)), round(found.seconds, 3),
        finding.id if finding is not None else "", of.begins, clock.now(), finding is not None and finding.owner == drill.play.owner,
        finding is not None and drill.play.credential in ("", *(why.credentials if why is not None else ())), sinks,
        *((acted.digests, tuple(each.id for each in acted.findings)) if (acted := drill.acted) is not None else ()),
    ), found  # fmt: skip


def _shadow(choice: Choice, live: Live) -> Result:
    """The same misuse beside the live pipeline, by its parts, in an inventory of its own: as somebody who is known for no drill."""
    actors = live.actors.get(choice.source)
    return _beside(choice, live, twin=False, shadow=secrets.choice(actors) if actors else secrets.choice(_TEAMS))


def _beside(choice: Choice, live: Live, *, twin: bool, shadow: Actor | str = "") -> Result:
    """One drill by the parts of the live pipeline, in an inventory of its own."""
    drill = drawn(choice, live, curtain_of(live.clock, 1), twin=twin, shadow=shadow)
    _commit(live, [drill])
    with TemporaryDirectory() as folder, receiving() as receiver:
        os.chmod(folder, 0o700)  # noqa: PTH101 - a name
        with closing(Inventory(Path(folder) / FILE)) as inventory:
            sinks = {"webhook": Webhook(receiver.url, receiver.secret)}
            beside = live._replace(pipeline=live.pipeline.over(inventory), sinks=sinks, alone=True)
            beside.pipeline.declare(drill.play.declared or SOMEBODY)
            drill = entered(drill, beside.pipeline)
            since = time.monotonic()
            beside.pipeline.judge()
            result, _ = told(drill, verdict_of(drill, beside, delivered(beside, [drill], since)), live.clock)
    _reveal(live, [(drill, result)])
    return result


_BY_ID = {each.id: each for each in SCENARIOS}
_TEAMS = ("payments", "platform", "data-engineering", "growth", "fulfilment", "site-reliability")
