"""What a guarded call costs, as a ratio to a yardstick measured in the same run.

The yardstick is one raw Ed25519 signature, one verification and one SDK span with 15 attributes: what no guard that signs and
traces can go below. Rounds of both are interleaved, so that a busy machine slows both alike.

    python -m benchmarks.guarded_call [--rounds 41] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from opentelemetry.sdk.trace import TracerProvider

from licet import Guard
from licet.manifest import loads

MANIFEST = """
licet: 1
environment: bench
owners: {bench: {name: Bench, contact: bench@acme.example}}
agents: {bot: {owner: bench, tasks: [work]}}
tools:
  send: {access: write, egress: true, durable: none}
tasks:
  work:
    intent: Measure
    ttl: 1h
    tools: {send: {arguments: {to: {format: email, pattern: '[a-z0-9._+-]+@acme\\.example'}, size: {maximum: 1000000}}}}
    budgets: [{of: send, at_most: 100000000}]
"""
CALLS_A_ROUND = 50


def yardstick() -> Callable[[], object]:
    """Sign, verify, one span."""
    key = Ed25519PrivateKey.generate()
    public, tracer = key.public_key(), TracerProvider().get_tracer("bench")
    attributes = {f"bench.attribute.{index}": f"value {index}" for index in range(15)}
    text = b"x" * 600

    def once() -> None:
        public.verify(key.sign(text), text)
        tracer.start_span("execute_tool send", attributes=attributes).end()

    return once


def median_us(rounds: int, *work: Callable[[], object]) -> list[float]:
    """The median microseconds of each piece of work, measured in turns."""
    times: list[list[float]] = [[] for _ in work]
    for _ in range(rounds):
        for kept, once in zip(times, work, strict=True):
            begun = time.perf_counter()
            for _ in range(CALLS_A_ROUND):
                once()
            kept.append((time.perf_counter() - begun) / CALLS_A_ROUND * 1e6)
    return [statistics.median(kept) for kept in times]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state, Guard(loads(MANIFEST), state=state, tracer_provider=TracerProvider()) as guard:

        def send(to: str, size: int) -> str:
            return f"{size} to {to}"

        guarded = guard.wrap(send)
        with guard.task("work", intent="Measure by mails to ada@acme.example", agent="bot", principal="user:bench"):
            unit, call = median_us(options.rounds, yardstick(), lambda: guarded("ada@acme.example", 7))
    if options.json:
        print(json.dumps({"yardstick_us": unit, "guarded_call_us": call, "ratio": call / unit}))
    else:
        print(f"yardstick {unit:.0f} us, guarded call {call:.0f} us: {call / unit:.1f} yardsticks")


if __name__ == "__main__":
    main()
