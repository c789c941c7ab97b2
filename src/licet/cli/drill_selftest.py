"""`licet drill selftest`: the test of the test."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from licet.cli import output
from licet.clock import SystemClock
from licet.drill.selftest import Score, selftest
from licet.escape import counted

EXAMPLE = """\
Each reader, each detector and each of its reasons, each pass, each exporter, each sink and each hop is disabled in turn, in a pipeline of
its own in a folder that is gone afterwards. Without it the drills that need it must fail, and say that it is missing. What can be disabled
while nobody notices is a survivor: no drill stands between it and its silence. What is disabled is read off the registries of the product.

Exit codes: 0 every part was missed, 1 one survived, or the drills fail though nothing is disabled, 2 wrong usage, or no folder can be made.

example: licet drill selftest
         licet drill selftest --json > selftest.json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--state", metavar="DIR", help="as the other verbs take it: nothing of this folder is read or changed")


def run(options: argparse.Namespace) -> int:
    """Disable each part, and print what nobody noticed."""
    begun = time.monotonic()
    said = _Said()
    score = selftest(SystemClock(), said)
    said.done()
    if options.json:
        output.data(_plain(score))
    else:
        _say(score, time.monotonic() - begun)
    return 0 if score.well else 1


class _Said:
    """Progress: one line that is written over on a terminal, else one for each step."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        if self._tty:
            output.write("\r\x1b[K", stream=sys.stderr)
            output.write(text, stream=sys.stderr)
            sys.stderr.flush()
        else:
            output.error(f"licet: {text}")

    def done(self) -> None:
        """Take the line away."""
        if self._tty:
            output.write("\r\x1b[K", stream=sys.stderr)


def _plain(score: Score) -> dict[str, Any]:
    return {
        "killed": len(score.tested) - len(score.survivors), "of": len(score.tested), "well": score.well,
        "parts": [
            {"part": each.part, "ways": each.ways, "drills": each.drills, "failed": each.red, "survives": each.why}
            for each in score.tested
        ],
        "failed": [each.plain() for each in score.failed],
    }  # fmt: skip


def _say(score: Score, seconds: float) -> None:
    for result in score.failed:
        which = f"{result.scenario} on {result.source}{' (twin)' if result.twin else ''}"
        output.say(output.paint("FAIL", "red"), f"  {which}, though nothing is disabled: {'; '.join(result.failures)}")
    for each in score.survivors:
        output.say(output.paint("survives", "red"), f"  {each.part}: {each.why}")
    what = output.paint("PASS", "green") if score.well else output.paint("FAIL", "red")
    if not score.tested:
        output.say(what, f"  nothing was disabled: of {counted(len(score.whole), 'drill')} {len(score.failed)} fail as it is")
        return
    killed, ways = len(score.tested) - len(score.survivors), sum(each.ways for each in score.tested)
    output.say(what, f"  killed {killed} of {len(score.tested)}, in {ways} ways and {seconds:.0f} s")
