"""`licet credential`: say what happened to a credential, and try whether an ended one still authenticates."""

from __future__ import annotations

import argparse

from licet.cli import credential_probe, credential_told

EXAMPLE = """\
What is said is one line of the lifecycle format, written into the inventory and printed; `licet ingest lifecycle -` takes the same from a
vault or a pipeline. CREDENTIAL is a name of the manifest, an id as logs show it, a fingerprint (`cred:` and hex), or `-` or @FILE, where
the id stands: so it is in no history of the shell. Never hand in the secret itself.

example: licet credential revoke AKIAIOSFODNN7EXAMPLE --reason "laptop lost; INC-4312"
         licet credential rotate crm-reader --to @new-id
         licet credential job-end ci/run/4711
         licet credential probe crm-reader -m licet.yaml
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    names = "|".join([*credential_told.VERBS, "probe"])
    verbs = parser.add_subparsers(metavar=names, required=True)
    for name, verb in credential_told.VERBS.items():
        own = verbs.add_parser(
            name, help=verb.summary, description=verb.summary, epilog=f"example: licet credential {name} {verb.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        credential_told.add(own, verb)
        own.set_defaults(run_verb=credential_told.run, verb=verb)
    summary = "try ended versions of a credential by a declared command: whether they still authenticate"
    probe = verbs.add_parser(
        "probe", help=summary, description=summary, epilog=credential_probe.EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    credential_probe.add(probe)
    probe.set_defaults(run_verb=credential_probe.run)


def run(options: argparse.Namespace) -> int:
    """Do what the second word says."""
    code: int = options.run_verb(options)
    return code
