"""What origin costs: outputs taken in, the 10th call of a task against the 10,000th, 10 tools against 1,000, memory per call.

Every figure of time stands beside another from the same run: the hash of the same bytes, or the other end of the growth. Rounds are
interleaved, so that a busy machine slows both alike; the best of the rounds is what the machine can do, the median what it did.

    python -m benchmarks.origin [--rounds 21] [--calls 10000] [--json]
"""

from __future__ import annotations

import argparse
import contextvars
import gc
import hashlib
import itertools
import json
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from licet import Guard
from licet.chain.index import MAX_ATOMS, OriginIndex, Output
from licet.chain.outputs import leaves
from licet.guard import GuardedTask
from licet.manifest import loads
from licet.manifest.labels import OutputLabels

PROSE = (
    "the of and to in a is for that with on as are this by an be from at not or have it was invoice payment meeting project report account "
    "customer delivery address schedule regarding shipment order update team please number quarter budget review attached deadline"
)
WORDS = PROSE.split()
GROWTH_CALLS = 200  # calls that are timed at each end of the growth
MANIFEST = """
licet: 1
environment: bench
owners: {{bench: {{name: Bench, contact: bench@acme.example}}}}
agents: {{bot: {{owner: bench, tasks: [work]}}}}
tools:
  look: {{access: read, egress: false, fields: {{"[].id": trusted, "[].sender": counterpart}}, reveals: [mail]}}
  send: {{access: write, egress: true, durable: none, arguments: {{to: {{origin: [intent, trusted]}}, body: {{content: true}}}}}}
{more}
tasks:
  work:
    intent: Measure
    ttl: 8h
    tools: {{look: {{}}, send: {{}}{granted}}}
"""


def prose(size: int, seed: int = 1) -> str:
    """Text of `size` characters, as mails are: words, now and then a number or an address."""
    rng, out, length = random.Random(seed), [], 0
    while length < size:
        word = rng.choice(WORDS)
        if rng.random() < 0.03:
            word = rng.choice(
                [f"u{rng.randrange(9999)}@c{rng.randrange(99)}.example", f"{rng.randrange(10**6)}", f"ORD-{rng.randrange(10**5)}"]
            )
        out.append(word + ("." if rng.random() < 0.1 else ""))
        length += len(out[-1]) + 1
    return " ".join(out)[:size]


