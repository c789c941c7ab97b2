"""`licet bypass`: what ran, held against what the guard saw."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from licet.bypass.coverage import Coverage, compare
from licet.bypass.matching import NEAR
from licet.bypass.used import LATE, Used
from licet.bypass.verified import Verified
from licet.cli import output
from licet.cli.acts import seconds
from licet.cli.bypass_read import Guards, Heard, accepted_of, heard, used_of
from licet.cli.bypass_told import as_data, tell
from licet.cli.state import add_state
from licet.errors import UsageError
from licet.ingest.sources import NAMES

EXAMPLE = """\
Spans of frameworks (GenAI `execute_tool`, MCP `tools/call`, OpenInference, OpenLLMetry), tokens that a tool's side accepted, and uses of
the tools' credentials in logs are held against the calls in the guard's store and ledger and on its spans. Each call that the guard did not
see is named with its likely cause. What the guard saw and no framework's span shows was sampled away or dropped: no bypass, and said apart.

`--verified` is a service's record of what it accepted, a JSON object a line (`jti`, `tool`, `task`, `issuer`, `time`), or the state folder
whose store its Verifier uses: that remembers a token for some minutes.

Exit codes: 0 all were seen; 1 some were not, or something could not be read; 2 nothing to compare, or wrong usage.

example: licet bypass --from traces.jsonl
         licet bypass --from jaeger://127.0.0.1:16686 --verified accepted.jsonl
         licet bypass --log cloudtrail logs/ -m licet.yaml
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--from", dest="sources", metavar="SOURCE", action="append", default=[],
        help="spans: OTLP JSON lines or Jaeger's JSON (a file, or `-`), or jaeger://HOST:PORT[/TRACE_ID]; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--verified", metavar="FILE|DIR", action="append", default=[], help="tokens that a tool's side accepted; may be given again"
    )
    parser.add_argument(
        "--log", metavar=("SOURCE", "PATH"), nargs=2, action="append", default=[],
        help=f"a platform's log; SOURCE is one of {', '.join(name for name in NAMES if name != 'licet')}; may be given again",
    )  # fmt: skip
    parser.add_argument("--inventory", action="store_true", help="the uses that `licet ingest` has taken into the state folder's inventory")
    parser.add_argument("-m", "--manifest", metavar="FILE", help="which credentials tools have (default: licet.yaml, if it is there)")
    parser.add_argument(
        "--near", metavar="TIME", type=seconds, default=NEAR,
        help="by how much clocks of spans may differ, where nothing tells it (default: 5s)",
    )  # fmt: skip
    parser.add_argument(
        "--late", metavar="TIME", type=seconds, default=LATE, help="by how much a use in a log may be beside its call (default: 1m)"
    )
    parser.add_argument("--all", action="store_true", help="each run and each unseen call, however many")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Print it; 1 if the guard did not see everything."""
    logs = bool(options.log or options.inventory)
    if not (options.sources or options.verified or logs):
        raise UsageError("name what ran: spans (`--from`), accepted tokens (`--verified`), or logs (`--log`, `--inventory`)")
    for name, _ in options.log:
        if name not in NAMES or name == "licet":
            raise UsageError(f"`--log {name}`: no source of logs; there are {', '.join(each for each in NAMES if each != 'licet')}")
    with ExitStack() as stack:
        guards = Guards.opened(options, stack)
        spans: Heard | None = heard(options.sources) if options.sources else None
        covered = _covered(guards, spans, options.near) if spans is not None else None
        accepted = accepted_of(options.verified, guards, spans) if options.verified else None
        used = used_of(options, guards, spans, options.late) if logs else None
    bad = [*(spans.running.bad if spans is not None else ()), *(accepted.bad if accepted is not None else ())]
    for each in bad[:20]:
        output.error(str(each))
    if len(bad) > 20:
        output.error(f"{len(bad) - 20:,} more could not be read")
    found = accepted.found if accepted is not None else None
    if options.json:
        output.data(as_data(covered, found, used, len(bad)))
    else:
        tell(covered, found, used, whole=options.all)
    return _code(covered, found, used, wrong=bool(bad))


def _covered(guards: Guards, spans: Heard, near: float) -> Coverage:
    """The ledger is read only where something is missing: it remembers what was purged from the store, and is longer."""
    found = None
    for deep in (False, True):
        looks = guards.looks(spans.since - near - LATE, spans.until + near + LATE, spans.told, deep=deep)
        found = compare(spans.running, looks, keyed=guards.keyed, declared=guards.declared, near=near)
        if found.whole is not False or not guards.has_ledger:
            break
    if found is None:
        raise UsageError("nothing was compared")
    return found


def _code(covered: Coverage | None, verified: Verified | None, used: Used | None, *, wrong: bool) -> int:
    """Unseen calls before all else; then whether each that was named could be compared; nothing is green that was not."""
    if (covered is not None and covered.whole is False) or (verified is not None and verified.wrong) or (used is not None and used.direct):
        return 1
    if (
        (covered is not None and not covered.ran)
        or (verified is not None and not verified.accepted)
        or (used is not None and not used.uses)
    ):
        return 2
    return 1 if wrong else 0
