"""A real account's CloudTrail log with 29 labelled attacks: what is told of them, and what of the everyday events around them.

    python -m benchmarks.invictus DATA [--json] [--missed]

DATA is a folder with `cloudtrail.jsonl.gz` and `labels.tsv`: the log of one account of an hour (invictus-ir/aws_dataset, MIT), in which
Stratus Red Team ran 29 attacks, and which event belongs to which run and to which of its phases. It goes through `licet ingest`,
`licet monitor` and `licet findings --json --signals`, without a manifest. An attack is told where an event of its detonation is cited by a
finding or signal that names an identity; it is named where that has a credential too. An event carries a signal where one cites it. The
phases that set an attack up (warm-up) and clean up after it (revert) are counted apart; what has no label is everyday.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LOG, LABELS = "cloudtrail.jsonl.gz", "labels.tsv"


def licet(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "licet", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def told(log: Path) -> dict[str, Any]:
    """What Licet says of a log: findings and signals."""
    with TemporaryDirectory() as state:
        licet("ingest", "cloudtrail", str(log), "--state", state)
        licet("monitor", "--state", state)
        found: dict[str, Any] = json.loads(licet("findings", "--json", "--signals", "--state", state))
    return found


def judged(said: dict[str, Any], labels: Path, events: int) -> dict[str, Any]:
    """What it is worth."""
    with labels.open(encoding="utf-8", newline="") as file:
        of = {row["eventID"]: (row["stratus_run"], row["phase"]) for row in csv.DictReader(file, delimiter="\t")}
    phases = Counter(phase for _, phase in of.values())
    phases["everyday"] = events - len(of)
    runs: dict[str, set[str]] = {run: set() for run, phase in of.values() if phase == "detonate"}
    signals, codes = set[str](), dict[str, Counter[str]]()
    for signal in said["signals"]:
        cited = {each["native_id"] for each in signal["evidence"]}
        signals |= cited
        for native in cited:
            run, phase = of.get(native, ("", "everyday"))
            codes.setdefault(phase, Counter())[signal["code"]] += 1
            if phase == "detonate" and signal["identity"]:
                runs[run].add("named" if signal["credential"] else "told")
    found = {each["native_id"] for finding in said["findings"] if finding["identity"] for each in finding["evidence"]}
    in_finding = Counter(of.get(native, ("", "everyday"))[1] for native in found)
    with_signal = Counter(of.get(native, ("", "everyday"))[1] for native in signals | found)
    return {
        "runs": len(runs), "told": sum(bool(each) for each in runs.values()), "named": sum("named" in each for each in runs.values()),
        "missed": sorted(run for run, each in runs.items() if "named" not in each),
        "phases": {
            phase: {"events": number, "with_signal": with_signal[phase], "in_finding": in_finding[phase],
                    "codes": dict(codes.get(phase, Counter()).most_common())}
            for phase, number in phases.most_common()
        },
        "findings": len(said["findings"]), "signals": len(said["signals"]),
    }  # fmt: skip


def lines(data: Path) -> int:
    import gzip

    with gzip.open(data, "rt", encoding="utf-8") as file:
        return sum(1 for _ in file)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.invictus", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--missed", action="store_true", help="name the attacks of which no signal names identity and credential")
    options = parser.parse_args(arguments)
    result = judged(told(options.data / LOG), options.data / LABELS, lines(options.data / LOG))
    if options.json:
        print(json.dumps(result))
        return 0
    print(f"{result['runs']} attacks: {result['told']} told, {result['named']} of them with identity and credential")
    if options.missed:
        print("  without: " + (", ".join(result["missed"]) or "none"))
    for phase, of in result["phases"].items():
        share = f"{of['with_signal'] / of['events']:6.2%} with a signal, {of['in_finding'] / of['events']:6.2%} in a finding"
        print(f"{phase:10} {of['events']:5} events, {share}  {', '.join(f'{code} {number}' for code, number in of['codes'].items())}")
    print(f"{result['findings']} findings, {result['signals']} signals")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
