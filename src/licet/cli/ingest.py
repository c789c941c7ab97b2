"""`licet ingest`: logs of a platform into the inventory."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from licet.cli import ingest_status, output
from licet.cli.follow import EVERY, add_follow, follow
from licet.cli.ingest_opened import opened
from licet.cli.ingest_told import as_data, tell
from licet.cli.progress import Progress
from licet.cli.state import add_state, existing
from licet.clock import SystemClock, iso
from licet.errors import UsageError
from licet.escape import counted
from licet.guard.state import StateFolder, open_state, secret
from licet.ingest.batch import Report
from licet.ingest.intake import STDIN, Intake
from licet.ingest.paths import files_in
from licet.ingest.sources import NAMES, source_of
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.judged import came
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles

OWN = "licet"
BOOK = "drill.db"  # as `licet.drill.book` has it, which is loaded only where it is there

EXAMPLE = """\
PATHS are files, plain or gzip, with a JSON record a line or as documents with a list of records; folders, with all files in them; or `-`.
A file is read on from where the last run ended. What was kept already is passed over, so that running twice changes nothing.
Nothing is judged here: `licet monitor` does that. Credentials are kept as keyed fingerprints, never by value.

`licet ingest licet` without a path reads the state folder's own calls.

With `--follow` it looks again and again for what was added and for new files, until SIGINT or SIGTERM, and ends with the last look's code.

Exit codes: 0 well, 1 records were refused (some, or all of them) or a file is cut off at its end, 2 wrong usage or no file could be read.

