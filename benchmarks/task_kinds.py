"""Recorded sessions of which each user task is taken as a task kind: the data folder, its halves, and manifests with so many kinds.

The folder holds `*.jsonl` and `*.jsonl.gz` of sessions (docs/replay.md has the keys), of which `model`, `user_task` and
`attack.goal_id` are read too. Where it has a `tools.json` ({SUITE: {TOOL: {name, description, parameters}}}), a suite
without a manifest is drafted from it, else from what its sessions call.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.benign_sessions import listing
from ruamel.yaml import YAML

from licet.draft import render
from licet.draft.mcp import from_mcp
from licet.draft.words import role
from licet.errors import UsageError
from licet.lines import lines_of, opened
from licet.manifest import Manifest, loads
from licet.manifest.baseline import Baseline
from licet.replay import Bad, Session, read

ROOT = Path(__file__).parents[1]
MANIFESTS = ROOT / "benchmarks" / "agentdojo"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A session, and what the data says around it. `asked`: the user himself asks for what elsewhere is an attack."""

    session: Session
    model: str
    task: str
    goal: str = ""
    asked: bool = False

    @property
    def suite(self) -> str:
        """Its suite."""
        return self.session.suite

    @property
    def group(self) -> str:
        """`attack_reached`, `attack_not_reached`, `benign_solved`, `benign_unsolved`, or `asked_by_the_user`."""
        if self.asked:
            return "asked_by_the_user"
        if self.session.attacked:
            return "attack_reached" if self.session.reached else "attack_not_reached"
        return "benign_solved" if self.session.solved else "benign_unsolved"


def data_folder(given: str | None) -> Path:
    """The folder with the recordings: the one that is named, LICET_RECORDINGS, or the one beside the project.

    Raises:
        UsageError: there is none.
    """
    named = given or os.environ.get("LICET_RECORDINGS")
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "agentdojo"
    if not folder.is_dir():
        raise UsageError(f"{folder}: no folder with recordings; name one with --data or LICET_RECORDINGS")
    return folder


def recordings(folder: Path) -> Iterator[Recorded]:
    """Every session of every file of a folder; a line that is none is named on standard error.

    Raises:
        UsageError: the folder holds no session files, or one cannot be opened.
    """
    paths = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
    if not paths:
        raise UsageError(f"{folder}: holds no *.jsonl or *.jsonl.gz; name the folder with the session files")
    for path in paths:
        around = dict(_around(path))
        for item in read(path):
            if isinstance(item, Bad):
                print(f"not a session: {item}", file=sys.stderr)
            else:
                yield Recorded(item, *around[item.place])


def _around(path: Path) -> Iterator[tuple[str, tuple[str, str, str, bool]]]:
    """By the place of each line, what `licet.replay` has no use for."""
    with opened(path) as raw:
        for number, line in lines_of(raw):
            try:
                record = json.loads(line)
                attack, meta = record.get("attack") or {}, record.get("meta") or {}
                yield (
                    f"{path}:{number}",
                    (
                        str(record.get("model") or ""),
                        str(record.get("user_task") or record["suite"]),
                        str(attack.get("goal_id") or ""),
                        bool(meta.get("injection_task_as_user_task")),
                    ),
                )
            except (ValueError, AttributeError, KeyError, TypeError):
                continue  # it is no session, and is told of where it is read as one


def halves(models: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The models in two halves: by name, those at even places and those at odd ones."""
    names = sorted(set(models))
    return frozenset(names[::2]), frozenset(names[1::2])


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite's manifest as plain data with one task kind. `drafted`: nobody wrote it."""

    name: str
    document: Mapping[str, Any]
    drafted: bool

    def text(self, kinds: Mapping[str, Baseline | None]) -> str:
        """The same manifest with these task kinds in place of its own, each with its baseline, if there is one. JSON is YAML too."""
        (only,) = self.document["tasks"].values()
        (agent,) = self.document["agents"]
        tasks = {kind: dict(only) for kind in kinds}
        for kind, baseline in kinds.items():
            if baseline is not None:
                tasks[kind]["baseline"] = baseline.model_dump(mode="json", exclude_none=True)
        agents = {agent: {**self.document["agents"][agent], "tasks": list(tasks)}}
        return json.dumps({**self.document, "agents": agents, "tasks": tasks}, indent=1)

    def manifest(self, kinds: Mapping[str, Baseline | None]) -> Manifest:
        """As `text`."""
        return loads(self.text(kinds), name=f"{self.name}, a kind for each task")


def suite_of(name: str, manifests: Path, folder: Path, sessions: Iterable[Session]) -> Suite:
    """The suite's manifest from `manifests`; where that folder has none, a draft from its tools alone.

    Raises:
        UsageError: the manifest has not exactly one task kind and one agent.
    """
    path = manifests / f"{name}.yaml"
    if not path.is_file():
        return Suite(name, drafted(name, folder, sessions), drafted=True)
    document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    for section in ("tasks", "agents"):
        if len(document[section]) != 1:
            raise UsageError(f"{path}: `{section}` must hold exactly one, which then stands for each user task")
    for tool in document["tools"].values():
        if "fields" in tool:
            tool.setdefault("format", "yaml")  # recordings hold text
    return Suite(name, document, drafted=False)


def drafted(name: str, folder: Path, sessions: Iterable[Session]) -> dict[str, Any]:
    """What `licet init` drafts, with every tool granted and no question before a call; tools that read and take no link or address let
    nothing out."""
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(draft_of(name, folder, sessions))
    for tool in document["tools"].values():
        tool["unknown_arguments"] = "drop"  # AgentDojo's runtime ignores what is not in the schema
        if tool["access"] == "read" and not any(role(argument) == "address" for argument in tool.get("arguments") or {}):
            tool["egress"] = False
    for task in document["tasks"].values():
        task |= {"tools": {tool: {} for tool in document["tools"]}, "ttl": "12h"}
    return document


def draft_of(name: str, folder: Path, sessions: Iterable[Session]) -> str:
    """What `licet init` drafts from the suite's tools, as it comes."""
    return render(from_mcp(_listed(name, folder, sessions)), f"the tools of {name}")


def _listed(name: str, folder: Path, sessions: Iterable[Session]) -> dict[str, Any]:
    described = folder / "tools.json"
    if described.is_file() and name in (of_suites := json.loads(described.read_text(encoding="utf-8"))):
        tools = of_suites[name].values()
        return {
            "tools": [
                {"name": tool["name"], "description": tool.get("description") or "", "inputSchema": tool.get("parameters") or {}}
                for tool in tools
            ]
        }
    calls = [{"tools": [], "calls": [{"name": call.tool, "args": call.arguments} for call in session.calls]} for session in sessions]
    return listing(calls)
