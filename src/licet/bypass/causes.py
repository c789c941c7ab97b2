"""Why the guard did not see a call: the likely cause, by what is around it. Pure.

A guess, and it says so: a span tells that a call ran, never how it came past the guard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final, Literal, NamedTuple

from licet.bypass.looks import Look
from licet.bypass.matching import NEAR, Matched
from licet.bypass.ran import Process, Ran, short
from licet.clock import lasting
from licet.escape import counted

CauseCode = Literal["provider", "after-denial", "other-process", "outside-task", "not-wrapped", "beside"]
_PROVIDER_SIDE: Final = frozenset({"provider", "extension", "datastore"})


class Cause(NamedTuple):
    """The likely cause, and what it rests on."""

    code: CauseCode
    sentence: str


class Unseen(NamedTuple):
    """A call that the guard did not see."""

    ran: Ran
    cause: Cause


def causes_of(found: Matched, looks: Sequence[Look], declared: Collection[str] | None = None, near: float = NEAR) -> list[Unseen]:
    """Each unseen call with its likely cause. `declared`: the tools of the manifest, where one is known."""
    around = _Around(found, looks, declared, near)
    return [Unseen(ran, around.cause(ran)) for ran in found.unseen]


class _Around:
    def __init__(self, found: Matched, looks: Sequence[Look], declared: Collection[str] | None, near: float) -> None:
        self._declared, self._near = None if declared is None else {short(tool) for tool in declared}, near
        self._seen: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))  # by run and tool
        self._unseen: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._processes: dict[str, set[Process]] = defaultdict(set)  # by run, where seen calls ran
        self._everywhere: set[str] = set()  # services in which the guard saw any
        self._denied: dict[str, list[Look]] = defaultdict(list)
        for match in found.matches:
            self._seen[match.ran.run][short(match.ran.tool)] += 1
            self._processes[match.ran.run].add(match.ran.process)
            self._everywhere.add(match.ran.process.service)
            if match.look.process is not None:
                self._processes[match.ran.run].add(match.look.process)
        for ran in found.unseen:
            self._unseen[ran.run][short(ran.tool)] += 1
        self._everywhere |= {look.process.service for look in looks if look.process is not None}
        runs = {ran.trace: ran.run for ran in (*found.unseen, *(match.ran for match in found.matches))}
        self._traces = runs.keys()
        for look in found.spare:
            if look.trace in runs:  # its own span was sampled away, and it shows that the run was in a task
                self._seen[runs[look.trace]][short(look.tool)] += 1
                if look.process is not None:
                    self._processes[runs[look.trace]].add(look.process)
            if look.denied:
                self._denied[short(look.tool)].append(look)
        self._guarded = {short(look.tool) for look in looks}
        self._any = bool(looks)

    def cause(self, ran: Ran) -> Cause:
        """The likely cause of one."""
        tool = short(ran.tool)
        if ran.side == "provider" or (ran.side in _PROVIDER_SIDE and tool not in self._guarded):
            told = "by the model's answer" if ran.side == "provider" else f"its span says `{ran.side}`"
            help_ = "take the tool out of the request, or offer a guarded one of your own"
            return Cause("provider", f"run at the model's provider ({told}), where no guard stands; {help_}")
        denied = self._denied_near(ran)
        if denied is not None:
            return Cause("after-denial", f"the guard denied a call of this tool {lasting(denied)} from it, and it ran by another way")
        others = self._processes.get(ran.run, set())
        if others and any(ran.process) and ran.process not in others:
            where = f"it ran in {_named(ran.process)}, and the guard of this run is in {', '.join(sorted(map(_named, others)))}"
            return Cause("other-process", f"{where}: a sub-process or another service; guard it there, or verify call tokens there")
        seen = self._seen[ran.run]
        if not seen:
            return self._outside(ran)
        if not seen[tool]:
            number = self._unseen[ran.run][tool]
            which = "its one call in this run was not seen" if number == 1 else f"none of its {number:,} calls in this run was seen"
            known = "" if self._declared is None or tool in self._declared else "; the manifest does not know it"
            return Cause("not-wrapped", f"the tool is not wrapped: {which}, and the guard saw {sum(seen.values()):,} of others{known}")
        through = f"{counted(seen[tool], 'call')} of this tool in the run went through the guard, and this one did not"
        return Cause("beside", f"{through}: the function without its wrapper, or a thread or worker that the task did not reach")

    def _denied_near(self, ran: Ran) -> float | None:
        """By how many seconds the nearest denial of the tool in the run is apart, if it is near."""
        looks = [look for look in self._denied[short(ran.tool)] if look.trace == ran.trace or look.trace not in self._traces]
        apart = [max(0.0, look.started - ran.ended, ran.started - look.ended) for look in looks]
        return min((each for each in apart if each <= self._near), default=None)

    def _outside(self, ran: Ran) -> Cause:
        if not self._any:
            why = "the guard has no call of this time at all; is it the right state folder, and did this program have a guard?"
            return Cause("outside-task", f"outside a task: no call of this run was seen; {why}")
        if ran.process.service and self._everywhere - {""} and ran.process.service not in self._everywhere:
            return Cause("other-process", f"it ran in service {ran.process.service}, in which no guard saw anything; guard it there")
        return Cause("outside-task", "outside a task: no call of this run was seen, and those of other runs were; open a task around it")


def _named(process: Process) -> str:
    words = [f"service {process.service}"] if process.service else []
    words += [f"instance {process.instance}"] if process.instance else []
    words += [f"host {process.host}"] if process.host else []
    words += [f"process {process.pid}"] if process.pid else []
    return " ".join(words) or "a process that is not named"
