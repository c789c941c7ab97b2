"""`licet drill run --wait`: those who judge and deliver all the time are proved, and one that stands still is named."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from licet.drill.receiver import receiving

pytestmark = pytest.mark.dev  # processes of ours; no library is in them
LICET = (sys.executable, "-m", "licet")


@contextmanager
def at_work(*words: str) -> Iterator[None]:
    with subprocess.Popen([*LICET, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def drilled(*words: str) -> tuple[int, list[dict[str, object]]]:
    done = subprocess.run([*LICET, "drill", "run", *words, "--json"], check=False, capture_output=True, encoding="utf-8", timeout=110)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["drills"]


def test_the_running_monitor_and_delivery_are_proved_and_a_dead_one_is_named(tmp_path: Path) -> None:
    state, secret = str(tmp_path / "state"), tmp_path / "hook.secret"
    with receiving() as receiver:
        secret.write_text(f"whsec_{base64.b64encode(receiver.secret).decode()}")
        secret.chmod(0o600)
        to = ("--to", receiver.url, "--secret-file", str(secret), "--state", state)
        drilled("D2", "--source", "cloudtrail", "--state", state)
        with at_work("monitor", "--follow", "--every", "1s", "--state", state), at_work("findings", "deliver", *to):
            time.sleep(1)
            code, drills = drilled("D1", "--source", "cloudtrail", "--wait", "90s", *to)
            assert (code, [each["failures"] for each in drills if not each["passed"]]) == (0, [])
            assert {each["hop"] for each in drills if not each["twin"] and not each["shadow"]} == {"delivered"}
        code, drills = drilled("D1", "--source", "cloudtrail", "--wait", "3s", *to)
        misuse = next(each for each in drills if not each["twin"] and not each["shadow"])
        assert (code, misuse["hop"], misuse["passed"]) == (1, "attributed", False)
        assert "hop evaluated" in misuse["parts"]


def test_to_wait_for_a_delivery_is_to_name_its_sink(tmp_path: Path) -> None:
    done = subprocess.run(
        [*LICET, "drill", "run", "D1", "--wait", "3s", "--state", str(tmp_path / "state")], check=False, capture_output=True, encoding="utf-8"
    )  # fmt: skip
    assert done.returncode == 2
    assert "name it with `--to`" in done.stderr
