"""The inventory of a state folder, opened for a command; what a manifest declares goes in first."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from licet.cli import output
from licet.cli.credential_named import ids_of
from licet.cli.state import existing
from licet.errors import UsageError
from licet.escape import visible
from licet.guard.state import KEYS, SECRET_FILE, StateFolder, secret
from licet.inventory.declared import declarations
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.named import alike, called_so, identities, is_seen, known
from licet.inventory.store import FILE, Inventory
from licet.secretlike import scrub

_SHOWN = 5


def add_manifest(parser: argparse.ArgumentParser) -> None:
    """Add `-m`."""
    parser.add_argument(
        "-m", "--manifest", metavar="FILE", help="a manifest whose identities, credentials and environments are declared first"
    )


@contextmanager
def opened(options: argparse.Namespace, now: float) -> Iterator[tuple[StateFolder, Inventory]]:
    """The folder and its inventory, which must be there unless a manifest makes it; only read, unless a manifest is declared.

    Raises:
        UsageError: there is none.
        ManifestError: the manifest cannot be used.
    """
    from licet.manifest import load

    folder = existing(options)
    path = folder.path / FILE
    if options.manifest is None and not path.exists():
        raise UsageError(f"{path}: is not there: nothing was taken in yet; `licet ingest` and `licet inventory import` do that")
    manifest = load(options.manifest) if options.manifest is not None else None
    inventory = Inventory(path, reading=manifest is None)
    try:
        if manifest is not None:
            inventory.declare(**declarations(manifest, Fingerprints(secret(folder)).of, now)._asdict())
        yield folder, inventory
    finally:
        inventory.close()


def found_in(folder: StateFolder, inventory: Inventory, text: str, manifest: str | None) -> tuple[str, bool]:
    """The uid of the identity or credential that a text names, and whether it is a credential.

    An identity by its uid, its name or the last part of its uid; a credential by its id as logs show it, its fingerprint or its name.

    Raises:
        UsageError: nothing here is called so, or several are.
    """
    if (there := inventory.identity(text)) is not None:
        others = [] if is_seen(inventory, text) else [each for each in called_so(inventory, text) if each != there.same_as]
        if others:
            them = ", ".join(visible(each, 200) for each in others[:_SHOWN])
            output.error(f"{visible(text, 200)}: no record names this uid, it is only declared; {them} is called so too")
        return text, False
    named = identities(inventory, text)
    credentials = known(inventory, _fingerprint(folder), text, ids_of(manifest))
    every = [*named, *credentials]
    if len(every) == 1:
        return every[0], bool(credentials)
    if not every:
        raise UsageError(unknown(inventory, text, "identity or credential"))
    raise UsageError(several(text, every))


def unknown(inventory: Inventory | None, text: str, what: str) -> str:
    """That nothing is called so, and what is nearly called so."""
    near = alike(inventory, text) if inventory is not None else ()
    meant = f"; is {' or '.join(visible(each, 200) for each in near)} meant?" if near else "; `licet inventory list` lists identities"
    return f"{visible(scrub(text), 200)}: no {what} here is called so{meant}"


def several(text: str, every: Sequence[str]) -> str:
    """That several are called so."""
    more = ", …" if len(every) > _SHOWN else ""
    them = ", ".join(visible(each, 200) for each in every[:_SHOWN])
    return f"{visible(scrub(text), 200)} is a name of several: {them}{more}; give one of these"


def _fingerprint(folder: StateFolder) -> Callable[[str], str]:
    """What makes fingerprints; where there is no secret, none was ever made, and none is made for looking."""
    there = (Path(folder.path) / KEYS / SECRET_FILE).exists()
    return Fingerprints(secret(folder)).of if there else lambda _: ""
