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
from licet.guard.ratification import MAX_VERSION, Ratification, file_problem, new_line
from licet.guard.ratified import NotRatified, Ratified, file_of, standing
from licet.guard.ratifier import Ratifier, Seen, believe, locked, newest, note, place_of, seen
from licet.guard.state import StateFolder
from licet.learn.difference import Difference, differences
from licet.ledger.note import signed
from licet.ledger.signer import replace
from licet.manifest import Manifest
from licet.manifest.loader import parse, read_file

COPIES = "ratified"  # the folder, in the state folder, with what was ratified here, so that the next one can be compared with it


@dataclass(frozen=True, slots=True)
class Act:
    """What a person ratifies: the text read from `source`, where it is to stand, by whose name, and the state folder that remembers.

    `standing` is the text that stands at the target now; None: nothing does.
    """

    text: str
    manifest: Manifest
    source: Path
    target: Path
    by: str
    folder: StateFolder
    standing: str | None = None

    @property
    def is_in_place(self) -> bool:
        """Whether the manifest stays where it was read."""
        return self.source.resolve() == self.target.resolve()


@dataclass(frozen=True, slots=True)
class Before:
    """What is ratified now.

    `ratification` stands beside the target, `last` is what the state folder remembers; `manifest` is that of the newer of the two, where
    its text is at hand; else, with `unratified`, what a draft is to replace.
    """

    ratification: Ratification | None
    last: Seen | None
    manifest: Manifest | None
    same: bool
    unratified: bool = False

    @property
    def told(self) -> str:
        """It in words."""
        if self.unratified:
            return "what stands there, which nobody has ratified"
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


def now_ratified(act: Act, key: Ratifier | None = None) -> Before:
    """What stands beside the target now, and what this state folder remembers of it. What was signed by `key` counts too.

    Raises:
        UsageError: something stands there that is no ratification of somebody who is believed; it would be lost unseen. Or the target has
            a name that cannot stand in a ratification.
    """
    if wrong := file_problem(act.target.name):
        raise UsageError(f"{act.target}: {wrong}; rename it")
    found = standing(act.target, act.folder, [key.note_key] if key is not None else [])
    last = _last(act, found)
    ratification = found.found if isinstance(found, NotRatified) else found.ratification
    if isinstance(found, NotRatified) and ratification is None and os.path.lexists(file_of(act.target)):
        raise UsageError(f"{found.why}; or move the file away, and ratify again")
    if isinstance(found, NotRatified) and found.alarming:
        output.error(f"{found.why}; the new version goes on from the newest")
    newer = last is not None and (ratification is None or last.version > ratification.version)
    digest = last.manifest if last is not None and newer else ratification.manifest if ratification is not None else ""
    # Whoever is believed by this command alone is not believed by a guard.
    same = digest == act.manifest.digest and isinstance(standing(act.target, act.folder), Ratified)
    before = _text_of(act, digest) if digest else None
    if before is None and act.standing is not None and not act.is_in_place:
        there, _, _ = parse(act.standing, name=str(act.target), now=time.time())
        return Before(ratification, last, there, same, unratified=there is not None)
    return Before(ratification, last, before, same)


def _last(act: Act, found: Ratified | NotRatified) -> Seen | None:
    rows = seen(act.folder.keys)
    told = found.found if isinstance(found, NotRatified) else found.ratification
    here = rows.get(place_of(act.target))
    line = told.line if told is not None else here.line if here is not None else ""
    return newest(rows, line)


def loss(act: Act) -> str:
    """What would be lost at the target that a person may not have meant; empty: nothing. `licet ratify OLD -o NEW` is soon typed."""
    if act.standing is None or act.is_in_place:
        return ""
    there, document, _ = parse(act.standing, name=str(act.target), now=time.time())
    if not (isinstance(document.data, dict) and "licet" in document.data):
        return f"{act.target}: is no manifest, and would be lost"
    if there is not None and there.digest == act.manifest.digest:
        return ""
    if there is not None and _is_ratified(act, act.target, there):
        return ""  # a copy of it is kept
    if _is_ratified(act, act.source, act.manifest):
        return f"{act.target}: would be lost, and nobody has ratified it; {act.source}, which is ratified, would take its place"
    if act.target.stat().st_mtime > act.source.stat().st_mtime:
        return f"{act.target}: was changed later than {act.source}, nobody has ratified that, and it would be lost"
    return ""


def _is_ratified(act: Act, file: Path, manifest: Manifest) -> bool:
    found = standing(file, act.folder)
    return isinstance(found, Ratified) and found.ratification.manifest == manifest.digest


def compared(before: Before, manifest: Manifest) -> list[Difference] | None:
    """In what a manifest differs from what is ratified now; None where there is nothing to compare with."""
    return None if before.manifest is None else list(differences(before.manifest, manifest))


def ratify(act: Act, before: Before, key: Ratifier) -> tuple[Ratification, int]:
    """Sign, record and write. The answer is the ratification, and the number of the ledger's record (0 where there is no ledger).

    Raises:
        UsageError: somebody ratified meanwhile, or a file cannot be written.
        LedgerError: it cannot be recorded, and so is not done.
    """
    keys = act.folder.keys
    # Who ratifies here is believed here.
    believe(keys, key.note_key, f"ratified {act.target} here")
    with locked(keys):
        found = standing(act.target, act.folder)
        now = found.found if isinstance(found, NotRatified) else found.ratification
        if now != before.ratification or _last(act, found) != before.last:
            raise UsageError(f"{act.target}: was ratified meanwhile by somebody else; look at what stands there now, and ratify again")
        highest = max(now.version if now is not None else 0, before.last.version if before.last is not None else 0)
        line = now.line if now is not None else before.last.line if before.last is not None else new_line()
        if highest >= MAX_VERSION:
            raise UsageError(f"{file_of(act.target)}: version {highest} is the last that there can be; move the file away")
        made = Ratification(
            act.manifest.digest, act.target.name, act.manifest.environment, line, highest + 1, act.by, iso(time.time()),
            _newest(now, before.last),
        )  # fmt: skip
        written = signed(made.text(), [key])
        seq = _record(act, made, key)
        _keep_copy(act)
        put_manifest(act)
        _put(file_of(act.target), written.encode())
        note(keys, place_of(act.target), Seen(made.version, made.digest, made.manifest, made.line))
    return made, seq


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


def _record(act: Act, made: Ratification, key: Ratifier) -> int:
    if not os.path.lexists(act.folder.ledger):
        return 0
    fields: dict[str, Plain] = {
        "manifest": made.manifest, "version": made.version, "by": made.by, "by_is": f"named to the {actor()}", "digest": made.digest,
        "replaces": made.replaces, "key": str(key.note_key),
    }  # fmt: skip
    return record(act.folder, "ratification", fields, time.time())


def copy_of(folder: StateFolder, digest: str) -> Path:
    """Where the text of a manifest that was ratified here is kept."""
    return folder.path / COPIES / f"{digest.removeprefix('sha256:')}.yaml"


def _keep_copy(act: Act) -> None:
    file = copy_of(act.folder, act.manifest.digest)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        replace(file, act.text.encode())
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}; check the state folder's rights") from error


def _text_of(act: Act, digest: str) -> Manifest | None:
    """The manifest of this digest, from where it stands or from the copy that was kept; None if neither is it."""
    for file in (act.target, copy_of(act.folder, digest)):
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
