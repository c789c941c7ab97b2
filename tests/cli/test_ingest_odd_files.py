"""`licet ingest` of what is no plain file: nothing is waited for without a word, nothing without an end is begun, and each is named."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from licet.cli.main import main

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
LINE = json.dumps({"id": "n1", "time": "2026-03-01T12:00:00Z", "kind": "issued", "credential": "key-1"}) + "\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pipe_without_a_writer_is_waited_for_with_a_word_and_then_read(home: Path):
    """It waits in `open` no more, where it could say nothing."""
    os.mkfifo("pipe")
    with subprocess.Popen(
        [sys.executable, "-m", "licet", "ingest", "lifecycle", "pipe"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stderr is not None
        alarm = Timer(60, process.kill)
        alarm.start()
        assert "pipe: is a pipe into which nobody writes yet; waiting" in process.stderr.readline()
        Path("pipe").write_text(LINE, encoding="utf-8")
        out, _ = process.communicate()
        alarm.cancel()
    assert (process.returncode, "1 lifecycle event kept" in out) == (0, True)


def test_a_pipe_that_is_closed_without_a_word_is_empty(capsys: Out):
    """As that of a command that failed."""
    read, write = os.pipe()
    os.close(write)
    assert main(["ingest", "lifecycle", f"/dev/fd/{read}"]) == 0
    os.close(read)
    assert "0 records of 1 file" in capsys.readouterr().out


def test_a_device_is_refused_before_a_byte_of_it_is_read(capsys: Out, monkeypatch: pytest.MonkeyPatch):
    """By name and on standard input; /dev/null is an empty file."""
    assert main(["ingest", "lifecycle", "/dev/zero"]) == 2
    assert "/dev/zero: is a device, which has no end; name a file" in capsys.readouterr().err
    with contextlib.ExitStack() as stack:
        monkeypatch.setattr(sys, "stdin", stack.enter_context(Path("/dev/zero").open(encoding="utf-8")))
        assert main(["ingest", "lifecycle", "-"]) == 2
        assert "standard input: is a device" in capsys.readouterr().err
        monkeypatch.setattr(sys, "stdin", stack.enter_context(Path(os.devnull).open(encoding="utf-8")))
        assert main(["ingest", "lifecycle", "-"]) == 0
    assert main(["ingest", "lifecycle", os.devnull]) == 0


def test_what_is_no_file_in_a_folder_is_named_and_stands_in_the_sums(home: Path, capsys: Out):
    """And the files beside it are read."""
    folder = home / "logs"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "real.jsonl").write_text(LINE, encoding="utf-8")
    (folder / "link.jsonl").symlink_to("real.jsonl")
    assert main(["ingest", "lifecycle", "logs"]) == 1
    out = capsys.readouterr().out
    assert "1 lifecycle event kept, 1 event there already" in out
    for name, why in (
        ("pipe", "is a pipe, which is read only where it is named"),
        ("dangling", "is a link to nothing"),
        ("zero", "is a device"),
    ):
        assert f"not read              logs/{name}: {why}" in out
    assert main(["ingest", "lifecycle", "logs", "--json"]) == 1
    assert sorted(Path(each).name for each in json.loads(capsys.readouterr().out)["unreadable"]) == ["dangling", "pipe", "zero"]


def test_a_folder_without_a_file_is_2_with_a_sentence(home: Path, capsys: Out):
    (home / "away" / "deeper").mkdir(parents=True)
    assert main(["ingest", "cloudtrail", "away"]) == 2
    assert "away: no file is in it: nothing was read" in capsys.readouterr().err


def test_records_from_the_future_and_one_bad_line_behind_good_ones_are_not_taken_for_another_sources(home: Path, capsys: Out):
    told = {"id": "1", "time": "2999-03-01T12:00:00Z", "kind": "suspended", "identity": "github:grace"}
    (home / "future.jsonl").write_text(json.dumps(told) + "\n")
    assert main(["ingest", "lifecycle", "future.jsonl"]) == 1
    (home / "grown.jsonl").write_text(json.dumps(told | {"time": "2026-03-01T12:00:00Z"}) + "\n")
    assert main(["ingest", "lifecycle", "grown.jsonl"]) == 0
    with (home / "grown.jsonl").open("a") as file:
        file.write("[[[[\n")
    assert main(["ingest", "lifecycle", "grown.jsonl"]) == 1
    out = capsys.readouterr().out
    assert out.count("refused") == 2
    assert "another source" not in out
