"""A witness's own key, and notes with the lines of witnesses (C2SP tlog-cosignature v1.0.1, Ed25519)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from licet.errors import KeyFileError, UsageError
from licet.ledger.note import COSIGNATURE, MAX_SIGNATURES, NoteError, NoteKey, parts, signature_of
from licet.ledger.signer import replace, sync_folder
from licet.machine import open_own

_MAX_FILE = 10_000  # bytes
_NAMED = "name: "


class WitnessKey:
    """An Ed25519 key that signs cosignatures and nothing else. See `Signs`."""

    def __init__(self, private: Ed25519PrivateKey, name: str = "") -> None:
        self._private = private
        public = private.public_key().public_bytes_raw()
        self.note_key = NoteKey(name or f"licet.local/witness/{hashlib.sha256(public).hexdigest()[:16]}", public, COSIGNATURE)

    @property
    def name(self) -> str:
        """The witness's name."""
        return self.note_key.name

    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.note_key.public

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature."""
        return self._private.sign(message)

    @classmethod
    def of(cls, file: Path, *, name: str = "", create: bool = True) -> WitnessKey:
        """The key in a file; a missing one is made, with mode 0600 and under this name, unless `create` is false.

        Raises:
            KeyFileError: the file cannot be read or written, others can read it, or it holds no such key.
            UsageError: there is none and none is to be made, or it has another name.
        """
        if not os.path.lexists(file):
            if not create:
                raise UsageError(f"{file}: there is no witness's key here; `licet ledger witness --state DIR --key` makes one")
            _make(file, name)
        with os.fdopen(open_own(file, os.O_RDONLY, KeyFileError), "rb") as opened:
            head, _, pem = opened.read(_MAX_FILE).partition(b"\n")
        try:
            private = load_pem_private_key(pem, password=None)
            if not isinstance(private, Ed25519PrivateKey) or not head.startswith(_NAMED.encode()):
                raise ValueError("another kind of key")  # noqa: TRY301 - said below
            found = cls(private, head.decode("utf-8").removeprefix(_NAMED))
        except (ValueError, TypeError, NoteError) as error:
            raise KeyFileError(f"{file}: does not hold a name and an Ed25519 key in PEM form; put back its copy") from error
        if name and name != found.name:
            raise UsageError(f"{file}: the key's name is {found.name}, and a key keeps its name; leave --name out, or take another folder")
        return found


def witness_key(text: str, where: str) -> NoteKey:
    """The verifier key of a witness, from its text. `where`: what to call the place that it stands in.

    Raises:
        UsageError: it is none, or a log's.
    """
    try:
        key = NoteKey.parse(text)
    except NoteError as error:
        raise UsageError(f"{where}: {error}; a witness's key is what `licet ledger witness --key` prints") from error
    if key.type != COSIGNATURE:
        raise UsageError(f"{where}: is the key of a log; a witness's is what `licet ledger witness --key` prints")
    return key


def with_lines(note: str, lines: Sequence[str]) -> str:
    """The note with further lines of signatures. One of the same name and key as a line that is there takes its place.

    Raises:
        NoteError: it is no note, a line is none, or there would be too many.
    """
    text, there = parts(note)
    kept = {_whose(line): line for line in [*there, *(line.removesuffix("\n") for line in lines)]}
    if len(kept) > MAX_SIGNATURES:
        raise NoteError(f"more than {MAX_SIGNATURES} signatures")
    return "\n".join([text, *kept.values(), ""])


def _whose(line: str) -> tuple[str, bytes]:
    name, told = signature_of(line)
    return name, told[:4]


def _make(file: Path, name: str) -> None:
    private = Ed25519PrivateKey.generate()
    try:
        named = WitnessKey(private, name).name
    except NoteError as error:
        raise UsageError(f"--name: {error}") from error
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    new = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        replace(new, f"{_NAMED}{named}\n".encode() + pem, durable=True)
        try:
            os.link(new, file)  # who links first has made it
        except FileExistsError:
            pass
        finally:
            new.unlink(missing_ok=True)
        sync_folder(file.parent)
    except OSError as error:
        raise KeyFileError(f"{file}: {error.strerror}; check the folder's rights") from error
