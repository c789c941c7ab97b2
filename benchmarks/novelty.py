"""`chain.novel` on recorded runs: learned from benign runs of half of the models, judged on the runs of the other half.

Each user task of a suite is taken as a task kind. Its manifest is made in memory from `SUITE.yaml` in --manifests (recorded outputs are
text, so that tools with `fields:` are read as YAML), and where there is none from a draft of `licet init`. The models are split by name
into those at even and those at odd places, and both halves are learned from and judged in turn. Every call that was recorded is judged as
if the ones before it had run. An alarm is a run in which `chain.novel` speaks.

`without_the_task` is the same with a task never seen: what is learned are the benign runs of all other tasks of the suite as one kind.

    python -m benchmarks.novelty [--data DIR] [--manifests DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.shares import share
from benchmarks.task_kinds import MANIFESTS, Recorded, Suite, data_folder, halves, recordings, suite_of

from licet.errors import UsageError
from licet.guard import Ticket
from licet.guard.rehearsal import Rehearsal
from licet.learn.baselines import baseline_of
from licet.learn.judged import Settings, known_tools
from licet.learn.runs import Run, runs
from licet.learn.tally import Tally
from licet.manifest import Manifest
from licet.manifest.baseline import Baseline, under
from licet.records import ToolCall
from licet.replay.recorded import together, words_of

GROUPS = ("attack_reached", "benign_solved", "benign_unsolved", "attack_not_reached", "asked_by_the_user")
PARTS = ("tool", "origin", "transition")
DIRECTIONS = ("even to odd", "odd to even")
SEEN, UNSEEN = "seen", "without_the_task"


@dataclass(frozen=True, slots=True)
class Judged:
    """What `chain.novel` said to one run. `way`: whether its task was learned (`SEEN`) or not; `taught`: how many sessions were;
    `parts`: what was new; none: no alarm. `in_force`: enough sessions taught."""

    recorded: Recorded
    way: str
    direction: str
    taught: int
    in_force: bool
    parts: frozenset[str]


def main() -> int:
    """Learn, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder with the session files (default: LICET_RECORDINGS, else ../shared/data/agentdojo)")
    parser.add_argument("--manifests", type=Path, default=MANIFESTS, help="SUITE.yaml for each suite (default: benchmarks/agentdojo)")
    parser.add_argument("--minimum", metavar="N", type=int, default=1, help="the learning period in sessions (default: 1)")
    parser.add_argument("--transitions", action="store_true", help="let a new transition speak by itself (`baseline: {transitions: true}`)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        folder = data_folder(options.data)
        found = measured(folder, options.manifests, minimum=options.minimum, transitions=options.transitions)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    found["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(found, indent=1) if options.json else "\n".join(table(found)))
    return 0


def measured(folder: Path, manifests: Path, *, minimum: int = 1, transitions: bool = False) -> dict[str, Any]:
    """All figures of a folder.

    Raises:
        UsageError: there is nothing to measure.
    """
    by_suite: dict[str, list[Recorded]] = defaultdict(list)
    for recorded in recordings(folder):
        by_suite[recorded.suite].append(recorded)
    split = halves(recorded.model for some in by_suite.values() for recorded in some)
    judged: list[Judged] = []
    drafted = []
    for name, some in sorted(by_suite.items()):
        suite = suite_of(name, manifests, folder, (recorded.session for recorded in some))
        drafted += [name] if suite.drafted else []
        judged += judge_suite(suite, some, split, minimum=minimum, transitions=transitions)
        del by_suite[name][:]  # its outputs are many megabytes
    if not judged:
        raise UsageError(f"{folder}: no run of one half of the models has benign runs of the other half to be held against")
    return figures(judged) | {"models": list(map(sorted, split)), "drafted": drafted, "minimum": minimum, "transitions": transitions}


def judge_suite(
    suite: Suite, some: Sequence[Recorded], split: Sequence[frozenset[str]], *, minimum: int, transitions: bool
) -> Iterator[Judged]:
    """What is said to the runs of each half, by what the benign runs of the other half taught."""
    plain = {task: suite.manifest({task: None}) for task in sorted({recorded.task for recorded in some})}
    benign = [(recorded, run_of(plain[recorded.task], recorded)) for recorded in some if not recorded.session.attacked]
    for direction, teaching, held in ((DIRECTIONS[0], *split), (DIRECTIONS[1], *reversed(split))):
        taught = [(recorded, run) for recorded, run in benign if recorded.model in teaching]
        for task, manifest in plain.items():
            judged = [recorded for recorded in some if recorded.task == task and recorded.model in held]
            own = [run for recorded, run in taught if recorded.task == task]
            others = [replace(run, kind=task) for recorded, run in taught if recorded.task != task and not recorded.asked]
            for way, lessons in ((SEEN, own), (UNSEEN, others)):
                base = learned(manifest, task, lessons, Settings(sessions=minimum, trusted=True))
                ratified = suite.manifest({task: base and base.model_copy(update={"transitions": transitions})})
                in_force = _in_force(ratified, task)
                for recorded in judged:
                    parts = frozenset(parts_of(ratified, recorded)) if in_force else frozenset()
                    yield Judged(recorded, way, direction, len(lessons), in_force, parts)


def _in_force(manifest: Manifest, kind: str) -> bool:
    base = manifest.tasks[kind].baseline
    return base is not None and not base.misfit(under(manifest.tools, base.tools), None)


def parts_of(manifest: Manifest, recorded: Recorded) -> Iterator[str]:
    """Of which parts `chain.novel` speaks in a run. Each run was recorded in a world of its own, and so it is judged in one."""
    for ticket in rehearsed(manifest, recorded):
        for found in ticket.decision.reasons:
            if found.check == "chain.novel":
                yield "tool" if len(found.path) == 1 else "transition" if found.path[1] == ticket.call.tool else "origin"


def rehearsed(manifest: Manifest, recorded: Recorded) -> Iterator[Ticket]:
    """The guard's answer to each call, where each is judged as if all before it had run."""
    rehearsal = Rehearsal(manifest)
    try:
        first, *more = list(words_of(recorded.session)) or [manifest.tasks[recorded.task].intent]
        task = rehearsal.begin(recorded.task, intent=first, agent=next(iter(manifest.agents)))
        for turn in more:
            task.say(turn)
        for some in together(recorded.session.calls):
            begun = [(call, rehearsal.judge(task, ToolCall(call.tool, call.arguments))) for call in some]
            for call, ticket in begun:
                if call.executed and call.error is not None:
                    rehearsal.done(ticket, output=call.output, error=call.error, anyway=True)
                elif call.executed:
                    rehearsal.done(ticket, output=call.output, anyway=True)
                yield ticket
        rehearsal.end(task)
    finally:
        rehearsal.close()


def run_of(manifest: Manifest, recorded: Recorded) -> Run:
    """The run as `licet learn --trusted` takes it."""
    rehearsal = Rehearsal(manifest)
    try:
        (run,) = runs([recorded.session], rehearsal, kind=recorded.task, trusted=True)
    finally:
        rehearsal.close()
    return run


def learned(manifest: Manifest, kind: str, lessons: Iterable[Run], settings: Settings) -> Baseline | None:
    """The baseline that `licet learn` makes of these runs."""
    tally = Tally(known_tools(manifest), [kind])
    for run in lessons:
        tally.add(run)
    return baseline_of(tally.kinds[kind], manifest, settings) if kind in tally.kinds else None


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Shares by group: of all, by direction and by suite; and the same of runs whose task was never seen."""
    return _of(one for one in judged if one.way == SEEN) | {UNSEEN: _of(one for one in judged if one.way == UNSEEN)}


def _of(judged: Iterable[Judged]) -> dict[str, Any]:
    some = list(judged)
    suites = sorted({one.recorded.suite for one in some})
    return {
        **_groups(some),
        "taught": _taught(some),
        "directions": {way: _groups(one for one in some if one.direction == way) for way in DIRECTIONS},
        "suites": {suite: _groups(one for one in some if one.recorded.suite == suite) for suite in suites},
        "attacks_missed": _pairs(one for one in some if one.recorded.group == "attack_reached" and not one.parts),
        "benign_alarmed": _pairs(one for one in some if one.recorded.group == "benign_solved" and one.parts),
    }


def _groups(judged: Iterable[Judged]) -> dict[str, Any]:
    by_group: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        by_group[one.recorded.group].append(one)
    return {group: _group(by_group[group]) for group in GROUPS}


def _group(some: Sequence[Judged]) -> dict[str, Any]:
    parts = Counter(part for one in some for part in one.parts)
    only = Counter(next(iter(one.parts - {"transition"})) for one in some if len(one.parts - {"transition"}) == 1)
    return {
        **share((f"{one.recorded.suite}/{one.recorded.task}", bool(one.parts)) for one in some),
        "no_baseline": sum(not one.in_force for one in some),
        "parts": {part: parts[part] for part in PARTS},
        "by_one_part_alone": {part: only[part] for part in PARTS[:2]},
    }


def _taught(some: Sequence[Judged]) -> dict[str, Any]:
    """How many sessions each kind was learned from."""
    kinds = {(one.direction, one.recorded.suite, one.recorded.task): one.taught for one in some if not one.recorded.asked}
    numbers = sorted(kinds.values()) or [0]
    return {"kinds": len(kinds), "least": numbers[0], "median": numbers[len(numbers) // 2], "most": numbers[-1]}


def _pairs(some: Iterable[Judged], most: int = 12) -> dict[str, int]:
    """Runs by suite, task, and the attacker's goal if there is one: few pairs make many runs."""
    counted = Counter("/".join(filter(None, (one.recorded.suite, one.recorded.task, one.recorded.goal))) for one in some)
    return dict(counted.most_common(most))


def table(found: dict[str, Any]) -> Iterator[str]:
    """The figures for a reader."""
    yield "models at even places: " + ", ".join(found["models"][0])
    yield "models at odd places:  " + ", ".join(found["models"][1])
    if found["drafted"]:
        yield f"without a manifest, so drafted from their tools: {', '.join(found['drafted'])}"
        yield "  in such a draft tools that read, and take no link or address, let nothing out"
    for name, part in (("each task seen", found), ("the task never seen", found[UNSEEN])):
        taught = part["taught"]
        yield ""
        yield f"{name}: {taught['kinds']} kinds, learned from {taught['least']} to {taught['most']} sessions (median {taught['median']})"
        yield (
            f"  {'':42}{'runs':>6}{'alarms':>8}{'share':>8}{'95 %, runs':>16}{'95 %, tasks':>16}"
            f"{'tool':>7}{'origin':>8}{'transition':>12}{'unlearned':>11}"
        )
        for label, groups in (("", part), *part["directions"].items(), *part["suites"].items()):
            for group in GROUPS if not label else GROUPS[:2]:
                if groups[group]["runs"]:
                    yield _row(f"{group}, {label}" if label else group, groups[group])
        yield from _listed("reached and not seen", part["attacks_missed"])
        yield from _listed("alarmed and solved", part["benign_alarmed"])


def _row(label: str, row: dict[str, Any]) -> str:
    parts = row["parts"]
    return (
        f"  {label:42}{row['runs']:>6}{row['alarms']:>8}{row['alarm_share']:>8.1%}{_interval(row['interval']):>16}"
        f"{_interval(row['interval_tasks']):>16}{parts['tool']:>7}{parts['origin']:>8}{parts['transition']:>12}{row['no_baseline']:>11}"
    )


def _interval(ends: Sequence[float]) -> str:
    return f"{ends[0]:.1%}-{ends[1]:.1%}"


def _listed(label: str, pairs: dict[str, int]) -> Iterator[str]:
    if pairs:
        yield f"  {label}: " + ", ".join(f"{pair} {number}" for pair, number in pairs.items())


if __name__ == "__main__":
    sys.exit(main())
