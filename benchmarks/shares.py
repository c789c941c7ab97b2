"""Shares with what they are worth: runs of one task are alike, so that an interval over runs alone says too much."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

Z = 1.959964  # 95 %
RESAMPLED = 2_000
SEED = 7


def share(runs: Iterable[tuple[str, bool]]) -> dict[str, Any]:
    """How many of the runs, each with its task, are hit.

    `interval` is Wilson's for as many independent runs, `interval_tasks` that of drawing as many tasks again with all their runs
    (percentiles of a bootstrap by task): the wider one is the honest one, as runs of one task are not independent.
    """
    whole, hit = Counter[str](), Counter[str]()
    for task, is_hit in runs:
        whole[task] += 1
        hit[task] += is_hit
    total, hits = whole.total(), hit.total()
    if not total:
        return {"runs": 0, "alarms": 0, "alarm_share": None, "tasks": 0, "interval": None, "interval_tasks": None}
    return {
        "runs": total,
        "alarms": hits,
        "alarm_share": round(hits / total, 4),
        "tasks": len(whole),
        "interval": _wilson(hits, total),
        "interval_tasks": _by_task([(whole[task], hit[task]) for task in sorted(whole)]),
    }


def _wilson(hits: int, total: int) -> list[float]:
    part, square = hits / total, Z * Z
    middle = (part + square / (2 * total)) / (1 + square / total)
    half = Z / (1 + square / total) * ((part * (1 - part) + square / (4 * total)) / total) ** 0.5
    return [round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)]


def _by_task(tasks: list[tuple[int, int]]) -> list[float]:
    rng = random.Random(SEED)
    shares = []
    for _ in range(RESAMPLED):
        drawn = rng.choices(tasks, k=len(tasks))
        shares.append(sum(hit for _, hit in drawn) / sum(whole for whole, _ in drawn))
    shares.sort()
    return [round(shares[int(RESAMPLED * 0.025)], 4), round(shares[int(RESAMPLED * 0.975) - 1], 4)]
