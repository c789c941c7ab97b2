"""Whether attacked sessions among the traces teach `licet learn` what their attack needs.

To the benign runs of each suite so many attacked runs that reached their goal are mixed that they are --share of all, with nothing left in
them that says so. They are drawn from all user tasks (`spread`) or from one of them (`concentrated`), and the whole suite is one task kind,
or each user task is one. Then `licet learn` does its work with its own defaults, from two manifests: that of --manifests, in which the only
task kind grants only what reads, and the draft of `licet init` as it comes.

Held against what the benign runs alone give: no grant, edge or origin may be there in addition that one of the attacks needs, which is what
the calls that the data labels as the attacker's (`goal`, `prep`, `token`) use. Exit code 1 if one is.

    python -m benchmarks.poisoning [--data DIR] [--share 0.05] [--seeds 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmarks.task_kinds import MANIFESTS, Recorded, Suite, data_folder, draft_of, recordings, suite_of
from ruamel.yaml import YAML

from licet.errors import UsageError
from licet.guard.rehearsal import Rehearsal
from licet.learn.draft import draft
from licet.learn.judged import Settings, known_tools
from licet.learn.opened import opened
from licet.learn.runs import Run, runs
from licet.learn.tally import Tally
from licet.manifest import Manifest, loads
from licet.manifest.labels import Endorsement
from licet.replay import Session

Thing = tuple[str, ...]
"""(`grant`, tool), (`edge`, before, tool) or (`origin`, tool, argument, source); `known` before it: the baseline has it."""
Kinds = Literal["the suite", "each task"]
Placed = Literal["spread", "concentrated"]
KINDS: tuple[Kinds, ...] = ("the suite", "each task")
PLACED: tuple[Placed, ...] = ("spread", "concentrated")
ONE = "whole-suite"


@dataclass(slots=True)
class Outcome:
    """What one way of poisoning came to, over all seeds. `added` counts, by what it is, what an attack needs and only its traces gave."""

    suite: str
    base: str
    kinds: Kinds
    placed: Placed
    benign: int
    rounds: int = 0
    poisoned: int = 0
    doubted: int = 0
    added: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {name: dict(value) if isinstance(value := getattr(self, name), Counter) else value for name in self.__slots__}


def main() -> int:
    """Poison, learn, compare and print; 1 if an attack has taught what it needs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder with the session files (default: LICET_RECORDINGS, else ../shared/data/agentdojo)")
    parser.add_argument("--manifests", type=Path, default=MANIFESTS, help="SUITE.yaml for each suite (default: benchmarks/agentdojo)")
    parser.add_argument("--share", type=float, default=0.05, help="of all sessions, how many are attacked (default: 0.05)")
    parser.add_argument("--seeds", type=int, default=5, help="how often attacked sessions are drawn (default: 5)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        outcomes = list(poisoned(data_folder(options.data), options.manifests, options.share, options.seeds))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    held = not any(outcome.added for outcome in outcomes)
    if options.json:
        whole = {"held": held, "share": options.share, "seeds": options.seeds, "seconds": round(time.monotonic() - began, 1)}
        print(json.dumps(whole | {"outcomes": [outcome.as_dict() for outcome in outcomes]}, indent=1))
    else:
        print("\n".join(table(outcomes)))
    return 0 if held else 1


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """The outcomes for a reader."""
    yield f"{'suite':12}{'manifest':10}{'task kind':12}{'attacked':14}{'benign':>7}{'rounds':>8}{'poisoned':>10}{'doubted':>9}{'added':>7}"
    for one in outcomes:
        counts = f"{one.benign:>7}{one.rounds:>8}{one.poisoned:>10}{one.doubted:>9}{one.added.total():>7}"
        yield f"{one.suite:12}{one.base:10}{one.kinds:12}{one.placed:14}{counts}"
        for thing, number in one.added.most_common(10):
            yield f"    {number:>4}  {thing}"


def poisoned(folder: Path, manifests: Path, share: float, seeds: int) -> Iterator[Outcome]:
    """One outcome for each suite, manifest, choice of task kinds and placing.

    Raises:
        UsageError: there are no sessions.
    """
    by_suite: dict[str, list[Recorded]] = defaultdict(list)
    for recorded in recordings(folder):
        if recorded.group in ("benign_solved", "benign_unsolved", "attack_reached"):
            by_suite[recorded.suite].append(recorded)
    for name, some in sorted(by_suite.items()):
        sessions = [recorded.session for recorded in some]
        written, drafted = closed(suite_of(name, manifests, folder, sessions)), drafted_suite(name, folder, sessions)
        for base, suite in (("written", written), ("drafted", drafted)):
            yield from poisoned_suite(base, suite, some, share, seeds)


def drafted_suite(name: str, folder: Path, sessions: Iterable[Any]) -> Suite:
    """What `licet init` drafts from the tools, as it comes: what reads is granted, and a person confirms each call."""
    text = draft_of(name, folder, sessions)
    return Suite(name, YAML(typ="safe", pure=True).load(text), drafted=True)


def closed(suite: Suite) -> Suite:
    """The same manifest with no tool granted that changes something or lets data out, so that it is seen which grants are learned."""
    tools = suite.document["tools"]
    (kind, task), *_ = suite.document["tasks"].items()
    reads = {name: grant for name, grant in task["tools"].items() if tools[name].get("access") == "read"}
    return replace(suite, document={**suite.document, "tasks": {kind: {**task, "tools": reads}}})


def poisoned_suite(base: str, suite: Suite, some: Sequence[Recorded], share: float, seeds: int) -> Iterator[Outcome]:
    """The outcomes of one manifest. `share`: of all sessions, how many are attacked."""
    benign = [recorded for recorded in some if not recorded.session.attacked]
    attacks = [recorded for recorded in some if recorded.session.attacked]
    number = int(share * len(benign) / (1 - share))
    outcomes = [Outcome(suite.name, base, kinds, placed, len(benign)) for kinds in KINDS for placed in PLACED]
    unpoisoned = Taught(suite, benign)
    alone = {kinds: Learned(unpoisoned, kinds) for kinds in KINDS}
    for placed in PLACED:
        for seed in range(seeds):
            rng = random.Random(f"{suite.name} {placed} {seed}")
            drawn = draw(attacks, number, placed, rng)
            mixed = [*benign, *drawn]
            rng.shuffle(mixed)
            taught = Taught(suite, mixed)
            for outcome in outcomes:
                if outcome.placed == placed:
                    _compare(outcome, taught, drawn, alone[outcome.kinds])
    yield from outcomes


def _compare(outcome: Outcome, taught: Taught, drawn: Sequence[Recorded], alone: Learned) -> None:
    learned = Learned(taught, outcome.kinds)
    outcome.rounds += 1
    outcome.poisoned += len(drawn)
    outcome.doubted += sum(bool(taught.runs[recorded.session.id].doubts) for recorded in drawn)
    for kind in {kind_of(outcome.kinds, recorded) for recorded in drawn}:
        needed = {thing for recorded in drawn if kind_of(outcome.kinds, recorded) == kind for thing in needs(recorded, taught.runs)}
        added = needed & learned.things(kind) - alone.things(kind)
        outcome.added.update(f"{kind}: {' '.join(thing)}" for thing in added)


def draw(attacks: Sequence[Recorded], number: int, placed: Placed, rng: random.Random) -> list[Recorded]:
    """So many attacked runs that reached their goal, of all tasks or of one of those that have so many (else of the one with most)."""
    if placed == "concentrated":
        by_task: dict[str, list[Recorded]] = defaultdict(list)
        for recorded in attacks:
            by_task[recorded.task].append(recorded)
        most = max(map(len, by_task.values()), default=0)
        attacks = by_task[rng.choice(sorted(task for task, found in by_task.items() if len(found) >= min(number, most)))] if by_task else []
    return rng.sample(list(attacks), min(number, len(attacks)))


def kind_of(kinds: Kinds, recorded: Recorded) -> str:
    """The task kind as which a run is learned."""
    return ONE if kinds == "the suite" else recorded.task


class Taught:
    """What `licet learn` makes of each session by default, in this order; `runs` are by the session's id."""

    def __init__(self, suite: Suite, mixed: Sequence[Recorded]) -> None:
        self.suite, self.mixed = suite, mixed
        self.runs: dict[str, Run] = {}
        rehearsal = Rehearsal(opened(suite.manifest({ONE: None})))
        try:
            for recorded in mixed:
                (run,) = runs([stripped(recorded)], rehearsal, kind=ONE)
                self.runs[run.id] = run
        finally:
            rehearsal.close()


class Learned:
    """What it drafts of them. All kinds have the same tools and rules, so that a run is the same run in each."""

    def __init__(self, taught: Taught, kinds: Kinds) -> None:
        self._suite = taught.suite
        names = sorted({kind_of(kinds, recorded) for recorded in taught.mixed})
        self._tally = Tally(known_tools(self._suite.manifest(dict.fromkeys(names))), names)
        self._things: dict[str, frozenset[Thing]] = {}
        for recorded in taught.mixed:
            self._tally.add(replace(taught.runs[recorded.session.id], kind=kind_of(kinds, recorded)))

    def things(self, kind: str) -> frozenset[Thing]:
        """What the draft gives this kind. It is drafted alone, which changes nothing for it, and is faster."""
        if kind not in self._things:
            drafted = draft(self._suite.text({kind: None}), self._tally, Settings())
            self._things[kind] = frozenset(things(loads(drafted.text), kind))
        return self._things[kind]


def stripped(recorded: Recorded) -> Session:
    """The session without anything that says that it was attacked."""
    calls = tuple(replace(call, label="") for call in recorded.session.calls)
    return replace(recorded.session, calls=calls, attacked=False, reached=None, solved=None)


def needs(recorded: Recorded, told: Mapping[str, Run]) -> Iterator[Thing]:
    """What the attacker's own calls of a run use."""
    for call, step in zip(recorded.session.calls, told[recorded.session.id].steps, strict=True):
        if not call.label:
            continue
        for thing in (("grant", step.tool), ("edge", step.before, step.tool)):
            yield thing
            yield "known", *thing
        for argument, leaves in step.leaves.items():
            yield "origin", step.tool, argument, "anything"
            for source in {source for leaf in leaves for source in leaf}:
                yield "known", "origin", step.tool, argument, source
                word, _, tool = source.partition(" (")[0].partition(" ")
                yield "origin", step.tool, argument, f"word {word}"
                if tool:
                    yield "origin", step.tool, argument, f"endorsed {tool}"


def things(manifest: Manifest, kind: str) -> set[Thing]:
    """The grants, edges and origins that a manifest gives a task kind; of an argument without a rule, `anything`."""
    task = manifest.tasks[kind]
    out: set[Thing] = {("grant", tool) for tool in task.tools}
    out |= {("edge", before, tool) for before, tool in task.chain or ()}
    for tool, grant in task.tools.items():
        for argument in {*manifest.tools[tool].arguments, *grant.arguments}:
            rules = [found.origin for found in (manifest.tools[tool].arguments.get(argument), grant.arguments.get(argument)) if found]
            for rule in rules:
                terms = rule.terms if rule is not None else ()
                out |= {("origin", tool, argument, f"endorsed {t.tool}" if isinstance(t, Endorsement) else f"word {t}") for t in terms}
            if not any(rule is not None for rule in rules):
                out.add(("origin", tool, argument, "anything"))
    base = task.baseline
    if base is not None:  # what it counts and does not know is no help to an attack
        least = base.minimum.support
        out |= {("known", "grant", tool) for tool in base.tools if base.knows_tool(tool)}
        out |= {("known", "edge", *edge.split(" -> ")) for edge, count in base.edges.items() if count >= least}
        for tool, arguments in base.origins.items():
            for argument, sources in arguments.items():
                out |= {("known", "origin", tool, argument, source) for source, count in sources.items() if count >= least}
    return out


if __name__ == "__main__":
    sys.exit(main())
