"""`licet credential probe NAME`: tries ended versions of a credential, by the command that its manifest declares."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from licet.cli import output
from licet.cli.credential_named import fingerprints_of, named
from licet.cli.credential_schedule import schedule
from licet.cli.state import add_state
from licet.errors import UsageError
from licet.escape import visible
from licet.guard.state import open_state
from licet.inventory.life import status_at
from licet.inventory.model import CONFIDENCE, Owner, Ownership
from licet.inventory.model import Credential as Known
from licet.inventory.probing import Tried, Unset, keep, secret_of, tried
from licet.inventory.store import FILE, Inventory
from licet.manifest import Manifest, load
from licet.manifest.models import Credential
from licet.manifest.watched import Probe

EXAMPLE = """\
What is tried stands in the manifest: `credentials.NAME.probe`, with a harmless command and where the secret of each ended version is. The
command has the secret on standard input or in one environment variable, never among its arguments; what it prints is not read.
`still authenticates` is a finding by itself, from the next `licet monitor` on. What cannot be decided is said, and is no refusal.

A version that stands in `ids` is tried only if it is known to have ended, or if it is named with `--version`; then nothing is kept of it
while it has not ended.

Exit codes: 0 every version is refused, 1 one still authenticates or it could not be decided, 2 wrong usage.

example: licet credential probe crm-reader -m licet.yaml
         licet credential probe crm-reader --schedule systemd
"""
_WORDS: dict[bool | None, tuple[str, output.Style]] = {
    True: ("still authenticates", "red"), False: ("is refused", "green"), None: ("undecided", "yellow"),
}  # fmt: skip


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME", help="the credential, as the manifest calls it")
    parser.add_argument(
        "--version", metavar="ID", action="append", default=[], dest="versions", help="only this version; may be given again"
    )
    parser.add_argument("-m", "--manifest", metavar="FILE", default="licet.yaml", help="the manifest (default: licet.yaml)")
    parser.add_argument("--schedule", choices=("systemd", "cron"), help="print what tries it every day, and try nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Try them; 1 if one is not refused."""
    manifest = load(options.manifest)
    stated = manifest.credentials.get(options.name)
    if stated is None or stated.probe is None:
        what = "is not in the manifest" if stated is None else "has no `probe` in the manifest"
        raise UsageError(f"{options.manifest}: credential {options.name!r} {what}; docs/credentials.md shows how it is declared")
    versions = [named(each) for each in options.versions]
    for unknown in (each for each in versions if each not in stated.probe.versions):
        raise UsageError(f"{options.manifest}: `credentials.{options.name}.probe.versions` has no {unknown!r}; it has what can be tried")
    if options.schedule is not None:
        output.write(schedule(options.schedule, options.name, options.manifest, options.state))
        return 0
    folder, manifest_folder = open_state(options.state), Path(options.manifest).absolute().parent
    fingerprint, now, told = fingerprints_of(folder), time.time(), []
    with closing(Inventory(folder.path / FILE)) as inventory:
        for version, ended in _chosen(inventory, fingerprint, stated, versions, now):
            result = _try(stated.probe, version, manifest_folder) if ended or versions else Tried(None, "not tried")
            if ended:
                _declare(inventory, fingerprint(version), options.name, manifest, now)
                keep(inventory, fingerprint(version), stated.probe, result, time.time())
            told.append((version, ended, result))
            if not options.json:
                _say(version, result, ended=ended, tried=ended or bool(versions))
    if options.json:
        output.data({"credential": options.name, "versions": [
            {"credential": fingerprint(version), "ended": ended, "authenticates": result.authenticates, "detail": result.detail}
            for version, ended, result in told
        ]})  # fmt: skip
    return 0 if all(result.authenticates is False for _, ended, result in told if ended or versions) else 1


def _chosen(
    inventory: Inventory, fingerprint: Callable[[str], str], stated: Credential, versions: Sequence[str], now: float
) -> Iterator[tuple[str, bool]]:  # fmt: skip
    """Each version that is meant, and whether it has ended: by what is known of it, else because the manifest does not name it any more."""
    if stated.probe is None:
        return
    for version in versions or stated.probe.versions:
        found = inventory.life(fingerprint(version))
        ended = found is not None and status_at(found[0], now) != "active"
        yield version, ended or version not in stated.ids


def _declare(inventory: Inventory, uid: str, name: str, manifest: Manifest, now: float) -> None:
    """That this is a version of the credential of this name, so that a finding can say so, and whom to call."""
    stated = manifest.credentials[name]
    known = Known(uid, stated.kind or "", name=name)
    if stated.owner is None:
        inventory.declare(credentials=[known])
        return
    said = manifest.owners[stated.owner]
    own = Ownership(uid, stated.owner, "manifest", CONFIDENCE["manifest"], now)
    inventory.declare(credentials=[known], owners=[Owner(stated.owner, said.name, said.contact)], ownerships=[own])


def _try(probe: Probe, version: str, folder: Path) -> Tried:
    try:
        secret = secret_of(probe.versions[version], folder)
    except Unset as error:
        return Tried(None, str(error))
    return tried(probe, secret, folder)


def _say(version: str, result: Tried, *, ended: bool, tried: bool) -> None:
    if not tried:
        output.say(f"{visible(version, 100)}: has not ended, as far as is known: not tried; `--version` tries it all the same")
        return
    word, style = _WORDS[result.authenticates]
    not_kept = "" if ended else "; it has not ended, and nothing is kept of this"
    output.say(f"{visible(version, 100)}: ", output.paint(word, style), f" ({visible(result.detail, 200)}){not_kept}")
