"""`licet COMMAND ...`: finds the command, runs it, and turns what went wrong into a sentence and an exit code.

Exit codes: 0 well, 1 problems were found, 2 wrong usage or something cannot be read; 130 interrupted, 141 the reader has gone.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol, cast

from licet.cli import output
from licet.errors import LicetError, ManifestError

# One line per command. `break-glass` lives in `licet/cli/break_glass.py`; only the module of the command that runs is imported.
COMMANDS = {
    "check": "check a manifest",
    "reach": "list what a hijacked agent could do",
    "schema": "print the JSON Schema of a manifest",
    "init": "draft a manifest from tools that exist",
    "pin": "write down what tools show of themselves, so that a change is noticed",
    "tasks": "list the newest tasks",
    "task": "show one task's intent trace, or end the task",
    "graph": "draw a task's calls",
    "findings": "list what an owner must look at",
    "replay": "hold recorded runs against a manifest",
    "learn": "draft a manifest and its baselines from recorded runs",
    "backtest": "hold recorded runs against two manifests, and say what changes",
    "diff": "say what a new manifest allows more, less or otherwise than an old one",
    "suggest": "say what a manifest could do without, by what its task kinds did",
    "ratify": "take responsibility for a manifest, by a signature",
    "break-glass": "let one task kind run unenforced for some minutes",
    "ingest": "take logs of other platforms into the inventory",
    "monitor": "judge what came into the inventory",
    "inventory": "show who owns identities and credentials, and where they are used",
    "credential": "say what happened to a credential; try whether an ended one still authenticates",
    "trace": "show one credential from its issuance through every use to its end",
    "bypass": "say which calls ran that the guard did not see",
    "drill": "prove that the monitoring works: safe misuse that must come back as the right finding",
    "report": "say what stands behind each entry of four catalogues: a drill, something seen, a declaration, or nothing",
    "ledger": "verify the ledger",
    "purge": "delete contents, spans and rows that are old, or one task's or person's",
    "keys": "list, rotate, retire and publish the keys that sign call tokens",
    "token": "read, verify and revoke call tokens",
    "spans": "hold exported spans, metrics and log events against the conventions",
    "serve": "run the token authority as a service",
    "version": "print the versions of Licet and Python",
}

OK, FOUND, UNUSABLE, INTERRUPTED, READER_GONE = 0, 1, 2, 130, 141


class Command(Protocol):
    """What the module of a command offers."""

    EXAMPLE: str  # ends the command's help

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments to its own parser."""

    def run(self, options: argparse.Namespace) -> int:
        """Do the work, and answer with an exit code."""


class _Parser(argparse.ArgumentParser):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.set_defaults(asked=self)  # of commands of two words the second one's: it is set last

    def error(self, message: str) -> NoReturn:
        """Like argparse, but an argument (`licet check *`) cannot act on the terminal."""
        self.print_usage(sys.stderr)
        output.error(f"{self.prog}: {message}; see `{self.prog} --help`")
        raise SystemExit(UNUSABLE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Never raises for what a user, a file or Licet's own state did wrong."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        options, left = _parser(arguments).parse_known_args(arguments)
        if left:  # `parse_args` would name the help of `licet`, which has no options
            options.asked.error(f"unrecognized arguments: {' '.join(left)}")
    except SystemExit as leaving:  # argparse has printed help, or what is wrong
        return leaving.code if isinstance(leaving.code, int) else UNUSABLE
    try:
        code = cast("Command", options.command).run(options)
        sys.stdout.flush()
    except ManifestError as error:
        for problem in error.problems:
            output.problem(problem, stream=sys.stderr)
        return UNUSABLE
    except LicetError as error:
        output.error(f"licet: {error}")
        return UNUSABLE
    except BrokenPipeError:
        # `licet ... | head`: whatever the interpreter still flushes at exit must find somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except KeyboardInterrupt:
        output.error("licet: interrupted")
        return INTERRUPTED
    return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="licet",
        description="A runtime guard that keeps an AI agent within its task.",
        epilog="example: licet check licet.yaml",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    # The others are only for help, and for what is said of a word that is none of them: parsers of all take longer than most commands.
    for name in set(arguments[:1]) & COMMANDS.keys() or COMMANDS:
        summary = COMMANDS[name]
        own = commands.add_parser(name, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name in arguments[:1]:
            command = cast("Command", importlib.import_module(f"licet.cli.{name.replace('-', '_')}"))
            own.epilog = command.EXAMPLE
            own.set_defaults(command=command)
            command.add(own)
    return parser
