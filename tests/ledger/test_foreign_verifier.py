"""A verifier that nobody here wrote reads what we write: Go's `golang.org/x/mod/sumdb`, which holds the go.sum database to its word."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from attacker import calls, flip, made, opened
from licet.ledger import LedgerKey, layout

SOURCE = Path(__file__).parent / "go"


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no `go` here to build the verifier with")
    binary = tmp_path_factory.mktemp("go") / "ledgercheck"
    done = subprocess.run([go, "build", "-o", str(binary), "."], cwd=SOURCE, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode and any(why in done.stderr for why in ("dial tcp", "lookup", "GOPROXY=off", "toolchain")):
        pytest.skip(f"golang.org/x/mod cannot be had here: {done.stderr.splitlines()[-1]}")
    assert not done.returncode, done.stderr
    return binary


@pytest.fixture
def ledger(tmp_path: Path) -> tuple[Path, LedgerKey, Path]:
    """1,201 records in two goes, so that there is an older checkpoint; four full tiles, one that is not, and one of level 1."""
    key = made(tmp_path, 150)
    older = tmp_path / "older"
    shutil.copy(tmp_path / "ledger" / "checkpoint", older)
    again = opened(tmp_path / "ledger", key)
    calls(again, 150, 450)
    again.close()
    return tmp_path / "ledger", key, older


def _check(checker: Path, ledger: Path, key: object, older: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checker, ledger, str(key), older], capture_output=True, text=True, timeout=120, check=False)


def test_go_finds_checkpoint_tiles_and_every_record_to_hold(checker: Path, ledger: tuple[Path, LedgerKey, Path]) -> None:
    folder, key, older = ledger
    done = _check(checker, folder, key.note_key, older)
    assert not done.returncode, done.stderr
    assert json.loads(done.stdout) == {"size": 1201, "older": 301, "included": 1201, "consistent": 1201}


@pytest.mark.parametrize(
    "name,at,says",
    [
        ("checkpoint", 60, "invalid signature"),
        (layout.bundle_name(2), 50, "record"),
        (layout.tile_name(0, 1), 40, "downloaded inconsistent tile"),
        (layout.tile_name(1, 0, 4), 40, "downloaded inconsistent tile"),
    ],
    ids=["checkpoint", "bundle", "level-0", "level-1"],
)
def test_go_finds_what_was_altered(name: str, at: int, says: str, checker: Path, ledger: tuple[Path, LedgerKey, Path]) -> None:
    folder, key, older = ledger
    flip(folder / name, at)
    done = _check(checker, folder, key.note_key, older)
    assert done.returncode == 1
    assert says in done.stderr


def test_go_takes_no_other_key(checker: Path, ledger: tuple[Path, LedgerKey, Path], tmp_path: Path) -> None:
    folder, _, older = ledger
    done = _check(checker, folder, made(tmp_path / "other", 1).note_key, older)
    assert done.returncode == 1
    assert "no verifiable signatures" in done.stderr
