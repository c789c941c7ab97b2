"""The key by which a person ratifies, whom a guard believes, and what it has seen ratified. All of it stands in the state's folder of keys.

`ratifier.key` signs; `ratifiers` lists the verifier keys that count, one a line; `ratified.seen` remembers for each manifest the newest
version and its line, so that an older one, and another line, are known for what they are. Whoever can write in this folder can ratify.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from licet.errors import KeyFileError
from licet.escape import visible
from licet.guard.ratification import MAX_VERSION, Ratification
from licet.ledger.note import ED25519, NoteError, NoteKey
from licet.ledger.signer import replace, sync_folder
from licet.machine import open_own

KEY_FILE, BELIEVED_FILE, SEEN_FILE, LOCK_FILE = "ratifier.key", "ratifiers", "ratified.seen", "ratify.lock"
MAX_BYTES = 1_000_000  # of a file here
MAX_SEEN = 2_000  # manifests that are remembered; the one that was seen longest ago goes first
_MAX_PEM = 10_000
_LINE = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Ratifier:
    """An Ed25519 key (RFC 8032) that signs ratifications. See `Signs`."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        public = private.public_key().public_bytes_raw()
        self.note_key = NoteKey(f"licet.local/ratifier/{hashlib.sha256(public).hexdigest()[:16]}", public)

    @property
    def name(self) -> str:
        """Under which it signs."""
        return self.note_key.name

    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.note_key.public

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature."""
        return self._private.sign(message)

    @classmethod
    def read(cls, file: Path) -> Ratifier:
        """The key in a file that is ours alone.

        Raises:
            KeyFileError: the file cannot be read, others can read it, or it holds no Ed25519 key.
        """
        try:
            private = load_pem_private_key(_read(file, _MAX_PEM), password=None)
        except (ValueError, TypeError) as error:
            raise KeyFileError(f"{file}: does not hold a private key in PEM form, without a passphrase; put back its copy") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"{file}: ratifications are signed with Ed25519, and this is another kind of key")
        return cls(private)

    @classmethod
    def of(cls, keys: Path) -> tuple[Ratifier, bool]:
        """The folder's own key, and whether it was made now. Who makes it believes it.

        Raises:
            KeyFileError: see `read`; or it cannot be made.
        """
        file = keys / KEY_FILE
        with locked(keys):
            made = not os.path.lexists(file)
            if made:
                pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                _put(file, pem)
            found = cls.read(file)
            if made:
                _believe(keys, found.note_key, "this state folder's own key")
        return found, made


@dataclass(frozen=True, slots=True)
class Seen:
    """What was ratified last for one manifest, as far as this folder has seen, and to which line that belongs."""

    version: int
    digest: str
    manifest: str
    line: str


def believed(keys: Path) -> tuple[NoteKey, ...]:
    """The keys whose ratifications count; none where nobody has said so.

    Raises:
        KeyFileError: the file is not ours alone, or a line of it is no key.
    """
    file = keys / BELIEVED_FILE
    if not os.path.lexists(file):
        return ()
    found: dict[NoteKey, None] = {}
    for number, line in enumerate(_text(file).split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                key = NoteKey.parse(line)
            except NoteError as error:
                raise KeyFileError(f"{file}:{number}: {error}; a line is a key, `name+id+base64`, or begins with `#`") from error
            if key.type != ED25519:
                raise KeyFileError(f"{file}:{number}: is the key of a witness, which ratifies nothing; take the line out")
            found[key] = None
    return tuple(found)


def believe(keys: Path, key: NoteKey, why: str) -> bool:
    """Let the ratifications of a key count from now on; False if they did before. `why` stands beside it as a comment.

    Raises:
        KeyFileError: the file cannot be read or written.
    """
    with locked(keys):
        return _believe(keys, key, why)


def _believe(keys: Path, key: NoteKey, why: str) -> bool:
    if key in believed(keys):
        return False
    file = keys / BELIEVED_FILE
    before = (
        _text(file) if os.path.lexists(file) else "# Whose ratifications count here: one key a line. `licet ratify --trust KEY` adds one.\n"
    )
    _put(file, f"{before.rstrip()}\n# {visible(why, 300)}\n{key}\n".encode())
    return True


def seen(keys: Path) -> Mapping[str, Seen]:
    """What was ratified last, by the path of the manifest.

    Raises:
        KeyFileError: that cannot be told.
    """
    file = keys / SEEN_FILE
    if not os.path.lexists(file):
        return {}
    try:
        rows = json.loads(_text(file))
        found = {path: Seen(*row) for path, row in rows.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise KeyFileError(f"{file}: {_DAMAGED}") from error
    if not all(_is_seen(each) for each in found.values()):
        raise KeyFileError(f"{file}: {_DAMAGED}")
    return found


_DAMAGED = "is not what it was written as; it remembers what was ratified last. Put back its copy, or take it away and ratify anew"


def _is_seen(row: Seen) -> bool:
    digests = all(type(each) is str and _DIGEST.fullmatch(each) for each in (row.digest, row.manifest))
    line = type(row.line) is str and _LINE.fullmatch(row.line) is not None
    return digests and line and type(row.version) is int and 1 <= row.version <= MAX_VERSION


def newest(rows: Mapping[str, Seen], line: str) -> Seen | None:
    """What was seen last of a line, wherever its manifests stood: each release may have a folder of its own."""
    return max((row for row in rows.values() if row.line == line), key=lambda row: row.version, default=None)


def place_of(manifest: str | Path) -> str:
    """Under which name a manifest's ratifications are remembered: its path, as it was named. Links in it may lead to another release."""
    return os.path.abspath(manifest)  # noqa: PTH100 - Path.resolve would follow links


