"""`licet drill status`: the scorecard, and whether the monitoring can be relied on now."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from licet.cli import output
from licet.cli.acts import seconds
from licet.cli.pages import page_place
from licet.cli.state import add_state, existing
from licet.clock import iso, lasting
from licet.drill.keys import pinned
from licet.drill.receiver import OWN_RECEIVER
from licet.drill.score import WEEK, Metric, Scorecard
from licet.drill.status import status
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.guard.state import default_state

_MOST = 20  # reasons that are shown
EXAMPLE = """\
FAIL where a drill failed and none of its kind passed since, was never revealed, or is not as the ledger says; where there is no result
within a day, or within 15 minutes where `licet drill schedule` runs; where a scenario was not played on one of its sources for a week;
where real records were not judged for an hour, or a sink does not take real findings.
Each figure stands with what it is made of.

Exit codes: 0 PASS, 1 FAIL, 2 wrong usage, or something cannot be read.

example: licet drill status
         licet drill status --within 30d --html drills.html
         licet drill status --json | jq -r '.reasons[].said'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--html", metavar="FILE", help="write one page with plots too")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is no page of Licet's")
    how = "rates, times and blind seconds are of so long (default: 7d)"
    parser.add_argument("--within", metavar="TIME", type=seconds, default=WEEK, help=how)
    parser.add_argument("--whole", action="store_true", help="read the whole ledger, and not from the mark on that the drills' key signed")
    parser.add_argument(
        "--trust", metavar="NAME", default="", help="the name of the drills' key, where you know it from elsewhere; else LICET_DRILL_TRUST"
    )
    parser.add_argument("--otlp", action="store_true", help="export the figures as metrics too, by the usual environment variables")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    if options.within < 60:
        raise UsageError("`--within` is a minute at least, such as 7d")
    place = default_state() if options.state is None else Path(options.state)
    if not place.is_dir():  # a command that only reads makes nothing
        raise UsageError(f"{place}: there is nothing here yet; `licet drill run` plays drills, or name another folder with `--state`")
    folder = existing(options).path
    if options.html is not None:
        page_place(options.html, (), force=options.force)
    card = status(folder, time.time(), within=options.within, whole=options.whole, trusted=pinned(options.trust))
    if options.html is not None:
        from licet.drill.page import page

        output.file(options.html, page(card))
    if options.otlp:
        from licet.drill.exported import export

        export(card)
    if options.json:
        output.data(card.plain())
    else:
        _say(card)
    return 0 if card.passed else 1


def _say(card: Scorecard) -> None:
    what = output.paint("PASS", "green") if card.passed else output.paint("FAIL", "red")
    played = counted(len(card.drills), "result")
    output.say(what, f"  score {card.score:.2f}, of {played} since {iso(card.since)[:16].replace('T', ' ')}")
    for reason in card.reasons[:_MOST]:
        output.say(f"      {reason.said}")
    if len(card.reasons) > _MOST:
        output.say(f"      and {counted(len(card.reasons) - _MOST, 'more reason')}: `--json` has them")
    for warning in card.warnings:
        output.say(f"warning: {visible(warning, 300)}")
    for each in card.blind:
        output.say(f"      blind now: {each.part}, since {iso(each.since)}")
    sinks = [f"{visible(name, 200)}, last {iso(last)}" for name, last in card.sinks.items()]
    output.say(f"sinks proved: {'; '.join(sinks) or 'none'}{'' if set(card.sinks) - {OWN_RECEIVER} else '; no sink of yours'}")
    for line in _figures(card):
        output.say(line)


def _figures(card: Scorecard) -> Iterator[str]:
    for each in card.metrics:
        if each.name == "detection_time_p95":  # it stands beside the half
            continue
        name, beside = each.title, ""
        if each.name == "detection_time_p50":
            name, last = "detection time, of half and of 95 %", card.metric("detection_time_p95", each.of).value
            beside = f"  {_seconds(last)}" if last is not None else ""
        if each.name == "detection_coverage":
            beside = f" cells, {card.proved_here:,} of them of sources with records here"
        if each.name == "blind_seconds":
            beside = f" since {iso(card.since)[:16].replace('T', ' ')}"
        yield f"{name + (f' ({each.of})' if each.of else ''):<68}{told(each, beside)}"


def told(metric: Metric, beside: str = "") -> str:
    """A figure for people, with what it is made of. `beside`: stands behind it."""
    if metric.value is None:
        return "      -"
    if metric.unit == "share":
        low = f", at least {_percent(metric.low)} at 95 %" if metric.low is not None else ""
        return f"{_percent(metric.value):>7}  {metric.numerator:,.0f} of {metric.denominator:,.0f}{beside}{low}"
    if metric.unit == "alerts":
        return f"{metric.value:>7.2f}"
    if metric.name == "blind_seconds":
        return f"{_seconds(metric.value):>7}  of {lasting(metric.denominator)}{beside}"
    if metric.name in ("source_freshness", "unjudged_seconds", "undelivered_seconds"):
        return f"{_seconds(metric.value):>7}  of {lasting(metric.denominator)} that it may be"
    return f"{_seconds(metric.value):>7}{beside}  {metric.numerator:,.0f} of {metric.denominator:,.0f} came"


def _percent(share: float) -> str:
    """Never rounded up to all of it."""
    return "100 %" if share >= 1 else f"{int(share * 1_000) / 10:.1f} %"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 60 else lasting(value)
