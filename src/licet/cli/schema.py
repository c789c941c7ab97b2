"""`licet schema`: the JSON Schema of a manifest."""

from __future__ import annotations

import argparse

from licet.cli import output
from licet.manifest.schema import text

EXAMPLE = """\
An editor with a YAML language server completes a manifest that begins with:

    # yaml-language-server: $schema=licet.schema.json

example: licet schema > licet.schema.json
"""


def add(_parser: argparse.ArgumentParser) -> None:
    """Nothing to add: the command takes no arguments."""


def run(_options: argparse.Namespace) -> int:
    """Print the schema."""
    output.write(text())
    return 0
