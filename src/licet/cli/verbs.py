"""Commands of two words (`licet ledger verify`): only the module of the second word that was said is imported."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from licet.cli.main import Command


def add_verbs(parser: argparse.ArgumentParser, command: str, verbs: Mapping[str, str], *, required: bool = True) -> None:
    """Add the verbs, each with its line of help. `ledger verify` lives in `licet/cli/ledger_verify.py`, as a command does.

    `required`: there is nothing that the first word does alone.
    """
    kind: Any = type(parser)  # what says usage errors as `licet` says them

    class Verb(kind):  # type: ignore[misc]
        def parse_known_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None) -> Any:
            """Bring in the arguments first: it is this verb that was said."""
            verb = self.prog.rpartition(" ")[2].replace("-", "_")
            part = cast("Command", importlib.import_module(f"licet.cli.{command}_{verb}"))
            self.epilog = part.EXAMPLE
            part.add(self)
            self.set_defaults(run_verb=part.run)
            return super().parse_known_args(args, namespace)

    rows = parser.add_subparsers(metavar="|".join(verbs), required=required, parser_class=Verb)
    for verb, summary in verbs.items():
        rows.add_parser(verb, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter)


def run_verb(options: argparse.Namespace) -> int:
    """Do what the second word says."""
    code: int = options.run_verb(options)
    return code
