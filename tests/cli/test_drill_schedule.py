"""`licet drill schedule` as a process of its own."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from licet.cli import main
from licet.cli.drill_live import live_of
from licet.cli.drill_schedule import _ended_between
from licet.cli.locked import alone
from licet.cli.monitor import LOCK
from licet.drill.schedule import prepare
from licet.errors import UsageError

LIVE = {"to": None, "otlp": False, "secret_file": None, "key": None, "manifest": None}


def records(state: Path) -> bytes:
    return b"".join(each.read_bytes() for each in (state / "ledger").rglob("*") if each.is_file())


def until(what: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to it"
        time.sleep(0.05)


def test_it_commits_to_two_days_and_ends_at_once_where_it_waits(tmp_path):
    state = tmp_path / "state"
    words = [sys.executable, "-m", "licet", "drill", "schedule", "--state", str(state)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ | {"LICET_DRILL_KEY": ""}) as process:
        try:
            until(lambda: records(state).count(b'"kind":"drill.day"') >= 2)  # in a tile too, perhaps
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
        except BaseException:
            process.kill()
            raise
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "licet: ended; 0 slots, 0 passed\n")


def test_between_two_drills_it_is_asked_to_end_and_within_one_only_the_second_time():
    with _ended_between() as wait:
        os.kill(os.getpid(), signal.SIGTERM)  # a drill goes on
        with pytest.raises(KeyboardInterrupt):
            wait(60.0)
    with _ended_between():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_a_drill_goes_through_is_waited_for_with_patience(tmp_path):
    options = argparse.Namespace(state=str(tmp_path / "state"), **LIVE)
    with live_of(options) as live:
        prepare(live, [("D1", "cloudtrail")])
    held, go_on = threading.Event(), threading.Event()

    def monitors() -> None:
        with alone(tmp_path / "state" / LOCK, "licet monitor"):
            held.set()
            go_on.wait(30)

    other = threading.Thread(target=monitors)
    other.start()
    assert held.wait(30)
    with pytest.raises(UsageError, match="another `licet monitor` is at work"), live_of(options):
        pass
    threading.Timer(0.5, go_on.set).start()
    with live_of(options, 30.0) as live:
        assert len(live.book.days()) == 2
    other.join()


def test_where_no_drill_is_due_in_the_time_it_says_so_and_in_which_slot_the_next_one_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LICET_DRILL_KEY", "")
    code = main(["drill", "schedule", "--state", str(tmp_path / "state"), "--for", "1s"])  # a first day's slots begin after 5 s
    said = capsys.readouterr()
    assert (code, said.out) == (0, "")
    found = re.search(r"none is played; the next is due between \S+T\d\d:(\d\d):00\S* and \S+T\d\d:(\d\d):00", said.err)
    assert found, said.err
    assert (int(found[1]) % 10, int(found[2]) - int(found[1])) in {(0, 10), (0, -50)}


def test_once_and_for_are_not_said_together(capsys):
    assert main(["drill", "schedule", "--once", "--for", "1h"]) == 2
