"""`licet ingest --status`: how good each source is."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict
from typing import Any

from licet.cli import output
from licet.cli.ingest_told import shown
from licet.cli.inventory_list import share, stamp
from licet.errors import UsageError
from licet.escape import counted, visible
from licet.guard.state import StateFolder
from licet.ingest.quality import Quality, flows, qualities, refusals
from licet.inventory.store import FILE, Inventory

_WIDEST = 64  # characters of an account that are shown


def run(folder: StateFolder, *, as_json: bool) -> int:
    """Print it.

    Raises:
        UsageError: nothing was ever taken in here.
    """
    if not (folder.path / FILE).exists():
        raise UsageError(f"{folder.path / FILE}: is not there: nothing was taken in here yet; `licet ingest SOURCE PATH` does")
    now = time.time()
    with closing(Inventory(folder.path / FILE, reading=True)) as inventory:
        known, flow, refused = qualities(inventory, now), flows(inventory), refusals(inventory)
    if as_json:
        output.data({
            "sources": [_data(each) for each in known], "flows": [asdict(each) for each in flow],
            "refused": [asdict(each) for each in refused],
        })  # fmt: skip
        return 0
    accounts = [visible(each.account, _WIDEST) or "-" for each in known]
    wide = max(18, *map(len, accounts)) + 2 if accounts else 20
    head = f"{'source':<12}{'account':<{wide}}{'uses':>11}  {'credential':>10}  {'workload':>9}  latest event"
    output.say(output.paint(head, "bold"))
    for each, account in zip(known, accounts, strict=True):
        shares = f"{_share(each.with_credential, each.of):>10}  {_share(each.with_workload, each.of):>9}"
        output.say(f"{each.source:<12}{account:<{wide}}{each.uses:>11,}  {shares}  {_age(each)}")
    for one in flow:
        if one.again or one.passed:
            output.say(f"{one.source}: in all runs {counted(one.again, 'event')} came again, {counted(one.passed, 'record')} passed over")
    for wrong in refused:
        output.say(f"{wrong.source}: refused {wrong.number:,}  {visible(wrong.cause, 200)}; such as {visible(shown(wrong.first), 300)}")
    return 0


def _share(part: int, of: int) -> str:
    return share(part, of) if of else "-"


def _data(of: Quality) -> dict[str, Any]:
    times = {"first": stamp(of.first), "last": stamp(of.last), "intake": stamp(of.intake)}
    return asdict(of) | times | {"attributable": of.of}


def _age(of: Quality) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(of.last))
    for unit, seconds in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if of.age >= 2 * seconds:
            return f"{stamp}, {of.age / seconds:,.0f} {unit} ago"
    return f"{stamp}, just now"
