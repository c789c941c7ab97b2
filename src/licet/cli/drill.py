"""`licet drill`: proof that the monitoring works."""

from __future__ import annotations

import argparse

from licet.cli.verbs import add_verbs, run_verb

VERBS = {
    "run": "let safe misuse in, and see that it comes back as the right finding",
    "schedule": "play one drill in each slot, at times that nobody knows beforehand",
    "watch": "say by a second channel when nobody can rely on the monitoring",
    "alarm": "send a test by that channel, and say whether it was taken",
    "status": "say whether the monitoring can be relied on now, by the drills' results, with all figures",
    "selftest": "disable each part of the pipeline in turn, and see that the drills miss it",
}

EXAMPLE = """\
A drill is misuse that harms nobody, by identities that were drawn for it and may do nothing, let in where real records come in, unmarked.
It must come back as the right finding, with the right explanation, in time, and its benign twin must not.

example: licet drill run
         licet drill run D1 revoked-key --source cloudtrail
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    add_verbs(parser, "drill", VERBS)


def run(options: argparse.Namespace) -> int:
    """Do what the second word says."""
    return run_verb(options)
