"""What `licet check` says of a manifest's ratification and of its baselines."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.cli.ratifying import copy_of
from licet.escape import counted
from licet.guard.learned import Learned
from licet.guard.ratified import NotRatified, Ratified, ratification
from licet.guard.state import StateFolder, default_state
from licet.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Told:
    """Whether somebody answers for the manifest, and which of its baselines are in force.

    `baselines` has for each its task kind, its sessions, the agents of the kind, and for which of them it is not in force, and why.
    `copy` is what was ratified, where that is another manifest than the one that stands there, and was ratified on this machine.
    """

    found: Ratified | NotRatified
    baselines: list[dict[str, Any]]
    copy: Path | None = None

    @classmethod
    def of(cls, manifest: Manifest, state: str | None) -> Told:
        """As the state folder says. None is made."""
        folder = StateFolder(default_state() if state is None else Path(state))
        found = ratification(manifest, folder)
        learned = Learned(manifest, ratified=isinstance(found, Ratified))
        misfits = list(learned.misfits())
        rows = [
            {
                "task_kind": kind, "sessions": task.baseline.sessions, "ratified": learned.ratified,
                "agents": [name for name, agent in manifest.agents.items() if kind in agent.tasks],
                "not_in_force": [{"agent": agent, "why": why} for of, agent, why in misfits if of == kind],
            }
            for kind, task in manifest.tasks.items() if task.baseline is not None
        ]  # fmt: skip
        was = found.found.manifest if isinstance(found, NotRatified) and found.found is not None else manifest.digest
        copy = copy_of(folder, was)
        return cls(found, rows, copy if was != manifest.digest and copy.is_file() else None)

    @property
    def ratified(self) -> bool:
        """Whether somebody does."""
        return isinstance(self.found, Ratified)

    def as_json(self) -> dict[str, Any]:
        """The ratification, for `--json`."""
        if isinstance(self.found, Ratified):
            return {"ratified": True, "why": "", "key": self.found.key, **asdict(self.found.ratification)}
        return {
            "ratified": False,
            "why": self.found.why,
            "alarming": self.found.alarming,
            "ratified_copy": str(self.copy) if self.copy else None,
        }

    def say(self, name: str) -> None:
        """All of it, for people."""
        if isinstance(self.found, Ratified):
            output.say(name, ": ", output.paint("ratified", "green"), f": {self.found}")
        else:
            output.say(name, ": ", output.paint("not ratified", "red" if self.found.alarming else "yellow"), f": {self.found.why}")
            if self.copy is not None:
                output.say(f"  what has changed since: licet diff {shlex.quote(str(self.copy))} {shlex.quote(name)}")
        for each in self.baselines:
            begun = f"{name}: the baseline of `{each['task_kind']}`, learned from {counted(each['sessions'], 'session')}, "
            for row in each["not_in_force"]:
                output.say(begun, output.paint("is not in force", "yellow"), f" for `{row['agent']}`: {row['why']}")
            if len(each["not_in_force"]) < len(each["agents"]):
                only = "" if each["ratified"] else ", and only flags, since it is not ratified"
                output.say(begun, output.paint("is in force", "green"), only)
