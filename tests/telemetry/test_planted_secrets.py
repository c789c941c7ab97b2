"""Nothing that leaves a guard holds a secret: a run full of planted ones, and every byte that it exports, keeps or logs is looked through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from exported import Receiver
from planted import Planter, Secret, forms, found

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

HERE = Path(__file__).parent
LEDGER = "state/ledger/live/00000000000000000000.jsonl"


@dataclass(frozen=True)
class Ran:
    """What was planted, and all that was left behind, by where."""

    planted: list[Secret]
    places: Mapping[str, bytes]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("planted")
    receiver = Receiver()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_")) and not name.endswith("_API_KEY")}
    kept |= {
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]), "PYTHONIOENCODING": "utf-8", "HOME": str(folder),
        "OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
    }  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / "planted_run.py"), str(folder)], check=False, env=kept, capture_output=True, timeout=110
        )
    finally:
        receiver.close()
    assert done.returncode == 0, done.stderr.decode()[-3_000:]
    places: dict[str, bytes] = {"stdout": done.stdout, "stderr": done.stderr}
    for path, body in receiver.bodies:
        places[path] = places.get(path, b"") + body
    for file in sorted((folder / "state").rglob("*")):
        if file.is_file():
            places[f"state/{file.relative_to(folder / 'state')}"] = file.read_bytes()
    planted = [
        Secret(each["where"], each["kind"], each["text"], tuple(each["needles"]))
        for each in json.loads((folder / "planted.json").read_text())
    ]
    return Ran(planted, places)


def test_enough_was_planted(ran: Ran) -> None:
    """At least 200 secrets, of at least 12 kinds, all different; and the run was exported, kept and logged."""
    assert len({secret.text for secret in ran.planted}) == len(ran.planted) >= 200
    assert len({secret.kind for secret in ran.planted}) >= 12
    assert len({secret.where for secret in ran.planted}) >= 60
    for place, least in {
        "/v1/traces": 10_000,
        "/v1/logs": 10_000,
        "/v1/metrics": 1_000,
        LEDGER: 10_000,
        "stderr": 5_000,
    }.items():
        assert len(ran.places[place]) > least, place
    assert any(len(data) > 10_000 for place, data in ran.places.items() if place.startswith("state/licet.db"))


def test_what_is_masked_was_on_its_way_out(ran: Ran) -> None:
    """Else the run would not have come to the doors: spans, store and ledger say that something stood there, and contents were opted in to."""
    for place, least in {"/v1/traces": 200, "/v1/logs": 50, LEDGER: 50}.items():
        assert ran.places[place].count(b"[a secret]") + ran.places[place].count(b"[a token]") > least, place
    for name in (b"gen_ai.tool.call.arguments", b"gen_ai.tool.call.result", b"licet.intent.text"):
        assert name in ran.places["/v1/traces"]
        assert name not in ran.places["/v1/logs"] + ran.places[LEDGER]


def test_no_planted_secret_is_anywhere(ran: Ran) -> None:
    """Not in spans, metrics, log events, store, ledger or the program's log; nor a half of one, nor in Base64, hex, or as a URL or JSON has it."""
    leaks = found(ran.planted, ran.places)
    assert leaks == [], f"{len(leaks)} of {len(ran.planted)}"


def test_the_scan_finds_what_is_there(ran: Ran) -> None:
    """In every place, and in every form in which the scan looks, a secret is found that was put there."""
    planter = Planter(6)
    secret = planter.of("OpenAI key", "here")
    (needle,) = secret.needles
    for place, data in ran.places.items():
        for form in forms(needle):
            assert found([secret], {place: data[:100] + form + data[100:]}) == [f"OpenAI key, planted in here, is in {place}"]
    assert found([secret], ran.places) == []
