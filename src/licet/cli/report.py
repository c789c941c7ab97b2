"""`licet report`: who acts here, what is wrong, what was drilled, and what stands behind each entry of four catalogues."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.cli.pages import page_place
from licet.cli.state import add_state, existing, store_of
from licet.errors import UsageError
from licet.escape import counted
from licet.guard.state import StateFolder, default_state
from licet.inventory.store import FILE, Inventory

EXAMPLE = """\
One page that needs nothing else, for the screen and for paper: the inventory's state, findings, privilege drift, drills, pointers to the
evidence, and a row for each entry of OWASP's Non-Human Identities Top 10 2025 and Top 10 for Agentic Applications 2026, NIST CSF 2.0 and
NIST AI RMF 1.0. Each row says what stands behind it: `verified by drill` (within seven days, held against the ledger), `observed`,
`declared only`, or `absent`. Without `-o` or `--json`, the rows alone. With `-m`, what a manifest declares counts as declared; nothing is
written into the state folder.

Exit codes: 0 well, 1 a drill that was played does not stand, or the ledger does not hold, 2 wrong usage or something cannot be read.

example: licet report
         licet report -o report.html -m licet.yaml
         licet report --json | jq -r '.catalogues[].rows[] | select(.standing == "absent") | .id + " " + .title'
"""
_STYLES: dict[str, output.Style] = {"verified by drill": "green", "observed": "bold", "declared only": "yellow", "absent": "dim"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-o", dest="output", metavar="FILE", help="write the page to this file (`.html`)")
    parser.add_argument("--force", action="store_true", help="with `-o`: also over a file that is no page of Licet's")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("-m", "--manifest", metavar="FILE", help="a manifest, whose declarations count too")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Make it; 1 if what is told of drills or of the ledger does not hold."""
    if options.output is not None:
        page_place(options.output, [options.manifest] if options.manifest else [], force=options.force)
    told = _told(options)
    if options.output is not None:
        from licet.assurance.page import page

        output.file(options.output, page(told))
    if options.json:
        output.data(told)
    else:
        _say(told, rows=options.output is None)
    return 1 if _doubtful(told) else 0


def _told(options: argparse.Namespace) -> dict[str, Any]:
    from licet.assurance.cells import cells
    from licet.assurance.facts import Listed
    from licet.assurance.gathered import gathered
    from licet.assurance.rows import rows
    from licet.assurance.told import told
    from licet.cli.findings_found import Sources, all_found
    from licet.manifest import load

    manifest = load(options.manifest) if options.manifest is not None else None
    folder, now = StateFolder(default_state() if options.state is None else Path(options.state)), time.time()
    there = any(_there(folder))
    if manifest is None and not there:
        raise UsageError(
            f"{folder.path}: there is nothing here yet to report of; take logs in (`licet ingest`), run a guard or a drill, or name a "
            "manifest with `-m`"
        )
    if there:
        existing(options)  # it is ours alone
    with ExitStack() as stack:
        path = folder.path / FILE
        inventory = stack.enter_context(closing(Inventory(path, reading=True))) if path.exists() else None
        store = stack.enter_context(store_of(folder, reading=True)) if folder.store.exists() else None
        found = all_found(Sources(store, inventory, None, folder.path)) if store is not None or inventory is not None else []
        listed = [Listed(each.finding, each.status, each.codes, each.identity) for each in found if each.status != "withdrawn"]
        facts = gathered(folder, inventory, listed, manifest, now)
    drilled = cells(facts.audit, now)
    return told(facts, drilled, rows(facts, drilled))


def _there(folder: StateFolder) -> Iterator[bool]:
    """Whether the folder has what a report could be about; looked for before it is opened, which makes it."""
    for each in (folder.store, folder.ledger, folder.path / FILE):
        try:
            yield each.exists()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise UsageError(f"{folder.path}: cannot be looked into ({why}); name another one with `--state` or LICET_STATE") from error


def _doubtful(told: dict[str, Any]) -> bool:
    drills = told["drills"]
    return bool(told["evidence"]["wrong"] or drills["wrong"] or drills["played"] > drills["passed"])


def _say(told: dict[str, Any], *, rows: bool) -> None:
    never = ["no drill was ever played: `licet drill run` plays them"] if told["drills"]["never"] else []
    for sentence in (*never, *told["drills"]["wrong"], *told["evidence"]["wrong"]):
        output.say(output.paint("note", "yellow"), f": {sentence}")
    for of in told["catalogues"]:
        counts = ", ".join(f"{number} {name}" for name, number in of["counts"].items())
        output.say(output.paint(of["name"], "bold"), f": {counts}")
        for each in of["rows"] if rows else ():
            output.say(f"  {each['id']:<12}", output.paint(f"{each['standing']:<18}", _STYLES[each["standing"]]), each["behaviour"])
    drills, findings = told["drills"], told["findings"]["statuses"]
    output.say(
        f"{drills['passed']:,} of {drills['cells']:,} drills stand, {drills['played']:,} were played within 7 days; "
        f"{counted(findings['open'], 'open finding')}; {counted(told['evidence']['records'], 'record')} in the ledger"
    )
