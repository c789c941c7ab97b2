"""Where a long run stopped: one file of ours, that is taken up only for the same manifests, the same input and the same choices."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from licet.errors import StateError, UsageError
from licet.lines import opened
from licet.machine import open_own

FORMAT = 1
_WHAT = "licet backtest checkpoint"
_BLOCK = 1 << 20  # bytes


class Checkpoint:
    """The file `path`, for a run that is told apart from others by `identity` (digests and choices)."""

    def __init__(self, path: str | Path, identity: Mapping[str, Any]) -> None:
        self._path = Path(path)
        self._identity = dict(identity)

    def read(self) -> dict[str, Any] | None:
        """What was written last; None where there is no file.

        Raises:
            StateError: others can read or write the file.
            UsageError: it is no checkpoint, or one of another run.
        """
        if not os.path.lexists(self._path):
            return None
        with os.fdopen(open_own(self._path, os.O_RDONLY, StateError), "rb") as file:
            raw = file.read()
        try:
            found = json.loads(raw)
            what, identity, state = found["what"], found["identity"], found["state"]
            known = what == _WHAT and found["format"] == FORMAT and isinstance(identity, dict) and isinstance(state, dict)
        except (ValueError, RecursionError, KeyError, TypeError):
            known, identity, state = False, {}, {}
        if not known:
            raise UsageError(f"{self._path}: is no checkpoint of this release; name another file with --checkpoint")
        others = sorted(name for name in self._identity.keys() | identity.keys() if self._identity.get(name) != identity.get(name))
        if others:
            raise UsageError(
                f"{self._path}: is the checkpoint of another run ({', '.join(others)} differ); name another file with --checkpoint, or "
                "delete this one to begin anew"
            )
        return dict(state)

    def write(self, state: Mapping[str, Any]) -> None:
        """Put `state` there, whole or not at all.

        Raises:
            StateError: it cannot be written.
        """
        raw = json.dumps({"what": _WHAT, "format": FORMAT, "identity": self._identity, "state": state}).encode()
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        try:
            descriptor = open_own(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, StateError)
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise StateError(f"{self._path}: {error.strerror}; check path, rights and space, or leave --checkpoint out") from error

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
