"""Signed notes and the checkpoints in them (C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0), with Ed25519.

A note is a text, an empty line, and lines `— name base64(id || signature)`. Who is named is known by its name and the id of its key
together; lines of others are passed over, as the specification asks, and a line of one who is known must hold. A log's key signs the
text; a witness's (tlog-cosignature v1.0.1) signs the text and a time, which stands in its line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, COSIGNATURE = b"\x01", b"\x04"
"""The types of keys: of a log, and of a witness."""
MAX_NOTE = 1_000_000  # bytes
MAX_SIGNATURES = 100
_NAME = re.compile(r"[^\s+\x00-\x1f]{1,255}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_TIME = 8  # bytes, before the signature of a witness
_BREAK = "\n\n"
_DASH = "\u2014 "


class NoteError(Exception):
    """A note, a checkpoint or a key is not what it should be; the text says how."""


class Signs(Protocol):
    """What signs notes: an Ed25519 key by its name."""

    @property
    def name(self) -> str:
        """Under which it signs."""

    def public(self) -> bytes:
        """The 32 bytes of the public key (RFC 8032)."""

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key, the name under which it signs, and what it signs: notes (`ED25519`), or that it saw them (`COSIGNATURE`)."""

    name: str
    public: bytes
    type: bytes = ED25519

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.public) != 32 or self.type not in (ED25519, COSIGNATURE):
            raise NoteError("a key is a name, without spaces and `+`, and 32 bytes of Ed25519")

    @property
    def id(self) -> bytes:
        """Four bytes: a hint at the key, not proof of it."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.type + self.public).digest()[:4]

    def __str__(self) -> str:
        """The verifier key's text: `name+id+base64(type || key)`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.type + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> NoteKey:
        """Read the text of a verifier key.

        Raises:
            NoteError: it is none, or not of Ed25519, or its id is not its key's.
        """
        name, _, rest = text.strip().partition("+")
        told, _, encoded = rest.partition("+")
        key = _base64(encoded, "the key")
        if key[:1] not in (ED25519, COSIGNATURE):
            raise NoteError("the key is not of Ed25519")
        found = cls(name, key[1:], key[:1])
        if found.id.hex() != told.lower():
            raise NoteError("the key's id is not its own")
        return found


def signed(text: str, signers: Sequence[Signs]) -> str:
    """The note of a text.

    Raises:
        NoteError: the text cannot be a note's.
    """
    _check_text(text)
    lines = [_line(NoteKey(signer.name, signer.public()), signer.sign(text.encode())) for signer in signers]
    return f"{text}\n{''.join(lines)}"


def cosigned(text: str, witness: Signs, time: int) -> str:
    """The line by which a witness says that it has seen this checkpoint, and none of the log that it does not continue.

    `time`: seconds since the epoch.

    Raises:
        NoteError: the text cannot be a note's.
    """
    _check_text(text)
    key = NoteKey(witness.name, witness.public(), COSIGNATURE)
    return _line(key, time.to_bytes(_TIME, "big") + witness.sign(_with_time(text, time)))


def _line(key: NoteKey, signature: bytes) -> str:
    return f"{_DASH}{key.name} {base64.b64encode(key.id + signature).decode()}\n"


def _with_time(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


@dataclass(frozen=True, slots=True)
class Cosignature:
    """That a witness has seen a checkpoint: whose key says so, and when (seconds since the epoch, by its own clock)."""

    key: NoteKey
    time: int


@dataclass(frozen=True, slots=True)
class Note:
    """A note whose signatures were checked.

    `by`: the known keys of logs that signed it; never a witness's. `cosigned`: what known witnesses say. `others`: the names that nobody
    here knows.
    """

    text: str
    by: tuple[NoteKey, ...]
    others: tuple[str, ...]
    cosigned: tuple[Cosignature, ...] = ()


def opened(note: str, keys: Sequence[NoteKey]) -> Note:
    """Check a note. That nobody known has signed it is for the caller to judge. `keys`: of logs and witnesses.

    Raises:
        NoteError: it is no note, or a signature of a known key does not hold.
    """
    text, lines = parts(note)
    known = {(key.name, key.id): key for key in keys}
    by: dict[NoteKey, None] = {}
    seen: dict[Cosignature, None] = {}
    others: dict[str, None] = {}
    for line in lines:
        name, told = signature_of(line)
        key = known.get((name, told[:4]))
        if key is None:
            others[name] = None
        elif key.type == COSIGNATURE:
            time = int.from_bytes(told[4 : 4 + _TIME], "big")
            _check_signature(key, told[4 + _TIME :], _with_time(text, time))
            if time >> 63:
                raise NoteError(f"the signature of {name} is of a time that cannot be")
            seen[Cosignature(key, time)] = None
        else:
            _check_signature(key, told[4:], text.encode())
            by[key] = None
    return Note(text, tuple(by), tuple(others), tuple(seen))


def _check_signature(key: NoteKey, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise NoteError(f"the signature of {key.name} does not hold") from error


def parts(note: str) -> tuple[str, list[str]]:
    """The text of a note, and the lines of its signatures (without line feeds). Nothing is checked but the form.

    Raises:
        NoteError: it is no note.
    """
    if len(note) > MAX_NOTE:
        raise NoteError(f"longer than {MAX_NOTE} characters")
    text, gap, rest = note.rpartition(_BREAK)
    if not gap:
        raise NoteError("there is no empty line before the signatures")
    text += "\n"
    _check_text(text)
    lines = rest.split("\n")
    if lines[-1] or len(lines) < 2:
        raise NoteError("it does not end with a line of a signature")
    if len(lines) - 1 > MAX_SIGNATURES:
        raise NoteError(f"more than {MAX_SIGNATURES} signatures")
    return text, lines[:-1]


def signature_of(line: str) -> tuple[str, bytes]:
    """The name in a line of a signature, and its bytes: those of the key's id first.

    Raises:
        NoteError: it is no such line.
    """
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not _NAME.fullmatch(name):
        raise NoteError("a line of a signature is `\u2014 name base64`")
    told = _base64(encoded, f"the signature of {name}")
    if len(told) < 5:
        raise NoteError(f"the signature of {name} is too short")
    return name, told


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its origin (a name without a scheme), how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text of its note."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a note. Further lines, which the specification calls extensions, are refused: ours has none.

        Raises:
            NoteError: it is no checkpoint of ours.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise NoteError("a checkpoint has three lines")
        origin, size, root = lines[:3]
        if not _NAME.fullmatch(origin):
            raise NoteError("the origin is no name")
        if not _SIZE.fullmatch(size):
            raise NoteError("the size is no whole number")
        found = _base64(root, "the root")
        if len(found) != 32:
            raise NoteError("the root is no hash of 32 bytes")
        return cls(origin, int(size), found)


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(ord(each) < 0x20 and each != "\n" for each in text):
        raise NoteError("a note's text ends with a line break, and has no control characters")


def _base64(text: str, what: str) -> bytes:
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise NoteError(f"{what} is not base64") from error
    if base64.b64encode(found).decode() != text:
        raise NoteError(f"{what} is not base64 in its one form")
    return found
