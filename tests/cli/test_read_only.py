"""A state folder where nothing can be written, as on a read-only mount: the commands that read work."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from licet import Guard
from state_fixture import manifest_in, worked_in

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

_MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


def _run(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a mount namespace of its own, where the state folder is read-only."""
    inner = ["unshare", "-rm", "sh", "-c", _MOUNT, "sh", str(state), *words]
    return subprocess.run(inner, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, _ = worked_in(tmp_path_factory.mktemp("ro"))
    if shutil.which("unshare") is None or _run(made, "true").returncode or not _run(made, "touch", str(made / "x")).returncode:
        pytest.skip("this machine lets nobody mount a folder read-only")
    return made


def _licet(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return _run(state, sys.executable, "-m", "licet", *words, "--state", str(state))


@pytest.mark.parametrize("words", [["tasks"], ["findings"], ["ledger", "show", "-n", "1"], ["ledger", "verify"], ["token", "revoked"]])
def test_what_only_reads_works_on_a_read_only_mount(words: list[str], state: Path) -> None:
    done = _licet(state, *words)
    assert (done.returncode, "-wal" in done.stderr) == (0, False), done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    "runs,code,said", [(1, 2, "all that it holds stands in the log"), (2, 0, "what stands only in licet.db-wal is missing")]
)
def test_what_stands_in_the_stores_log_alone_is_said_to_be_missing(runs: int, code: int, said: str, state: Path, tmp_path: Path) -> None:
    """A copy of the files of a store that is being written to has rows in `-wal`, which cannot be read without its index or writing one."""
    live, copy = tmp_path / "live", tmp_path / "copy"
    for run in range(runs):
        with Guard.from_file(manifest_in(tmp_path), state=live) as guard:
            with guard.task("lookup", intent="Look", agent="helper", principal="user:x"):
                pass
            if run == runs - 1:
                shutil.copytree(live, copy, ignore=shutil.ignore_patterns("*-shm"))
    done = _licet(copy, "tasks")
    assert done.returncode == code
    assert said in done.stderr
    assert "read a copy of the folder" in done.stderr
    assert done.stdout.count("lookup") == runs - 1


def test_what_writes_says_that_it_cannot(state: Path) -> None:
    done = _licet(state, "purge", "--older-than", "1d", "--yes")
    assert done.returncode == 2
    assert "check path and rights" in done.stderr
    assert "Traceback" not in done.stderr