example: licet ingest cloudtrail logs/ && licet monitor && licet findings
         zcat audit.log.gz | licet ingest kubernetes - --account eks-prod
         licet ingest cloudtrail logs/ --follow --every 5m
         licet ingest --status
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("source", metavar="SOURCE", nargs="?", choices=NAMES, help=f"what the records are of: {', '.join(NAMES)}")
    parser.add_argument("paths", metavar="PATH", nargs="*", help="files, folders, or `-`")
    parser.add_argument(
        "--account", metavar="NAME", default="", help="the cluster, organisation or tenant, where the records do not say it"
    )
    parser.add_argument("--from-start", action="store_true", help="read all of each file again; what is kept already is passed over")
    parser.add_argument("--status", action="store_true", help="say how much came of each source, how well attributed it is, and how fresh")
    parser.add_argument("-m", "--manifest", metavar="FILE", help="of `licet ingest licet`: which credentials are behind which tools")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of lines; with `--follow` one a line for each run"
    )
    add_follow(parser)
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Read all of it; 1 if something was refused, 2 if nothing could be read."""
    if options.status:
        if options.source is not None or options.account:
            raise UsageError("`--status` is of all sources and accounts; leave SOURCE and `--account` away")
        return ingest_status.run(existing(options), as_json=options.json)
    if options.source is None:
        raise UsageError(f"name a source: {', '.join(NAMES)}; or `--status`")
    if not options.paths and options.source != OWN:
        raise UsageError("name a file, a folder, or `-`")
    if options.every is not None and not options.follow:
        raise UsageError("`--every` goes with `--follow`")
    if not options.follow:
        return _once(options, {}, first=True)
    if STDIN in options.paths:
        raise UsageError("`--follow` is of files and folders; what comes on standard input is read until it ends")
    said: dict[str, str] = {}
    return follow(lambda first: _once(options, said, first=first), options.every or EVERY)


def _once(options: argparse.Namespace, said: dict[str, str], *, first: bool) -> int:
    """Read what is new; of a run that is not the first, nothing is printed where nothing is.

    Args:
        said: what could not be used at the last run, by name; what cannot be used now takes its place. It is said when it begins.
    """
    files, unreadable = files_in(options.paths)
    for name, why in unreadable.items():
        if said.get(name) != why:
            output.error(f"{name}: {why}")
    said.clear()
    said.update(unreadable)
    if options.paths and not files:
        if first and not unreadable:
            output.error(f"{', '.join(options.paths)}: no file is in it: nothing was read; check where the logs are written to")
        return 2
    folder = open_state(options.state)
    begun = time.monotonic()
    clock = SystemClock()
    with closing(Inventory(folder.path / FILE)) as inventory:
        fingerprints = Fingerprints(secret(folder))
        intake = Intake(inventory, source_of(options.source), fingerprints.of, clock=clock, account=options.account)
        report = intake.report
        report.unreadable |= unreadable
        if options.paths:
            _take(intake, files, from_start=options.from_start and first)
        else:
            _take_own(intake, folder, fingerprints, options, clock.now(), from_start=options.from_start and first)
        intake.finish()
        came(inventory, report.kept.uses + report.kept.lifecycle, clock.now())
        if first:
            _say_account(options, inventory, report)
    if options.json:
        data = {"source": options.source} | as_data(report)
        if options.follow:
            output.write(json.dumps({"time": iso(clock.now())} | data, ensure_ascii=True) + "\n")
        else:
            output.data(data)
    elif first or report.records:
        tell(options.source, report, time.monotonic() - begun)
    if options.paths and not (report.files or report.unchanged):
        return 2
    return 0 if report.well else 1


def _say_account(options: argparse.Namespace, inventory: Inventory, report: Report) -> None:
    """That an account is missing, or came too late: an event that is there stays as it was taken in."""
    nameless = inventory.rows("SELECT 1 FROM sources WHERE source=? AND account='' AND first<=last LIMIT 1", (options.source,))
    if not nameless or options.source in (OWN, "lifecycle"):
        return
    if options.account and not report.kept.uses and (report.kept.again or report.unchanged):
        output.error(
            "`--account` changes nothing of events that are there already without one; take these logs into a new state folder, with it"
        )
    elif not options.account:
        output.error(
            f"{options.source}: records name no account (cluster, organisation, tenant), and it cannot be added later; `--account NAME`"
            " says it from the first run on"
        )


def _take(intake: Intake, files: list[str], *, from_start: bool) -> None:
    report = intake.report
    progress = Progress(files, lambda seconds: f"{counted(report.records, 'record')}, {report.records / max(seconds, 0.001):,.0f}/s")
    try:
        for index, name in enumerate(files):
            try:
                file = opened(name)
            except UsageError as error:
                report.unreadable[name] = str(error).removeprefix(f"{name}: ")
                output.error(str(error))
                continue
            known = name.encode("utf-8", "backslashreplace").decode()
            try:
                intake.take(known, file, from_start=from_start, progress=partial(progress.at, index))
            finally:
                if name != STDIN:
                    file.close()
    finally:
        progress.done()


def _take_own(
    intake: Intake, folder: StateFolder, fingerprints: Fingerprints, options: argparse.Namespace, now: float, *, from_start: bool
) -> None:  # fmt: skip
    """The state folder's own calls."""
    from licet.ingest.own import Setting, pages, setting_of
    from licet.manifest import load
    from licet.store import SqliteStore

    if not folder.store.exists():
        raise UsageError(f"{folder.store}: is not there: no guard has used this folder yet; name a file of spans, or another folder")
    manifest = options.manifest or ("licet.yaml" if Path("licet.yaml").exists() else None)
    setting = setting_of(load(manifest), fingerprints.of, options.account) if manifest else Setting(options.account)
    name = str(folder.store)
    since = 0.0 if from_start else float(intake.stood(name).get("since", 0.0))
    with closing(SqliteStore(folder.store, reading=True)) as store:
        for page in pages(store, fingerprints.of, setting, since=since, now=now, passed=_drilled(folder, now)):
            intake.keep(page.found, name, {"since": page.since})
    intake.report.files += 1


def _drilled(folder: StateFolder, now: float) -> Mapping[str, Collection[str]]:
    """The digests of calls that were drills, and whose they are: the ledger says so, under the drills' key."""
    if not (folder.path / BOOK).exists():
        return {}
    from licet.drill.book import Book
    from licet.drill.keys import pinned
    from licet.drill.revealed import calls_of

    with closing(Book(folder.path / BOOK, reading=True)) as book:
        return calls_of(book, LedgerFiles(folder.ledger), now, pinned())
