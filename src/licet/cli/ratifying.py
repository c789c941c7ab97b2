"""The act of ratifying: what is ratified now, what is widened against it, and what is written, in which order."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from licet.canonical import Plain
from licet.cli import output
from licet.cli.acts import actor, record
from licet.clock import iso
from licet.errors import ManifestError, UsageError
from licet.guard.ratification import MAX_VERSION, Ratification
from licet.guard.ratified import NotRatified, Ratified, file_of, standing
from licet.guard.ratifier import Ratifier, Seen, believe, locked, note, place_of, seen
from licet.guard.state import StateFolder
from licet.learn.difference import Difference, differences
from licet.ledger.note import signed
from licet.ledger.signer import replace
from licet.manifest import Manifest
from licet.manifest.loader import parse, read_file

COPIES = "ratified"  # the folder, in the state folder, with what was ratified here, so that the next one can be compared with it


@dataclass(frozen=True, slots=True)
class Act:
    """What a person ratifies: the text that was read, where it is to stand, by whose name and key, and the state folder that remembers."""

    text: str
    manifest: Manifest
    target: Path
    by: str
    key: Ratifier
    folder: StateFolder


@dataclass(frozen=True, slots=True)
class Before:
    """What is ratified now.

    `ratification` stands beside the target, `last` is what the state folder remembers; `manifest` is that of the newer of the two, where
    its text is at hand.
    """

    ratification: Ratification | None
    last: Seen | None
    manifest: Manifest | None
    same: bool

    @property
    def told(self) -> str:
        """It in words."""
        told = self.ratification
        if told is not None and (self.last is None or told.version >= self.last.version):
            return f"version {told.version}, by {told.by}, {told.time}"
        return f"version {self.last.version}, which was seen here" if self.last is not None else "nothing"

    @property
    def why_not(self) -> str:
        """Why there is nothing to compare with."""
        if self.ratification is None and self.last is None:
            return "nothing was ratified here before"
        return f"what was ratified before ({self.told}) is not at hand"


def now_ratified(act: Act) -> Before:
    """What stands beside the target now, and what this state folder remembers of it.

    Raises:
        UsageError: something stands there that is no ratification of somebody who is believed; it would be lost unseen.
    """
    found = standing(act.target, act.folder, [act.key.note_key])
    last = seen(act.folder.keys).get(place_of(act.target))
    ratification = found.found if isinstance(found, NotRatified) else found.ratification
    if isinstance(found, NotRatified) and found.alarming:
        if ratification is None and os.path.lexists(file_of(act.target)):
            raise UsageError(f"{found.why}; or move the file away, and ratify again")
        output.error(f"{found.why}; the new version goes on from the newest")
    newer = last is not None and (ratification is None or last.version > ratification.version)
    digest = last.manifest if last is not None and newer else ratification.manifest if ratification is not None else ""
    same = isinstance(found, Ratified) and digest == act.manifest.digest
    return Before(ratification, last, _text_of(act, digest) if digest else None, same)


def compared(before: Before, manifest: Manifest) -> list[Difference] | None:
    """In what a manifest differs from what is ratified now; None where there is nothing to compare with."""
    return None if before.manifest is None else list(differences(before.manifest, manifest))


def ratify(act: Act, before: Before) -> tuple[Ratification, int]:
    """Sign, record and write. The answer is the ratification, and the number of the ledger's record (0 where there is no ledger).

    Raises:
        UsageError: somebody ratified meanwhile, or a file cannot be written.
        LedgerError: it cannot be recorded, and so is not done.
    """
    keys = act.folder.keys
    trust_own(act)
    with locked(keys):
        found, rows = standing(act.target, act.folder), seen(keys)
        now = found.found if isinstance(found, NotRatified) else found.ratification
        if now != before.ratification or rows.get(place_of(act.target)) != before.last:
            raise UsageError(f"{act.target}: was ratified meanwhile by somebody else; look at what stands there now, and ratify again")
        highest = max([0 if now is None else now.version, *(row.version for row in rows.values())])
        if highest >= MAX_VERSION:
            raise UsageError(f"{file_of(act.target)}: version {highest} is the last that there can be; move the file away")
        made = Ratification(act.manifest.digest, highest + 1, act.by, iso(time.time()), _newest(now, before.last))
        written = signed(made.text(), [act.key])
        seq = _record(act, made)
        _keep_copy(act)
        put_manifest(act)
        _put(file_of(act.target), written.encode())
        note(keys, place_of(act.target), Seen(made.version, made.digest, made.manifest))
    return made, seq


def trust_own(act: Act) -> None:
    """Who ratifies here is believed here.

    Raises:
        KeyFileError: that cannot be written down.
    """
    believe(act.folder.keys, act.key.note_key, f"ratified {act.target} here")


def put_manifest(act: Act) -> None:
    """Put the text that was read where it is to stand, unless it stands there.

    Raises:
        UsageError: it cannot be written.
    """
    data = act.text.encode()
    with suppress(OSError):
        if act.target.read_bytes() == data:
            return
    _put(act.target.resolve(), data)


def _newest(now: Ratification | None, last: Seen | None) -> str:
    if now is not None and (last is None or now.version >= last.version):
        return now.digest
    return last.digest if last is not None else ""


def _record(act: Act, made: Ratification) -> int:
    if not os.path.lexists(act.folder.ledger):
        return 0
    fields: dict[str, Plain] = {
        "manifest": made.manifest, "version": made.version, "by": made.by, "by_is": f"named to the {actor()}", "digest": made.digest,
        "replaces": made.replaces, "key": str(act.key.note_key),
    }  # fmt: skip
    return record(act.folder, "ratification", fields, time.time())


def _copy_of(folder: StateFolder, digest: str) -> Path:
    return folder.path / COPIES / f"{digest.removeprefix('sha256:')}.yaml"


def _keep_copy(act: Act) -> None:
    file = _copy_of(act.folder, act.manifest.digest)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        replace(file, act.text.encode())
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}; check the state folder's rights") from error


def _text_of(act: Act, digest: str) -> Manifest | None:
    """The manifest of this digest, from where it stands or from the copy that was kept; None if neither is it."""
    for file in (act.target, _copy_of(act.folder, digest)):
        with suppress(ManifestError):
            # What has become invalid since (an `observe` that is over) is what was ratified all the same.
            manifest, _, _ = parse(read_file(file), name=str(file), now=time.time())
            if manifest is not None and manifest.digest == digest:
                return manifest
    return None


def _put(file: Path, data: bytes) -> None:
    """Exchange a file in one step, with the rights of the old one. It is for others to read, as the manifest is."""
    try:
        mode = file.stat().st_mode & 0o777
    except OSError:
        mode = 0o644
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fchmod(opened.fileno(), mode)
            os.fsync(opened.fileno())
        os.replace(temporary, file)  # noqa: PTH105 - the one step
        temporary = ""
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}; check path and rights") from error
    finally:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
