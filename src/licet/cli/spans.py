"""`licet spans check`: hold exported spans, metrics and log events against the conventions."""

from __future__ import annotations

import argparse
import dataclasses

from licet.cli import output
from licet.escape import counted

CHECK_EXAMPLE = """\
FILES are OTLP JSON lines, plain or gzipped, as the Collector's file exporter writes them: spans, metrics or log records, one kind a file or
all in one. All files are read as one: a span's parent, and the span of a decision's log event, may be in another. Lines that cannot be
read are named. What other instrumentation exports is passed over.

Exit codes: 0 well, 1 problems or lines that cannot be read, 2 wrong usage or a file that cannot be opened.

example: licet spans check traces.jsonl
         licet spans check traces.jsonl metrics.jsonl logs.jsonl --json | jq '.problems[].code'
"""
EXAMPLE = CHECK_EXAMPLE


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    verbs = parser.add_subparsers(metavar="check", required=True)
    summary = "hold exported spans, metrics and log events against the conventions"
    own = verbs.add_parser(
        "check", help=summary, description=summary, epilog=CHECK_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own.add_argument("files", metavar="FILE", nargs="+", help="OTLP JSON lines, plain or gzip")
    own.add_argument(
        "--opted-in", metavar="NAME", action="append", default=[], help="an opt-in attribute that you asked for; may be repeated"
    )
    own.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Print every problem; 1 if there is one."""
    from licet.telemetry.conventions import check, ours  # the other commands need no registry
    from licet.telemetry.reader import BadSpan, Item, ReadLog, ReadMetric, ReadSpan, read_all

    items: list[Item] = []
    bad: list[BadSpan] = []
    for name in options.files:
        for item in read_all(name):
            if isinstance(item, BadSpan):
                bad.append(item)
            else:
                items.append(item)
    problems = check(items, opted_in=options.opted_in)
    spans, metrics, events = (sum(ours(item) for item in items if isinstance(item, kind)) for kind in (ReadSpan, ReadMetric, ReadLog))
    others = len(items) - spans - metrics - events
    if options.json:
        output.data(
            {
                "spans": spans, "metrics": metrics, "events": events, "others": others,
                "problems": [dataclasses.asdict(found) for found in problems], "unreadable": [dataclasses.asdict(found) for found in bad],
            }
        )  # fmt: skip
    else:
        for found in (*bad, *problems):
            output.say(str(found))
        if not spans + metrics + events:
            output.error("nothing of Licet's is in these files")
        named = [
            counted(spans, "span"),
            *([counted(metrics, "metric")] if metrics else []),
            *([counted(events, "event")] if events else []),
        ]
        said = f"{', '.join(named)} of Licet's, {others} of others: {counted(len(problems), 'problem')}"
        output.say(f"{said}{f', {len(bad)} unreadable' if bad else ''}")
    return 1 if problems or bad else 0
