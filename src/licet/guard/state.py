"""Where Licet keeps what is its own: one folder with store, ledger and key, readable by its owner only."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from licet.canonical import Plain
from licet.errors import StateError
from licet.snapshot import BYTES

STORE, LEDGER, KEYS = "licet.db", "ledger.jsonl", "keys"
KEY_FILE = "call-token.pem"
_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder and the names in it."""

    path: Path

    @property
    def store(self) -> Path:
        """The SQLite file."""
        return self.path / STORE

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / LEDGER

    @property
    def key(self) -> Path:
        """The signing key's file."""
        return self.path / KEYS / KEY_FILE


def default_state() -> Path:
    """`LICET_STATE`, else `licet` in the user's state directory (XDG Base Directory Specification 0.8)."""
    if chosen := os.environ.get("LICET_STATE"):
        return Path(chosen)
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "licet"


def open_state(path: str | Path | None) -> StateFolder:
    """The state folder, created with mode 0700 if it is missing.

    Raises:
        StateError: it cannot be created, is no folder, belongs to another user, or others can write in it.
    """
    folder = StateFolder(Path(default_state() if path is None else path).absolute())
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder.path / KEYS).mkdir(mode=0o700, exist_ok=True)
        state = folder.path.stat()
    except OSError as error:
        raise StateError(f"{folder.path}: {error.strerror}; choose another folder with `state=` or LICET_STATE") from error
    if state.st_uid != os.geteuid():
        raise StateError(f"{folder.path}: belongs to another user; choose another folder with `state=` or LICET_STATE")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateError(f"{folder.path}: others can write here; run `chmod go-w` on it")
    return folder


class OwnFiles:
    """Tells whether an argument leads to Licet's own files: by a path in it, through links, `..`, `~`, `file:` and percent-encoding."""

    def __init__(self, folder: StateFolder, manifest: str) -> None:
        own = {os.path.realpath(folder.path): "state folder"}
        if manifest and Path(manifest).exists():
            own[os.path.realpath(manifest)] = "manifest"
        self._own: Mapping[str, str] = own
        home = str(Path.home())
        spelled = {str(folder.path): "state folder", **own}
        self._spellings = tuple(
            (form, which)
            for text, which in spelled.items()
            for form in ({text, "~" + text.removeprefix(home)} if text.startswith(home + os.sep) else {text})
        )

    def reaches(self, arguments: Mapping[str, Plain]) -> tuple[tuple[str, str], ...]:
        """Each argument that leads to a file of ours, and which."""
        return tuple((name, which) for name, value in arguments.items() if (which := self._of(value)) is not None)

    def _of(self, value: Plain) -> str | None:
        for text in _texts(value):
            # A shell, and many libraries, fill in variables.
            for spelled in {text, os.path.expandvars(text)} if "$" in text else (text,):
                for form, which in self._spellings:
                    if form in spelled:
                        return which
                reached = self._resolved(spelled)
                if reached is not None:
                    return reached
        return None

    def _resolved(self, text: str) -> str | None:
        for candidate in _as_paths(text):
            real = os.path.realpath(os.path.expanduser(candidate))  # noqa: PTH111 - a text, not a path yet
            for own, which in self._own.items():
                if real == own or real.startswith(own + os.sep):
                    return which
        return None


def _as_paths(text: str) -> Iterator[str]:
    """What a tool might open if it took the text for a path."""
    text = text.strip()
    if not text or len(text) > _LONGEST_PATH or "\0" in text:
        return
    if text[:5].lower() == "file:":
        yield unquote(urlsplit(text).path)
        return
    if "\n" in text:
        return
    yield text
    if "%" in text:
        yield unquote(text)


def _texts(value: Plain) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        if BYTES in value:
            yield base64.b64decode(str(value[BYTES])).decode("utf-8", "replace")
            return
        for key, item in value.items():
            yield key
            yield from _texts(item)
