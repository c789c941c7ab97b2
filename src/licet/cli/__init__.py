"""The command line. Each command is one small module with `add` and `run`; `licet.cli.main` lists them."""

from licet.cli.main import main

__all__ = ["main"]
