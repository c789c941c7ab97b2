"""Thousands of credentials, bound to one workload one after the other: it is read once for each step, and says the same as one by one."""

from __future__ import annotations

import random

import pytest

from licet.events import LifecycleEvent
from licet.inventory.rows import WorkloadEnds
from licet.inventory.store import Inventory

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

POD = "pod:prod/web-0"


def told(number: int, kind: str, time: float, **more: object) -> LifecycleEvent:
    event = LifecycleEvent("kubernetes", f"l{number}", time, kind, workload=POD, account="prod", digest=f"{number:064x}")  # type: ignore[arg-type]
    return event._replace(**more)  # type: ignore[arg-type]


def ended(events: list[LifecycleEvent], since: float) -> float:
    """One by one, in the order of time; of one time what starts comes first."""
    found = 0.0
    for event in sorted(events, key=lambda each: (each.time, each.kind != "job_started")):
        if event.outcome == "success" and event.time >= since:
            found = (found or event.time) if event.kind == "job_ended" else 0.0
    return found


@pytest.mark.parametrize("seed", range(40))
def test_of_any_history_it_is_the_first_end_since_then_that_no_start_comes_after(seed: int) -> None:
    chance, inventory = random.Random(seed), Inventory(":memory:")
    events = [
        told(
            number,
            chance.choice(["job_started", "job_ended"]),
            chance.randint(1, 9),
            outcome=chance.choice(["success", "success", "denied"]),
        )
        for number in range(chance.randint(0, 9))
    ]
    inventory.keep([], events)
    with inventory.step() as db:
        ends = WorkloadEnds(db)
        assert [ends(POD, since) for since in range(11)] == [ended(events, since) for since in range(11)]
        assert ends("", 0.0) == 0.0
    inventory.close()


def test_a_step_reads_a_workload_as_often_as_it_is_one_workload_and_not_as_credentials_were_bound_to_it() -> None:
    inventory, statements = Inventory(":memory:"), []
    with inventory.step() as db:
        db.set_trace_callback(lambda text: statements.append(text) if POD in text and "SELECT" in text and "cred:" not in text else None)
    counts = []
    for first, number in ((0, 10), (1_000, 100)):
        events = []
        for at in range(first, first + number):
            events += [
                told(4 * at, "job_started", 4.0 * at), told(4 * at + 2, "job_ended", 4.0 * at + 2),
                told(4 * at + 1, "bound", 4.0 * at + 1, credential=f"cred:{at:032x}", identity="payer"),
            ]  # fmt: skip
        statements.clear()
        inventory.keep([], events)
        counts.append(len(statements))
    assert counts[0] == counts[1] > 0
    assert inventory.rows("SELECT count(*), min(ended), max(ended) FROM credentials") == [(110, 4_398.0, 4_398.0)]
    inventory.close()
