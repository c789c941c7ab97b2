"""Ledgers of several hosts, and a witness that really listens: a process of its own, on loopback."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from licet.cli import main
from licet.ledger import Ledger, LedgerFiles, LedgerKey
from licet.ledger.cosigning.submission import Submission
from licet.ledger.merkle import consistency_proof
from licet.ledger.note import Checkpoint, NoteKey, parts
from licet.testing import FakeClock

TIME = "2026-11-22T10:16:00.000Z"
LICET = [sys.executable, "-m", "licet", "ledger"]


class Host:
    """A state folder with a ledger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.files = LedgerFiles(folder / "ledger")

    @property
    def log_key(self) -> LedgerKey:
        return LedgerKey.of(self.folder / "keys")

    @property
    def key(self) -> NoteKey:
        return self.log_key.note_key

    def grow(self, to: int, what: str = "x") -> Host:
        """Write until there are `to` records, and sign them."""
        ledger = Ledger(self.files.path, self.log_key, checkpoint_seconds=3600)
        for at in range(self.files.size(), to):
            ledger.append(what, {"at": at}, time=TIME)
            if self.files.size() >= to:  # the first brings another with it
                break
        ledger.close()
        assert self.checkpoint.size == to
        return self

    @property
    def note(self) -> str:
        return self.files.checkpoint() or ""

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.parse(parts(self.note)[0])

    def submission(self, old: int) -> Submission:
        size = self.checkpoint.size
        return Submission(old, consistency_proof(old, size, self.files.subtree(size)) if 0 < old <= size else (), self.note)


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def licet(*words: object) -> Ran:
    """`licet ledger ...`, here and now."""
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = main(["ledger", *map(str, words)])
    return Ran(code, out.getvalue(), errors.getvalue())


class Service:
    """A witness that listens."""

    def __init__(self, url: str, key: str, process: subprocess.Popen[str]) -> None:
        self.url, self.key, self.process = url, key, process
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def post(self, body: str | bytes) -> httpx.Response:
        return self.http.post("/add-checkpoint", content=body)

    def list(self, state: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(licet("witness", "--state", state, "--list", "--json").stdout)
        return found


@contextmanager
def serving(state: Path, *logs: NoteKey, listen: str = "127.0.0.1:0") -> Iterator[Service]:
    """The witness of this folder, as a process."""
    words = [word for key in logs for word in ("--log", str(key))]
    process = subprocess.Popen(
        [*LICET, "witness", "--state", str(state), *words, "--listen", listen, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        said = ""
        assert process.stdout is not None
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, "the witness did not start"
            said += line
        told = json.loads(said)
        service = Service(told["listening"], told["key"], process)
        with service.http:
            yield service
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()  # type: ignore[union-attr]


def clock(now: float = 1_800_000_000.0) -> FakeClock:
    return FakeClock(now)
