"""`licet check`: everything that is wrong or doubtful in a manifest."""

from __future__ import annotations

import argparse
import dataclasses
import time

from licet.cli import check_ratified, output
from licet.cli.state import add_state
from licet.escape import counted
from licet.guard.ratified import Ratified
from licet.manifest.lint import check
from licet.manifest.loader import read_file

EXAMPLE = """\
Errors exit 1, warnings alone exit 0, a file that cannot be read exits 2. With --ratified a manifest that is not ratified exits 1 too.

Each problem has a code that stays the same from release to release:
  invalid       the file is not read: no YAML, a key twice, an anchor      unknown-key   a key that means nothing here
  missing       a key that must be there                                   blank         a key with nothing behind it
  wrong-type    a text where a number must stand, and the like             wrong-value   a value that cannot stand here
  empty         a scope, a list or a text without content                  reference     a name that refers to nothing
  wildcard      a name that would grant everything                         rule          parts that do not fit together
  observe       an `observe` that may not be                               not-enforced  a rule that this release would not hold
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
    add_state(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Print every problem with its place; 1 if one of them is an error."""
    manifest, problems = check(read_file(options.file), name=options.file, now=time.time())
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    found = check_ratified.standing_of(manifest, options) if manifest and not errors else None
    baselines = check_ratified.baselines_of(manifest, found) if manifest and found else []
    if options.json:
        digest = manifest.digest if manifest and not errors else None
        rows = [dataclasses.asdict(problem) for problem in problems]
        output.data(
            {"file": options.file, "ok": not errors, "digest": digest, "errors": errors, "warnings": warnings, "problems": rows,
             "ratification": check_ratified.as_json(found) if found else None, "baselines": baselines}
        )  # fmt: skip
    else:
        for problem in problems:
            output.problem(problem)
        if found is not None:
            check_ratified.say(options.file, found, baselines)
        verdict = output.paint("fails", "red") if errors else output.paint("well", "green")
        output.say(options.file, ": ", verdict, f" ({counted(errors, 'error')}, {counted(warnings, 'warning')})")
    return 1 if errors or (options.ratified and not isinstance(found, Ratified)) else 0
