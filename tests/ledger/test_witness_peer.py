"""Peers that nobody here wrote: filippo.io/torchwood reads our cosignatures and we its own, and litewitness cosigns our checkpoints."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from licet.ledger.cosigning.cosign import Misbehaved, WitnessAt, WitnessIn, cosign
from licet.ledger.cosigning.state import WitnessState
from licet.ledger.note import Checkpoint, NoteKey, opened, parts
from witnessing import Host

SOURCE = Path(__file__).parent / "interop"
GO = shutil.which("go")
LITEWITNESS = shutil.which("litewitness")
SSH = shutil.which("ssh-agent") and shutil.which("ssh-add") and shutil.which("ssh-keygen")


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of `interop/main.go`, built."""
    if GO is None:
        pytest.skip("there is no Go")
    made = tmp_path_factory.mktemp("peer") / "peer"
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    got = subprocess.run([GO, "mod", "download"], cwd=SOURCE, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if got.returncode:
        pytest.skip(f"Go's modules cannot be had here: {got.stderr[-200:]}")
    subprocess.run([GO, "build", "-o", made, "."], cwd=SOURCE, env=environment, check=True, timeout=300)
    return made


def cosigned(tmp_path: Path) -> tuple[Host, NoteKey]:
    """A ledger that a witness of ours has cosigned, and the witness's key."""
    host, state = Host(tmp_path / "one").grow(300), WitnessState(tmp_path / "witness")
    key = state.key("witness.acme.example/w1").note_key
    state.learn([host.key])
    cosign(host.files, host.note, WitnessIn(state.path), key=key)
    return host, key


def test_torchwood_reads_what_our_witness_signed(peer: Path, tmp_path: Path):
    host, key = cosigned(tmp_path)
    file = host.files.path / "checkpoint"
    told = subprocess.run([peer, "verify", file, str(host.key), str(key)], capture_output=True, text=True, check=True, timeout=60).stdout
    [made] = opened(host.note, [key]).cosigned
    assert told == f"300 {made.time}\n"
    file.write_text(host.note.replace("\n300\n", "\n301\n"), encoding="utf-8")
    assert subprocess.run([peer, "verify", file, str(host.key), str(key)], capture_output=True, check=False, timeout=60).returncode == 1


def test_we_read_what_torchwood_signs_as_a_witness(peer: Path, tmp_path: Path):
    host = Host(tmp_path / "one").grow(5)
    words = [peer, "cosign", host.files.path / "checkpoint", str(host.key), "peer.example/w"]
    key, _, note = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.partition("\n")
    found = opened(note, [host.key, NoteKey.parse(key)])
    assert str(NoteKey.parse(key)) == key
    assert (found.by, [str(each.key) for each in found.cosigned]) == ((host.key,), [key])
    assert abs(found.cosigned[0].time - time.time()) < 600


@contextmanager
def litewitness(folder: Path, log: NoteKey) -> Iterator[tuple[str, NoteKey]]:
    """A litewitness that knows this log: its address and key."""
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "k"], check=True, timeout=60)
    told = subprocess.run(["ssh-keygen", "-lf", folder / "k.pub"], capture_output=True, text=True, check=True, timeout=60).stdout
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["-name", "witness.example/w1", "-db", "w.db", "-ssh-agent", "agent", "-listen", f"127.0.0.1:{port}", "-key", told.split()[1]]
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", folder / "agent"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running: list[subprocess.Popen[str]] = [agent]  # type: ignore[list-item]
    try:
        while not (folder / "agent").exists():
            time.sleep(0.02)
        environment = os.environ | {"SSH_AUTH_SOCK": str(folder / "agent")}
        subprocess.run(["ssh-add", "-q", folder / "k"], env=environment, check=True, timeout=60)
        witness = subprocess.Popen(["litewitness", *words], cwd=folder, stderr=subprocess.PIPE, text=True)
        running.append(witness)
        assert witness.stderr is not None
        key = next(word.removeprefix("vkey=") for line in witness.stderr for word in line.split() if word.startswith("vkey="))
        assert "listening" in next(line for line in witness.stderr if "listening" in line)
        with sqlite3.connect(folder / "w.db") as base:
            empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
            base.execute("INSERT INTO log VALUES (?, 0, ?)", (log.name, empty))
            base.execute("INSERT INTO key VALUES (?, ?)", (log.name, str(log)))
        base.close()
        yield f"http://127.0.0.1:{port}", NoteKey.parse(key)
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)
            if process.stderr:
                process.stderr.close()


@pytest.mark.skipif(not LITEWITNESS or not SSH, reason="litewitness (go install filippo.io/torchwood/cmd/litewitness) is not on the PATH")
def test_litewitness_cosigns_our_checkpoints_and_refuses_what_our_own_witness_refuses(tmp_path: Path):
    host = Host(tmp_path / "one").grow(5)
    with litewitness(tmp_path / "lite", host.key) as (url, key):
        at = WitnessAt(url)
        for size in (5, 6, 300, 700):
            found = cosign(host.grow(size).files, host.note, at, key=key)
            assert (found.checkpoint.size, [each.key for each in found.witnesses]) == (size, [key])
            if size == 6:
                shutil.copytree(host.folder, tmp_path / "backup")
        assert cosign(host.files, host.note, at, key=key, since=700).current
        backup = Host(tmp_path / "backup")
        with pytest.raises(Misbehaved, match="a rollback"):
            cosign(backup.files, backup.note, at, key=key)
        with pytest.raises(Misbehaved, match="a fork"):
            cosign(backup.grow(800).files, backup.note, at, key=key)
        assert Checkpoint.parse(parts(host.note)[0]).size == 700
