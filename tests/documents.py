"""Runs the examples of Markdown pages: a manifest, a program, and what it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """The first block of each kind on one page."""

    page: Path
    manifest: str
    program: str
    printed: str


def example_of(page: Path) -> Example:
    blocks: dict[str, str] = {}
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        blocks.setdefault(language, text)
    return Example(page, blocks["yaml"], blocks["python"], blocks["text"])


def output_of(example: Example, folder: Path) -> str:
    """What the program prints when it runs in `folder`, alone in its process, beside its manifest and with fresh state."""
    (folder / "licet.yaml").write_text(example.manifest, encoding="utf-8")
    (folder / "agent.py").write_text(example.program, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    environment |= {"LICET_STATE": str(folder / "state")}
    result = subprocess.run(
        [sys.executable, "-W", "error", "agent.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    # What the guard logs may stand there; what Python itself complains of may not.
    assert "Warning" not in result.stderr, result.stderr
    assert "Exception ignored" not in result.stderr, result.stderr
    return result.stdout


_STEP = re.compile(
    r"^```python[^\n]*\n(?P<program>.*?)^```$(?:(?:(?!^```python|^#).)*?^```text\n(?P<printed>.*?)^```$)?", re.MULTILINE | re.DOTALL
)
_BETWEEN = "---- the next block ----"


def steps_hold(page: Path, folder: Path) -> None:
    """All Python blocks of a page, run as one program in their order, print what stands in the `text` block behind each."""
    text = page.read_text(encoding="utf-8")
    steps = list(_STEP.finditer(text))
    program = f"print({_BETWEEN!r})\n".join(step["program"] for step in steps)
    shown = output_of(Example(page, example_of(page).manifest, program, ""), folder).split(_BETWEEN + "\n")
    assert len(shown) == len(steps)
    for step, printed in reversed([*zip(steps, shown, strict=True)]):
        said = step["printed"] or ""
        if os.environ.get("LICET_REWRITE") and step["printed"] is not None and unvarying(said) != unvarying(printed):
            text = text[: step.start("printed")] + printed + text[step.end("printed") :]
            page.write_text(text, encoding="utf-8")
        else:
            assert unvarying(said) == unvarying(printed), f"{page.name}, after\n{step['program']}\nsays:\n{said}and it prints:\n{printed}"


def unvarying(text: str) -> str:
    """`text` without the ids of tasks and the digests of values, which are new in each run."""
    return re.sub(r"#[0-9a-f]{8}\b", "#DIGEST", re.sub(r"\btask [0-9a-f]{8}\b", "task ID", text))


def holds(example: Example, folder: Path) -> None:
    """The page prints what it says; with LICET_REWRITE=1 the page is made to say what it prints."""
    printed = output_of(example, folder)
    if os.environ.get("LICET_REWRITE") and unvarying(printed) != unvarying(example.printed):
        text = example.page.read_text(encoding="utf-8")
        example.page.write_text(text.replace(f"```text\n{example.printed}```", f"```text\n{printed}```"), encoding="utf-8")
        return
    assert unvarying(printed) == unvarying(example.printed), f"{example.page.name} says:\n{example.printed}and it prints:\n{printed}"
