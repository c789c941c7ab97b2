"""`licet credential probe`: whether an ended version still authenticates, tried at a real server by a declared command."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from licet.cli import main
from licet.errors import ManifestError
from licet.guard.state import open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.probing import tried
from licet.inventory.store import FILE, Inventory
from licet.learn.difference import differences
from licet.manifest import loads
from licet.manifest.watched import Probe
from licet.monitor.run import monitor
from licet.monitor.signal import Signal
from licet.monitor.stored import signal_of
from licet.monitor.world import Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
OLD, PRESENT = "key-old-0001", "key-present-0002"
SECRET = "Wq7pXk2vTn9rLs4d"
PROGRAM = """\
import os, sys, urllib.error, urllib.request
key = os.environ.get("API_KEY") or sys.stdin.readline().strip()
print("the key is", key, flush=True)
print("the key is", key, file=sys.stderr, flush=True)
try:
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"Authorization": f"Bearer {key}"}), timeout=5)
except urllib.error.HTTPError as refused:
    sys.exit(1 if refused.code in (401, 403) else 3)
"""
MANIFEST = """\
licet: 1
environment: dev
owners: {ops: {name: Operations, contact: ops@acme.example}}
agents: {bot: {owner: ops, tasks: [work]}}
credentials:
  api:
    owner: ops
    kind: api-key
    ids: [key-present-0002]
    probe:
      command: COMMAND
      MORE
      versions: {key-old-0001: {file: old}, key-present-0002: {env: PRESENT_KEY}}
tools: {look: {access: read, egress: false, credential: api}}
tasks: {work: {intent: Work, ttl: 10m, tools: {look: {}}}}
"""


class Server(ThreadingHTTPServer):
    """Lets in whose keys are in `valid`; else it answers with `refusal`."""

    valid: set[str]
    refusal = 401
    asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self.send_response(204 if key in self.server.valid else self.server.refusal)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), _Handler)
    made.valid = {SECRET}
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """A folder with the manifest, the program, and the old version's secret in a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "old").write_text(SECRET + "\n", encoding="utf-8")
    declare(tmp_path, [sys.executable, "program.py", f"http://127.0.0.1:{server.server_port}/me"])
    return tmp_path


def declare(place: Path, command: list[str], more: str = "timeout: 20s") -> None:
    (place / "licet.yaml").write_text(MANIFEST.replace("COMMAND", json.dumps(command)).replace("MORE", more), encoding="utf-8")


def signals(place: Path, now: float) -> list[Signal]:
    inventory = Inventory(place / "state" / FILE)
    monitor(inventory, Settings(), now)
    found = inventory.rows("SELECT body FROM signals WHERE code='PROBE_AUTHENTICATES'")
    inventory.close()
    return [signal_of(body) for (body,) in found]


def test_what_still_authenticates_is_a_finding_until_it_is_refused(place: Path, server: Server, capsys: Out) -> None:
    """Let in: exit code 1, and a finding that stands on the end and on the probe. Refused: exit code 0, and it is withdrawn."""
    ended = time.time() - 7_200
    assert main(["credential", "revoke", OLD, "--at", "2h"]) == 0
    assert main(["credential", "probe", "api"]) == 1
    assert f"{OLD}: still authenticates (exit code 0)\n" in capsys.readouterr().out
    (found,) = signals(place, time.time())
    assert found.alert
    assert (found.credential, found.basis, [cited.role for cited in found.evidence]) == (fingerprint(place), "lifecycle", ["end", "probe"])
    assert abs(found.since - ended) < 60
    assert "2 h after it was revoked" in found.observed
    assert found.observed.startswith(f"api {fingerprint(place)} still authenticated at ")
    assert main(["credential", "probe", "api"]) == 1
    (again,) = signals(place, time.time())
    assert (again.id, again.time, again.sample) == (found.id, found.time, 2)
    server.valid.clear()
    assert main(["credential", "probe", "api"]) == 0
    assert f"{OLD}: is refused (exit code 1)\n" in capsys.readouterr().out
    assert signals(place, time.time()) == []


