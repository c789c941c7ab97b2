"""Which credential a command is about: where its id is read from, and the names that a manifest has for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from licet.cli import output
from licet.cli.token_input import read
from licet.errors import UsageError
from licet.guard.state import StateFolder, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.named import checked

_LONGEST = 4_096  # characters of an id


def fingerprints_of(folder: StateFolder) -> Callable[[str], str]:
    """What makes the keyed fingerprint of an id, for this state folder."""
    return Fingerprints(secret(folder)).of


def named(given: str) -> str:
    """The id or name that is meant: the argument itself, what stands in `@FILE`, or `-`: what comes on standard input.

    Raises:
        UsageError: there is none, it cannot be read, is too long, or is a secret itself.
    """
    text = given
    if given == "-":
        if sys.stdin.isatty():
            output.error("paste the credential's id, then Enter and Ctrl-D")
        text = sys.stdin.buffer.read(_LONGEST + 3).decode("utf-8", "replace")
    elif given.startswith("@"):
        text = read(given[1:], "CREDENTIAL")
    text = text.strip()
    if len(text) > _LONGEST:
        raise UsageError(f"the credential is longer than {_LONGEST:,} characters; give its id, not what it is")
    return checked(text)


def ids_of(manifest: str | None) -> Mapping[str, Sequence[str]]:
    """By name, what logs show of a manifest's credentials. Without a name the manifest is `licet.yaml`, if there is one.

    Raises:
        ManifestError: it cannot be used.
    """
    from licet.manifest import load

    file = manifest or ("licet.yaml" if Path("licet.yaml").exists() else None)
    return {name: stated.ids for name, stated in load(file).credentials.items()} if file else {}
