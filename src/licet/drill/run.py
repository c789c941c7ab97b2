"""Drills, from the draw to the verdict: all that were chosen at once, so that none of them stands out.

    draw → declare → commit → let in → judge → deliver → verdict → reveal → retract

Misuse and twins come in mixed. Beside each misuse a shadow of it is judged apart, acting as a real identity, or as one whose owner is
nobody's drill: who answers only to drills is silent there.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from licet.drill.audit import marked
from licet.drill.book import Result
from licet.drill.committing import commit, enrolled, reveal
from licet.drill.drawing import before, curtain_of, drawn
from licet.drill.judging import delivered, told, verdict_of, waited
from licet.drill.live import SOMEBODY, Choice, Drill, Live
from licet.drill.pending import recovered, remember
from licet.drill.pipeline import Pipeline
from licet.drill.receiver import OWN_RECEIVER, receiving
from licet.drill.scenarios import SCENARIOS
from licet.drill.sinks import called_off
from licet.drill.stage import Actor
from licet.drill.taking_back import concerned_by, counted_before, taken_back
from licet.drill.ticking import since as ticking
from licet.drill.ticking import stopped
from licet.escape import counted
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.monitor.webhook import Webhook

_BY_ID: Final = {each.id: each for each in SCENARIOS}
_TEAMS: Final = ("payments", "platform", "data-engineering", "growth", "fulfilment", "site-reliability")


def run(choices: Sequence[Choice], live: Live, progress: Callable[[str], None] = lambda _: None) -> list[Result]:
    """Play them, each with its twin and its shadow, and keep what came of them.

    Raises:
        LicetError: a commitment, the inventory or the book cannot be written: nothing was let in of which there is none.
    """
    enrolled(live)
    with live.at_work():
        recovered(live, progress)
    first = [each for each in choices if not each.scenario.after]
    later = [each for each in choices if each.scenario.after]
    results = _round(first, live, progress) if first else []
    # Who acts in these acted in drills that are over.
    if later and (missing := [each for each in later if before(each, live) is None]):
        needed = [Choice(_BY_ID[each.scenario.after], each.source) for each in missing]
        results += _round(needed, live, progress)
    results += _round(later, live, progress) if later else []
    marked(live.book, LedgerFiles(live.ledger.path), live.key)
    return results


def _round(choices: Sequence[Choice], live: Live, progress: Callable[[str], None]) -> list[Result]:
    """All of these at once."""
    begun = ticking(live.clock)
    together = [each for each in choices if not each.scenario.apart]
    curtain = curtain_of(live.clock, 2 * len(together))
    drills = [drawn(choice, live, curtain, twin=twin) for choice in together for twin in (False, True)]
    secrets.SystemRandom().shuffle(drills)
    counts = counted_before(live, drills)
    row = remember(live, concerned_by(live, drills, counts))
    for each in drills:
        live.pipeline.declare(each.play.declared or SOMEBODY)
    commit(live, drills)
    progress(f"{len(drills)} drills are committed to")
    drills = [entered(each, live.pipeline) for each in drills]
    since = time.monotonic()
    if live.waits:
        seconds = waited(live, drills, since)
    else:
        live.pipeline.judge()
        seconds = delivered(live, drills, since)
    verdicts = [(each, *verdict_of(each, live, seconds)) for each in drills]
    stands = stopped(live.clock, begun)
    wrong = (stands,) if stands is not None else ()
    results = [
        told(each, (found._replace(failures=(*found.failures, *wrong)), way), live.clock, tuple(live.sinks))
        for each, found, way in verdicts
    ]
    progress("judged and delivered")
    reveal(live, [(each, result) for each, (result, _) in zip(drills, results, strict=True)])
    with live.at_work():
        taken_back(live, drills, counts)
    live.book.settled(row)
    progress("revealed and taken back")
    for sink, waiting in called_off(live, drills).items():
        progress(f"{counted(waiting, 'finding')} of drills still open at {sink}: `licet findings deliver` says that they are withdrawn")
    apart = [_beside(choice, live, twin=twin) for choice in choices if choice.scenario.apart for twin in (False, True)]
    shadows = [_shadow(choice, live) for choice in choices if live.shadows and not choice.scenario.after]
    return [*(result for result, _ in results), *apart, *shadows]


def entered(drill: Drill, pipeline: Pipeline) -> Drill:
    """Let its records in, and have its agent do its work.

    Raises:
        LicetError: the guard cannot be opened, or something cannot be read or written.
    """
    pipeline.enter(drill.play.records)
    return drill if drill.play.work is None else drill._replace(acted=pipeline.act(drill.play.work))


def _shadow(choice: Choice, live: Live) -> Result:
    """The same misuse beside the live pipeline, by its parts, in an inventory of its own: as somebody who is known for no drill."""
    actors = live.actors.get(choice.source)
    return _beside(choice, live, twin=False, shadow=secrets.choice(actors) if actors else secrets.choice(_TEAMS))


def _beside(choice: Choice, live: Live, *, twin: bool, shadow: Actor | str = "") -> Result:
    """One drill by the parts of the live pipeline, in an inventory of its own."""
    drill = drawn(choice, live, curtain_of(live.clock, 1), twin=twin, shadow=shadow)
    commit(live, [drill])
    with TemporaryDirectory() as folder, receiving() as receiver:
        os.chmod(folder, 0o700)  # noqa: PTH101 - a name
        with closing(Inventory(Path(folder) / FILE)) as inventory:
            sinks = {OWN_RECEIVER: Webhook(receiver.url, receiver.secret)}
            beside = live._replace(pipeline=live.pipeline.over(inventory), sinks=sinks, alone=True, waits=0.0)
            beside.pipeline.declare(drill.play.declared or SOMEBODY)
            drill = entered(drill, beside.pipeline)
            since = time.monotonic()
            beside.pipeline.judge()
            result, _ = told(drill, verdict_of(drill, beside, delivered(beside, [drill], since)), live.clock)
    reveal(live, [(drill, result)])
    return result
