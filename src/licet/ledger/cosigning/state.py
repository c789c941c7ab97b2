"""What a witness remembers, in a folder of its own (0700): of each log the checkpoint that it cosigned last, and what it refused.

    key                      its private key, and its name
    logs                     the verifier keys of the logs that it knows, one a line
    seen/<id>                the last cosigned note of a log; the id is the SHA-256 of its origin, in hex
    seen/<id>.lock           flock
    seen/<id>.refused.jsonl  what it refused of that log, although the log had signed it: the evidence. The first of each kind, appended
    seen/<id>.refused.json   how many of each kind there were, and the last of each
    refused.jsonl, .json     what it refused of others

Whoever loses this folder, or puts an old copy back, has a witness that can be shown a fork: it belongs on another machine than the log.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections import Counter
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

KEY, LOGS, SEEN, REFUSED, COUNTED = "key", "logs", "seen", "refused.jsonl", "refused.json"
LOCK_SECONDS = 5.0
MOST_REFUSALS = 1_000
"""Of one log, and of all that are unknown, so many of each kind are kept: the first, and beside them the last. Kinds do not share their
room, so that no other can crowd out a fork. Further ones are refused, and counted, all the same."""
REPLAYABLE = "rollback"
"""What anybody can make of a log's old checkpoints, which are public: it proves nothing, so that the first and the last are kept only."""
_MAX_LOGS = 1_000_000  # bytes
_MAX_REFUSED = 1 << 28  # bytes


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


@dataclass(frozen=True, slots=True)
class Further:
    """Refusals of one kind beyond those that are kept: how many more, and the last."""

    more: int
    last: Refusal

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {"more": self.more, "last": asdict(self.last)}


@dataclass(slots=True)
class Kept:
    """What is known to stand in a file of refusals, as long as it has this size."""

    size: int
    whats: set[tuple[str, str, int, str]]
    kinds: Counter[str]


class WitnessState:
    """The folder. Safe for threads and processes.

    Raises:
        StateError: the folder is not there and cannot be made, or is not ours alone.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._kept: dict[Path, Kept] = {}  # by file; looked at under its lock
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

    def refuse(self, refusal: Refusal, *, signed: bool) -> None:
        """Count what was refused, and keep it, once, where there is room. `signed`: the log itself has signed it.

        Raises:
            LedgerError: it cannot be written.
        """
        file = self._seen(refusal.origin, f".{REFUSED}") if signed else self.path / REFUSED
        with self._held(file.with_suffix(".lock")):
            known = self._kept_in(file)
            if refusal.what in known.whats:
                return
            if known.kinds[refusal.kind] < (1 if refusal.kind == REPLAYABLE else MOST_REFUSALS):
                self._append(file, refusal)
            else:
                counts = self._counts(file)
                before = counts.get(refusal.kind)
                if before is not None and before.last.what == refusal.what:
                    return
                more = before.more + 1 if before is not None else 1
                told = {kind: each.plain() for kind, each in (counts | {refusal.kind: Further(more, refusal)}).items()}
                self._replace(file.with_suffix(".json"), json.dumps(told), durable=False)

    def refusals(self, digest: str = "") -> list[Refusal]:
        """What is kept of what was refused of the log with this digest; without one, of all that are unknown.

        Raises:
            LedgerError: it cannot be read.
        """
        file = self._refused(digest)
        return [*self._refusals(file), *(each.last for each in self._counts(file).values())]

    def refused(self, digest: str = "") -> dict[str, int]:
        """How many were refused, by kind; those that are not kept are among them. The same twice in a row is one.

        Raises:
            LedgerError: it cannot be read.
        """
        file = self._refused(digest)
        counts = Counter(each.kind for each in self._refusals(file))
        counts.update({kind: each.more for kind, each in self._counts(file).items()})
        return dict(counts)

    def _refused(self, digest: str) -> Path:
        return self.path / SEEN / f"{digest}.{REFUSED}" if digest else self.path / REFUSED

    def _refusals(self, file: Path) -> list[Refusal]:
        text = self._read(file, _MAX_REFUSED) or ""
        return [each for each in map(_refusal, text.split("\n")) if each is not None]

    def _counts(self, file: Path) -> dict[str, Further]:
        try:
            found = json.loads(self._read(file.with_suffix(".json"), _MAX_REFUSED) or "{}")
            return {str(kind): Further(int(each["more"]), Refusal(**each["last"])) for kind, each in found.items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}  # a power cut took it: what it counted begins anew, and the evidence stands elsewhere

    def _kept_in(self, file: Path) -> Kept:
        """What stands in a file of refusals. It is read where another process has written to it, and not for each refusal."""
        known = self._kept.get(file)
        try:
            size = file.lstat().st_size
        except OSError:
            size = 0
        if known is None or known.size != size:
            there = self._refusals(file)
            known = self._kept[file] = Kept(size, {each.what for each in there}, Counter(each.kind for each in there))
        return known

    def _append(self, file: Path, refusal: Refusal) -> None:
        known, line = self._kept[file], f"{json.dumps(asdict(refusal))}\n".encode()
        descriptor = open_own(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, LedgerError)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # half a line, of a crash
            written = os.write(descriptor, line)
            os.fsync(descriptor)
            known.size = size + written
        except OSError as error:
            raise LedgerError(f"{file}: {error.strerror}; what was refused cannot be kept") from error
        finally:
            os.close(descriptor)
        if written == len(line):
            known.whats.add(refusal.what)
            known.kinds[refusal.kind] += 1

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

    def _replace(self, file: Path, text: str, *, durable: bool = True) -> None:
        try:
            replace(file, text.encode(), durable=durable)
            if durable:
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
