"""What a record costs: at any size of the ledger, from many callers, in each durability mode, and to verify.

    python -m benchmarks.ledger [--records 1000000] [--callers 1 4 16 64] [--json]

Sizes: two ledgers, one of ten records and one of `--records`, are appended to in turns in one run; the ratio is of the medians of blocks.
Callers: threads on one ledger, in each mode: `cache` (the page cache alone, no thread that syncs), `group` (the default: a thread brings
all to the disk every 50 ms, and signs them every second), `durable` (before the call is done; who waits together shares an fdatasync).
Beside them, on the same disk and in turns: writes of equal bytes by one thread, each followed by a raw `os.fdatasync`.
Verifying: the byte pass over what is stored, and the semantic pass, each on one core. The load of the machine is printed with it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from licet import Guard
from licet.canonical import Plain
from licet.ledger import Ledger, LedgerFiles, LedgerKey
from licet.ledger.check.verify import verify
from licet.manifest import loads

FOR_EVER = 1e9  # seconds
BLOCK, BLOCKS = 500, 60
TIME = "2026-11-22T00:00:00.000Z"
MANIFEST = """
licet: 1
environment: bench
owners: {bench: {name: Bench, contact: bench@acme.example}}
agents: {bot: {owner: bench, tasks: [work]}}
tools: {send: {access: write, egress: true, durable: none, arguments: {to: {origin: [intent, trusted, nowhere]}}}}
tasks: {work: {intent: Measure, ttl: 1h, tools: {send: {}}}}
"""


def real_records(folder: Path) -> tuple[dict[str, Plain], dict[str, Plain]]:
    """The fields of an intent and an outcome, as a guard writes them."""
    guard = Guard(loads(MANIFEST), state=folder)
    send = guard.wrap(lambda to: f"sent to {to}", name="send")
    with guard, guard.task("work", intent="Measure", agent="bot", principal="user:ada"):
        send("ada@acme.example")
    lines = [json.loads(line) for line in LedgerFiles(folder / "ledger").records()]
    own = {"seq", "prev", "kind", "time", "writer"}
    found = {line["kind"]: {name: value for name, value in line.items() if name not in own} for line in lines}
    return found["call.intent"], found["call.outcome"]


def ledger_in(folder: Path, **seconds: float) -> Ledger:
    """A ledger with keys of its own; by default its thread does nothing by itself."""
    (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    return Ledger(folder / "ledger", LedgerKey.of(folder / "keys"), **{"flush_seconds": FOR_EVER, "checkpoint_seconds": FOR_EVER} | seconds)


class Calls:
    """Appends the two records of one call after the other."""

    def __init__(self, ledger: Ledger, fields: tuple[dict[str, Plain], dict[str, Plain]], *, durable: bool = False) -> None:
        self._ledger, self._fields, self._durable = ledger, fields, durable

    def run(self, records: int, since: int) -> None:
        """So many records: `since` makes the ids of the calls."""
        intent, outcome = self._fields
        for number in range(since, since + records // 2):
            call = f"{number:032x}"
            seq = self._ledger.append("call.intent", {**intent, "call": call}, time=TIME, durable=self._durable)
            self._ledger.append("call.outcome", {**outcome, "call": call, "intent_seq": seq}, time=TIME)


def grown(folder: Path, fields: tuple[dict[str, Plain], dict[str, Plain]], records: int) -> tuple[Ledger, float]:
    """A ledger of so many records, written by `Ledger` itself, and sealed now and then; and the seconds of that."""
    ledger, begun = ledger_in(folder), time.perf_counter()
    calls = Calls(ledger, fields)
    for at in range(0, records, 50_000):
        calls.run(min(50_000, records - at), at)
        ledger.seal()
    return ledger, time.perf_counter() - begun


def by_size(small: Ledger, big: Ledger, fields: tuple[dict[str, Plain], dict[str, Plain]]) -> dict[str, Any]:
    """Microseconds of a record in each of two ledgers, in turns."""
    times: list[list[float]] = [[], []]
    work = [Calls(small, fields), Calls(big, fields)]
    for block in range(BLOCKS + 5):
        for at in (0, 1) if block % 2 else (1, 0):
            begun = time.perf_counter()
            work[at].run(BLOCK, 10**9 + block * BLOCK)
            if block >= 5:
                times[at].append((time.perf_counter() - begun) / BLOCK * 1e6)
    median = [statistics.median(each) for each in times]
    best = [min(each) for each in times]
    return {
        "small us": median[0], "big us": median[1], "ratio": median[1] / median[0], "small best us": best[0], "big best us": best[1],
        "ratio of the best": best[1] / best[0],
    }  # fmt: skip


def rate(callers: int, work: Callable[[int, int], None], records: int) -> float:
    """Records a second of so many threads that begin together."""
    each = max(2, records // callers // 2 * 2)
    gate = threading.Barrier(callers + 1)

    def caller(number: int) -> None:
        gate.wait()
        work(each, number * 10**9)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(1, callers + 1)]
    for thread in threads:
        thread.start()
    gate.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return each * callers / (time.perf_counter() - begun)


def raw(folder: Path, size: int, writes: int) -> float:
    """Writes of `size` bytes a second, each followed by an fdatasync."""
    file = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    data, begun = b"x" * size, time.perf_counter()
    for _ in range(writes):
        os.write(file, data)
        os.fdatasync(file)
    os.close(file)
    return writes / (time.perf_counter() - begun)


def by_callers(folder: Path, fields: tuple[dict[str, Plain], dict[str, Plain]], callers: list[int], rounds: int) -> dict[str, Any]:
    """The median of some rounds, in which all modes and the raw writes take their turn."""
    found: dict[str, list[float]] = {}
    for turn in range(rounds):
        found.setdefault("raw fdatasync", []).append(raw(folder, 1_200, 200))
        for count in callers:
            for mode, seconds in (("cache", {}), ("group", {"flush_seconds": 0.05, "checkpoint_seconds": 1.0}), ("durable", {})):
                ledger = ledger_in(folder / f"{mode}-{count}-{turn}", **seconds)
                ledger.append("note", {}, time=TIME)
                work = Calls(ledger, fields, durable=mode == "durable").run
                found.setdefault(f"{mode} {count}", []).append(rate(count, work, 20_000 if mode != "durable" else 200 + 100 * count))
                ledger.close()
    return {name: {"median": statistics.median(each), "best": max(each)} for name, each in found.items()}


def verifying(ledger: Ledger, rounds: int) -> dict[str, Any]:
    """Both passes over a whole ledger."""
    key = ledger._key
    found = [verify(ledger.path, [key.note_key], head=key.last()) for _ in range(rounds)]
    if any(each.faults for each in found):
        raise SystemExit(f"the ledger does not verify: {found[0].faults[0]}")
    records = found[0].records
    byte = [records / each.byte_seconds for each in found]
    semantic = [records / (each.semantic_seconds or FOR_EVER) for each in found]
    return {
        "records": records, "bytes": found[0].bytes, "byte pass a second": statistics.median(byte), "byte pass best": max(byte),
        "semantic pass a second": statistics.median(semantic), "semantic pass best": max(semantic),
    }  # fmt: skip


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--callers", type=int, nargs="*", default=[1, 4, 16, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=None, help="where the ledgers are made: the disk that is measured")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        fields = real_records(folder / "guard")
        big, seconds = grown(folder / "big", fields, options.records)
        small = grown(folder / "small", fields, 10)[0]
        shown: dict[str, Any] = {
            "load": os.getloadavg()[0], "grown a second": options.records / seconds, "verify": verifying(big, options.rounds),
            "append": by_size(small, big, fields), "a second": by_callers(folder, fields, options.callers, options.rounds),
        }  # fmt: skip
        shown["load after"] = os.getloadavg()[0]
        small.close()
        big.close()
    if options.json:
        print(json.dumps(shown, indent=2))
        return 0
    print(
        f"load {shown['load']:.1f} to {shown['load after']:.1f}; the big ledger was written at {shown['grown a second']:,.0f} records/s\n"
    )
    for part in ("append", "verify"):
        for key, value in shown[part].items():
            print(f"{part:8} {key:24} {value:14,.2f}")
        print()
    print(f"{'records a second':24} {'median':>12} {'best':>12}")
    for key, value in shown["a second"].items():
        print(f"{key:24} {value['median']:12,.0f} {value['best']:12,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
