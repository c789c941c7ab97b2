"""`licet findings deliver`: findings handed to others, at least once."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from licet.cli import output
from licet.cli.findings_found import Found, all_found, sources_of, with_drills
from licet.cli.locked import alone
from licet.cli.state import add_state, existing
from licet.clock import iso
from licet.errors import UsageError
from licet.escape import counted
from licet.guard.state import StateFolder
from licet.inventory.store import FILE, Inventory
from licet.monitor.deliveries import Delivered, Sink, Stands, deliver
from licet.monitor.exits import SINKS
from licet.monitor.kept import version_of

LOCK = "deliver.lock"
EVERY = 30.0  # seconds between two looks
_PATIENCE = 600.0  # seconds for which a later run waits for others that deliver

EXAMPLE = """\
Each finding goes out once it is there, again when it changes, and when it is withdrawn; those that are suppressed wait. What is not taken
is tried again, later and later, in this run and in the next ones. A message can come twice, under the same `webhook-id`.

By webhook as Standard Webhooks has it: the file holds `whsec_` and the Base64 of 24 to 64 bytes, and is yours alone (mode 0600).
Over OTLP: log events `licet.finding` to where OTEL_EXPORTER_OTLP_ENDPOINT says. Those of the guard go there by themselves.

Exit codes of `--once`: 0 all was taken, 1 something waits, 2 wrong usage, or something cannot be read.

example: licet findings deliver --to https://siem.acme.example/hook --secret-file hook.secret --once
         licet findings deliver --otlp
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", metavar="URL", help="a webhook: https, or http on this machine")
    where.add_argument("--otlp", action="store_true", help="an OpenTelemetry endpoint, by the usual environment variables")
    parser.add_argument("--secret-file", metavar="FILE", help="the webhook's secret")
    parser.add_argument("--once", action="store_true", help="hand over what is due now, and end")
    add_state(parser, again=True)


def run(options: argparse.Namespace) -> int:
    """Hand over what is due, once or until interrupted."""
    folder = existing(options)
    first = True
    with _sink(options) as (sink, wanted):
        while True:
            # Only while it delivers: drills take their turn between two runs.
            with alone(folder.path / LOCK, "licet findings deliver", 0.0 if first else _PATIENCE):
                done = _deliver(options, folder, sink, wanted)
            first = False
            if done.taken or done.why or options.once:
                _say(done)
            if options.once:
                return 1 if done.waiting else 0
            time.sleep(min(EVERY, max(1.0, done.due - time.time())) if done.due else EVERY)


def _deliver(options: argparse.Namespace, folder: StateFolder, sink: Sink, wanted: Callable[[Found], bool]) -> Delivered:
    with sources_of(options) as sources:
        found = [each for each in all_found(sources) if each.status != "suppressed" and wanted(each)]
        over = with_drills(sources, [each for each in found if each.status == "withdrawn"])
    drills = {each.finding.id: each.drill for each in over}
    stands = [
        Stands(
            each.finding, version_of(each.finding, withdrawn=each.status == "withdrawn"), each.status == "withdrawn", each.updated,
            drills.get(each.finding.id, ""),
        )
        for each in found
    ]  # fmt: skip
    with closing(Inventory(folder.path / FILE)) as inventory:
        return deliver(inventory, sink, stands, time.time())


def _say(done: Delivered) -> None:
    due = f", next try at {iso(done.due)}" if done.due else ""
    output.say(f"{counted(done.taken, 'finding')} delivered", f", {done.waiting:,} waiting{due}" if done.waiting else "")
    if done.why:
        output.error(f"licet: {done.why}")


@contextmanager
def _sink(options: argparse.Namespace) -> Iterator[tuple[Sink, Callable[[Found], bool]]]:
    """Where they go, and which of them."""
    if options.to is not None:
        from licet.monitor.webhook import secret_of

        if options.secret_file is None:
            raise UsageError("a webhook is signed: `--secret-file FILE`")
        with SINKS["webhook"](options.to, secret_of(options.secret_file)) as sink:
            yield sink, lambda _: True
        return
    if options.secret_file is not None:
        raise UsageError("`--secret-file` goes with `--to`")
    with SINKS["otlp"]("", b"") as sink:
        yield sink, lambda found: found.monitored
