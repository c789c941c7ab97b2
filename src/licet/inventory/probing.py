"""Whether an ended version of a credential still authenticates, tried by a declared command.

The command is run without a shell, in a session of its own, with an empty home, so that nothing that lies there lets it in instead. It has
the secret on standard input, or in one environment variable; never among its arguments, which every process here can read. Of what it
prints nothing is read. Only its exit code says anything, and what it does not say is undecided, which is no refusal.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from licet.inventory.store import Inventory
from licet.manifest.watched import Given, Probe

_LONGEST: Final = 65_536  # bytes of a secret
_HANDED_ON: Final = (
    "PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY",
)  # fmt: skip


class Tried(NamedTuple):
    """What came of it. `authenticates`: None where it could not be told; `detail`: why, in few words, nothing of what was printed."""

    authenticates: bool | None
    detail: str


class Unset(Exception):
    """A version's secret is not where it should be."""


def secret_of(given: Given, folder: Path) -> str:
    """A version's secret. `folder`: what a relative path begins at.

    Raises:
        Unset: it is not there.
    """
    if given.env is not None:
        if not (found := os.environ.get(given.env, "")):
            raise Unset(f"the environment variable {given.env} is not set")
        return found
    file = folder / str(given.file)
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LONGEST + 1)
        text = raw.decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise Unset(f"{file}: {error.strerror if isinstance(error, OSError) else 'is not UTF-8, or no path'}") from error
    if not text or len(raw) > _LONGEST or "\0" in text:
        raise Unset(f"{file}: is empty, larger than {_LONGEST:,} bytes, or no text")
    return text


def tried(probe: Probe, secret: str, folder: Path) -> Tried:
    """Run the command once. `folder`: where it runs, that of the manifest."""
    with tempfile.TemporaryDirectory(prefix="licet-probe-") as home:
        environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ} | {"HOME": home}
        if probe.secret is not None:
            environment[probe.secret] = secret
        try:
            process = subprocess.Popen(  # noqa: S603 - declared by whoever answers for the manifest
                probe.command, stdin=subprocess.PIPE if probe.secret is None else subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=environment, cwd=folder, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            return Tried(None, f"the command cannot be run: {error.strerror if isinstance(error, OSError) else 'a word of it is no text'}")
        limit = probe.timeout.total_seconds()
        try:
            process.communicate(f"{secret}\n".encode() if probe.secret is None else None, timeout=limit)
        except subprocess.TimeoutExpired:
            return Tried(None, f"no answer within {limit:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # and all that it started
            process.wait()
    code = process.returncode
    if code == 0:
        return Tried(authenticates=True, detail="exit code 0")
    said = f"exit code {code}" if code > 0 else f"ended by signal {-code}"
    return Tried(False if code in probe.refused else None, said)


def program_of(probe: Probe) -> str:
    """The command, to be kept: its first word, and the digest of all of it."""
    return f"{Path(probe.command[0]).name} sha256:{hashlib.sha256(chr(0).join(probe.command).encode()).hexdigest()[:16]}"


def keep(inventory: Inventory, credential: str, probe: Probe, result: Tried, time: float) -> None:
    """Keep what came of it, for the monitor.

    Raises:
        StoreError: it was not kept.
    """
    with inventory.step() as db:
        row = (credential, time, program_of(probe), result.authenticates, result.detail)
        db.execute("INSERT INTO probes VALUES (?,?,?,?,?)", row)
