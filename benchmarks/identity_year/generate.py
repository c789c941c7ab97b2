"""Writes one simulated year.

    python -m benchmarks.identity_year.generate OUT --seed N [--identities 2000] [--days 365] [--load 1.0] [--misuses 300]

`OUT` then has `cloudtrail/DAY.json.gz`, `kubernetes/CLUSTER/MONTH.jsonl`, `github/`, `okta/`, `entra/signins/` and `entra/audit/`
(`MONTH.jsonl`), `lifecycle.jsonl`, `inventory.json`, and `truth.jsonl`, which is not for whoever looks for misuse. The same options give
the same bytes. Memory does not grow with the year: what is held is one day, what is late, and what is planted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.identity_year import plan
from benchmarks.identity_year.actors import DAY, Emitted
from benchmarks.identity_year.everyday import a_day
from benchmarks.identity_year.places import EDGES, ENVIRONMENTS, TEAMS
from benchmarks.identity_year.scripts import NobodyLeft
from benchmarks.identity_year.world import made, rows
from benchmarks.identity_year.writing import Delivery, dumped, lines

FEWEST_DAYS = 160  # for a time of rest that is longer than 90 days, with uses before and after it


def generate(
    out: Path, *, seed: int, identities: int = 2000, days: int = 365, load: float = 1.0, misuses: int = 300, start: str = "2025-01-01"
) -> dict[str, int]:
    """How many records were written of each stream.

    Raises:
        ValueError: too few days.
        NobodyLeft: too few identities for so many misuses.
    """
    if days < FEWEST_DAYS:
        raise ValueError(f"a year of {days} days is too short for an identity that rests for 90 days: take {FEWEST_DAYS} or more")
    world = made(seed, datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp(), days, identities, load)
    scripts = plan.planted(world, misuses)
    out.mkdir(parents=True, exist_ok=True)
    waiting: defaultdict[int, list[Emitted]] = defaultdict(list)
    for record in plan.scheduled(world, scripts):
        if record.time < world.end:
            waiting[max(0, int((record.time - world.start) // DAY))].append(record)
    delivery = Delivery(out, world.start, world.rng("delivery"))
    for day in range(days):
        delivery.take(waiting.pop(day, ()))
        for actor in world.actors:
            delivery.take(a_day(world, actor, day))
        if day == 0:
            delivery.deliver(-1)
        delivery.deliver(day)
    delivery.close()
    owners = [{"owner": team, "name": team.replace("-", " ").title(), "contact": f"{team}@acme.example"} for team in TEAMS]
    listed = list(rows(world))
    inventory = {
        "owners": owners,
        "environments": ENVIRONMENTS,
        "edges": EDGES,
        "identities": listed,
        "credentials": list(plan.credentials(world)),
    }
    (out / "inventory.json").write_text(dumped(inventory) + "\n", encoding="utf-8")
    lines(out / "truth.jsonl", [*(script.truth() for script in scripts), *plan.churn(world)])
    return {"identities": len(world.actors), **dict(sorted(delivery.counts.items()))}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.identity_year.generate", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--identities", type=int, default=2000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument(
        "--load", "--events-per-identity-day", dest="load", type=float, default=1.0, help="times the usual number of events a day"
    )
    parser.add_argument("--misuses", type=int, default=300)
    parser.add_argument("--start", default="2025-01-01", help="the first day (UTC)")
    options = vars(parser.parse_args(arguments))
    began = time.perf_counter()
    try:
        counts = generate(options.pop("out"), **options)
    except (NobodyLeft, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    total = sum(counts.values()) - counts["identities"]
    print(f"{counts.pop('identities')} identities, {total} records in {time.perf_counter() - began:.0f} s")
    for stream, number in counts.items():
        print(f"  {stream:24} {number:9}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
