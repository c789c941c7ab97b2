"""Taking a drill back out of the inventory, once it was revealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from licet.drill.live import Drill, Live
from licet.ingest.calls import NAME as OWN_CALLS
from licet.inventory.retracted import Concerned, Counted, counted, forget, retract


def counted_before(live: Live, drills: Iterable[Drill]) -> list[Counted]:
    """How much came of their sources until now, to be put back as it was."""
    ours: Counter[tuple[str, str]] = Counter()
    for each in drills:
        ours.update(each.whom.counts)
        ours.update({(OWN_CALLS, live.pipeline.guards.account): 0} if each.play.work is not None else {})
    return counted(live.pipeline.inventory, ours)


def taken_back(live: Live, drills: Sequence[Drill], counts: Sequence[Counted]) -> None:
    """Take all of it back: what is left of those who were drawn is no drill, and is judged."""
    concerned = concerned_by(live, drills, counts)
    retract(live.pipeline.inventory, concerned)
    live.pipeline.judge()
    forget(live.pipeline.inventory, {*concerned.identities, *(uid for uid, *_ in concerned.shared)})


def concerned_by(live: Live, drills: Sequence[Drill], counts: Sequence[Counted]) -> Concerned:
    """All that drills let in, or are about to."""
    acted = [each.acted for each in drills if each.acted is not None]
    own, made = (OWN_CALLS, live.pipeline.guards.account), sum(each.uses for each in acted)
    return Concerned(
        {digest for each in drills for digest in each.digests} | ({""} if acted else set()),  # a task's begin and end have none
        {uid for each in drills for uid in each.whom.identities},
        {uid for each in drills for uid in each.whom.credentials}.union(*(each.credentials for each in acted)),
        {name for each in drills for name in each.whom.workloads} | {each.task for each in acted},
        [use for each in drills for use in each.whom.shared],
        {name for each in drills for name in each.whom.environments}, {pair for each in drills for pair in each.whom.edges},
        [each._replace(ours=each.ours + made) if (each.source, each.account) == own else each for each in counts],
    )  # fmt: skip