def remember(keys: Path, manifest: str | Path, found: Ratification) -> None:
    """Keep a ratification as the newest that was seen of this manifest, unless a newer one was.

    Raises:
        KeyFileError: it cannot be kept.
    """
    place, row = place_of(manifest), Seen(found.version, found.digest, found.manifest, found.line)
    if seen(keys).get(place) == row:
        return
    with locked(keys):
        note(keys, place, row)


def note(keys: Path, place: str, row: Seen) -> None:
    """`remember`, for whoever holds the lock.

    Raises:
        KeyFileError: it cannot be kept.
    """
    rows = dict(seen(keys))
    known = rows.pop(place, None)
    if known is not None and known.line == row.line and known.version > row.version:
        row = known
    rows[place] = row
    kept = list(rows.items())[-MAX_SEEN:]
    text = json.dumps({path: [each.version, each.digest, each.manifest, each.line] for path, each in kept}, indent=0)
    _put(keys / SEEN_FILE, text.encode())


@contextmanager
def locked(keys: Path) -> Iterator[None]:
    """One process at a time changes what stands here.

    Raises:
        KeyFileError: the lock cannot be had.
    """
    descriptor = open_own(keys / LOCK_FILE, os.O_RDWR | os.O_CREAT, KeyFileError)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(file: Path, most: int) -> bytes:
    with os.fdopen(open_own(file, os.O_RDONLY, KeyFileError), "rb") as opened:
        try:
            data = opened.read(most + 1)
        except OSError as error:
            raise KeyFileError(f"{file}: cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise KeyFileError(f"{file}: is longer than {most} bytes")
    return data


def _text(file: Path) -> str:
    try:
        return _read(file, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{file}: is not UTF-8; mend byte {error.start}") from error


def _put(file: Path, data: bytes) -> None:
    try:
        replace(file, data, durable=True, by=file.with_name(f".{file.name}"))
        sync_folder(file.parent)
    except OSError as error:
        raise KeyFileError(f"{file}: cannot be written: {error.strerror}; check the state folder's rights and room") from error
