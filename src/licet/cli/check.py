"""`licet check`: everything that is wrong or doubtful in a manifest."""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from typing import TYPE_CHECKING

from licet.cli import output
from licet.escape import counted
from licet.manifest.lint import check
from licet.manifest.loader import read_file

if TYPE_CHECKING:
    from licet.cli.check_ratified import Told
    from licet.manifest import Manifest

EXAMPLE = """\
Errors exit 1, warnings alone exit 0, a file that cannot be read exits 2. With --ratified a manifest that is not ratified exits 1 too.

Each problem has a code that stays the same from release to release:
  invalid       the file is not read: no YAML, a key twice, an anchor      unknown-key   a key that means nothing here
  missing       a key that must be there                                   blank         a key with nothing behind it
  wrong-type    a text where a number must stand, and the like             wrong-value   a value that cannot stand here
  empty         a scope, a list or a text without content                  reference     a name that refers to nothing
  wildcard      a name that would grant everything                         rule          parts that do not fit together
  observe       an `observe` that may not be                               secret        a secret, where only its id may stand
The lints have codes of their own, for example missing-access and laundering (errors), unowned-agent and no-origin (warnings).

example: licet check licet.yaml
         licet check --ratified --state ci licet.yaml
         licet check --json licet.yaml | jq '.problems[].code'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", help="the manifest")
    parser.add_argument(
        "--ratified", action="store_true", help="exit 1 unless somebody who is believed here has ratified it (`licet ratify`)"
    )
    # Not by `add_state`: what stands behind it takes long to import, and most checks do not need it.
    parser.add_argument("--state", metavar="DIR", help="the state folder that says who is believed (default: LICET_STATE, else the user's)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Print every problem with its place; 1 if one of them is an error."""
    manifest, problems = check(read_file(options.file), name=options.file, now=time.time())
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    told = _ratified(manifest, options) if manifest and not errors else None
    if options.json:
        digest = manifest.digest if manifest and not errors else None
        rows = [dataclasses.asdict(problem) for problem in problems]
        output.data(
            {"file": options.file, "ok": not errors, "digest": digest, "errors": errors, "warnings": warnings, "problems": rows,
             "ratification": told.as_json() if told else None, "baselines": told.baselines if told else []}
        )  # fmt: skip
    else:
        for problem in problems:
            output.problem(problem)
        if told is not None:
            told.say(options.file)
        verdict = output.paint("fails", "red") if errors else output.paint("well", "green")
        output.say(options.file, ": ", verdict, f" ({counted(errors, 'error')}, {counted(warnings, 'warning')})")
    return 1 if errors or (options.ratified and not (told and told.ratified)) else 0


def _ratified(manifest: Manifest, options: argparse.Namespace) -> Told | None:
    """Who answers for the manifest; None where nobody asks, and nothing needs it."""
    based = any(task.baseline is not None for task in manifest.tasks.values())
    if not (based or options.ratified or os.path.lexists(f"{options.file}.ratified")):
        return None
    from licet.cli.check_ratified import Told

    return Told.of(manifest, options.state)
