"""What `licet ledger` takes of keys and checkpoints from outside."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from licet.errors import UsageError
from licet.escape import visible
from licet.ledger.note import COSIGNATURE, ED25519, MAX_NOTE, NoteError, NoteKey


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Add `--key`, `--kept` and `--witness`."""
    again = "; may be given again"
    parser.add_argument(
        "--key", metavar="VKEY|FILE", action="append", default=[],
        help=f"the log's key, `name+id+base64`, or a file with keys, one a line (default: that of the state folder){again}",
    )  # fmt: skip
    parser.add_argument("--kept", metavar="NOTE", action="append", default=[], help=f"a file with a checkpoint that was kept{again}")
    parser.add_argument(
        "--witness", metavar="VKEY|FILE", action="append", default=[], help=f"the key of a witness that must have signed too{again}"
    )


def keys_of(options: argparse.Namespace) -> Sequence[NoteKey]:
    """The keys of `--key`.

    Raises:
        UsageError: one is none, or a witness's.
    """
    return _keys("--key", options.key, ED25519, "a witness's key, which signs no checkpoint of its own; give it as --witness")


def ratifiers_in(option: str, given: Sequence[str]) -> Sequence[NoteKey]:
    """The keys of people who ratify, each as it is or in a file.

    Raises:
        UsageError: one is none, or a witness's.
    """
    return _keys(option, given, ED25519, "a witness's key, which ratifies nothing")


def witnesses_of(options: argparse.Namespace) -> Sequence[NoteKey]:
    """The keys of `--witness`.

    Raises:
        UsageError: one is none, or a log's.
    """
    return _keys("--witness", options.witness, COSIGNATURE, "a log's key; give it as --key")


def witness_key(text: str) -> NoteKey:
    """The key of `--witness-key`: itself, or the file that it stands in alone.

    Raises:
        UsageError: it is none, a log's, or one of several.
    """
    found = _keys("--witness-key", [text], COSIGNATURE, "a log's key, and no witness's")
    if len(found) != 1:
        raise UsageError(f"--witness-key: {visible(text, 300)}: holds {len(found)} keys; name the witness's own")
    return found[0]


def kept_notes(options: argparse.Namespace) -> Sequence[str]:
    """The notes of `--kept`.

    Raises:
        UsageError: a file cannot be read, or is no text.
    """
    return [_text("--kept", name) for name in options.kept]


def _keys(option: str, given: Sequence[str], kind: bytes, otherwise: str) -> Sequence[NoteKey]:
    found: list[NoteKey] = []
    for text in given:
        try:
            keys = [NoteKey.parse(text)]
        except NoteError:
            keys = _in_file(option, text)
        for key in keys:
            if key.type != kind:
                raise UsageError(f"{option}: {visible(str(key), 300)} is {otherwise}")
        found += keys
    return found


def _in_file(option: str, name: str) -> list[NoteKey]:
    found = []
    for number, line in enumerate(_text(option, name, " it is no key `name+id+base64` either, so").splitlines(), 1):
        if line.strip():
            try:
                found.append(NoteKey.parse(line))
            except NoteError as error:
                raise UsageError(f"{option}: {visible(name, 300)}:{number}: {error}; a line is a key, `name+id+base64`") from error
    if not found:
        raise UsageError(f"{option}: {visible(name, 300)}: holds no key")
    return found


def _text(option: str, name: str, more: str = "") -> str:
    shown = visible(name, 300)
    try:
        with Path(name).open("rb") as file:
            data = file.read(MAX_NOTE + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        raise UsageError(f"{option}: {shown}: cannot be read: {why};{more} check the path") from error
    if len(data) > MAX_NOTE:
        raise UsageError(f"{option}: {shown}: is longer than {MAX_NOTE} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{option}: {shown}: is not text") from error
