"""`licet drill run`: safe misuse let in, and what came of it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

from licet.cli import output
from licet.cli.acts import seconds
from licet.cli.drill_live import add_live, live_of
from licet.drill.book import Result
from licet.drill.live import Choice
from licet.drill.run import run as played
from licet.drill.scenario import Scenario
from licet.drill.scenarios import SCENARIOS
from licet.errors import UsageError
from licet.escape import counted

EXAMPLE = """\
Each scenario is played on each of its sources: as misuse, as its benign twin, and once more beside the live pipeline as somebody who is
known for no drill. What was let in is taken back when the verdict is known; the findings stay, as withdrawn, and say that it was a drill.
Without `--to` or `--otlp` findings are delivered to a receiver that this command runs on this machine.
With `--wait` the drill judges and delivers nothing itself: a `licet monitor --follow` and a `licet findings deliver` that run must do it.

Exit codes: 0 all passed, 1 one failed, 2 wrong usage, or something cannot be read or written.

example: licet drill run
         licet drill run D1 --wait 2m --to https://siem.acme.example/hook --secret-file hook.secret
         licet drill run D1 D9 --source cloudtrail --to https://siem.acme.example/hook --secret-file hook.secret --json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="`D1`, or its name `revoked-key`; all without it")
    parser.add_argument("--source", action="append", metavar="NAME", help="play on this source alone; can be said again")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--wait", type=seconds, metavar="TIME", help="judge and deliver nothing: those who do it all the time have so long")
    add_live(parser)
    parser.epilog = f"{parser.epilog or ''}\n\n{_listed()}".strip()


def _listed() -> str:
    """The scenarios, each with the sources that it is played on."""
    lines = (f"  {each.id:5}{each.name:22}{', '.join(each.sources)}" for each in SCENARIOS)
    return "\n".join(("scenarios, and the sources that each is played on:", *lines))


def run(options: argparse.Namespace) -> int:
    """Play them, and print what came of each."""
    choices = chosen(options.scenarios, options.source)
    begun = time.monotonic()
    with live_of(options) as live:
        results = played(choices, live, _said)
    failed = [each for each in results if not each.passed]
    if options.json:
        output.data({"drills": [each.plain() for each in results], "passed": len(results) - len(failed), "failed": len(failed)})
    else:
        _say(results, choices, time.monotonic() - begun)
        if not options.wait:
            where = "" if options.to or options.otlp else ", and delivered to a receiver of its own"
            _said(f"judged by this run itself{where}; `--wait 2m --to URL` proves those that run all the time")
    return 1 if failed else 0


def chosen(words: Sequence[str], sources: Sequence[str] | None) -> list[Choice]:
    """The scenarios that are meant, each on its sources.

    Raises:
        UsageError: there is no such scenario, or none of those can be played on such a source.
    """
    known = {name: each for each in SCENARIOS for name in (each.id.lower(), each.name)}
    for word in words:
        if word.lower() not in known:
            raise UsageError(f"no scenario {word!r}; there are {', '.join(f'{each.id} {each.name}' for each in SCENARIOS)}")
    meant = [known[word.lower()] for word in dict.fromkeys(words)] or list(SCENARIOS)
    there = {name for each in SCENARIOS for name in each.sources}
    for name in sources or ():
        if name not in there:
            raise UsageError(f"no scenario is played on {name!r}; sources are {', '.join(sorted(there))}")
    found = [Choice(each, source) for each in meant for source in each.sources if not sources or source in sources]
    if not found:
        raise UsageError("none of those scenarios is played on that source; `licet drill run --help` has the list")
    return found


def _said(text: str) -> None:
    output.error(f"licet: {text}")


def _say(results: Sequence[Result], choices: Sequence[Choice], took: float) -> None:
    by: Mapping[tuple[str, str], list[Result]] = {
        (choice.scenario.id, choice.source): [
            each for each in results if (each.scenario, each.source) == (choice.scenario.id, choice.source)
        ]
        for choice in choices
    }
    for choice in choices:
        _line(choice.scenario, choice.source, by[choice.scenario.id, choice.source])
    failed = [each for each in results if not each.passed]
    told = sorted(each.seconds for each in results if each.passed and not each.twin and not each.shadow)
    median = f", half of the misuses known within {told[len(told) // 2]:.1f} s" if told else ""
    what = output.paint("FAIL", "red") if failed else output.paint("PASS", "green")
    output.say(what, f"  {len(results) - len(failed)} of {counted(len(results), 'drill')} passed in {took:.0f} s{median}")
    parts = sorted({part for each in failed for part in each.parts})
    if parts:
        output.say(f"      look at: {', '.join(parts)}")


def _line(scenario: Scenario, source: str, results: Sequence[Result]) -> None:
    well = all(each.passed for each in results)
    misuse = next(each for each in results if not each.twin and not each.shadow)
    mark = output.paint("pass", "green") if well else output.paint("FAIL", "red")
    after = f"{misuse.seconds:5.1f} s" if misuse.seconds >= 0 else "  never"
    output.say(f"{scenario.id:5}{scenario.name:22}{source:12}", mark, f"  {after}  {scenario.title}")
    for each in results:
        for failure in each.failures:
            which = "twin: " if each.twin else "beside: " if each.shadow else ""
            output.say(f"      {which}{failure}")
