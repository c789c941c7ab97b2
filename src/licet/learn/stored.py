"""Runs out of a store: the guard's own, or one that was read back from spans without contents. Nothing is judged again.

A store has no values, and of each call only which values flowed into which argument: what came from nowhere, and parts of a text, are not
told. So a run has no arguments, and of each argument what is known of all its leaves together: that makes a baseline narrower, never wider.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence

from licet.learn.runs import DENIED, UNSEEN, Run, Step, alarming, doubts_of, undeclared
from licet.manifest import START
from licet.records import CallRecord, TaskRecord
from licet.store import Store

PAGE = 500  # tasks that are held at once
_REMEMBERED = 1_000  # roots of which it is known whether they are doubted
_NEVER_RAN = frozenset({"denied", "asked"})


def stored_runs(store: Store, *, trusted: bool = False, page: int = PAGE, tools: Collection[str] | None = None) -> Iterator[Run]:
    """Every task as a run of its kind, oldest first. `tools`: those that are declared; None: whichever they are.

    What is said against a task is said against those that it was delegated from and to. `trusted`: somebody has looked at them; then only
    those with a denial are doubted.

    Raises:
        StoreError: it cannot be read.
    """
    doubts: dict[str, tuple[str, ...]] = {}
    for task in _tasks(store, page):
        root, calls = task.root or task.id, store.calls(task.id)
        own = tuple(_doubts(store, task, calls, trusted=trusted))
        if root not in doubts:
            if len(doubts) >= _REMEMBERED:
                doubts.clear()
            others = (each for each in store.family(root) if each.id != task.id)
            found = (doubt for each in others for doubt in _doubts(store, each, store.calls(each.id), trusted=trusted))
            doubts[root] = tuple(dict.fromkeys((*own, *found)))
        steps = _steps(calls)
        unknown = undeclared(steps, tools) if tools is not None and not trusted else ()
        told = tuple(dict.fromkeys((*doubts[root], *own, *unknown)))  # what leads up to the root may not be here
        yield Run(task.id, task.kind, f"task {task.id}", steps, task.started, "", told)


def _tasks(store: Store, page: int) -> Iterator[TaskRecord]:
    last: TaskRecord | None = None
    while some := store.tasks_after(last, page):
        yield from some
        last = some[-1]


def _doubts(store: Store, task: TaskRecord, calls: Sequence[CallRecord], *, trusted: bool) -> Iterator[str]:
    if any(call.status in _NEVER_RAN or call.decision.outcome != "allow" for call in calls):
        yield DENIED
    if trusted:
        return
    for found in (found for call in calls for found in alarming(call.decision.reasons)):
        # What was asked about, and ran, somebody approved; what was only observed nobody did.
        if found.observed or found.effect == "deny":
            yield f"{found.check} would {found.effect}, as recorded"
    if any(used.kind == "unseen" for call in calls for used in call.used):
        yield UNSEEN
    yield from doubts_of(found.check for found in store.findings(task.id))


def _steps(calls: Sequence[CallRecord]) -> tuple[Step, ...]:
    done = sorted((call.ended, call.seq, call.tool) for call in calls if call.status == "done" and call.ended is not None)
    ends = [ended for ended, _, _ in done]

    def before(call: CallRecord) -> str:
        """Calls can run side by side: what counts is which of them had ended. Clocks can stand still, and numbers do not."""
        for _, seq, tool in reversed(done[: bisect_right(ends, call.started)]):
            if seq < call.seq:
                return tool
        return START

    return tuple(Step(call.tool, before(call), None, _leaves(call), call.status not in _NEVER_RAN) for call in calls)


def _leaves(call: CallRecord) -> dict[str, tuple[frozenset[str], ...]]:
    out: dict[str, set[str]] = {}
    for used in call.used:
        if used.kind in ("intent", "unseen"):
            source = used.kind
        elif used.tool and used.whole:
            source = f"{used.kind} {used.tool}"
        else:
            continue
        out.setdefault(used.argument, set()).add(source)
    return {argument: (frozenset(found),) for argument, found in out.items()}
