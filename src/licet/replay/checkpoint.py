"""Where a long run stopped: one file of ours, that is taken up only for the same manifests, the same input and the same choices."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from licet.errors import StateError, UsageError
from licet.lines import opened
from licet.machine import open_own
from licet.replay.kept_state import KeptState

FORMAT = 2
_WHAT = "licet backtest checkpoint"
_BLOCK = 1 << 20  # bytes
_LONGEST = 256 << 20  # bytes of a line that is read as one of ours


class Checkpoint:
    """The file `path`, for a run that is told apart from others by `identity` (digests and choices).

    Its first line says what it is, the second where the run is, and each line after that what one side remembers of a store.
    """

    def __init__(self, path: str | Path, identity: Mapping[str, Any]) -> None:
        self._path = Path(path)
        self._identity = dict(identity)

    @property
    def secret(self) -> bytes:
        """What keys the digests in the file: made from the identity, so that no secret has to stand in it."""
        return hashlib.sha256(json.dumps(self._identity, sort_keys=True).encode()).digest()

    def read(self) -> dict[str, Any] | None:
        """Where the run stopped; None where there is no file.

        Raises:
            StateError: others can read or write the file.
            UsageError: it is no checkpoint, one of another run, or not whole.
        """
        if not os.path.lexists(self._path):
            return None
        with self._opened() as file:
            try:
                head, line = json.loads(file.readline(_LONGEST)), file.readline(_LONGEST)
                known = head["what"] == _WHAT and head["format"] == FORMAT
                identity: dict[str, Any] = dict(head["identity"])
            except (ValueError, RecursionError, KeyError, TypeError):
                known, identity, line = False, {}, b""
        if not known:
            raise UsageError(f"{self._path}: is no checkpoint of this release; name another file with --checkpoint")
        others = sorted(name for name in self._identity.keys() | identity.keys() if self._identity.get(name) != identity.get(name))
        if others:
            raise UsageError(
                f"{self._path}: is the checkpoint of another run (it differs in: {', '.join(others)}); name another file with "
                "--checkpoint, or delete this one to begin anew"
            )
        try:
            state: dict[str, Any] = json.loads(line)
            KeptState.model_validate(state)
        except (ValidationError, ValueError, RecursionError) as error:
            why = "the counts do not fit each other" if "do not fit" in str(error) else "a part is missing, or is not what stands there"
            raise self.broken(why) from error
        return state

    def broken(self, why: str) -> UsageError:
        """What to say, and what to do, where the run cannot go on from here."""
        return UsageError(f"{self._path}: this checkpoint cannot be gone on from: {why}; delete it to begin anew")

    def rows(self, side: str) -> Iterator[tuple[str, str]]:
        """What a side remembers: store and keyed digest.

        Raises:
            UsageError: a line is not one of these.
        """
        with self._opened() as file:
            for number, line in enumerate(islice(file, 2, None), 3):
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError):
                    found = None
                if not (isinstance(found, list) and len(found) == 3 and all(isinstance(each, str) for each in found)):
                    raise self.broken(f"line {number} is not what a side remembers of a store")
                if found[0] == side:
                    yield found[1], found[2]

    def _opened(self) -> IO[bytes]:
        return os.fdopen(open_own(self._path, os.O_RDONLY, StateError), "rb")

    def try_out(self) -> None:
        """Find out before long work begins that it cannot be written.

        Raises:
            StateError: it cannot.
        """
        beside = self._beside
        try:
            beside.unlink(missing_ok=True)
            beside.touch(0o600, exist_ok=False)
            beside.unlink()
        except (OSError, ValueError) as error:
            raise self._unwritten(error) from error

    @property
    def _beside(self) -> Path:
        return self._path.with_name(f"{self._path.name}.new")

    def _unwritten(self, error: Exception) -> StateError:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        return StateError(f"{self._path}: {why}; check path, rights and space, or leave --checkpoint out")

    def write(self, state: Mapping[str, Any], rows: Iterable[tuple[str, str, str]]) -> None:
        """Put a state and its rows (side, store, value) there, whole or not at all.

        Raises:
            StateError: it cannot be written.
        """
        beside = self._beside
        head = {"what": _WHAT, "format": FORMAT, "identity": self._identity}
        try:
            beside.unlink(missing_ok=True)
            descriptor = open_own(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, StateError)
            with os.fdopen(descriptor, "wb") as file:
                for line in chain([head, state], rows):
                    file.write(json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise self._unwritten(error) from error

    def remove(self) -> None:
        """The run is done, so that there is nothing to go on with."""
        self._path.unlink(missing_ok=True)


def digest_of(files: Sequence[str | Path]) -> str:
    """`sha256:` over the contents of files, in their order, each set apart by its length.

    Raises:
        UsageError: a file cannot be read.
    """
    whole = hashlib.sha256()
    for name in files:
        one, length = hashlib.sha256(), 0
        try:
            with opened(name) as file:
                while block := file.read(_BLOCK):
                    one.update(block)
                    length += len(block)
        except OSError as error:
            raise UsageError(f"{name}: cannot be read: {error.strerror}; check path and rights") from error
        whole.update(f"{length}:{one.hexdigest()}\n".encode())
    return f"sha256:{whole.hexdigest()}"
