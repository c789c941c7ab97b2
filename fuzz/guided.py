"""Runs one property over many inputs: guided by coverage with atheris, or by a seeded generator where atheris is not installed.

Bounded on purpose: an input that takes longer than SECONDS, or a process that holds more than MEGABYTES, is a failure as a crash is.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "fuzz"
SECONDS, MEGABYTES, LONGEST = 5, 1024, 16_384
EXAMPLE = "example: python fuzz/fuzz_verifier.py --runs 500000"

Property = Callable[[bytes], None]


def main(name: str, load: Callable[[], tuple[Property, list[bytes]]]) -> NoReturn:
    """Run the property that `load` gives, with the inputs to begin from. `load` imports what is fuzzed."""
    parser = argparse.ArgumentParser(description=f"Fuzz the {name}.", epilog=EXAMPLE)
    parser.add_argument("--runs", type=int, default=500_000, help="how many inputs (500,000 by default)")
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run")
    parser.add_argument("input", nargs="*", type=Path, help="files of single inputs, as a crash leaves them: only these are run")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests" / "tokens"))
    try:
        import atheris
    except ImportError:
        atheris = None
    with atheris.instrument_imports(include=["licet", "jwt"]) if atheris else nullcontext():
        holds, seeds = load()
    if given.input:
        for path in given.input:
            holds(path.read_bytes())
        sys.exit(0)
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(3), "big") + 1
    if atheris is None:
        print("atheris is not installed (pip install -e '.[fuzz]'): the inputs are random, and not guided by coverage", flush=True)
        _unguided(holds, seeds, given.runs, seed)
    corpus = CACHE / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    flags = [f"-runs={given.runs}", f"-seed={seed}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}"]
    flags += ["-len_control=0", "-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={CACHE}/{name}-"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], holds)
    atheris.Fuzz()
    sys.exit(0)


def _unguided(holds: Property, seeds: list[bytes], runs: int, seed: int) -> NoReturn:
    source, started = random.Random(seed), time.monotonic()
    for number in range(runs):
        data = bytearray(source.choice(seeds) if source.random() < 0.3 else source.randbytes(source.randrange(400)))
        for _ in range(source.randrange(4) if data else 0):
            data[source.randrange(len(data))] = source.randrange(256)
        began = time.monotonic()
        try:
            holds(bytes(data))
            _in_time(began)
        except BaseException:
            CACHE.mkdir(parents=True, exist_ok=True)
            (CACHE / "crash").write_bytes(data)
            print(f"input {number} of seed {seed} fails; it is in {CACHE / 'crash'}", flush=True)
            raise
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    taken = time.monotonic() - started
    print(f"{runs} inputs in {taken:.0f} s, peak memory {peak} MB, seed {seed}: every one was refused or rightly accepted")
    sys.exit(0 if peak <= MEGABYTES else f"more than {MEGABYTES} MB were held")


def _in_time(began: float) -> None:
    if time.monotonic() - began > SECONDS:
        raise TimeoutError(f"one input took longer than {SECONDS} s")
