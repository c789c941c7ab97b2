"""`--follow`: real processes that take logs in and judge them again and again, until they are interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from licet.cli.follow import follow
from licet.cli.main import main
from licet.errors import UsageError
from test_cli_monitor import KEY, REVOKED

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begins `licet ...` on a state folder, and kills what is left of it."""
    (tmp_path / "state").mkdir(mode=0o700)
    running: list[subprocess.Popen[str]] = []
    alarms: list[Timer] = []

    def started(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-m", "licet", *words, "--state", str(tmp_path / "state")]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        alarms.append(Timer(100, running[-1].kill))  # whoever waits for a word that does not come fails, and does not hang
        alarms[-1].start()
        return running[-1]

    yield started
    for alarm in alarms:
        alarm.cancel()
    for each in running:
        each.kill()
        each.communicate()


def until(process: subprocess.Popen[str], words: str) -> str:
    """The next line with these words; an end without them fails."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(process.stderr.read() if process.stderr is not None else "")


def written(path: Path, *records: object) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(each)}\n" for each in records)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_what_is_added_to_a_log_is_taken_in_and_judged_until_somebody_interrupts(tmp_path: Path, start: Start, number: int) -> None:
    """Only what is new is said, and the exit code is that of the last run, not of the interruption."""
    logs = tmp_path / "logs"
    logs.mkdir()
    written(logs / "a.jsonl", *REVOKED[:2])
    assert main(["ingest", "cloudtrail", str(logs), "--state", str(tmp_path / "state")]) == 0
    ingest = start("ingest", "cloudtrail", str(logs), "--follow", "--every", "1s")
    judge = start("monitor", "--follow", "--every", "1s")
    until(judge, "1 identity judged, 3 events")
    written(logs / "b.jsonl", REVOKED[2])
    assert "1 use" in until(ingest, "1 record of 1 file")
    assert " new, " in until(judge, "1 identity judged")
    for process in (ingest, judge):
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_path_that_vanishes_is_said_once_when_it_begins(tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """And once more where it vanishes again."""
    logs, away = tmp_path / "logs", tmp_path / "away"
    logs.mkdir()
    written(logs / "a.jsonl", *REVOKED)
    moves: list[tuple[Path, Path] | None] = [None, (logs, away), None, (away, logs), (logs, away), None]

    def next_move(once: Callable[[bool], int], _every: float) -> int:
        codes = []
        for number, move in enumerate(moves):
            if move is not None:
                move[0].rename(move[1])
            codes.append(once(number == 0))
        assert codes == [0, 2, 2, 0, 2, 2]
        return codes[-1]

    monkeypatch.setattr("licet.cli.ingest.follow", next_move)
    assert main(["ingest", "cloudtrail", str(logs), "--follow", "--state", str(tmp_path / "state")]) == 2
    assert capsys.readouterr().err.splitlines() == [f"{logs}: cannot be read: No such file or directory; check path and rights"] * 2


def test_each_run_is_a_line_of_json(tmp_path: Path, start: Start) -> None:
    written(tmp_path / "a.jsonl", *REVOKED)
    assert main(["ingest", "cloudtrail", str(tmp_path / "a.jsonl"), "--state", str(tmp_path / "state")]) == 0
    judge = start("monitor", "--follow", "--every", "1s", "--json")
    assert judge.stdout is not None
    first, second = (json.loads(judge.stdout.readline()) for _ in range(2))
    assert ((first["identities"], first["signals"]["POST_REVOCATION_USE"]["number"]), second["identities"]) == ((1, 1), 0)
    assert first["time"] < second["time"]
    assert KEY not in json.dumps(first)


def test_the_code_is_that_of_the_last_run_that_ended(capsys: Out) -> None:
    """A run that fails later is said and goes on; one that is cut off does not count."""
    codes: list[int | BaseException] = [0, UsageError("busy"), 1, KeyboardInterrupt()]

    def once(_first: bool) -> int:
        found = codes.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found

    assert follow(once, 60.0, lambda _: None) == 1
    assert capsys.readouterr().err == "licet: busy\n"
    codes = [0, UsageError("busy")]

    def ended(_seconds: float) -> None:
        if not codes:
            raise KeyboardInterrupt

    assert follow(once, 60.0, ended) == 2


def test_what_is_wrong_at_the_first_run_ends_it(tmp_path: Path, capsys: Out) -> None:
    """It is wrong usage; to wait for that to mend itself would be silence."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    assert main(["monitor", "--follow", "--state", str(state)]) == 2
    assert main(["monitor", "--every", "5m", "--state", str(state)]) == 2
    assert "`--every` goes with `--follow`" in capsys.readouterr().err
    assert main(["ingest", "cloudtrail", "-", "--follow", "--state", str(state)]) == 2
    assert "`--follow` is of files and folders" in capsys.readouterr().err
