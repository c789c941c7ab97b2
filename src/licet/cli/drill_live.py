"""What a drill goes through, as the command line names it: the state folder's inventory, ledger, key and book, and where findings go."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from licet.cli.findings_deliver import LOCK as DELIVER_LOCK
from licet.cli.locked import alone
from licet.cli.monitor import LOCK as MONITOR_LOCK
from licet.cli.state import add_state
from licet.clock import SystemClock
from licet.drill.actors import actors_of
from licet.drill.attested import attest
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.drill.forgery import forgeries
from licet.drill.guarded import GUARD, Guards
from licet.drill.keys import FILE as KEY
from licet.drill.keys import DrillKey
from licet.drill.live import Live
from licet.drill.pipeline import Parts, Pipeline
from licet.drill.receiver import OWN_RECEIVER, receiving
from licet.drill.sinks import address_of
from licet.drill.stage import Actor
from licet.errors import UsageError
from licet.guard.state import default_state, open_ledger, open_state, secret
from licet.inventory.declared import agent_uid
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.manifest import load
from licet.monitor.deliveries import Sink
from licet.monitor.exits import SINKS
from licet.monitor.passes import PASSES

_PATIENCE = 300.0  # seconds that a run of the monitor may take


def add_live(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--to", metavar="URL", help="the webhook that findings are delivered to")
    where.add_argument("--otlp", action="store_true", help="findings are delivered over OTLP, by the usual environment variables")
    parser.add_argument("--secret-file", metavar="FILE", help="the webhook's secret")
    parser.add_argument("-m", "--manifest", metavar="FILE", help="of the guard through which agents act: drills are added to it in memory")
    parser.add_argument("--key", metavar="FILE", help="the drills' key, else LICET_DRILL_KEY, else `keys/drill.key` of the state folder")
    add_state(parser)


@contextmanager
def live_of(options: argparse.Namespace, patience: float = 0.0) -> Iterator[Live]:
    """All of it, opened, and locked against other runs of `licet monitor` and `licet findings deliver`.

    Args:
        options: those of `add_live`.
        patience: for how many seconds it waits for another run.

    Raises:
        UsageError: the options do not go together, or another run is at work.
        LicetError: something of it cannot be opened.
    """
    folder = open_state(options.state if options.state is not None else default_state())
    clock = SystemClock()
    key = DrillKey.of(options.key or os.environ.get("LICET_DRILL_KEY") or folder.keys / KEY)
    with ExitStack() as stack:
        waits = getattr(options, "wait", None) or 0.0
        if not waits:
            stack.enter_context(alone(folder.path / MONITOR_LOCK, "licet monitor", patience))
            stack.enter_context(alone(folder.path / DELIVER_LOCK, "licet findings deliver", patience))
        elif options.to is None:
            raise UsageError(
                "`--wait` is for the sink that `licet findings deliver` hands findings to: name it with `--to` and `--secret-file`"
            )
        name, sink = _sink(options, stack)
        ledger = stack.enter_context(closing(open_ledger(folder)))
        inventory = stack.enter_context(closing(Inventory(folder.path / FILE)))
        book = stack.enter_context(closing(Book(folder.path / BOOK)))
        parts = Parts(passes=(*PASSES, forgeries(book.enrolled)))
        guards = Guards(folder.path, load(options.manifest) if options.manifest is not None else None)
        pipeline = Pipeline(inventory, Fingerprints(secret(folder)).of, clock, parts, guards=guards)
        live = Live(pipeline, {name: sink}, ledger, key, book, clock, {**actors_of(inventory), GUARD: _agents(guards)}, waits=waits)
        if waits:
            live = live._replace(at_work=lambda: alone(folder.path / MONITOR_LOCK, "licet monitor", _PATIENCE))
        yield live
        if book.first_record():
            attest(folder.path, live)


def _agents(guards: Guards) -> list[Actor]:
    """The agents of the manifest for whom somebody answers: as these shadows act."""
    if guards.manifest is None:
        return []
    return [Actor(agent_uid(name), guards.account, each.owner) for name, each in guards.manifest.agents.items() if each.owner is not None]


def _sink(options: argparse.Namespace, stack: ExitStack) -> tuple[str, Sink]:
    if options.to is not None:
        from licet.monitor.webhook import secret_of

        if options.secret_file is None:
            raise UsageError("a webhook is signed: `--secret-file FILE`")
        hook = stack.enter_context(SINKS["webhook"](options.to, secret_of(Path(options.secret_file))))
        return address_of("webhook", hook), hook
    if options.secret_file is not None:
        raise UsageError("`--secret-file` goes with `--to`")
    if options.otlp:
        otlp = stack.enter_context(SINKS["otlp"]("", b""))
        return address_of("otlp", otlp), otlp
    receiver = stack.enter_context(receiving())
    return OWN_RECEIVER, stack.enter_context(SINKS["webhook"](receiver.url, receiver.secret))
