"""`licet backtest`: what a change of the manifest would have done to recorded runs, call by call."""

from __future__ import annotations

import argparse
import re

from licet.cli import backtest_told, output, pages
from licet.cli.backtest_page import page
from licet.cli.backtest_run import ENOUGH, moment, through
from licet.errors import UsageError
from licet.manifest import Manifest, load

FAIL_ON = ("widened", "denied", "any", "reasons", "never")

EXAMPLE = """\
TRACES are what `licet replay` takes: session files (JSON Lines, plain or gzipped), spans of any agent that hold contents (OTLP JSON lines,
Jaeger's JSON), `-`, jaeger://HOST:PORT. Every session is judged by both manifests, by the guard's own judge, each in a world of its own:
budgets, chains, flows, origins, and what earlier sessions wrote tainted into stores. Nothing runs, and your own state is not touched.

A call is newly denied, newly asked or newly allowed, or decided alike for another reason. What one of the two cannot judge is counted
apart, and never as allowed.

Exit codes: 0 nothing that --fail-on names, 1 something, 2 usage, 3 too little could be judged: no call at all, less than --min-coverage,
or a line is no session and --min-coverage does not say how much is enough.

example: licet backtest runs/*.jsonl.gz --old licet.yaml --new draft.yaml
         licet backtest runs.jsonl --old licet.yaml --new draft.yaml --fail-on denied --html changes.html
         licet backtest runs/*.jsonl.gz --old licet.yaml --new draft.yaml --checkpoint /var/tmp/backtest.state
         licet backtest runs.jsonl --old licet.yaml --new draft.yaml --json | jq '.changes.shown[]'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("traces", metavar="TRACES", nargs="+", help="session files (JSON Lines, plain or gzip), or spans")
    parser.add_argument("--old", metavar="FILE", required=True, help="the manifest as it is")
    parser.add_argument("--new", metavar="FILE", required=True, help="the manifest as it is to become")
    parser.add_argument("--task", metavar="KIND", help="the task kind of every session (default: the suite's name, else the only kind)")
    parser.add_argument("--suite", metavar="NAME", help="only sessions of this suite: for files that hold several")
    parser.add_argument("--agent", metavar="NAME", help="who acts (default: the only agent that may run the kind)")
    parser.add_argument("--approve", choices=["yes", "no"], default="no", help="what a person answers to each question (default: no)")
    parser.add_argument("--apart", action="store_true", help="each session began in an environment of its own: they share no stores")
    parser.add_argument("--since", metavar="TIME", type=_time, help="only sessions that began at this time or later (`2026-11-01`, `30d`)")
    parser.add_argument(
        "--fail-on", choices=FAIL_ON, default="any",
        help="exit with 1 if a call is let pass further than before (widened), newly denied (denied), decided differently in any way "
        "(any, the default), or alike and for other reasons (reasons)",
    )  # fmt: skip
    parser.add_argument(
        "--min-coverage", metavar="SHARE", type=_share,
        help="exit with 3 if less of the calls, or of the sessions, could be judged by both; lines that are no sessions count as sessions "
        f"(default: {ENOUGH * 100:g}%%, and no such line)",
    )  # fmt: skip
    parser.add_argument("--checkpoint", metavar="FILE", help="keep here how far it is, and go on from there when interrupted")
    parser.add_argument("--html", metavar="OUT", help="write one page: counts, coverage, and the first changed calls with both reasons")
    parser.add_argument("--force", action="store_true", help="let the page take the place of a file that is no page of Licet's")
    parser.add_argument(
        "--show", metavar="N", type=_count, default=10, help="how many calls of each kind of change are shown (default: 10)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 4:
        raise argparse.ArgumentTypeError("must be a whole number from 0 to 9999")
    return int(text)


def _share(text: str) -> float:
    number = text.removesuffix("%")
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", number, re.ASCII):
        raise argparse.ArgumentTypeError("must be a share: `90%` or `0.9`")
    found = float(number) / 100 if text.endswith("%") else float(number)
    if found > 1:
        raise argparse.ArgumentTypeError("must be at most 100%; write `90%` or `0.9`")
    return found


def _time(text: str) -> str:
    """A point in time, or an age; the text stays as it is, so that an interrupted run can be told by it."""
    try:
        moment(text)
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError("must be a time, such as 2026-11-23T10:30Z, or how long ago, such as 30d") from error
    return text


def run(options: argparse.Namespace) -> int:
    """Hold every session against both, and print what changes."""
    if options.html is not None:
        kept = [options.checkpoint] if options.checkpoint is not None else []
        pages.page_place(options.html, [*options.traces, options.old, options.new, *kept], force=options.force)
    old, new = load(options.old), load(options.new)
    _check_names(options, old, new)
    done = through(options, old, new)
    done.recordings.say()
    if options.html is not None:
        output.file(options.html, page(done))
    if options.json:
        output.data(backtest_told.as_dict(done))
    else:
        backtest_told.table(done)
    if not done.coverage.calls and not done.coverage.bad:
        output.error("no call is in what was given: the right source? (`licet replay --help` says what is read)")
    elif done.too_little:
        output.error("too little: ", done.too_little)
    return done.code


def _check_names(options: argparse.Namespace, old: Manifest, new: Manifest) -> None:
    """A wrong name is a wrong name even where no session is well; one that only one side has is a difference."""
    for name, given, of in (("--task", options.task, "tasks"), ("--agent", options.agent, "agents")):
        known = {**getattr(old, of), **getattr(new, of)}
        if given is not None and given not in known:
            raise UsageError(f"{name} {given!r} is in neither manifest; declared: {', '.join(known)}")
