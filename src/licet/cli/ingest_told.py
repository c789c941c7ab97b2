"""What a run of `licet ingest` says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.escape import counted, visible
from licet.ingest.batch import Report
from licet.ingest.intake import FUTURE, PAST

_SHOWN = 20  # causes and files of each kind


def as_data(report: Report) -> dict[str, Any]:
    """The report as plain data."""
    return {
        "records": report.records, "uses": report.kept.uses, "lifecycle": report.kept.lifecycle, "again": report.kept.again,
        "same_id": report.kept.same_id,
        "files": report.files, "unchanged": report.unchanged, "passed": dict(report.passed),
        "refused": [{"cause": cause, "number": number, "first": first} for cause, (number, first) in report.refused.items()],
        "stuck": report.stuck, "unreadable": report.unreadable,
    }  # fmt: skip


def tell(source: str, report: Report, seconds: float) -> None:
    """Print it."""
    kept = report.kept
    of = f"{counted(report.records, 'record')} of {counted(report.files, 'file')}"
    if report.unchanged:
        of += f" ({report.unchanged:,} unchanged)"
    again = f", {counted(kept.again, 'event')} there already" if kept.again else ""
    output.say(
        f"{source}: {of}: {counted(kept.uses, 'use')} and {counted(kept.lifecycle, 'lifecycle event')} kept{again}, in {seconds:.1f} s"
    )
    if kept.same_id:
        output.say(f"  same id     {kept.same_id:>9,}  other records with an id that was there: kept, with `~` behind it")
    for cause, number in report.passed.most_common(_SHOWN):
        output.say(f"  passed over {number:>9,}  {visible(cause, 200)}")
    refused = sorted(report.refused.items(), key=lambda item: -item[1][0])
    for cause, (number, first) in refused[:_SHOWN]:
        output.say(output.paint(f"  refused     {number:>9,}", "red"), f"  {visible(cause, 200)}; first at {visible(shown(first), 300)}")
    if len(refused) > _SHOWN:
        output.say(f"  and {counted(len(refused) - _SHOWN, 'more cause')}; `--json` has all")
    for name, why in [*report.stuck.items()][:_SHOWN]:
        output.say(output.paint("  not read on", "red"), f"           {visible(shown(name), 300)}: {visible(why, 200)}")
    for name, why in [*report.unreadable.items()][:_SHOWN]:
        output.say(output.paint("  not read", "red"), f"              {visible(shown(name), 300)}: {visible(why, 200)}")
    if len(report.unreadable) > _SHOWN:
        output.say(f"  and {counted(len(report.unreadable) - _SHOWN, 'more file')} not read")
    unknown = sum(number for cause, (number, _) in report.refused.items() if cause not in (FUTURE, PAST))
    if report.records and unknown == report.records and not report.continued:  # what was read of a file before says what it is
        output.say(f"  nothing of it can be read as {source}: are these another source's logs?")
    if len(report.stuck) > _SHOWN:
        output.say(f"  and {counted(len(report.stuck) - _SHOWN, 'more file')}")


def shown(place: str) -> str:
    """A path as a person here would write it."""
    return place.removeprefix(f"{Path.cwd()}{os.sep}")
