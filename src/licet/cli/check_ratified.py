"""What `licet check` says of a manifest's ratification and of its baselines."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.escape import counted
from licet.guard.learned import Learned
from licet.guard.ratified import NotRatified, Ratified, file_of, ratification
from licet.guard.state import StateFolder, default_state
from licet.manifest import Manifest


def standing_of(manifest: Manifest, options: argparse.Namespace) -> Ratified | NotRatified:
    """Whether the manifest is ratified, as the state folder says. None is made."""
    folder = StateFolder(default_state() if options.state is None else Path(options.state))
    return ratification(manifest, folder)


def baselines_of(manifest: Manifest, found: Ratified | NotRatified) -> list[dict[str, Any]]:
    """Each baseline: its task kind, its sessions, whether a person vouches for it, and for which agents it is not in force, and why."""
    learned = Learned(manifest, ratified=isinstance(found, Ratified))
    misfits = list(learned.misfits())
    return [
        {
            "task_kind": kind, "sessions": task.baseline.sessions, "ratified": learned.ratified,
            "not_in_force": [{"agent": agent, "why": why} for of, agent, why in misfits if of == kind],
            "agents": [name for name, agent in manifest.agents.items() if kind in agent.tasks],
        }
        for kind, task in manifest.tasks.items() if task.baseline is not None
    ]  # fmt: skip


def as_json(found: Ratified | NotRatified) -> dict[str, Any]:
    """It for `--json`."""
    if isinstance(found, Ratified):
        return {"ratified": True, "why": "", "key": found.key, **asdict(found.ratification)}
    return {"ratified": False, "why": found.why, "alarming": found.alarming}


def say(name: str, found: Ratified | NotRatified, baselines: list[dict[str, Any]]) -> None:
    """It for people. Of a manifest without baselines that nobody ever ratified, nothing is said."""
    if isinstance(found, Ratified):
        output.say(name, ": ", output.paint("ratified", "green"), f": {found}")
    elif baselines or found.alarming or os.path.lexists(file_of(name)):
        output.say(name, ": ", output.paint("not ratified", "red" if found.alarming else "yellow"), f": {found.why}")
    for each in baselines:
        begun = f"{name}: the baseline of `{each['task_kind']}`, learned from {counted(each['sessions'], 'session')}, "
        for row in each["not_in_force"]:
            output.say(begun, output.paint("is not in force", "yellow"), f" for `{row['agent']}`: {row['why']}")
        if len(each["not_in_force"]) < len(each["agents"]):
            only = "" if each["ratified"] else ", and only flags, since it is not ratified"
            output.say(begun, output.paint("is in force", "green"), only)