@pytest.mark.parametrize("cause", ["server", "code", "time", "program", "file", "signal"])
def test_what_cannot_be_decided_is_said_and_never_taken_for_a_refusal(place: Path, server: Server, capsys: Out, cause: str) -> None:
    """A server that fails, an exit code that nobody declared, no answer, no program, no secret: exit code 1, and the finding stays."""
    main(["credential", "revoke", OLD, "--at", "2h"])
    main(["credential", "probe", "api"])
    capsys.readouterr()
    asleep = "import time; time.sleep(60)"
    if cause == "server":
        server.valid.clear()
        server.refusal = 503
    elif cause == "file":
        (place / "old").unlink()
    else:
        code = {"code": "raise SystemExit(22)", "time": asleep, "signal": "import os; os.kill(os.getpid(), 9)"}.get(cause, "")
        declare(place, ["./nowhere"] if cause == "program" else [sys.executable, "-c", code], "timeout: 1s")
    assert main(["credential", "probe", "api"]) == 1
    said = capsys.readouterr().out
    why = {"server": "exit code 3", "code": "exit code 22", "time": "no answer within 1 s", "program": "cannot be run", "file": "No such file",
           "signal": "ended by signal 9"}  # fmt: skip
    assert f"{OLD}: undecided (" in said
    assert why[cause] in said
    assert len(signals(place, time.time())) == 1


def test_the_secret_is_given_to_the_command_alone(place: Path, capsys: Out) -> None:
    """It is in no argument, in nothing that is printed, in no file of the state folder; the command has no home and no other variable."""
    seen = "import json, os, sys; json.dump([sys.argv, dict(os.environ), sys.stdin.read()], open('seen', 'w'))"
    for more, where in (("timeout: 20s", 2), ("secret: API_KEY", 1)):
        declare(place, [sys.executable, "-c", seen], more)
        main(["credential", "probe", "api"])
        argv, environment, given = json.loads((place / "seen").read_text(encoding="utf-8"))
        assert SECRET not in str(argv)
        assert (given if where == 2 else environment["API_KEY"]).rstrip("\n") == SECRET
        assert (SECRET in environment.values()) == (where == 1)
        assert "LICET_STATE" not in environment
        assert not Path(environment["HOME"]).exists()
    said = capsys.readouterr()
    kept = b"".join(path.read_bytes() for path in (place / "state").rglob("*") if path.is_file())
    assert SECRET not in said.out + said.err
    assert SECRET.encode() not in kept


def test_what_it_starts_ends_with_it(place: Path) -> None:
    """A child that the command leaves behind is ended, whether it answered or not."""
    code = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); open('child', 'w').write(str(p.pid))"
    probe = Probe.model_validate({"command": [sys.executable, "-c", code], "versions": {OLD: {"file": "old"}}})
    assert tried(probe, SECRET, place).authenticates is True
    child = int((place / "child").read_text(encoding="utf-8"))
    for _ in range(200):
        status = Path(f"/proc/{child}/stat")
        if not status.exists() or status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    os.kill(child, 9)
    pytest.fail("it still runs")


