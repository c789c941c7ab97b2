"""`licet spans check`: hold exported spans against the conventions."""

from __future__ import annotations

import argparse
import dataclasses

from licet.cli import output
from licet.escape import counted

CHECK_EXAMPLE = """\
FILES are OTLP JSON lines, plain or gzipped, as the Collector's file exporter writes them. All files are read as one: a span's parent may
be in another. Lines that cannot be read are named. Spans of other instrumentation are passed over.

Exit codes: 0 well, 1 problems or lines that cannot be read, 2 wrong usage or a file that cannot be opened.

example: licet spans check traces.jsonl
         licet spans check traces.jsonl --json | jq '.problems[].code'
"""
EXAMPLE = CHECK_EXAMPLE


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    verbs = parser.add_subparsers(metavar="check", required=True)
    summary = "hold exported spans against the conventions"
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
    from licet.telemetry.reader import BadSpan, ReadSpan, read_spans

    spans: list[ReadSpan] = []
    bad: list[BadSpan] = []
    for name in options.files:
        for item in read_spans(name):
            if isinstance(item, BadSpan):
                bad.append(item)
            else:
                spans.append(item)
    problems = check(spans, opted_in=options.opted_in)
    judged = sum(map(ours, spans))
    if options.json:
        output.data(
            {
                "spans": judged, "others": len(spans) - judged, "problems": [dataclasses.asdict(found) for found in problems],
                "unreadable": [dataclasses.asdict(found) for found in bad],
            }
        )  # fmt: skip
    else:
        for found in (*bad, *problems):
            output.say(str(found))
        if not judged:
            output.error("no span of Licet's is in these files")
        said = f"{counted(judged, 'span')} of Licet's, {len(spans) - judged} of others: {counted(len(problems), 'problem')}"
        output.say(f"{said}{f', {len(bad)} unreadable' if bad else ''}")
    return 1 if problems or bad else 0