def records(size: int) -> list[dict[str, str]]:
    """Mails of about `size` bytes in all."""
    count = max(1, size // 450)
    return [
        {"id": f"m-{number:05}", "sender": f"u{number}@c.example", "subject": prose(40, number), "body": prose(size // count - 100, number)}
        for number in range(count)
    ]


def timed(rounds: int, *work: Callable[[], object]) -> list[dict[str, float]]:
    """Best and median milliseconds of each piece of work, in turns."""
    times: list[list[float]] = [[] for _ in work]
    for _ in range(rounds):
        for kept, once in zip(times, work, strict=True):
            begun = time.perf_counter()
            once()
            kept.append((time.perf_counter() - begun) * 1e3)
    return [{"best_ms": min(kept), "median_ms": statistics.median(kept)} for kept in times]


def indexing(rounds: int) -> dict[str, Any]:
    """What it costs to take in one output, beside the SHA-256 of the same bytes."""
    out: dict[str, Any] = {}
    labels = OutputLabels.of("untrusted", {"[].id": "trusted", "[].sender": "counterpart"})
    for size in (1_000, 4_000, 100_000):
        for name, output in (("text", prose(size)), ("records", records(size))):
            data = json.dumps(output).encode()

            fresh = []
            for _ in range(rounds):
                fresh.append(OriginIndex())
                fresh[-1].intent.add("Answer ticket 4312 from Ada about her invoice")

            def take(output: Any = output, fresh: list[OriginIndex] = fresh) -> None:
                fresh.pop().observe(Output(1, "call", "look", leaves(output, labels)))

            taken, hashed = timed(rounds, take, lambda data=data: hashlib.sha256(data).digest())  # type: ignore[misc]
            out[f"{size // 1000} KB of {name}"] = taken | {"sha256_ms": hashed["best_ms"], "ratio": taken["best_ms"] / hashed["best_ms"]}
    return out


@contextmanager
def guarded(more: int = 0, **options: Any) -> Iterator[tuple[Guard, Callable[[], object], GuardedTask]]:
    """A guard with `more` tools beside two, one pair of calls (a read of 1 KB, then a write), and its task."""
    names = [f"tool_{number}" for number in range(more)]
    text = MANIFEST.format(
        more="\n".join(f"  {name}: {{access: read, egress: false}}" for name in names), granted="".join(f", {name}: {{}}" for name in names)
    )
    outputs = itertools.cycle([records(1_000), *([records(1_000)[:1]] * 3)])
    with tempfile.TemporaryDirectory() as state, Guard(loads(text), state=state, tracer_provider=TracerProvider(), **options) as guard:

        def look(page: int) -> list[dict[str, str]]:
            return next(outputs) if page >= 0 else []

        def send(to: str, body: str) -> str:
            return f"{len(body)} characters to {to}"

        guarded_look, guarded_send = guard.wrap(look), guard.wrap(send)
        pages = itertools.count()

        def pair() -> None:
            guarded_look(page=next(pages))
            guarded_send(to="ada@acme.example", body="The invoice is on its way")

        with guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:bench") as task:
            here = contextvars.copy_context()  # two tasks stand side by side, each in its own context
            yield guard, lambda: here.run(pair), task


def growth(calls: int) -> dict[str, float]:
    """The cost of a call early in a task and after `calls` of them, in turns: two tasks side by side, one of them long."""
    with guarded() as (_, young, _), guarded() as (_, old, _):
        for _ in range(5):
            young()
        for _ in range(calls // 2):
            old()
        gc.collect()
        early, late = timed(GROWTH_CALLS, young, old)
    return {"early_ms": early["median_ms"] / 2, "late_ms": late["median_ms"] / 2, "ratio": late["median_ms"] / early["median_ms"]}


def tools() -> dict[str, float]:
    """The cost of a call with 10 and with 1,000 tools in scope."""
    with guarded(8) as (_, few, _), guarded(998) as (_, many, _):
        for once in (few, many):
            for _ in range(20):
                once()
        small, large = timed(GROWTH_CALLS, few, many)
    return {"ten_ms": small["median_ms"] / 2, "thousand_ms": large["median_ms"] / 2, "ratio": large["median_ms"] / small["median_ms"]}


def memory(calls: int) -> dict[str, float]:
    """What a call leaves in memory when its output brings nothing new, and what the index weighs when it is full."""
    with guarded() as (_, pair, _):
        for _ in range(200):
            pair()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(calls // 2):
            pair()
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    gc.collect()
    tracemalloc.start()
    index = OriginIndex()
    number = 0
    while not index.full and number < 400:
        index.observe(Output(number, f"call {number}", "look", leaves(prose(100_000, number), OutputLabels.of("untrusted", {}))))
        number += 1
    full = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {
        "bytes_per_call": (after - before) / (calls // 2 * 2),
        "full_index_mb": full / 1e6,
        "declared_values": MAX_ATOMS,
        "full": float(index.full),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--calls", type=int, default=10_000, help="how long the long task is")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    figures = {"indexing": indexing(options.rounds), "growth": growth(options.calls), "tools": tools(), "memory": memory(2_000)}
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, row in figures["indexing"].items():
        print(f"taking in {name:18} best {row['best_ms']:8.3f} ms, median {row['median_ms']:8.3f} ms: {row['ratio']:5.0f} x its SHA-256")
    for name, row in (("call 10 and call " + format(options.calls, ","), figures["growth"]), ("10 and 1,000 tools", figures["tools"])):
        first, second, ratio = row.values()
        print(f"{name:28} {first:.3f} ms and {second:.3f} ms: {ratio:.2f} x")
    kept = figures["memory"]
    full = f"a full index of {MAX_ATOMS:,} values {kept['full_index_mb']:.0f} MB"
    print(f"memory                       {kept['bytes_per_call']:.0f} B a call; {full}")


if __name__ == "__main__":
    main()
