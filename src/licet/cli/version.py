"""`licet version`."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform

from licet.cli import output

EXAMPLE = "example: licet version\n"


def add(_parser: argparse.ArgumentParser) -> None:
    """Nothing to add: the command takes no arguments."""


def run(_options: argparse.Namespace) -> int:
    """Print both versions."""
    try:
        version = importlib.metadata.version("licet")
    except importlib.metadata.PackageNotFoundError:
        version = "(not installed: run from its source)"
    output.say(f"licet {version} (python {platform.python_version()})")
    return 0
