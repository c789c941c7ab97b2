"""Generates years, hands them to Licet, and prints what it found of what was planted.

    python -m benchmarks.identity_year [--seeds 1,2] [--identities 2000] [--days 365] [--misuses 300] [--keep DIR] [--json] [--missed]

A finding counts for a planted misuse if it is of its identity, cites one of its events, and has the expected reason. It is false
if it cites no event of any misuse. Each finding's explanation is checked (`--explain N` checks so many of them): judged without the
events that it cites it must be gone, and with those events and what was declared alone it must be there. Where it cites what was learned
by then, each of its reasons is judged so, by that baseline.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.identity_year import product
from benchmarks.identity_year.generate import generate
from benchmarks.identity_year.judge import by_events, by_signals, explained, explanations, judged, was_learned

from licet.inventory.store import Inventory
from licet.monitor.explain import Held
from licet.records import Finding

NOW_AFTER = 3_600.0  # seconds after the last day


def one_year(folder: Path, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One seed: how much there was, how long each step took, and what came of it."""
    began = time.process_time()
    counts = generate(folder, seed=seed, identities=options.identities, days=options.days, load=options.load, misuses=options.misuses)
    said = json.loads((folder / "inventory.json").read_text(encoding="utf-8"))
    truth = [json.loads(line) for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    now = product.seconds("2025-01-01T00:00:00Z") + options.days * 86_400 + NOW_AFTER
    made = time.process_time()
    inventory = Inventory(folder / "inventory.db")
    product.declare(inventory, said, now)
    read = product.ingest(folder, inventory, now + 86_400)
    ingested = time.process_time()
    findings = product.watch(inventory, now)
    watched = time.process_time()
    result = asdict(judged(findings, truth, counts["identities"], options.days))
    chosen = findings if options.explain < 0 else random.Random(seed).sample(findings, min(options.explain, len(findings)))

    def held(finding: Finding) -> Held:
        if was_learned(finding):
            return by_signals(finding, inventory, now)
        return by_events(finding, lambda only: again(inventory, said, finding, now, only=only))

    result["explanations"] = asdict(explanations(chosen, held))
    result |= {"seed": seed, "identities": counts["identities"], "records": read, "seconds": {
        "generated": made - began, "ingested": ingested - made, "monitored": watched - ingested, "explained": time.process_time() - watched,
    }}  # fmt: skip
    inventory.close()
    return result


def again(inventory: Inventory, said: dict[str, Any], finding: Finding, now: float, *, only: bool) -> list[Finding]:
    """What is found with only the events that a finding cites, or with all of their identities' but those."""
    cited = {each.uid for each in explained(finding).evidence}
    who = {explained(finding).identity, *(each.identity for each in explained(finding).evidence)} - {""}
    uses, lifecycle = product.events_of(inventory, sorted(who))
    shown = {each.credential for each in uses} | {each.credential for each in lifecycle} | who
    with TemporaryDirectory() as folder:
        small = Inventory(Path(folder) / "inventory.db")
        product.declare(small, said, now, shown.__contains__)
        small.keep(
            [each for each in uses if (each.uid in cited) is only], [each for each in lifecycle if (each.uid in cited) is only], now=now
        )
        found = product.watch(small, now)
        small.close()
    return found


def told(result: dict[str, Any], *, missed: bool) -> None:
    number = sum(result["records"].values())
    print(f"seed {result['seed']}: {result['identities']} identities, {number} records, {result['findings']} findings")
    print("  " + ", ".join(f"{name} in {spent:.0f} s" for name, spent in result["seconds"].items()) + " of one core")
    print(f"  {'kind':24} planted  found  cited  twins  with a finding")
    for name, kind in result["kinds"].items():
        print(f"  {name:24} {kind['planted']:7} {kind['found']:6} {kind['cited']:6} {kind['twins']:6} {kind['twins_fired']:15}")
        for each in kind["missed"] if missed else ():
            print(f"      missed: {each}")
    print(f"  false findings: {sum(result['false'].values())}, {result['per_100_months']:.2f} for 100 identities and a month")
    for code, number in sorted(result["false"].items(), key=lambda row: -row[1]):
        print(f"      {code:24} {number}")
    for each in result["examples"] if missed else ():
        print(f"      false: {each}")
    of = result["explanations"]
    print(f"  explanations: of {of['checked']}, {of['gone']} are gone without what they cite, {of['there']} are there with nothing else")
    for each in of["odd"] if missed else ():
        print(f"      odd: {each}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identity_year", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="1", help="comma between them")
    parser.add_argument("--identities", type=int, default=2000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--load", type=float, default=1.0)
    parser.add_argument("--misuses", type=int, default=300)
    parser.add_argument("--explain", type=int, default=-1, help="how many explanations to check; all without it")
    parser.add_argument("--keep", type=Path, help="leave the years and their inventories in this folder")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--missed", action="store_true", help="name what was missed, and what was found that is none")
    options = parser.parse_args(arguments)
    results = []
    with TemporaryDirectory() as temporary:
        for seed in map(int, options.seeds.split(",")):
            results.append(one_year((options.keep or Path(temporary)) / f"seed-{seed}", options, seed))
            if not options.json:
                told(results[-1], missed=options.missed)
    if options.json:
        print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
