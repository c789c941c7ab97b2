"""schemathesis against the service's own OpenAPI document: no 5xx, no status, header or body that the document does not name."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from running import BOT, RUNNER, Service

pytestmark = pytest.mark.dev
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,"
    "unsupported_method,allow_header_conformance"
)
HERE = Path(__file__).parent


@pytest.mark.parametrize("who", ["a client", "nobody"])
def test_every_answer_is_one_that_the_document_names(service: Service, who: str, tmp_path: Path):
    """With a fixed seed; as a registered client that holds a task, and as somebody unknown."""
    environment = dict(os.environ)
    if who == "a client":
        given = {
            "url": service.url, "task": service.task(), "person": service.person(), "client": RUNNER.pem().decode(),
            "holder": BOT.pem().decode(),
        }  # fmt: skip
        environment |= {
            "LICET_FUZZ": json.dumps(given), "SCHEMATHESIS_HOOKS": "licet_hooks", "PYTHONPATH": f"{HERE}{os.pathsep}{HERE / 'fuzzing'}",
        }  # fmt: skip
    command = ["run", f"{service.url}/openapi.json", "--phases", "examples,coverage,fuzzing", "-n", "60", "--seed", "4", "--checks", CHECKS]
    report = ["--report", "ndjson", "--report-ndjson-path", str(tmp_path / "run.ndjson")]
    found = subprocess.run(
        [str(Path(sys.executable).with_name("schemathesis")), *command, *report, "--no-color", "--suppress-health-check", "all"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-6_000:] + found.stderr[-2_000:]
    statuses = re.findall(r'"status_code": ?(\d+)', (tmp_path / "run.ndjson").read_text(encoding="utf-8"))
    assert len(statuses) > 300
    assert {"200", "400", "401"} <= set(statuses) if who == "a client" else {"200", "401"} <= set(statuses)
