"""What the repository says of itself agrees with itself."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

import licet
from documents import example_of, holds

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_same_in_project_package_and_changelog():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert project["version"] == licet.__version__ == newest[1]


def test_the_readme_prints_what_it_says(tmp_path: Path):
    holds(example_of(ROOT / "README.md"), tmp_path)


def test_each_link_of_the_front_pages_leads_somewhere():
    for page in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{page}: {target}"


FOLDERS = "benchmarks|docs|examples|fuzz|src|tests"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")])


def test_each_path_that_a_page_names_is_there():
    named = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for path in re.findall(rf"(?<![\w/.:-])((?:{FOLDERS})/[\w./-]+)(?=[^`\n]*`)", text):
            named += 1
            # `ID` stands for any one.
            assert list(ROOT.glob(path.replace("ID", "*"))), f"{page.name}: {path}"
    assert named > 10


def test_each_room_stands_on_the_page_on_architecture():
    """So that a newcomer finds it: each package, and each module of the rooms that have many."""
    page, source = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), ROOT / "src" / "licet"
    rooms = [folder.name for folder in source.iterdir() if (folder / "__init__.py").exists()]
    modules = [path for room in ("telemetry", "traces", "ledger") for path in (source / room).glob("**/*.py") if path.stem != "__init__"]
    modules = [path for path in modules if path.parent.name != "export"]  # those stand in one row together
    missing = [path for path in (str(module.relative_to(source)) for module in modules) if f"`{path}`" not in page]
    assert not missing + [room for room in rooms if not re.search(rf"\b{room}\b", page)]
    assert len(modules) > 50


TOOL_SIDE = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  TOOL
tasks: {work: {intent: Work, ttl: 10m, tools: {pay_back: {}}}}
checks: {origin.unanchored: {then: flag}}
"""


def test_the_readmes_two_sides_of_a_tool_work_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## A tool that checks for itself")[1].split("\n## ")[0]
    agents_side, tools_side = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    [tool] = re.findall(r"`(pay_back: \{[^`]*\})`", section)
    monkeypatch.chdir(tmp_path)
    Path("licet.yaml").write_text(TOOL_SIDE.replace("TOOL", tool), encoding="utf-8")

    async def service(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"paid for " + body})

    agent: dict[str, Any] = {}
    exec(agents_side, agent)
    with agent["guard"] as guard:
        Path("jwks.json").write_text(json.dumps(guard.jwks()), encoding="utf-8")
        tool_side: dict[str, Any] = {"app": service}
        exec(tools_side, tool_side)

        def post(url: str, **given: Any) -> httpx.Response:
            async def go() -> httpx.Response:
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app=tool_side["app"])) as client:
                    return await client.post(url, **given)

            return asyncio.run(go())

        monkeypatch.setattr(httpx, "post", post)  # past the network, which is not there
        with guard.task("work", intent="Pay order 7 back: 12.5 euros", agent="bot", principal="user:grace"):
            assert json.loads(agent["pay_back"](7, amount=12.5).removeprefix("paid for ")) == {"order": 7, "amount": 12.5}
        assert post("https://orders.acme.example/pay_back", json={"order": 7, "amount": 12.5}).status_code == 401
