"""`licet drill watch`: the dead man's switch, for another machine than the one that monitors."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from licet.cli import output
from licet.cli.acts import seconds
from licet.cli.drill_alarms import add_channels, channels_of
from licet.cli.follow import follow
from licet.cli.locked import alone
from licet.cli.state import add_state, existing
from licet.clock import iso
from licet.drill.looked import checked, of_folder, of_url
from licet.drill.watch import AGAIN, Memory, Seen, key_of, told
from licet.errors import UsageError
from licet.guard.state import default_state, open_state

MEMORY = "watch.json"
EVERY = 60.0  # seconds between two looks

EXAMPLE = """\
It looks at the drills of a state folder, or at an address that answers 200 while all is well (`/healthz/monitoring` of `licet serve`). Both
go by the verdict of `licet drill status`: where that is FAIL nobody can rely on the monitoring. It says so on each channel: once, again
each hour while it lasts, and once when it is over. What a channel does not take is tried again with each look. Let it run where the
monitoring does not: with that machine it would fall silent.

It runs until SIGINT or SIGTERM; `--once` is for cron.

Exit codes of the last look: 0 all is well, 1 it is blind, or a channel did not take what it is owed, 2 wrong usage, or something cannot be
read or written.

example: licet drill watch --url https://licet.acme.example/healthz/monitoring --webhook https://pager.acme.example/hook --secret-file s
         licet drill watch --state /var/lib/licet --mail soc@acme.example --smtp smtp://mail.acme.example:587 --smtp-login smtp.login
         licet drill watch --url https://licet.acme.example/healthz/monitoring --once --command /usr/local/bin/page --severity high
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--url", metavar="URL", help="ask this address; without it the state folder's drills are looked at")
    parser.add_argument(
        "--within", metavar="TIME", type=seconds,
        help="of a state folder: within which there is to be a result (default: 15m where a schedule runs, else a day)",
    )  # fmt: skip
    parser.add_argument("--every", metavar="TIME", type=seconds, default=EVERY, help="how long to wait between two looks (default: 60s)")
    parser.add_argument("--once", action="store_true", help="look once, and end")
    parser.add_argument("--memory", metavar="FILE", help=f"what was said already (default: {MEMORY} in this machine's state folder)")
    add_state(parser)
    add_channels(parser)


def run(options: argparse.Namespace) -> int:
    """Look, and say what is owed; once, or again and again."""
    if options.url is not None and (options.state is not None or options.within is not None):
        raise UsageError("`--url` is asked alone; `--state` and `--within` are about a state folder")
    watched = checked(options.url) if options.url is not None else str(existing(options).path.resolve())
    channels = channels_of(options)
    path = Path(options.memory) if options.memory is not None else open_state(default_state()).path / MEMORY
    with alone(path.with_name(f"{path.name}.lock"), "licet drill watch"):
        memory = Memory(path)

        def once(first: bool) -> int:  # noqa: FBT001 - as `follow` has it
            now = time.time()
            seen = of_url(options.url, now) if options.url is not None else _folder(options, now)
            said = told(seen, channels, memory, watched, time.time)
            for each in said:
                output.say(f"{iso(now)}  {each.alarm.kind:6}{each.channel}: ", each.why or "taken")
            if first and not seen.why:
                output.say(f"{iso(now)}  well  {watched}")
            if first and seen.why and not said:
                owed = memory.of(key_of(channels[0], watched))
                more = f" (and {len(seen.why) - 1} more)" if len(seen.why) > 1 else ""
                output.say(
                    f"{iso(now)}  blind since {iso(owed.since)}, told already, and again at {iso(owed.told + AGAIN)}: {seen.why[0]}{more}"
                )
            sys.stdout.flush()
            return 1 if seen.why or any(each.why for each in said) else 0

        return once(True) if options.once else follow(once, options.every)  # noqa: FBT003


def _folder(options: argparse.Namespace, now: float) -> Seen:
    return of_folder(existing(options).path, now, options.within or 0.0)
