"""`licet drill alarm --test`: whether somebody would hear."""

from __future__ import annotations

import argparse
import os
import time

from licet.cli import output
from licet.cli.drill_alarms import add_channels, channels_of
from licet.drill.alarm import Alarm
from licet.errors import UsageError

EXAMPLE = """\
One alarm goes out on each channel, and says that it is a test. Who has never heard it will not hear the one that counts.

Exit codes: 0 each channel took it, 1 one did not, 2 wrong usage, or a secret cannot be read.

example: licet drill alarm --test --webhook https://pager.acme.example/hook --secret-file hook.secret
         licet drill alarm --test --mail soc@acme.example --smtp smtp://mail.acme.example:587 --smtp-login smtp.login
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--test", action="store_true", help="send one; alarms that are none are not sent")
    add_channels(parser)


def run(options: argparse.Namespace) -> int:
    """Send one, and say whether it was taken."""
    if not options.test:
        raise UsageError("`licet drill alarm --test` sends a test; real ones are sent by `licet drill watch`")
    now, well = time.time(), True
    for channel in channels_of(options):
        reply = channel.send(Alarm(f"test_{os.urandom(8).hex()}", "test", now, now, (), "nothing"), now)
        well = well and reply.taken
        output.say(f"{channel.name}: ", output.paint("taken", "green") if reply.taken else output.paint("not taken", "red"))
        if not reply.taken:
            output.error(f"licet: {reply.why}")
    return 0 if well else 1
