"""The key that signs checkpoints, and what it signed last: it signs nothing that does not go on from there.

Both stand apart from the ledger's folder, so that a ledger which was cut, or set back to an old copy, is not signed again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from licet.errors import KeyFileError, LedgerError, UsageError
from licet.ledger.note import MAX_NOTE, NoteError, NoteKey
from licet.machine import open_own

KEY_FILE, HEAD_FILE, WRITERS_FOLDER = "ledger.key", "ledger.head", "ledger.writers"
_MAX_PEM = 10_000  # bytes
_NAMED = b"origin: "


class LedgerKey:
    """An Ed25519 key (RFC 8032) under the name of its log. See `Signs`."""

    def __init__(self, private: Ed25519PrivateKey, head: str | Path, origin: str = "") -> None:
        self._private, self._head = private, Path(head)
        public = private.public_key().public_bytes_raw()
        self.note_key = NoteKey(origin or origin_of(public), public)

    @property
    def name(self) -> str:
        """The log's origin."""
        return self.note_key.name

    @property
    def writers(self) -> Path:
        """The folder of those who write the ledger that this key signs: see `writers.py`."""
        return self._head.with_name(WRITERS_FOLDER)

    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.note_key.public

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature."""
        return self._private.sign(message)

    def last(self) -> str | None:
        """The last checkpoint that was signed, as its note; None if there was none.

        Raises:
            LedgerError: it cannot be read.
        """
        try:
            descriptor = open_own(self._head, os.O_RDONLY, LedgerError)
        except LedgerError:
            if not os.path.lexists(self._head):
                return None
            raise
        with os.fdopen(descriptor, "rb") as file:
            try:
                return file.read(MAX_NOTE).decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise LedgerError(f"{self._head}: cannot be read; it holds the last checkpoint that was signed") from error

    def remember(self, note: str) -> None:
        """Keep a note as the last, also after a power cut.

        Raises:
            OSError: it cannot be written.
        """
        replace(self._head, note.encode(), durable=True, by=self._head.with_name(f".{self._head.name}"))
        sync_folder(self._head.parent)

    @classmethod
    def of(cls, folder: str | Path, *, origin: str = "", create: bool = True) -> LedgerKey:
        """The key in the folder of keys; a missing one is made, with mode 0600, unless `create` is false.

        `origin`: the log's name. It is given to the key when that is made, and stands in its file.

        Raises:
            KeyFileError: the file cannot be read or written, others can read it, it holds no Ed25519 key; or it is missing, and has signed.
            UsageError: there is none, and none is to be made; or it has another name, or that is none.
        """
        file, head = Path(folder) / KEY_FILE, Path(folder) / HEAD_FILE
        if not os.path.lexists(file):
            if not create:
                if os.path.lexists(head):
                    raise KeyFileError(f"{file}: is missing, and has signed the checkpoint in {head.name}; put it back")
                raise UsageError(f"{file}: there is no ledger key here; it is made when a guard first writes")
            _make(file, origin)
        with os.fdopen(open_own(file, os.O_RDONLY, KeyFileError), "rb") as opened:
            pem = opened.read(_MAX_PEM)
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyFileError(
                f"{file}: does not hold a private key in PEM form; put back its copy: the ledger goes on with no other"
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"{file}: checkpoints are signed with Ed25519, and this is another kind of key")
        named = _named(pem, str(file))
        try:
            found = cls(private, head, named)
        except NoteError as error:
            raise KeyFileError(f"{file}: {error}") from error
        if origin and origin != found.name:
            raise UsageError(f"ledger.origin: this state folder's ledger is called {found.name}, and goes on under no other name")
        return found


def origin_of(public: bytes) -> str:
    """What a log is called where nobody named it: a name that no other key has."""
    return f"licet.local/ledger/{hashlib.sha256(public).hexdigest()[:16]}"


def replace(file: Path, data: bytes, *, durable: bool = False, by: Path | None = None) -> None:
    """Exchange a file whole: who reads it finds the old or the new. `durable`: also after a power cut, and never half of it.

    `by`: the name of the file in between, where a lock makes sure that it is nobody else's. So one that died leaves one at most.

    Raises:
        OSError: it cannot be written; then the old one stands.
    """
    new = by or file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    if by:
        by.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _named(pem: bytes, file: str) -> str:
    """The name in the text before the key (RFC 7468 section 2 lets a file have some)."""
    before = pem.partition(b"-----BEGIN")[0].strip()
    if before and not before.startswith(_NAMED):
        raise KeyFileError(f"{file}: before the key stands something else than `{_NAMED.decode()}NAME`")
    try:
        return before.removeprefix(_NAMED).decode()
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{file}: the name before the key is not text") from error


def _make(file: Path, origin: str) -> None:
    if origin:
        try:
            NoteKey(origin, bytes(32))
        except NoteError as error:
            raise UsageError(f"ledger.origin: {error}") from error
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if origin:
        pem = _NAMED + origin.encode() + b"\n" + pem
    try:
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # of several that start at once, one makes it; who dies leaves no other key behind
            if not os.path.lexists(file):
                replace(file, pem, durable=True, by=file.with_name(f".{file.name}"))
                os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise KeyFileError(f"{file}: {error.strerror}; check the state folder's rights") from error
