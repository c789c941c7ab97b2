"""`licet monitor`: judges what came into the inventory."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from licet.cli import output
from licet.cli.findings import tell_history
from licet.cli.findings_signals import loose
from licet.cli.follow import EVERY, add_follow, follow
from licet.cli.locked import alone
from licet.cli.output import Style
from licet.cli.state import add_state, existing
from licet.clock import SystemClock, iso
from licet.errors import UsageError
from licet.escape import counted
from licet.guard.state import StateFolder, secret
from licet.ingest.sources import SOURCES
from licet.inventory.declared import declarations
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.judged import judged
from licet.inventory.store import FILE, Inventory
from licet.manifest import load
from licet.monitor.codes import CODES
from licet.monitor.passes import PASSES, Pass
from licet.monitor.run import Report, monitor
from licet.monitor.world import Settings

LOCK = "monitor.lock"
BOOK = "drill.db"  # as `licet.drill.book` has it, which is loaded only where it is there
_TTY_SECONDS, _LOG_SECONDS = 0.2, 10.0  # between two lines of progress
_SEVERITIES = ("critical", "high", "medium", "low", "info")
_STYLES: dict[str, Style] = {"critical": "red", "high": "red", "medium": "yellow"}

EXAMPLE = """\
Each identity of which something new came is judged: from where it was, or anew if something came late, was declared, or a detector changed.
Running it twice changes nothing; if it is cut off, the next run goes on. `licet findings` shows what was found.

With `--follow` it runs again and again, until SIGINT or SIGTERM, and prints a line where something is new.

Exit codes: 0 done, whatever was found, 2 wrong usage, or something cannot be read; with `--follow` that of the last run.

example: licet monitor && licet findings
         licet monitor -m licet.yaml --json | jq .signals
         licet monitor --follow --every 5m
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-m", "--manifest", metavar="FILE", help="declares identities, credentials and environments")
    parser.add_argument("--rebuild", action="store_true", help="judge every identity from its first event on")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of lines; with `--follow` one a line for each run"
    )
    add_follow(parser)
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Judge, once or again and again."""
    if options.every is not None and not options.follow:
        raise UsageError("`--every` goes with `--follow`")
    if options.follow:
        return follow(lambda first: _once(options, first=first), options.every or EVERY)
    return _once(options, first=True)


def _once(options: argparse.Namespace, *, first: bool) -> int:
    """Judge, and print the sums by code; of a run that is not the first, what is new, if anything is."""
    folder = existing(options)
    path = folder.path / FILE
    if not path.exists():
        raise UsageError(f"{path}: is not there: nothing was taken in yet; `licet ingest` does that")
    now = SystemClock().now()
    begun = time.monotonic()
    with alone(folder.path / LOCK, "licet monitor"), closing(Inventory(path)) as inventory, _passes(folder) as passes:
        if options.manifest is not None:
            _declare(inventory, options.manifest, folder, now)
        told = _Told()
        try:
            lags = {name: source.lag for name, source in SOURCES.items()}
            report = monitor(inventory, Settings(), now, told, passes=passes, lags=lags, rebuild=options.rebuild and first)
            outside = loose(inventory)
            judged(inventory, now)
        finally:
            told.done()
        if first and not options.json:
            _say(report, outside, time.monotonic() - begun)
            tell_history(inventory)
    if options.json:
        signals = {
            code: {"number": number, "title": CODES[code].title,
                   "severities": {each: report.severities[each, code] for each in _SEVERITIES if (each, code) in report.severities}}
            for code, number in report.signals.items()
        }  # fmt: skip
        data = {"identities": report.identities, "events": report.events, "changed": report.changed, "signals": signals,
                "findings": report.findings._asdict(), "in_no_finding": outside}  # fmt: skip
        if options.follow:
            output.write(json.dumps({"time": iso(now)} | data, ensure_ascii=True) + "\n")
        else:
            output.data(data)
    elif not first and (report.identities or report.changed or any(report.findings)):
        output.say(f"{iso(now)}  {_judged(report)}; {_made(report)}")
    return 0


@contextmanager
def _passes(folder: StateFolder) -> Iterator[Sequence[Pass]]:
    """What is judged beside identities; where drills were played, who acts under the name of one, too."""
    if not (folder.path / BOOK).exists():
        yield PASSES
        return
    from licet.drill.book import Book
    from licet.drill.forgery import forgeries

    with closing(Book(folder.path / BOOK, reading=True)) as book:
        yield (*PASSES, forgeries(book.enrolled))


def _say(report: Report, outside: int, seconds: float) -> None:
    for severity, code in sorted(report.severities, key=lambda each: (_SEVERITIES.index(each[0]), each[1])):
        shown = output.paint(f"{severity:8}", _STYLES[severity]) if severity in _STYLES else f"{severity:8}"
        output.say(shown, f" {report.severities[severity, code]:6,}  {code}: {CODES[code].title}")
    speed = f", {report.events / seconds:,.0f} events/s" if report.events and seconds > 0.5 else ""
    output.say(f"{_judged(report)}{speed}; {counted(report.changed, 'signal')} changed")
    output.say(_made(report))
    if report.signals:
        output.say("`licet findings` says what an owner must look at")
    if outside:
        are = "is" if outside == 1 else "are"
        output.say(f"{counted(outside, 'signal')} {are} in no finding: `licet findings --signals`")


def _judged(report: Report) -> str:
    identities = "1 identity" if report.identities == 1 else f"{report.identities:,} identities"
    return f"{identities} judged, {counted(report.events, 'event')}"


def _made(report: Report) -> str:
    made = report.findings
    return f"{counted(made.opened, 'finding')} new, {made.changed:,} changed, {made.withdrawn:,} withdrawn"


def _declare(inventory: Inventory, manifest: str, folder: StateFolder, now: float) -> None:
    """What the manifest says, once: said again, everybody would be judged anew."""
    said = declarations(load(manifest), Fingerprints(secret(folder)).of, now)
    digest = hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()
    stood = inventory.cursor("declared", "manifest")
    if stood is None or stood.get("digest") != digest:
        inventory.declare(**said._asdict())
        inventory.keep((), cursors=[("declared", "manifest", {"digest": digest})], now=now)


class _Told:
    """Progress, on standard error."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._begun = self._said = time.monotonic()
        self._shown = False

    def __call__(self, done: int, total: int, events: int) -> None:
        now = time.monotonic()
        if now - self._said < (_TTY_SECONDS if self._tty else _LOG_SECONDS):
            return
        self._said, self._shown = now, True
        text = f"{done:,} of {total:,} identities, {counted(events, 'event')}, {events / (now - self._begun):,.0f}/s"
        output.write(f"\r\x1b[K{text}" if self._tty else f"{text}\n", stream=sys.stderr)
        sys.stderr.flush()

    def done(self) -> None:
        """Take the line away."""
        if self._tty and self._shown:
            output.write("\r\x1b[K", stream=sys.stderr)
