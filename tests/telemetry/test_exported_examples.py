"""What the demo, every example and the quickstart send over OTLP to a real receiver holds against the conventions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from documents import example_of
from exported import Receiver
from licet.cli import main

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(path for path in (ROOT / "examples" / "agents").glob("*/*.py") if path.name in ("agent.py", "client.py", "demo.py"))


def exported(program: Path, folder: Path) -> Path:
    """The program's spans, in a file as the Collector writes it."""
    receiver = Receiver()
    try:
        kept = {
            name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and not name.startswith(("OTEL_", "LICET_"))
        }
        kept |= {
            "PYTHONIOENCODING": "utf-8",
            "HOME": str(folder),
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        }
        done = subprocess.run([sys.executable, str(program)], check=False, cwd=folder, env=kept, capture_output=True, timeout=110)
        assert done.returncode == 0, done.stderr
    finally:
        receiver.close()
    receiver.write(folder / "traces.jsonl")
    return folder / "traces.jsonl"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.parent.name)
def test_an_examples_spans_are_as_the_conventions_ask(program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["spans", "check", str(exported(program, tmp_path))])
    out, err = capsys.readouterr()
    assert (code, err) == (0, ""), out
    assert "of Licet's, 0 of others: 0 problems" in out


def test_the_quickstarts_spans_are_as_the_conventions_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = example_of(ROOT / "docs" / "quickstart.md")
    (tmp_path / "licet.yaml").write_text(example.manifest, encoding="utf-8")
    (tmp_path / "agent.py").write_text(example.program, encoding="utf-8")
    assert main(["spans", "check", str(exported(tmp_path / "agent.py", tmp_path))]) == 0
    assert capsys.readouterr().out == "4 spans, 5 metrics, 5 events of Licet's, 0 of others: 0 problems\n"
