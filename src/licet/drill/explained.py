"""Whether a finding's explanation holds: without what it cites it is gone, and with nothing else it is there.

Judged on an inventory of its own, which has what was declared and nothing of the live one but the events of those whom the finding names. A
finding that rests on what was learned by then, or on many small things, is judged reason by reason, with the baselines that it cites: its
few events teach nobody, and of much of the same it cites some.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from licet.drill.pipeline import Pipeline
from licet.drill.scenario import Declared
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.declared import SOURCE as DECLARED
from licet.inventory.store import Inventory
from licet.monitor.baseline import ROLE as BASELINE
from licet.monitor.explain import Held, holds
from licet.monitor.refusals import REFUSED
from licet.monitor.stored import signal_of
from licet.records import Finding


def explained(finding: Finding, pipeline: Pipeline, declared: Declared, now: float) -> Held:
    """Ablation and sufficiency of a finding.

    Args:
        pipeline: in which it was found.
        declared: what was declared of those concerned, and is known in both.
        now: seconds since the epoch.
    """
    why = finding.explanation
    if why is None:
        return Held(ablation=False, sufficiency=False)
    inventory = pipeline.inventory
    if why.points or any(each.role == BASELINE for each in why.evidence):
        signals = [signal_of(body) for (body,) in inventory.rows("SELECT body FROM signals WHERE finding=?", (finding.id,))]
        held = [holds(each, inventory, pipeline.settings, now, pipeline.parts.detectors) for each in signals]
        return Held(bool(held) and all(each.ablation for each in held), bool(held) and all(each.sufficiency for each in held))
    cited = {each.uid for each in why.evidence}
    uses, lifecycle = _events(inventory, {why.identity, *(each.identity for each in why.evidence)} - {""})

    def again(*, only: bool) -> list[Finding]:
        with TemporaryDirectory() as folder:
            os.chmod(folder, 0o700)  # noqa: PTH101 - a name
            small = Inventory(Path(folder) / "inventory.db")
            try:
                beside = pipeline.over(small)
                beside.declare(declared)
                used = [each for each in uses if (each.uid in cited) is only]
                small.keep(used, [each for each in lifecycle if (each.uid in cited) is only], now=now)
                if only is any(uid.startswith("probe/") for uid in cited):
                    _probes(inventory, small, why.credentials)
                if only is any(uid.startswith(REFUSED) for uid in cited):
                    _refusals(inventory, small)
                beside.judge()
                found = [each.finding for each in beside.found()]
                return [each for each in found if each.explanation is not None and each.explanation.identity == why.identity]
            finally:
                small.close()

    left, alone = again(only=False), [_codes(each) for each in again(only=True)]
    # A source that is silent is so since another event where its last is not there; of an identity nothing of the kind may be left.
    gone = finding.id not in {each.id for each in left} and not (why.identity and any(_codes(each) & set(why.codes) for each in left))
    return Held(gone, any(set(why.codes) <= codes for codes in alone))


def _codes(finding: Finding) -> set[str]:
    return set(finding.explanation.codes) if finding.explanation is not None else set()


def _probes(inventory: Inventory, small: Inventory, credentials: Iterable[str]) -> None:
    rows = [row for uid in credentials for row in inventory.rows("SELECT * FROM probes WHERE credential=?", (uid,))]
    with small.step() as db:
        db.executemany("INSERT INTO probes VALUES (?,?,?,?,?)", rows)


def _refusals(inventory: Inventory, small: Inventory) -> None:
    rows = inventory.rows("SELECT source, cause, file, line, number FROM refusals")
    with small.step() as db:
        db.executemany("INSERT INTO refusals (source, cause, file, line, number) VALUES (?,?,?,?,?)", rows)


def _events(inventory: Inventory, identities: Iterable[str]) -> tuple[list[UseEvent], list[LifecycleEvent]]:
    uses: dict[str, UseEvent] = {}
    lifecycle: dict[str, LifecycleEvent] = {}
    for uid in sorted(identities):
        uses |= {each.uid: each for each in inventory.uses(uid)}
        lifecycle |= {each.uid: each for each in inventory.lifecycle_of(uid) if each.source != DECLARED}
    return list(uses.values()), list(lifecycle.values())
