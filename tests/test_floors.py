"""The drawing of the floors is a contract, and importing Licet loads little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Frameworks that only integrations know, exporters that only an endpoint needs, and the graph library that only views need.
LOADED_LATE = (
    *("agentdojo", "deepagents", "langchain", "langchain_core", "langgraph", "mcp", "mcp_types"),
    *("fastapi", "httpx", "requests", "starlette", "uvicorn"),
    "opentelemetry.exporter",
    "networkx",
)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.dev
def test_imports_go_down_only():
    result = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert result.returncode == 0, result.stdout + result.stderr


def test_importing_licet_loads_no_framework_no_exporter_and_no_graph_library():
    result = run(sys.executable, "-c", "import licet, sys; print('\\n'.join(sys.modules))")
    assert result.returncode == 0, result.stderr
    loaded = [name for name in result.stdout.split() if any(name == late or name.startswith(late + ".") for late in LOADED_LATE)]
    assert loaded == []


def test_the_drawing_in_the_documentation_names_every_room():
    drawing = (ROOT / "docs" / "architecture.md").read_text().partition("## Floors")[2].partition("## ")[0]
    words = set(drawing.replace("│", " ").replace("·", " ").split())
    rooms = {path.stem for path in (ROOT / "src" / "licet").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__"} <= words
