"""schemathesis against the service's own OpenAPI document: no 5xx, no status, header or body that the document does not name."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from running import BOT, RUNNER, Service

pytestmark = pytest.mark.dev
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,"
    "unsupported_method,allow_header_conformance"
)
HERE = Path(__file__).parent


class Answers(logging.Handler):
    """The paths and statuses of the access log."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[tuple[str, int]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        _, _, _, path, status, _ = record.args  # type: ignore[misc]
        self.seen[str(path), int(str(status).partition(" ")[0])] += 1


@pytest.fixture
def answers() -> Iterator[Counter[tuple[str, int]]]:
    handler, log = Answers(), logging.getLogger("licet.access")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler.seen
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


def schemathesis(service: Service, folder: Path, environment: dict[str, str]) -> None:
    """A whole run, with a fixed seed."""
    command = [
        "run",
        f"{service.url}/openapi.json",
        "--phases",
        "examples,coverage,fuzzing",
        "-n",
        "100",
        "--seed",
        "4",
        "--checks",
        CHECKS,
        "--exclude-path",  # where no drill was ever played, 503 is the right answer: test_healthz_monitoring.py
        "/healthz/monitoring",
    ]
    found = subprocess.run(
        [str(Path(sys.executable).with_name("schemathesis")), *command, "--no-color", "--suppress-health-check", "all"],
        cwd=folder, env=dict(os.environ) | environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-6_000:] + found.stderr[-2_000:]


def test_a_client_gets_only_what_the_document_names(service: Service, tmp_path: Path, answers: Counter[tuple[str, int]]):
    """As a registered client that holds a task; tokens are granted and denied on the way."""
    given = {
        "url": service.url, "task": service.task(), "revoked": service.task(), "person": service.person(),
        "client": RUNNER.pem().decode(), "holder": BOT.pem().decode(),
    }  # fmt: skip
    answers.clear()
    path = f"{HERE}{os.pathsep}{HERE / 'fuzzing'}"
    schemathesis(service, tmp_path, {"LICET_FUZZ": json.dumps(given), "SCHEMATHESIS_HOOKS": "licet_hooks", "PYTHONPATH": path})
    assert {("/token", status) for status in (200, 400, 401)} <= set(answers)
    assert {("/introspect", 200), ("/revoke", 200)} <= set(answers)
    assert answers.total() > 200


def test_nobody_gets_only_what_the_document_names(service: Service, tmp_path: Path, answers: Counter[tuple[str, int]]):
    """Without being anybody: nothing is granted."""
    schemathesis(service, tmp_path, {})
    assert ("/token", 401) in answers
    assert not {("/token", 200), ("/introspect", 200), ("/revoke", 200)} & set(answers)
    assert answers.total() > 200
