"""A run that is killed, by SIGKILL and at any point, loses nothing and repeats nothing."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from licet.inventory.store import Inventory
from taking import kept, lines, places, record, run

pytestmark = pytest.mark.dev  # slow, and what it tests depends on no version of a library
RECORDS = 120
FORMS = {
    "lines": lines(map(record, range(RECORDS))),
    "gzip": gzip.compress(lines(map(record, range(RECORDS)))),
    "a document": json.dumps({"Records": [*map(record, range(RECORDS))]}, indent=1).encode(),
    "a document in a line": json.dumps({"Records": [*map(record, range(RECORDS))]}).encode(),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def killed_at(call: int, home: Path, *paths: Path) -> bool:
    """One run in a process of its own, which kills itself at this call of a function, of Python's or of SQLite's. Whether it came to it."""
    child = os.fork()
    if child == 0:
        left = call

        def count(*_: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        run(home, *paths, batch=11)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("form", FORMS)
def test_a_run_that_is_killed_again_and_again_keeps_what_one_run_keeps(form: str, tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    path.write_bytes(FORMS[form] if form != "lines" else FORMS[form].replace(b"\n", b"\nbroken\n", 1))
    whole = tmp_path / "whole"
    whole.mkdir(mode=0o700)
    expected = run(whole, path, batch=11)
    kills, call = 0, 500
    while killed_at(call, home, path):
        kills += 1
        call += 200  # further each time, so that it comes to an end even where nothing was kept
    assert kills >= 25
    assert run(home, path).unchanged == 1
    assert kept(home) == kept(whole)
    assert places(home) == places(whole)
    assert expected.kept.uses == RECORDS
    assert counts(home) == counts(whole)


def counts(home: Path) -> list[Any]:
    """What was refused and what came twice: a record that is read again after a kill would be counted again."""

    inventory = Inventory(home / "inventory.db")
    found = inventory.rows("SELECT cause, line, number FROM refusals") + inventory.rows("SELECT again FROM sources")
    inventory.close()
    return found
