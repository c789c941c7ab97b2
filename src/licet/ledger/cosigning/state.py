"""What a witness remembers, in a folder of its own (0700): of each log the checkpoint that it cosigned last, and what it refused.

    key                      its private key, and its name
    logs                     the verifier keys of the logs that it knows, one a line
    seen/<id>                the last cosigned note of a log; the id is the SHA-256 of its origin, in hex
    seen/<id>.lock           flock
    seen/<id>.refused.jsonl  what it refused of that log, although the log had signed it: the evidence
    refused.jsonl            what it refused of others

Whoever loses this folder, or puts an old copy back, has a witness that can be shown a fork: it belongs on another machine than the log.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from licet.errors import LedgerError, UsageError
from licet.ledger.cosigning.cosignature import WitnessKey
from licet.ledger.note import ED25519, MAX_NOTE, NoteError, NoteKey
from licet.ledger.sealer import take
from licet.ledger.signer import replace, sync_folder
from licet.machine import check_own, open_own

KEY, LOGS, SEEN, REFUSED = "key", "logs", "seen", "refused.jsonl"
LOCK_SECONDS = 5.0
MOST_REFUSALS = 1_000
"""Of one log, and of all that are unknown; the first are kept. Further ones are refused all the same."""
_MAX_LOGS = 1_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """One checkpoint that was not cosigned. `known`: how many records the last cosigned one has. `note`: as the log signed it."""

    time: str
    kind: str
    sentence: str
    origin: str
    size: int
    known: int
    note: str = ""

    @property
    def what(self) -> tuple[str, str, int, str]:
        """By which two are the same."""
        return self.kind, self.origin, self.size, self.note


class WitnessState:
    """The folder. Safe for threads and processes.

    Raises:
        StateError: the folder is not there and cannot be made, or is not ours alone.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            for folder in (self.path, self.path / SEEN):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                check_own(folder, folder.lstat(), LedgerError, folder=True)
        except OSError as error:
            raise LedgerError(f"{self.path}: {error.strerror}; choose another folder for the witness with --state") from error

    def key(self, name: str = "", *, create: bool = True) -> WitnessKey:
        """The witness's key. See `WitnessKey.of`."""
        return WitnessKey.of(self.path / KEY, name=name, create=create)

    def logs(self) -> list[NoteKey]:
        """The keys of the logs that it knows.

        Raises:
            LedgerError: the file cannot be read.
            UsageError: a line is no such key.
        """
        return log_keys(self._read(self.path / LOGS, _MAX_LOGS) or "", str(self.path / LOGS))

    def learn(self, keys: Sequence[NoteKey]) -> None:
        """Know these logs too, from now on.

        Raises:
            LedgerError: they cannot be written.
        """
        with self._held(self.path / f"{LOGS}.lock"):
            known = self.logs()
            if not all(key in known for key in keys):
                self._replace(self.path / LOGS, "".join(f"{key}\n" for key in dict.fromkeys([*known, *keys])))

    @contextmanager
    def held(self, origin: str) -> Iterator[None]:
        """Be the only one that looks at a log's last checkpoint and exchanges it.

        Raises:
            LedgerError: another holds it too long, or the folder cannot be written.
        """
        with self._held(self._seen(origin, ".lock")):
            yield

    def last(self, origin: str) -> str | None:
        """The last note that was cosigned of a log; None if there is none.

        Raises:
            LedgerError: it cannot be read.
        """
        return self._read(self._seen(origin), MAX_NOTE)

    def last_of(self, digest: str) -> str | None:
        """`last`, by the SHA-256 of the origin, in lower-case hex; None also if it is no such digest."""
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            return None
        return self._read(self.path / SEEN / digest, MAX_NOTE)

    def keep(self, origin: str, note: str) -> None:
        """Have a note as the last, on the disk, before this is done.

        Raises:
            LedgerError: it is not.
        """
        self._replace(self._seen(origin), note)

    def digests(self) -> list[str]:
        """The SHA-256 of each origin of which something is known.

        Raises:
            LedgerError: the folder cannot be read.
        """
        try:
            names = {each.name.partition(".")[0] for each in (self.path / SEEN).iterdir()}
        except OSError as error:
            raise LedgerError(f"{self.path / SEEN}: cannot be read: {error.strerror}; check path and rights") from error
        return sorted(name for name in names if name)

    def refuse(self, refusal: Refusal, *, signed: bool) -> bool:
        """Record what was refused, once. `signed`: the log itself has signed it. Whether it stands there now.

        Raises:
            LedgerError: it cannot be written.
        """
        file = self._seen(refusal.origin, f".{REFUSED}") if signed else self.path / REFUSED
        with self._held(self.path / f"{REFUSED}.lock"):
            there = self._refusals(file)
            if any(each.what == refusal.what for each in there):
                return True
            if len(there) >= MOST_REFUSALS:
                return False
            self._replace(file, "".join(f"{json.dumps(asdict(each))}\n" for each in [*there, refusal]))
        return True

    def refusals(self, digest: str = "") -> list[Refusal]:
        """What was refused of the log with this digest; without one, of all that are unknown.

        Raises:
            LedgerError: it cannot be read.
        """
        return self._refusals(self.path / SEEN / f"{digest}.{REFUSED}" if digest else self.path / REFUSED)

    def _refusals(self, file: Path) -> list[Refusal]:
        text = self._read(file, 1 << 28) or ""
        return [each for each in map(_refusal, text.split("\n")) if each is not None]

    def _seen(self, origin: str, ending: str = "") -> Path:
        return self.path / SEEN / f"{digest_of(origin)}{ending}"

    def _read(self, file: Path, limit: int) -> str | None:
        if not os.path.lexists(file):
            return None
        with os.fdopen(open_own(file, os.O_RDONLY, LedgerError), "rb") as opened:
            try:
                data = opened.read(limit + 1)
                if len(data) > limit:
                    raise LedgerError(f"{file}: is longer than it can be ({limit} bytes)")
                return data.decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise LedgerError(f"{file}: cannot be read; put back its copy") from error

    def _replace(self, file: Path, text: str) -> None:
        try:
            replace(file, text.encode(), durable=True)
            sync_folder(file.parent)
        except OSError as error:
            raise LedgerError(f"{file}: {error.strerror}; nothing is cosigned that cannot be remembered") from error

    @contextmanager
    def _held(self, file: Path) -> Iterator[None]:
        descriptor = open_own(file, os.O_RDWR | os.O_CREAT, LedgerError)
        try:
            take(descriptor, LOCK_SECONDS, self.path)
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def digest_of(origin: str) -> str:
    """By what a log is found (tlog-witness: the monitoring prefix)."""
    return hashlib.sha256(origin.encode()).hexdigest()


def log_keys(text: str, where: str) -> list[NoteKey]:
    """The verifier keys of logs in a text, one a line; one that begins with `#` is a comment.

    Raises:
        UsageError: a line is none.
    """
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not (said := line.strip()) or said.startswith("#"):
            continue
        try:
            key = NoteKey.parse(said)
        except NoteError as error:
            raise UsageError(f"{where}:{number}: {error}; a log's key is what `licet ledger key` prints") from error
        if key.type != ED25519:
            raise UsageError(f"{where}:{number}: is the key of a witness, and a log's is needed: what `licet ledger key` prints")
        found.append(key)
    return found


def _refusal(line: str) -> Refusal | None:
    """One line; None if it is none: half a line that a crash left says nothing."""
    try:
        found: Any = json.loads(line)
        return Refusal(**found)
    except (ValueError, TypeError, RecursionError):
        return None
