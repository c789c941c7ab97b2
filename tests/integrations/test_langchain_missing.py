"""Without LangChain, the integration says how to get it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = "import sys; sys.modules['langchain'] = sys.modules['langchain_core'] = sys.modules['langgraph'] = None\n"
GUARD = """
import licet, tempfile, pathlib
folder = pathlib.Path(tempfile.mkdtemp())
manifest = folder / "licet.yaml"
manifest.write_text("licet: 1\\nenvironment: dev\\nagents: {a: {tasks: [t]}}\\ntools: {r: {}}\\ntasks: {t: {intent: I, ttl: 1m, tools: {r: {}}}}")
licet.Guard.from_file(manifest, state=folder / "state").install("langchain")
"""


@pytest.mark.parametrize("program", ["import licet.integrations.langchain", GUARD], ids=["import", "install"])
def test_what_is_missing_is_said_with_the_command_that_brings_it(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT + program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: LangChain is missing, or too old (")
    assert done.stderr.rstrip().endswith("pip install 'licet[langchain]'")
