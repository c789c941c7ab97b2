"""`licet findings`: what an owner must look at."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping

from licet.cli import output
from licet.cli.output import Style
from licet.cli.purged import by_records, said
from licet.cli.state import add_source, code_of, existing, records_of, said_source, task_id
from licet.clock import iso
from licet.escape import visible
from licet.report import cited

SHORT_ID = 12
_STYLES: Mapping[str, Style] = {"critical": "red", "high": "red", "medium": "yellow"}

EXAMPLE = """\
example: licet findings
         licet findings --from traces.jsonl --from more.jsonl.gz
         licet findings --task 3f2a --json | jq '.findings[].sentence'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--task", metavar="ID", help="only those of one task and its sub-tasks (a unique beginning of its id is enough)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_source(parser)


def run(options: argparse.Namespace) -> int:
    """List them, oldest first."""
    with records_of(options) as (store, read):
        if options.task is None:
            found = list(store.findings())
        else:
            family = store.family(task_id(store, options.task, said_source(options)))
            found = sorted((finding for task in family for finding in store.findings(task.id)), key=lambda finding: finding.time)
        unowned = {finding.task_id for finding in found if not finding.owner}
        elsewhere = {task for task in unowned if task and store.task(task) is None}
    if options.json:
        told: dict[str, object] = {} if read is None else {"read": read.as_dict()}
        output.data(told | {"findings": [dataclasses.asdict(finding) for finding in found]})
        return code_of(read)
    for finding in found:
        severity = output.paint(f"{visible(finding.severity, 10):8}", _STYLES.get(finding.severity, "dim"))
        nobody = "not known here" if finding.task_id in elsewhere else "nobody"
        owner = f"  owner: {visible(finding.owner, 80) if finding.owner else nobody}"
        task = f"  task: {finding.task_id[:SHORT_ID]}" if finding.task_id else ""
        record = f"  {cited(finding.ledger)}" if finding.ledger else ""
        named = f"  finding {visible(finding.id, 40)[:SHORT_ID]}" if read is None else ""
        output.say(f"{iso(finding.time)}  ", severity, f"  {visible(finding.check, 80)}{owner}{task}{record}{named}")
        output.say(f"    {visible(finding.sentence, 1_000)}")
    if not found:
        output.say(_none(options) if read is None else "no findings")
    elif read is None:
        where = said_source(options)
        show, export = f"licet ledger show --record N{where}", f"licet ledger export --finding ID -o FILE{where}"
        output.say(output.paint(f"`ledger N`: `{show}`; evidence of one: `{export}`", "dim"))
    return code_of(read)


def _none(options: argparse.Namespace) -> str:
    gone = said(by_records(existing(options).ledger, "rows"))
    return f"no findings; some may have been purged, {gone}" if gone else "no findings"
