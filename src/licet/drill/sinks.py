"""Sinks of drills: each is its address, with why it took nothing, and with the end of what it was told.

A run that hands findings to one address shows nothing of another. Paths of webhooks are often as good as a password: a digest of the
address stands for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from licet.drill.keys import name_of
from licet.drill.live import Drill, Live
from licet.drill.revealed import drills_of
from licet.escape import visible
from licet.ledger import LedgerFiles
from licet.monitor.deliveries import Sink, Stands, deliver
from licet.monitor.kept import kept, version_of

_DIGEST: Final = 8  # digits of an address's digest
_LONGEST: Final = 200
_WHY: Final = "SELECT error FROM deliveries WHERE sink=? AND delivered=0 AND error<>'' ORDER BY finding<>'', next DESC LIMIT 1"


def address_of(kind: str, sink: Sink) -> str:
    """What a sink is called in results and parts: `webhook https://siem.acme.example#1f0c9a2e`, `otlp https://otel.acme.example`."""
    shown, _, digest = sink.name.removeprefix(f"{kind} ").partition(" ")
    return f"{kind} {shown}{f'#{digest[:_DIGEST]}' if digest else ''}"


def whys(live: Live) -> dict[str, str]:
    """By sink that did not take something, its shown address and why, as the deliveries have it; of the others nothing."""
    found = {name: live.pipeline.inventory.rows(_WHY, (sink.name,)) for name, sink in live.sinks.items()}
    return {name: visible(rows[0][0], _LONGEST) for name, rows in found.items() if rows}


def called_off(live: Live, drills: Iterable[Drill]) -> dict[str, int]:
    """Tell those who were told of drills' findings that they are withdrawn, and which drill each was; by sink, how many still wait.

    Where others deliver (`Live.waits`), they tell it.

    Raises:
        LedgerError: the ledger cannot be read.
        StoreError: the inventory cannot be written.
    """
    if live.waits:
        return {}
    drills, now = list(drills), live.clock.now()
    of_guards = {one.id: one for each in drills if each.acted is not None for one in each.acted.findings}
    of_monitor = {each.finding.id: each for each in kept(live.pipeline.inventory) if each.withdrawn}
    findings = [*of_guards.values(), *(each.finding for each in of_monitor.values())]
    which = drills_of(findings, live.book, LedgerFiles(live.ledger.path), now, name_of(live.key.public))
    mine = {each.announced.drill for each in drills}
    updated = {uid: each.updated for uid, each in of_monitor.items()}
    stands = [
        Stands(each, version_of(each, withdrawn=True), withdrawn=True, updated=updated.get(each.id, now), drill=which[each.id])
        for each in findings
        if which.get(each.id) in mine
    ]
    left = {name: deliver(live.pipeline.inventory, sink, stands, live.clock.now()).waiting for name, sink in live.sinks.items()}
    return {name: number for name, number in left.items() if number}
