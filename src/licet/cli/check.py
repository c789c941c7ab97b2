"""`licet check`: everything that is wrong or doubtful in a manifest."""

from __future__ import annotations

import argparse
import dataclasses
import time

from licet.cli import output
from licet.escape import counted
from licet.manifest.lint import check
from licet.manifest.loader import read_file

EXAMPLE = """\
Errors exit 1, warnings alone exit 0, a file that cannot be read exits 2.

Each problem has a code that stays the same from release to release:
  invalid       the file is not read: no YAML, a key twice, an anchor      unknown-key   a key that means nothing here
  missing       a key that must be there                                   blank         a key with nothing behind it
  wrong-type    a text where a number must stand, and the like             wrong-value   a value that cannot stand here
  empty         a scope, a list or a text without content                  reference     a name that refers to nothing
  wildcard      a name that would grant everything                         rule          parts that do not fit together
  observe       an `observe` that may not be                               not-enforced  a rule that this release would not hold
The lints have codes of their own, for example missing-access and laundering (errors), unowned-agent and no-origin (warnings).

example: licet check licet.yaml
         licet check --json licet.yaml | jq '.problems[].code'
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", help="the manifest")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Print every problem with its place; 1 if one of them is an error."""
    manifest, problems = check(read_file(options.file), name=options.file, now=time.time())
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    if options.json:
        digest = manifest.digest if manifest and not errors else None
        rows = [dataclasses.asdict(problem) for problem in problems]
        output.data({"file": options.file, "ok": not errors, "digest": digest, "errors": errors, "warnings": warnings, "problems": rows})
    else:
        for problem in problems:
            output.problem(problem)
        verdict = output.paint("fails", "red") if errors else output.paint("well", "green")
        output.say(options.file, ": ", verdict, f" ({counted(errors, 'error')}, {counted(warnings, 'warning')})")
    return 1 if errors else 0
