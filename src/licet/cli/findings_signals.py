"""Signals beside findings, in `licet findings --signals`: what the monitor saw that was not enough for a finding."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence

from licet.cli import output
from licet.cli.findings_found import Sources, name_beside
from licet.cli.output import Style
from licet.clock import iso
from licet.escape import counted, visible
from licet.inventory.store import Inventory
from licet.monitor.signal import Signal
from licet.monitor.stored import signal_of
from licet.records import Severity

SEVERITIES: Sequence[Severity] = ("info", "low", "medium", "high", "critical")
STYLES: Mapping[str, Style] = {"critical": "red", "high": "red", "medium": "yellow"}


def loose(inventory: Inventory, names: Sequence[str] = ()) -> int:
    """How many signals are in no finding, of all identities or of those that are named."""
    if not names:
        return int(inventory.rows("SELECT count(*) FROM signals WHERE finding=''")[0][0])
    query = "SELECT count(*) FROM signals JOIN identities ON identities.id=subject WHERE finding='' AND uid=?"
    return sum(int(inventory.rows(query, (name,))[0][0]) for name in names)


def signals(
    options: argparse.Namespace, sources: Sources, names: Collection[str] | None, *, all_of_them: bool
) -> Iterator[tuple[Signal, str]]:  # fmt: skip
    """Those that are asked for, oldest first, each with its finding; empty if it is in none.

    Args:
        options: `code`, `since`, `severity` and `owner` narrow them.
        names: the names of the identity that is asked for; None: of any.
        all_of_them: those too that are in a finding.
    """
    if sources.inventory is None or options.task is not None:
        return
    where = "" if all_of_them else "WHERE finding=''"
    rows = sources.inventory.rows(f"SELECT body, finding FROM signals {where} ORDER BY time, id")  # noqa: S608 - our own words
    owners: dict[str, str] = {}
    for body, finding in rows:
        found = signal_of(body)
        if _wanted(options, found, names) and (options.owner is None or _owner(sources.inventory, found, owners) == options.owner):
            yield found, finding


def _wanted(options: argparse.Namespace, found: Signal, names: Collection[str] | None) -> bool:
    return (
        (names is None or found.identity in names)
        and (not options.code or found.code in options.code)
        and (options.severity is None or SEVERITIES.index(found.severity) >= SEVERITIES.index(options.severity))
        and (options.since is None or _last(found) >= options.since)
    )


def _last(found: Signal) -> float:
    return max([found.time, found.last, *(each.time for each in found.evidence)])


def _owner(inventory: Inventory, found: Signal, known: dict[str, str]) -> str:
    """Who answers for whom it is about; `nobody` where nobody does."""
    whom = found.identity or found.credential
    if whom not in known:
        owned = inventory.owner_of(whom) if whom else None
        known[whom] = owned[0].uid if owned is not None else "nobody"
    return known[whom]


def tell(options: argparse.Namespace, sources: Sources, names: Collection[str] | None) -> None:
    """Print those that are in no finding."""
    number = 0
    for number, (found, _) in enumerate(signals(options, sources, names, all_of_them=False), 1):
        if number == 1:
            output.say(output.paint("in no finding:", "bold"))
        severity = output.paint(f"{found.severity:8}", STYLES.get(found.severity, "dim"))
        whom = found.identity or found.credential
        whose = f"  {visible(whom, 200)}{name_beside(sources.inventory, whom)}" if whom else ""
        points = f"  {found.points:g} points" if found.points else ""
        output.say(f"{iso(found.time)}  ", severity, f"  {found.code}{whose}{points}")
        output.say(f"    {visible(found.observed, 1_000)}{_cites(found)}")
    if number:
        points = "points become a finding where enough of several kinds come together; `licet findings --json --signals` has all of each"
        output.say(output.paint(f"{counted(number, 'signal')} in no finding; {points}", "dim"))
    else:
        output.say("no signal is outside of a finding")


def _cites(found: Signal) -> str:
    """The record to look up."""
    events = [each for each in found.evidence if not each.body]
    if not events:
        return ""
    last = max(events, key=lambda each: (each.time, each.uid))
    more, until = len(events) - 1 + found.more, max(last.time, found.last)
    times = f", and {more:,} more, the last at {iso(until)}" if more else ""
    return f"  [{visible(last.uid if not more else events[0].uid, 200)}{times}]"


def beside(options: argparse.Namespace, sources: Sources, names: Collection[str] | None) -> str:
    """What is added to `no findings` where the same question finds signals."""
    number = sum(1 for _ in signals(options, sources, names, all_of_them=False))
    return f"; {counted(number, 'signal')} in none: `licet findings --signals`, with the same words" if number else ""
