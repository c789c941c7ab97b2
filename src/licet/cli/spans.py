"""`licet spans check`: hold exported spans, metrics and log events against the conventions."""

from __future__ import annotations

import argparse
import dataclasses

from licet.cli import output
from licet.escape import counted, visible

CHECK_EXAMPLE = """\
FILES are OTLP JSON lines, plain or gzipped, as the Collector's file exporter writes them: spans, metrics or log records, one kind a file or
all in one. All files are read as one: a span's parent, and the span of a decision's log event, may be in another. Lines that cannot be
read are named. What other instrumentation exports is passed over.

Exit codes: 0 well, 1 problems, lines that cannot be read, or nothing of Licet's at all, 2 wrong usage or a file that cannot be opened.

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
        "--opted-in",
        metavar="NAME",
        action="append",
        default=[],
        help="an opt-in attribute that you asked for; may be repeated",
    )
    own.add_argument("-m", "--manifest", metavar="MANIFEST", help="contents that its `record:` lets out were asked for")
    own.add_argument("--allow-none", action="store_true", help="it is well if nothing of Licet's is in the files")
    own.add_argument(
        "--without-records", action="store_true", help="`licet.record` is cut or taken away on purpose before the spans come here"
    )
    own.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Print every problem; 1 if there is one."""
    from licet.manifest import load
    from licet.telemetry import opted
    from licet.telemetry.conventions import check, ours  # the other commands need no registry
    from licet.telemetry.reader import BadSpan, Item, ReadLog, ReadMetric, ReadSpan, read_all

    if strange := [name for name in options.opted_in if name not in opted.NAMES]:
        output.error(f"--opted-in {visible(strange[0], 100)}: no attribute that is opted in to. There are: {', '.join(opted.NAMES)}")
        return 2
    manifest = load(options.manifest) if options.manifest is not None else None
    items: list[Item] = []
    bad: list[BadSpan] = []
    for name in options.files:
        for item in read_all(name):
            if isinstance(item, BadSpan):
                bad.append(item)
            else:
                items.append(item)
    problems = check(items, opted_in=options.opted_in, manifest=manifest, records=not options.without_records)
    spans, metrics, events = (sum(ours(item) for item in items if isinstance(item, kind)) for kind in (ReadSpan, ReadMetric, ReadLog))
    none = not (spans + metrics + events or options.allow_none)
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
        named = [
            counted(spans, "span"),
            *([counted(metrics, "metric")] if metrics else []),
            *([counted(events, "event")] if events else []),
        ]
        said = f"{', '.join(named)} of Licet's, {others} of others: {counted(len(problems), 'problem')}"
        output.say(f"{said}{f', {len(bad)} unreadable' if bad else ''}")
    if none:
        hint = "is this what the Collector wrote, and has anything run? Where none is well: `--allow-none`"
        output.error(f"nothing of Licet's is in {'these files' if len(options.files) > 1 else 'this file'}: {hint}")
    return 1 if problems or bad or none else 0
