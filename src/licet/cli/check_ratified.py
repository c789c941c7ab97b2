"""What `licet check` says of a manifest's ratification and of its baselines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.escape import counted
from licet.guard.learned import Learned
from licet.guard.ratified import NotRatified, Ratified, ratification
from licet.guard.state import StateFolder, default_state
from licet.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Told:
    """Whether somebody answers for the manifest, and which of its baselines are in force.

    `baselines` has for each its task kind, its sessions, the agents of the kind, and for which of them it is not in force, and why.
    """

    found: Ratified | NotRatified
    baselines: list[dict[str, Any]]

    @classmethod
    def of(cls, manifest: Manifest, state: str | None) -> Told:
        """As the state folder says. None is made."""
        found = ratification(manifest, StateFolder(default_state() if state is None else Path(state)))
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
        return cls(found, rows)

    @property
    def ratified(self) -> bool:
        """Whether somebody does."""
        return isinstance(self.found, Ratified)

    def as_json(self) -> dict[str, Any]:
        """The ratification, for `--json`."""
        if isinstance(self.found, Ratified):
            return {"ratified": True, "why": "", "key": self.found.key, **asdict(self.found.ratification)}
        return {"ratified": False, "why": self.found.why, "alarming": self.found.alarming}

    def say(self, name: str) -> None:
        """All of it, for people."""
        if isinstance(self.found, Ratified):
            output.say(name, ": ", output.paint("ratified", "green"), f": {self.found}")
        else:
            output.say(name, ": ", output.paint("not ratified", "red" if self.found.alarming else "yellow"), f": {self.found.why}")
        for each in self.baselines:
            begun = f"{name}: the baseline of `{each['task_kind']}`, learned from {counted(each['sessions'], 'session')}, "
            for row in each["not_in_force"]:
                output.say(begun, output.paint("is not in force", "yellow"), f" for `{row['agent']}`: {row['why']}")
            if len(each["not_in_force"]) < len(each["agents"]):
                only = "" if each["ratified"] else ", and only flags, since it is not ratified"
                output.say(begun, output.paint("is in force", "green"), only)
