"""Whether a person has taken responsibility for the manifest that was loaded. Nothing is written here."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from licet.errors import KeyFileError
from licet.escape import visible
from licet.guard.ratification import MAX_FILE, SUFFIX, Ratification, RatificationError
from licet.guard.ratifier import SEEN_FILE, believed, newest, place_of, seen
from licet.guard.state import StateFolder
from licet.ledger.note import NoteError, NoteKey, opened
from licet.manifest import Manifest
from licet.manifest.models import NO_FILE

_LONGEST = 300  # characters of names in a sentence


@dataclass(frozen=True, slots=True)
class Ratified:
    """Somebody whom this machine believes has signed this manifest. `key`: the name of the key."""

    ratification: Ratification
    key: str

    def __str__(self) -> str:
        told = self.ratification
        return f"version {told.version}, by {told.by}, {told.time}"


@dataclass(frozen=True, slots=True)
class NotRatified:
    """Why it does not count.

    `alarming`: it is not only missing, but was set back, forged, taken away, or is of another manifest. `found`: what somebody who is
    believed did sign.
    """

    why: str
    alarming: bool = False
    found: Ratification | None = None


def file_of(manifest: str | Path) -> Path:
    """Where the ratification of the manifest in this file stands: beside it."""
    return Path(f"{manifest}{SUFFIX}")


def ratification(manifest: Manifest, folder: StateFolder) -> Ratified | NotRatified:
    """Whether this manifest is ratified, by the keys and the memory of this state folder. The folder need not be there."""
    if manifest.source in NO_FILE:
        return NotRatified("it was not read from a file")
    try:
        found = standing(manifest.source, folder)
    except KeyFileError as error:
        return NotRatified(str(error), alarming=True)
    if isinstance(found, NotRatified):
        return found
    by = found.ratification
    if by.manifest == manifest.digest:
        if by.environment == manifest.environment:
            return found
        why = f"{file_of(manifest.source)}: is for the environment `{by.environment}`, and the manifest says `{manifest.environment}`"
        return NotRatified(why, alarming=True)
    why = f"it was changed after it was ratified: {file_of(manifest.source)} (version {by.version}, by {by.by}) is of another manifest"
    return NotRatified(why, alarming=True, found=by)


def standing(manifest: str | Path, folder: StateFolder, also: Sequence[NoteKey] = ()) -> Ratified | NotRatified:
    """The ratification that stands beside a file, whatever is in that file now. `also`: keys that count beside those of the folder.

    Raises:
        KeyFileError: whom to believe, or what was seen before, cannot be told.
    """
    file, rows = file_of(manifest), seen(folder.keys)
    here = rows.get(place_of(manifest))
    if not os.path.lexists(file):
        if here is not None:
            return NotRatified(f"{file}: is gone; version {here.version} stood there", alarming=True)
        return NotRatified(f"{file}: is not there; `licet ratify` makes it")
    keys = (*believed(folder.keys), *also)
    try:
        known = opened(_read(file), keys)
        found = Ratification.parse(known.text)
    except NoteError as error:
        return NotRatified(f"{file}: {error}", alarming=True)
    except RatificationError as error:
        return NotRatified(f"{file}:{error.line}: {error.why}" if error.line else f"{file}: {error.why}", alarming=True)
    if not known.by:
        signers = visible(", ".join(known.others[:3]), _LONGEST) or "a witness"
        why = f"{file}: is signed by {signers}, whom this state folder does not believe; `licet ratify --trust KEY` changes that"
        return NotRatified(why, alarming=bool(keys))
    if found.file != Path(manifest).name:
        why = f"{file}: is for a manifest named `{found.file}`, and this one is `{visible(Path(manifest).name, _LONGEST)}`"
        return NotRatified(why, alarming=True)
    if here is not None and found.line != here.line:
        why = (
            f"{file}: is of another line than version {here.version}, which was seen here: it was made for another manifest of this name. "
            f"Put back what belongs here; or, if this is it, take this path out of {folder.keys / SEEN_FILE}"
        )
        return NotRatified(why, alarming=True)
    last = newest(rows, found.line)
    if last is not None and found.version < last.version:
        why = f"{file}: was set back: it is version {found.version}, and version {last.version} was seen here"
        return NotRatified(why, alarming=True, found=found)
    if last is not None and found.version == last.version and found.digest != last.digest:
        why = f"{file}: another ratification of version {found.version} was seen here; ratify anew"
        return NotRatified(why, alarming=True, found=found)
    return Ratified(found, known.by[0].name)


def _read(file: Path) -> str:
    """The text of the file.

    It is signed, and so may be anybody's, and a link: what stands here comes from a repository, or from a volume that is mounted.

    Raises:
        NoteError: it cannot be read.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NoteError("is not a plain file")
            with os.fdopen(descriptor, "rb", closefd=False) as readable:
                data = readable.read(MAX_FILE + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NoteError(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise NoteError(f"is longer than {MAX_FILE} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteError(f"is not UTF-8; mend byte {error.start}") from error