def test_the_present_version_is_tried_only_by_name_and_nothing_is_kept_of_it(
    place: Path, server: Server, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that has not ended is not tried by itself, and that it authenticates is no finding."""
    monkeypatch.setenv("PRESENT_KEY", SECRET)
    main(["credential", "probe", "api"])
    assert server.asked == 1
    assert f"{PRESENT}: has not ended, as far as is known: not tried" in capsys.readouterr().out
    assert main(["credential", "probe", "api", "--version", PRESENT]) == 1
    assert "nothing is kept of this" in capsys.readouterr().out
    rows = sqlite3.connect(place / "state" / FILE).execute("SELECT credential, authenticates FROM probes").fetchall()
    assert rows == [(fingerprint(place), 1)]


def test_a_version_that_the_manifest_alone_calls_ended_is_a_finding_by_declaration(place: Path) -> None:
    """Nothing is known of its end but that it is no present id."""
    main(["credential", "probe", "api"])
    (found,) = signals(place, time.time())
    assert (found.basis, found.since, [cited.role for cited in found.evidence]) == ("declared", 0.0, ["probe"])
    inventory = Inventory(place / "state" / FILE)
    owned = inventory.owner_of(fingerprint(place))
    inventory.close()
    assert owned is not None
    assert (owned[0].uid, owned[0].contact) == ("ops", "ops@acme.example")


def test_within_the_grace_after_its_end_it_may_still_authenticate(place: Path) -> None:
    """A revocation needs a while to reach everybody."""
    main(["credential", "revoke", OLD])
    main(["credential", "probe", "api"])
    assert signals(place, time.time()) == []


@pytest.mark.parametrize(
    "was, now, key, why",
    [
        ("{file: old}", "{file: old, env: OLD}", "credentials.api.probe.versions.key-old-0001", "one of the two"),
        ("{file: old}", "{}", "credentials.api.probe.versions.key-old-0001", "one of the two"),
        ("key-old-0001: ", "ghp_0123456789abcdefghij: ", "credentials.api.probe.versions.ghp_0123456789abcdefghij", "the secret itself"),
        ("COMMAND", '["curl", "-H", "Authorization: Bearer ghp_0123456789abcdefghijABCDEFGHIJ012345"]', "credentials.api.probe.command", "word 3"),
        ("COMMAND", "curl -sf https://acme.example", "credentials.api.probe.command", ""),
        ("COMMAND", "[]", "credentials.api.probe.command", ""),
        ("MORE", "refused: [0]", "credentials.api.probe.refused", ""),
        ("MORE", "secret: 'A B'", "credentials.api.probe.secret", ""),
    ],
    ids=["two", "none", "secret-as-id", "secret-in-command", "a-shell", "no-command", "zero-refused", "no-variable"],
)  # fmt: skip
def test_a_probe_that_cannot_be_is_refused_with_its_key(was: str, now: str, key: str, why: str) -> None:
    """Whatever would leak the secret, or could be taken for a refusal, is an error of the manifest."""
    text = MANIFEST.replace(was, now).replace("COMMAND", "[true]").replace("MORE", "timeout: 5s")
    with pytest.raises(ManifestError) as caught:
        loads(text.replace("[true]", '["true"]'), now=time.time())
    told = [problem for problem in caught.value.problems if problem.key.startswith(key)]
    assert told, caught.value.problems
    assert why in told[0].message
    assert "ghp_0123456789abcdefghijABCDEFGHIJ" not in str(caught.value)


def test_a_changed_probe_is_told_and_decides_no_call() -> None:
    """`licet diff` says that the monitor knows something else."""
    old, new = (
        loads(MANIFEST.replace("COMMAND", f'["{name}"]').replace("MORE", "timeout: 5s"), now=time.time()) for name in ("true", "false")
    )
    assert ["probe" in each.sentence for each in differences(old, new)] == [True]


def test_the_schedules_are_such_that_the_machine_takes_them(place: Path, capsys: Out) -> None:
    """systemd reads the units without a word; the line for cron runs as it stands, with an odd name of a folder in it."""
    odd = place / "a 100% $odd 'place"
    odd.mkdir()
    shutil.copy(place / "licet.yaml", odd / "licet.yaml")
    assert main(["credential", "probe", "api", "-m", str(odd / "licet.yaml"), "--schedule", "cron"]) == 0
    line = capsys.readouterr().out
    assert (line.count("\n"), line.split()[:5]) == (1, ["17", "4", "*", "*", "*"])
    assert not re.search(r"(?<!\\)%", line)  # one would end the command
    command = line.split(maxsplit=5)[5].replace("\\%", "%").split(";")[0]
    shown = subprocess.run(["bash", "-c", f'licet() {{ printf "%s\\n" "$@"; }}; {command.replace(command.split()[0], "licet", 1)}'], text=True,
                           capture_output=True, check=True)  # fmt: skip
    assert shown.stdout.splitlines() == ["credential", "probe", "api", "-m", str(odd / "licet.yaml")]
    assert main(["credential", "probe", "api", "-m", str(odd / "licet.yaml"), "--schedule", "systemd"]) == 0
    units = capsys.readouterr().out
    (start, *_) = [line for line in units.splitlines() if line.startswith("ExecStart=")]
    assert "100%% $$odd" in start
    if shutil.which("systemd-analyze") is None:
        return
    units = re.sub(r'ExecStart="[^"]*licet"', 'ExecStart="/bin/true"', units)  # where no `licet` is installed
    for part in units.split("# /etc/systemd/system/")[1:]:
        (place / part.split("\n")[0]).write_text(part.partition("\n")[2], encoding="utf-8")
    names = [str(place / f"licet-probe.{kind}") for kind in ("service", "timer")]
    looked = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], text=True, capture_output=True, check=False)
    assert "licet-probe" not in looked.stderr, looked.stderr


def fingerprint(place: Path, shown: str = OLD) -> str:
    return Fingerprints(secret(open_state(place / "state"))).of(shown)
