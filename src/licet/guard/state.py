"""Where Licet keeps what is its own: one folder with store, ledger and key, readable by its owner only."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from licet.clock import Clock
from licet.errors import KeyFileError, LedgerError, StateError
from licet.ledger import Ledger, LedgerFiles, LedgerKey, layout
from licet.ledger.signer import HEAD_FILE, KEY_FILE
from licet.machine import check_own, open_own

if TYPE_CHECKING:
    from licet.ledger.cosigning.cosigner import Cosigner
    from licet.manifest.evidence import LedgerSettings
    from licet.tokens import KeySource, Signer

STORE, LEDGER, KEYS = "licet.db", "ledger", "keys"
SECRET_FILE = "digests.key"  # noqa: S105 - the name of a file
SECRET_BYTES = 32


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
        """The ledger's folder."""
        return self.path / LEDGER

    @property
    def keys(self) -> Path:
        """The folder of keys."""
        return self.path / KEYS


def default_state() -> Path:
    """`LICET_STATE`, else `licet` in the user's state directory (XDG Base Directory Specification 0.8)."""
    if chosen := os.environ.get("LICET_STATE"):
        return Path(chosen)
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "licet"


def open_state(path: str | Path | None) -> StateFolder:
    """The state folder, created with mode 0700 if it is missing.

    Raises:
        StateError: it cannot be created, is no folder, belongs to another user, or others can write in it; or others can look into
            its folder of keys.
    """
    folder = StateFolder(Path(default_state() if path is None else path).absolute())
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder.path / KEYS).mkdir(mode=0o700, exist_ok=True)
        state, keys = folder.path.stat(), (folder.path / KEYS).lstat()
    except OSError as error:
        raise StateError(f"{folder.path}: {error.strerror}; choose another folder with `state=` or LICET_STATE") from error
    if state.st_uid != os.geteuid():
        raise StateError(f"{folder.path}: belongs to another user; choose another folder with `state=` or LICET_STATE")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateError(f"{folder.path}: others can write here; run `chmod go-w` on it")
    check_own(folder.path / KEYS, keys, KeyFileError, folder=True)
    return folder


def key_source(given: Signer | KeySource | None, folder: StateFolder, now: float) -> KeySource:
    """What signs: what was handed in, else the key of LICET_SIGNING_KEY, else the folder's own keys.

    Raises:
        KeyFileError: the keys cannot be used.
        UsageError: what was handed in is no signer.
    """
    from licet.tokens import FixedKeys, KeyRing, key_of_environment  # commands that only look at the state need none of it
    from licet.tokens.algorithms import OURS

    if given is None:
        named = key_of_environment(os.environ)
        if named is not None and named.algorithm not in OURS:
            raise KeyFileError(f"LICET_SIGNING_KEY: holds an {named.algorithm} key; call tokens are signed with Ed25519 or P-256")
        return FixedKeys(named) if named is not None else KeyRing(folder.keys, now=now)
    return cast("KeySource", given) if hasattr(given, "signer") else FixedKeys(given)


def open_ledger(folder: StateFolder, *, origin: str = "", clock: Clock | None = None) -> Ledger:
    """The folder's ledger, to be written to, with the key that signs its checkpoints; a missing key is made.

    `origin`: the log's name, if it has one of its own.

    Raises:
        KeyFileError: the key cannot be used, or is missing although a ledger stands there.
        UsageError: the name is none.
    """
    return Ledger(folder.ledger, _ledger_key(folder, origin), clock=clock)


def guarded_ledger(folder: StateFolder, settings: LedgerSettings, clock: Clock) -> tuple[Ledger, Cosigner]:
    """The ledger as the manifest wants it, and who has it cosigned after each checkpoint.

    Raises:
        KeyFileError: the key cannot be used, or is missing although a ledger stands there.
        UsageError: the log's name, or a witness's address or key, is none.
    """
    from licet.ledger.cosigning.cosigner import Cosigner

    cosigner = Cosigner.of(LedgerFiles(folder.ledger), [(each.url, each.key) for each in settings.witnesses])
    ledger = Ledger(
        folder.ledger, _ledger_key(folder, settings.origin or ""), clock=clock, flush_seconds=settings.flush_seconds,
        checkpoint_seconds=settings.checkpoint_seconds, sealed=cosigner.offer,
    )  # fmt: skip
    return ledger, cosigner


def key_is_gone(folder: StateFolder) -> str:
    """Why a missing ledger key is one that was there, and not one that is still to be made; empty if it is there, or never was."""
    files, why = LedgerFiles(folder.ledger), ""
    if os.path.lexists(folder.keys / HEAD_FILE):
        why = f"it has signed: its last checkpoint is {folder.keys / HEAD_FILE}"
    elif any(os.path.lexists(files.path / name) for name in (layout.KEY, layout.CHECKPOINT)) or _has_records(files):
        why = f"{folder.ledger} is a ledger that it signed"
    # The key last: another process may be making all of it right now, the key first.
    return "" if os.path.lexists(folder.keys / KEY_FILE) else why


def _has_records(files: LedgerFiles) -> bool:
    """Whether there are segments; where that cannot be looked at, there may be."""
    try:
        return bool(files.segments())
    except LedgerError:
        return True


def _ledger_key(folder: StateFolder, origin: str) -> LedgerKey:
    """The ledger's key; a new one only where no ledger can have had another."""
    if gone := key_is_gone(folder):
        raise KeyFileError(
            f"{folder.keys / KEY_FILE}: is missing, and {gone}; put it back. No new key is made: it would not be the ledger's. Where it is "
            f"lost, move {folder.ledger} and {folder.keys / HEAD_FILE} away together, keep them as evidence, and a new ledger begins"
        )
    return LedgerKey.of(folder.keys, origin=origin)


def secret(folder: StateFolder) -> bytes:
    """The secret that keys digests which outlive a task; a missing one is made, with mode 0600.

    Raises:
        KeyFileError: others can read the file, it belongs to somebody else, or it does not hold a secret.
    """
    file = folder.path / KEYS / SECRET_FILE
    try:
        # O_EXCL decides who makes it when several processes start at once.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read_secret(file)
    except OSError as error:
        raise KeyFileError(f"{file}: {error.strerror}; check the state folder's rights") from error
    made = os.urandom(SECRET_BYTES)
    with os.fdopen(descriptor, "wb") as out:
        out.write(made)
        out.flush()
        os.fsync(out.fileno())
    return made


def _read_secret(file: Path) -> bytes:
    for _ in range(100):
        with os.fdopen(open_own(file, os.O_RDONLY, KeyFileError), "rb") as opened:
            found = opened.read(SECRET_BYTES + 1)
        if len(found) == SECRET_BYTES:
            return found
        time.sleep(0.01)  # another process is writing it
    raise KeyFileError(f"{file}: does not hold {SECRET_BYTES} bytes; move it away and a new one is made")
