"""`licet drill schedule`: one drill in each slot, day by day."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from licet.cli import output
from licet.cli.acts import seconds
from licet.cli.drill_live import add_live, live_of
from licet.clock import SystemClock, iso
from licet.drill.schedule import Done, scheduled
from licet.drill.slots import SLOT
from licet.escape import counted

_LOOK = 0.5  # seconds between two looks whether it is to end

EXAMPLE = """\
A drill is played in each slot of ten minutes, with its twin and its shadow, at a time and of a kind that nobody knows who does not hold the
drills' key. What a day's slots are is committed to in the ledger before the day, and told when it is over; a slot without its drill is a
failed one. It waits for `licet monitor` and `licet findings deliver` where they are at work, and lets them work between two drills.

It runs until SIGINT or SIGTERM, and plays to its end what has begun. Started again it goes on with the slots that are left, and says which
were missed. Where no drill is due within `--for`, that is said, and when the next one is.

Exit codes: 0 all drills passed, 1 one failed or was missed, 2 wrong usage, or something cannot be read or written.

example: licet drill schedule --to https://siem.acme.example/hook --secret-file hook.secret
         licet drill schedule --for 8h --json
         licet drill schedule --once
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--once", action="store_true", help="wait for the next drill that is due, play it, and end")
    how_long.add_argument("--for", dest="lasts", metavar="TIME", type=seconds, help="end after so long, such as 8h")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each slot")
    add_live(parser)


def run(options: argparse.Namespace) -> int:
    """Play what is due, until it is interrupted."""
    clock = SystemClock()
    until = clock.now() + options.lasts if options.lasts is not None else float("inf")
    told: list[bool] = []

    def say(done: Done) -> None:
        told.append(done.passed)
        _say(done, as_json=options.json)

    with _ended_between() as wait:
        try:
            scheduled(lambda patience: live_of(options, patience), clock, wait, until, say, once=options.once, none=_none)
        except KeyboardInterrupt:
            output.error(f"licet: ended; {counted(len(told), 'slot')}, {told.count(True)} passed")
    return 0 if all(told) else 1


@contextmanager
def _ended_between() -> Iterator[Callable[[float], None]]:
    """What waits for so many seconds, and is ended by SIGINT and SIGTERM: a drill that has begun is played to its end, as it would count as
    one that failed. A second signal ends that too.
    """
    asked: list[int] = []

    def asks(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    def wait(seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            if asked:
                raise KeyboardInterrupt
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _LOOK))

    main = threading.current_thread() is threading.main_thread()
    before = {each: signal.signal(each, asks) for each in (signal.SIGTERM, signal.SIGINT)} if main else {}
    try:
        yield wait
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _none(slot: float) -> None:
    due = f"the next is due between {iso(slot)} and {iso(slot + SLOT)}"
    output.error(
        f"licet: no drill is due within `--for`, and none is played; {due}. From now on drills are due: one that nobody plays is missed"
    )


def _say(done: Done, *, as_json: bool) -> None:
    slot = done.slot
    if as_json:
        data = {
            "time": iso(slot.time), "scenario": slot.scenario, "source": slot.source, "passed": done.passed, "missed": done.why,
            "drills": [each.plain() for each in done.results],
        }  # fmt: skip
        output.write(json.dumps(data, ensure_ascii=True) + "\n")
    else:
        mark = output.paint("pass", "green") if done.passed else output.paint("FAIL" if done.results else "MISS", "red")
        output.say(f"{iso(slot.time)}  {slot.scenario:5}{slot.source:12}", mark, f"  {done.why}" if done.why else "")
        for each in done.results:
            which = "twin: " if each.twin else "beside: " if each.shadow else ""
            for failure in each.failures:
                output.say(f"      {which}{failure}")
    sys.stdout.flush()
