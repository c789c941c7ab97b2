"""kill -9 at random points, round after round on one state folder: what stands in the ledger afterwards, without anybody's help.

Eight workers call a real tool through a real guard, each in a process of its own (or a thread); the tool appends the id of its call to a
file, and so every effect is counted. They are killed: all at once, one while the others go on, at their start, before the n-th file that
they open, rename or remove, and so in the middle of sealing, and while they settle what the dead left. Then a guard starts on the folder,
does one call, and what must hold is looked at: see `Rounds.check`.

    python -m benchmarks.crash [--rounds 200] [--seed N] [--json]

Segments are of 256 records here, so that they are filled, sealed and taken away under the kills too. The exit code is 1 if a round does
not hold; the seed that is printed repeats where the kills are aimed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from licet import Guard
from licet.guard.ticket import running_ticket
from licet.ledger import LedgerFiles, LedgerKey, log, sealer
from licet.ledger.check.verify import verify
from licet.ledger.note import Checkpoint, parts
from licet.manifest import loads

WORKERS, SEGMENT = 8, 256
MANIFEST = """
licet: 1
environment: crash
ledger: {checkpoint_every: %s}
owners: {crash: {name: Crash, contact: crash@acme.example}}
agents: {bot: {owner: crash, tasks: [work]}}
tools:
  count: {access: write, egress: true, durable: none}
  count_on_disk: {access: write, egress: true, durable: write}
  look: {access: read, egress: false}
tasks:
  work:
    intent: Count
    ttl: 1h
    tools: {count: {}, count_on_disk: {}, look: {}}
    budgets: [{of: count, at_most: 1000000}]
