"""The second channel, as the command line names it."""

from __future__ import annotations

import argparse
from pathlib import Path

from licet.drill.alarm import Channel, Command, Mail, Post, server_of
from licet.errors import UsageError


def add_channels(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say who is told."""
    parser.add_argument("--webhook", metavar="URL", help="post alarms there, signed: https, or http on this machine")
    parser.add_argument("--secret-file", metavar="FILE", help="the webhook's secret")
    parser.add_argument("--mail", metavar="ADDRESS", help="send alarms to this address")
    parser.add_argument("--smtp", metavar="URL", help="the mail server: smtps://HOST[:PORT], or smtp://HOST[:PORT] for STARTTLS")
    parser.add_argument("--smtp-login", metavar="FILE", help="user and password, each in a line of its own")
    parser.add_argument("--from", dest="sender", metavar="ADDRESS", help="from whom mails are (default: the one whom they go to)")
    parser.add_argument(
        "--command", dest="words", metavar="WORD", nargs=argparse.REMAINDER,
        help="run this, without a shell; it reads the alarm as JSON on standard input. All that follows belongs to it",
    )  # fmt: skip


def channels_of(options: argparse.Namespace) -> list[Channel]:
    """The channels that are meant; one at least.

    Raises:
        UsageError: there is none, or what belongs together is not there.
        StateError: a file of a secret cannot be read, or others can read it.
    """
    from licet.monitor.webhook import Webhook, secret_of

    if (options.webhook is None) != (options.secret_file is None):
        raise UsageError("`--webhook URL` and `--secret-file FILE` go together")
    if (options.mail is None) != (options.smtp is None):
        raise UsageError("`--mail ADDRESS` and `--smtp URL` go together")
    if options.mail is None and (options.smtp_login or options.sender):
        raise UsageError("`--smtp-login` and `--from` go with `--mail`")
    found: list[Channel] = []
    if options.webhook is not None:
        found.append(Post(Webhook(options.webhook, secret_of(Path(options.secret_file)))))
    if options.mail is not None:
        found.append(Mail(server_of(options.smtp, options.smtp_login), options.mail, options.sender or options.mail))
    if options.words is not None:
        found.append(Command(options.words))
    if not found:
        raise UsageError("nobody would be told: name `--webhook`, `--mail` or `--command`")
    return found