"""
SLOW, FAST = loads(MANIFEST % "1s"), loads(MANIFEST % "100ms")
WAYS = ("forked", "one", "forked", "threads", "forked", "start", "forked", "steps", "all", "settling")
STARTING, IDLE, DECIDING, RECORDING, EFFECT, TILES, SIGNED, TIDYING, ROTATING = range(1, 10)
PHASES = {
    STARTING: "starting", IDLE: "between calls", DECIDING: "deciding or ending", RECORDING: "writing a record", EFFECT: "in the tool",
    TILES: "sealing: tiles", SIGNED: "sealing: checkpoint and head", TIDYING: "sealing: tidying", ROTATING: "rotating",
}  # fmt: skip


class Worker:
    """What runs in a child. `page` has two bytes for it: what its calls, and what its sealing were at when it was killed."""

    def __init__(self, state: Path, effects: Path, page: mmap.mmap, number: int) -> None:
        self._state, self._effects, self._page, self._at = state, effects, page, 2 * number

    def watch(self) -> None:
        """Have it seen from outside what is being done. Nothing is done otherwise."""
        for of, name, place, phase in (
            (log.Ledger, "_write", 0, RECORDING), (log.Ledger, "_take_up", 0, ROTATING), (sealer.Sealer, "_grow", 1, TILES),
            (sealer.Sealer, "_tidy", 1, TIDYING), (LedgerKey, "remember", 1, SIGNED), (LedgerKey, "sign", 1, SIGNED),
        ):  # fmt: skip
            setattr(of, name, self._seen(getattr(of, name), place, phase))

    def _seen(self, real: Callable[..., Any], place: int, phase: int) -> Callable[..., Any]:
        page = self._page

        def seen(*args: Any) -> Any:
            at = self._at + place
            before, page[at] = page[at], phase
            try:
                return real(*args)
            finally:
                page[at] = before

        return seen

    def move(self, number: int) -> None:
        """In a child of a worker: have bytes of its own."""
        self._at = 2 * number

    def at(self, phase: int) -> None:
        """Note what is being done."""
        self._page[self._at] = phase

    def guard(self, *, fast: bool) -> tuple[Guard, list[Callable[[int], str]]]:
        """A guard with everything on, and its tools."""
        self.at(STARTING)
        guard = Guard(FAST if fast else SLOW, state=self._state)
        file = os.open(self._effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

        def count(n: int) -> str:
            self.at(EFFECT)
            ticket = running_ticket.get()
            os.write(file, f"{ticket.id if ticket else 'none'} {n}\n".encode())
            if not n % 3:
                time.sleep(0.003)  # some tools take longer than others
            self.at(DECIDING)
            return f"counted {n}"

        def count_on_disk(n: int) -> str:
            return count(n)

        def look(n: int) -> str:
            return f"looked {n}"

        return guard, [guard.tool(each) for each in (count, count, count_on_disk, look)]

    def work(self, *, fast: bool, seed: int, calls: int = 1_000_000) -> None:
        """Make a guard, and call until killed."""
        self.call(*self.guard(fast=fast), seed=seed, stop=threading.Event(), calls=calls)

    def call(self, guard: Guard, tools: list[Callable[[int], str]], *, seed: int, stop: threading.Event, calls: int = 1_000_000) -> None:
        """The calls of one task, until killed or told to stop."""
        chosen = random.Random(seed)
        with guard, guard.task("work", intent="Count", agent="bot", principal="user:ada"):
            for number in range(calls):
                self.at(DECIDING)
                chosen.choice(tools)(number)
                self.at(IDLE)
                if stop.is_set():
                    break


def die_before(step: int, folder: str) -> None:
    """kill -9 of this process by itself, before the `step`-th file of the folder that it opens, renames, removes or locks."""
    left = [step]

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _EVENTS and (event == "fcntl.flock" or folder in str(args[0])):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "fcntl.flock"}


class Rounds:
    """All rounds on one folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.state, self.effects = folder, folder / "state", folder / "effects"
        self.files = LedgerFiles(self.state / "ledger")
        self.seed, self._random = seed, random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.phases: Counter[str] = Counter()
        self.ways: Counter[str] = Counter()
        self.kept: list[str] = []
        self.problems: list[str] = []
        self.longest = 0.0  # seconds of a restart
        self._size = self._effects_read = 0
        self._intents: dict[str, str] = {}  # calls without an outcome so far, and their tool
        self._recorded: set[str] = set()
        self._first = 0

    def run(self, count: int, *, verify_every: int = 20) -> None:
        """So many rounds."""
        for number in range(1, count + 1):
            way = WAYS[number % len(WAYS)] if number > 1 else "start"
            self.ways[way] += 1
            self.seen["rounds"] += 1
            self._round(way, number)
            self._restart(number)
            self.check(f"round {number} ({way}, seed {self.seed})", whole=number % verify_every == 0 or number == count)

    # Killing -------------------------------------------------------------------------------------------------------------

    def _round(self, way: str, number: int) -> None:
        page, fast = mmap.mmap(-1, 2 * WORKERS), bool(number % 2)
        if way in ("forked", "one"):
            self._round_of_children(page, number, fast=fast, only_one=way == "one")
        elif way == "steps":
            self._round_of_steps(page, (60, 600))
        elif way == "settling":  # there is something to settle, and who settles it dies too
            pid = self._fork(lambda: self._worker(page, 0).work(fast=fast, seed=number))
            self._kill_in([pid], page, 0.03, 0.1)
            self._round_of_steps(mmap.mmap(-1, 2 * WORKERS), (5, 120))
        elif way == "threads":
            self._kill_in([self._fork(lambda: self._threads(page, fast=fast, seed=number))], page, 0.1, 0.4)
        else:
            start = [lambda at=at: self._worker(page, at).work(fast=fast, seed=number * WORKERS + at) for at in range(WORKERS)]
            self._kill_in([self._fork(each) for each in start], page, *((0, 0.03) if way == "start" else (0.1, 0.4)))

    def _kill_in(self, pids: list[int], page: mmap.mmap, least: float, most: float) -> None:
        time.sleep(self._random.uniform(least, most))
        self._kill(pids, page)

    def _round_of_children(self, page: mmap.mmap, number: int, *, fast: bool, only_one: bool) -> None:
        seconds, one = self._random.uniform(0.02, 0.4), self._random.randrange(WORKERS) if only_one else None
        pid = self._fork(lambda: self._forked(page, fast=fast, seed=number, seconds=seconds, one=one))
        code = os.waitpid(pid, 0)[1]
        self.seen["killed"] += WORKERS + 1 if code == signal.SIGKILL else 1
        if code not in (0, signal.SIGKILL):
            self.problems.append(f"round {number}: of the workers that went on one ended badly: {code}")
        for at in range(WORKERS):
            self._note(page, at)

    def _round_of_steps(self, page: mmap.mmap, steps: tuple[int, int]) -> None:
        chosen = [self._random.randint(*steps) for _ in range(WORKERS)]
        pids = [self._fork(lambda at=at, step=step: self._step(page, at, step, fast=True, seed=at)) for at, step in enumerate(chosen)]
        self._wait(pids, seconds=0.6)
        self._kill(pids, page)

    def _fork(self, run: Callable[[], None]) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            log.SEGMENT = sealer.SEGMENT = SEGMENT  # type: ignore[attr-defined,misc]
            run()
            code = 0
        except BaseException:  # noqa: BLE001 - a child must not go on as its parent
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)

    def _worker(self, page: mmap.mmap, at: int) -> Worker:
        worker = Worker(self.state, self.effects, page, at)
        worker.at(STARTING)
        worker.watch()
        return worker

    def _step(self, page: mmap.mmap, at: int, step: int, *, fast: bool, seed: int) -> None:
        worker = self._worker(page, at)
        die_before(step, str(self.state))
        worker.work(fast=fast, seed=seed)

    def _threads(self, page: mmap.mmap, *, fast: bool, seed: int) -> None:
        worker = self._worker(page, 0)
        guard, tools = worker.guard(fast=fast)

        def calls(at: int) -> None:
            with guard.task("work", intent="Count", agent="bot", principal="user:ada"):
                for number in range(1_000_000):
                    tools[(at + number + seed) % len(tools)](number)

        for at in range(WORKERS):
            threading.Thread(target=calls, args=(at,), daemon=True).start()
        signal.pause()

    def _forked(self, page: mmap.mmap, *, fast: bool, seed: int, seconds: float, one: int | None) -> None:
        """The workers are children of a process that has a guard, whose files they have too. `one`: only this one is killed."""
        worker, stop = self._worker(page, 0), threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        guard, tools = worker.guard(fast=fast)
        with guard.task("work", intent="Count", agent="bot", principal="user:ada"):
            tools[0](0)

        def child(at: int) -> None:
            worker.move(at)
            worker.call(guard, tools, seed=seed + at, stop=stop)

        pids = [self._fork(lambda at=at: child(at)) for at in range(WORKERS)]
        time.sleep(seconds)
        if one is None:
            self._kill(pids, page)
            os.kill(os.getpid(), signal.SIGKILL)
        self._kill([pids.pop(one or 0)], page)
        time.sleep(0.05)
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        guard.close()
        codes = [os.waitpid(pid, 0)[1] for pid in pids]
        if any(codes):
            sys.exit(1)

    def _kill(self, pids: list[int], page: mmap.mmap) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            if os.waitpid(pid, 0)[1] == signal.SIGKILL:
                self.seen["killed"] += 1
        for at in range(WORKERS):
            self._note(page, at)

    def _wait(self, pids: list[int], *, seconds: float) -> None:
        """Until all have died by themselves; those that have not are left."""
        deadline = time.monotonic() + seconds
        while pids and time.monotonic() < deadline:
            pid, code = os.waitpid(-1, os.WNOHANG)
            if not pid:
                time.sleep(0.002)
                continue
            pids.remove(pid)
            self.seen["killed"] += code == signal.SIGKILL
            if code != signal.SIGKILL:
                self.problems.append(f"a worker ended with {code}")

    def _note(self, page: mmap.mmap, at: int) -> None:
        for each in page[2 * at : 2 * at + 2]:
            if each:
                self.phases[PHASES[each]] += 1

    # Starting again --------------------------------------------------------------------------------------------------------

    def _restart(self, number: int) -> None:
        begun = time.monotonic()
        code = os.waitpid(self._fork(lambda: self._worker(mmap.mmap(-1, 2), 0).work(fast=False, seed=number, calls=1)), 0)[1]
        self.longest = max(self.longest, time.monotonic() - begun)
        if code:
            self.problems.append(f"round {number}: the start after it ended with {code}: somebody would have to help")

    def check(self, what: str, *, whole: bool) -> None:
        """What must hold when nobody is running, and a guard was started and closed after the last death."""
        for line in self._new_records():
            self.seen["records"] += 1
            kind, call = line["kind"], line.get("call", "")
            self.seen[kind] += 1
            if kind == "call.intent":
                self._intents[call] = line["tool"]
                self._recorded.add(call)
            elif kind == "call.outcome":
                self.seen[f"outcome {line['status']}"] += 1
                self._intents.pop(call, None)
        if self._intents:
            self.problems.append(f"{what}: {len(self._intents)} intents have no outcome: {list(self._intents)[:3]}")
        for call in self._new_effects():
            self.seen["effects"] += 1
            if call not in self._recorded:
                self.problems.append(f"{what}: the effect of {call} has no intent before it")
        left = [file.name for file in (self.state / "keys" / "ledger.writers").iterdir()]
        if left:
            self.problems.append(f"{what}: writers that died are still there: {left}")
        running = sqlite3.connect(self.state / "licet.db").execute("SELECT count(*) FROM calls WHERE status='running'").fetchone()[0]
        if running:
            self.problems.append(f"{what}: {running} calls still run in the store")
        litter = [file.name for file in self.state.rglob(".*") if file.is_file()]
        if len(litter) > 2:  # one in each of two folders can be there, and is used again
            self.problems.append(f"{what}: files that nobody took away: {litter[:5]}")
        note = self.files.checkpoint() or ""
        size = Checkpoint.parse(parts(note)[0]).size
        if size != self._size:
            self.problems.append(f"{what}: {self._size} records stand there, and {size} are signed")
        self.kept.append(note)
        first = min(self.files.segments(), default=0)
        self.seen["segments taken away"] += (first - self._first) // SEGMENT
        self._first = first
        if whole:
            self._verify(what)

    def _verify(self, what: str) -> None:
        key = LedgerKey.of(self.state / "keys", create=False)
        found = verify(self.state / "ledger", [key.note_key], kept=self.kept, head=key.last())
        self.seen["verified"] += 1
        self.problems += [f"{what}: {fault.code}: {fault.sentence}" for fault in found.faults[:5]]
        if found.semantic_seconds is None:
            self.problems.append(f"{what}: what the records say was not read")

    def _new_records(self) -> Iterator[dict[str, Any]]:
        for line in self.files.records(self._size):
            self._size += 1
            yield json.loads(line)

    def _new_effects(self) -> Iterator[str]:
        if not self.effects.exists():
            return
        with self.effects.open("rb") as file:
            file.seek(self._effects_read)
            data = file.read()
        self._effects_read += len(data)
        for line in data.splitlines():
            yield line.split()[0].decode()

    def shown(self) -> dict[str, Any]:
        """What was seen, for people and programs."""
        return {
            "seed": self.seed, "rounds": self.seen["rounds"], "ways": dict(self.ways), "killed": self.seen["killed"],
            "killed while": dict(self.phases.most_common()), "records": self.seen["records"], "calls": self.seen["call.intent"],
            "effects": self.seen["effects"], "outcomes": {name: self.seen[f"outcome {name}"] for name in ("done", "failed", "unknown")},
            "lines torn and repaired": self.seen["ledger.repaired"], "segments taken away": self.seen["segments taken away"],
            "checkpoints kept": len(self.kept), "verified whole": self.seen["verified"],
            "longest start": round(self.longest, 3), "problems": self.problems,
        }  # fmt: skip


def in_memory() -> str | None:
    """A folder in memory: what a process wrote before it died is seen by the next one wherever it is, and no disk is waited for."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="where the kills are aimed; by default another one each time")
    parser.add_argument(
        "--folder", default=in_memory(), help="where the state folder is made; by default in memory, if there is such a place"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rounds, begun = Rounds(Path(folder), seed), time.monotonic()
        rounds.run(options.rounds)
        shown = rounds.shown() | {"seconds": round(time.monotonic() - begun, 1)}
    if options.json:
        print(json.dumps(shown, indent=2))
    else:
        for name, value in shown.items():
            print(f"{name:24} {', '.join(f'{key} {number}' for key, number in value.items()) if isinstance(value, dict) else value}")
    return 1 if rounds.problems else 0


if __name__ == "__main__":
    sys.exit(main())
